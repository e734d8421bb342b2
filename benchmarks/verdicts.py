"""Train every set-up of setups.py, judge it, and write docs/verdicts.md.

    python benchmarks/verdicts.py

Healthy set-ups must give no warning and no error; faulty ones must be found by their rule first.
Exit code 1 if one is not as it should be. It takes some minutes on one core.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":  # before NumPy: the networks are narrow, a second thread is in the way
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from setups import Setup, examine, faulty, healthy

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding
from actcli.diagnostics.rules import RULES
from actcli.diagnostics.symptoms import (
    born,
    died,
    kept,
    last_fall,
    majority,
    rate_ratio,
    reaches_first,
    share,
    skill,
    start_ratio,
)
from actcli.diagnostics.verdict import HEALTHY, judge, verdict

PAGE = Path(__file__).parents[1] / "docs" / "verdicts.md"


def gap(evidence: Evidence) -> float | None:
    """Accuracy on the training rows less that on the validation rows."""
    epoch = kept(evidence)
    if epoch is None or epoch.validation_accuracy is None:
        return None
    return evidence.accuracy - epoch.validation_accuracy


def copies(evidence: Evidence) -> float:
    """The largest share of copies in a hidden layer."""
    return max(evidence.duplicates[:-1], default=0.0)


def born_dead(evidence: Evidence) -> float:
    """The largest share of a layer that is dead from its birth."""
    return max((born(layer) / layer.units for layer in evidence.units), default=0.0)


# What each rule looks at besides whether the network learns: a name, and the number.
MEASURES: dict[str, tuple[str, Callable[[Evidence], float | None]]] = {
    "symmetric-units": ("share of copies in a hidden layer", copies),
    "unscaled-input": ("root mean square of the inputs", lambda e: e.input_size),
    "learning-rate-too-high": ("rate over the usual one", rate_ratio),
    "exploding-gradient": ("δ norm, first layer over output", reaches_first),
    "born-dead": ("born dead in a layer", born_dead),
    "class-imbalance": ("share of the largest class", majority),
    "vanishing-gradient": ("δ norm, first layer over output", reaches_first),
    "saturation": (
        "saturated in a layer",
        lambda e: max((u.saturated_fraction or 0 for u in e.units), default=None),
    ),
    "poor-initial-loss": ("initial loss over that of chance", start_ratio),
    "dead-units": ("died, of all hidden units", lambda e: share(sum(map(died, e.units)), e)),
    "learning-rate-too-low": (
        "loss over the initial",
        lambda e: e.loss_value / e.initial_loss if e.initial_loss else None,
    ),
    "collapsed-output": ("most frequent answer", lambda e: max(e.predicted) / e.rows),
    "not-learning": ("skill", skill),
    "overfitting": ("accuracy, training less validation", gap),
    "underfitting-too-short": ("fall of the loss at the end", last_fall),
    "overconfident": (
        "confidence less accuracy",
        lambda e: e.outputs.confidence - e.outputs.accuracy if e.outputs else None,
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What came of a set-up."""

    setup: Setup
    findings: tuple[Finding, ...]
    evidence: Evidence

    @property
    def right(self) -> bool:
        """Whether it was judged as it should be."""
        if self.setup.expected == HEALTHY:
            return verdict(self.findings) == HEALTHY
        return bool(self.findings) and self.findings[0].rule == self.setup.expected

    @property
    def told(self) -> str:
        """Each finding with its severity."""
        return ", ".join(f"{each.rule} ({each.severity})" for each in self.findings) or "none"


def run(setups: Iterable[Setup]) -> list[Outcome]:
    """Train and judge, with a line for each."""
    outcomes = []
    for setup in setups:
        start = time.perf_counter()
        evidence = examine(setup)
        outcome = Outcome(setup, judge(evidence), evidence)
        outcomes.append(outcome)
        mark = "ok   " if outcome.right else "WRONG"
        seconds = time.perf_counter() - start
        print(f"{mark} {seconds:5.1f} s  {setup.expected}: {outcome.told}  [{setup}]", flush=True)
    return outcomes


def page(well: list[Outcome], ill: list[Outcome], seconds: float) -> str:
    """The outcome as Markdown."""
    alarms = sum(not outcome.right for outcome in well)
    missed = sum(not outcome.right for outcome in ill)
    short = sum(outcome.evidence.accuracy < 0.97 for outcome in well)
    rules = len({outcome.setup.expected for outcome in ill})
    lines = [
        "# Verdicts on networks whose fault is known",
        "",
        "Made by `python benchmarks/verdicts.py`, which trains and judges every set-up of",
        f"`benchmarks/setups.py`. It took {seconds:.0f} s on one core.",
        "",
        f"- **False alarms: {alarms}** of {len(well)} healthy set-ups "
        f"({short} of them below 97 % of the training rows).",
        f"- **Missed: {missed}** of {len(ill)} faulty set-ups, of {rules} of {len(RULES)} rules.",
        "",
        "Accuracy is on the training rows. A set-up is the configuration that differs from the",
        "default.",
        "",
        "## What the rules look at",
        "",
        "From the lowest to the highest, in the healthy set-ups and in those with the fault.",
        "",
        "| rule | number | healthy | faulty |",
        "|---|---|---:|---:|",
        *(_measured(rule, well, ill) for rule in MEASURES),
        "",
        "## Faulty",
        "",
        "| expected | found, worst first | accuracy | set-up |",
        "|---|---|---:|---|",
        *map(_row, ill),
        "",
        "## Healthy",
        "",
        "| expected | found | accuracy | set-up |",
        "|---|---|---:|---|",
        *map(_row, well),
    ]
    return "\n".join(lines) + "\n"


def _measured(rule: str, well: list[Outcome], ill: list[Outcome]) -> str:
    name, measure = MEASURES[rule]
    sick = [outcome for outcome in ill if outcome.setup.expected == rule]
    ranges = []
    for outcomes in (well, sick):
        values = [measure(outcome.evidence) for outcome in outcomes]
        known = [value for value in values if value is not None]
        ranges.append(f"{min(known):.3g} to {max(known):.3g}" if known else "")
    return f"| {rule} | {name} | {' | '.join(ranges)} |"


def _row(outcome: Outcome) -> str:
    mark = "" if outcome.right else "**WRONG** "
    setup = str(outcome.setup) or "the default"
    accuracy = f"{100 * outcome.evidence.accuracy:.2f} %"
    return f"| {outcome.setup.expected} | {mark}{outcome.told} | {accuracy} | {setup} |"


def main() -> int:
    """Run all, write the page."""
    start = time.perf_counter()
    ill, well = run(faulty()), run(healthy())
    PAGE.write_text(page(well, ill, time.perf_counter() - start), encoding="utf-8")
    wrong = [outcome for outcome in (*ill, *well) if not outcome.right]
    print(f"{len(wrong)} of {len(ill) + len(well)} wrong; see {PAGE}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
