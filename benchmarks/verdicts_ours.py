"""The set of `verdicts.py` on which the thresholds were chosen: the set-ups of setups.py.

A healthy set-up must have no warning and no error. The first finding of a faulty set-up must be
that of the expected rule.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from setups import Setup, examine, faulty, healthy
from verdict_page import rate

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding
from actcli.diagnostics.rates import rate_ratio
from actcli.diagnostics.rules import RULES
from actcli.diagnostics.symptoms import (
    born,
    died,
    kept,
    last_fall,
    majority,
    reaches_first,
    share,
    skill,
    start_ratio,
)
from actcli.diagnostics.verdict import HEALTHY, judge, verdict


def accuracy_gap(evidence: Evidence) -> float | None:
    """Return the accuracy on the training rows minus that on the validation rows."""
    epoch = kept(evidence)
    if epoch is None or epoch.validation_accuracy is None:
        return None
    return evidence.accuracy - epoch.validation_accuracy


def copied_share(evidence: Evidence) -> float:
    """Return the largest share of a hidden layer's units that are copies of another unit."""
    return max(evidence.duplicates[:-1], default=0.0)


def born_dead_share(evidence: Evidence) -> float:
    """Return the largest share of a hidden layer's units that were born dead."""
    return max((born(layer) / layer.units for layer in evidence.units), default=0.0)


# The number that each rule compares, besides how well the network learns: its name and function.
MEASURES: dict[str, tuple[str, Callable[[Evidence], float | None]]] = {
    "symmetric-units": ("largest share of copied units in a layer", copied_share),
    "unscaled-input": ("root mean square of the inputs", lambda e: e.input_size),
    "learning-rate-too-high": ("length of the steps / default recipe", rate_ratio),
    "exploding-gradient": ("δ norm, first layer / output layer", reaches_first),
    "born-dead": ("largest share of a layer born dead", born_dead_share),
    "class-imbalance": ("share of the largest class", majority),
    "vanishing-gradient": ("δ norm, first layer / output layer", reaches_first),
    "saturation": (
        "largest share of a layer saturated",
        lambda e: max((u.saturated_fraction or 0 for u in e.units), default=None),
    ),
    "poor-initial-loss": ("initial loss / loss at chance", start_ratio),
    "dead-units": ("share of hidden units that died", lambda e: share(sum(map(died, e.units)), e)),
    "learning-rate-too-low": (
        "final loss / initial loss",
        lambda e: e.loss_value / e.initial_loss if e.initial_loss else None,
    ),
    "collapsed-output": (
        "share of the most frequent prediction",
        lambda e: max(e.predicted) / e.rows,
    ),
    "not-learning": ("skill", skill),
    "overfitting": ("accuracy, training − validation", accuracy_gap),
    "underfitting-too-short": ("decrease of the loss in the last epoch", last_fall),
    "underfitting": (
        "accuracy − accuracy of the reference",
        lambda e: e.accuracy - e.reference_accuracy if e.reference_accuracy is not None else None,
    ),
    "overconfident": (
        "confidence − accuracy",
        lambda e: e.outputs.confidence - e.outputs.accuracy if e.outputs else None,
    ),
}


@dataclass(frozen=True)
class Outcome:
    """A set-up with its findings and its evidence."""

    setup: Setup
    findings: tuple[Finding, ...]
    evidence: Evidence

    @property
    def correct(self) -> bool:
        """Whether the verdict is the expected one."""
        if self.setup.expected == HEALTHY:
            return verdict(self.findings) == HEALTHY
        return bool(self.findings) and self.findings[0].rule == self.setup.expected

    @property
    def findings_text(self) -> str:
        """The rule and severity of each finding, worst first."""
        texts = [f"{finding.rule} ({finding.severity})" for finding in self.findings]
        return ", ".join(texts) or "none"


def run(setups: Iterable[Setup]) -> list[Outcome]:
    """Train and judge each set-up, and print a line about it."""
    outcomes = []
    for setup in setups:
        start = time.perf_counter()
        evidence = examine(setup)
        outcome = Outcome(setup, judge(evidence), evidence)
        outcomes.append(outcome)
        mark = "ok   " if outcome.correct else "WRONG"
        seconds = time.perf_counter() - start
        findings = outcome.findings_text
        print(f"{mark} {seconds:5.1f} s  {setup.expected}: {findings}  [{setup}]", flush=True)
    return outcomes


def section(well: list[Outcome], ill: list[Outcome], seconds: float) -> list[str]:
    """Return the lines of the page about our own set-ups."""
    false_alarms = sum(not outcome.correct for outcome in well)
    told_first = sum(outcome.correct for outcome in ill)
    inaccurate = sum(outcome.evidence.accuracy < 0.97 for outcome in well)
    rules = len({outcome.setup.expected for outcome in ill})
    return [
        "`python benchmarks/verdicts.py` trains and diagnoses every set-up of "
        f"`benchmarks/setups.py`, which took {seconds:.0f} s on one core.",
        "The thresholds were chosen on these set-ups.",
        "",
        f"- **False alarms: {rate(false_alarms, len(well))}** of the healthy set-ups "
        f"({inaccurate} of them have an accuracy below 97 %).",
        f"- **Told first: {rate(told_first, len(ill))}** of the faulty set-ups, which cover "
        f"{rules} of {len(RULES)} rules.",
        "",
        "Accuracy is measured on the training rows. The column *set-up* holds the settings that",
        "differ from the default configuration.",
        "",
        "### The number that each rule compares",
        "",
        "Each cell is a range: the lowest and the highest value over the healthy set-ups, and over",
        "the set-ups with the fault of the rule.",
        "",
        "| rule | number | healthy | faulty |",
        "|---|---|---:|---:|",
        *(_measured(rule, well, ill) for rule in MEASURES),
        "",
        "### Faulty set-ups",
        "",
        "| expected rule | findings, worst first | accuracy | set-up |",
        "|---|---|---:|---|",
        *map(_row, ill),
        "",
        "### Healthy set-ups",
        "",
        "| expected verdict | findings | accuracy | set-up |",
        "|---|---|---:|---|",
        *map(_row, well),
    ]


def _measured(rule: str, well: list[Outcome], ill: list[Outcome]) -> str:
    name, measure = MEASURES[rule]
    faulty_by_rule = [outcome for outcome in ill if outcome.setup.expected == rule]
    ranges = []
    for outcomes in (well, faulty_by_rule):
        measured = [measure(outcome.evidence) for outcome in outcomes]
        values = [value for value in measured if value is not None]
        ranges.append(f"{min(values):.3g} to {max(values):.3g}" if values else "")
    return f"| {rule} | {name} | {' | '.join(ranges)} |"


def _row(outcome: Outcome) -> str:
    mark = "" if outcome.correct else "**WRONG** "
    setup = str(outcome.setup) or "the default"
    accuracy = f"{100 * outcome.evidence.accuracy:.2f} %"
    return f"| {outcome.setup.expected} | {mark}{outcome.findings_text} | {accuracy} | {setup} |"


def run_ours() -> tuple[list[str], int]:
    """Run all set-ups, and return the lines of the page and the number of wrong verdicts."""
    start = time.perf_counter()
    ill, well = run(faulty()), run(healthy())
    wrong = sum(not outcome.correct for outcome in (*ill, *well))
    return section(well, ill, time.perf_counter() - start), wrong
