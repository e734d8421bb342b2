"""One generated case: its truth, the verdicts on both trainings, and the cure.

Half of the cases are judged as runs, with configuration and history, and `fix` tries to cure their
faults. The others are judged from the weights file alone, through `actcli diagnose FILE`; there the
first remedy is followed, to see whether it makes the network worse.
"""

import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from generated import VERSION, Case, draw
from generated_truth import (
    SEEDS,
    accuracy_of,
    config_of,
    measure,
    mutated_settings,
    paths,
    reachable,
    regained,
    trained,
)

import actcli
from actcli.cli import main
from actcli.config.schema import Config
from actcli.errors import DivergedError, UsageError
from actcli.formats.safetensors import safetensors_parts
from actcli.store.condition import Condition, examine_run
from actcli.store.fix import Fix, train_to_end
from actcli.store.start import start_run
from actcli.training.learner import Learner

TRIES = 5  # of `fix`
CURED_SHARE = 0.8  # of the accuracy that the fault cost
JUDGE_FILES = (
    "diagnostics/**/*.py",
    "store/condition.py",
    "store/fix.py",
    "store/targets.py",
    "cli/targets.py",
    "cli/diagnose.py",
)


def code_fingerprint() -> str:
    """Return a hash of the code that judges and cures: a new one makes old verdicts stale."""
    package = Path(actcli.__file__).parent
    files = sorted({path for pattern in JUDGE_FILES for path in package.glob(pattern)})
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


@dataclass
class Clock:
    """Seconds of CPU time by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the CPU time of the block to a stage."""
        start = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - start


def run_case(seed: int, folder: Path, truth: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the record of a case: its truth, the verdicts, and the cure.

    Args:
        seed: the seed of the case.
        folder: the folder of the data sets.
        truth: an earlier record of the case, whose measured truth is used again.
    """
    clock = Clock()
    with clock.stage("truth"):
        measured = dict(truth["truth"]) if truth else measure(seed, folder)
    record: dict[str, Any] = {"seed": seed, "version": VERSION, "code": code_fingerprint()}
    record["truth"] = measured
    if measured["label"] != "unhealthy":
        case = next(case for at, case in enumerate(draw(seed)) if at == measured["attempt"])
        record |= {
            "kind": case.healthy.kind,
            "mutation": case.name,
            "from": "weights" if case.from_weights else "run",
            "change": case.describe(),
            "settings": dict(case.healthy.settings),
        }
        judge_case = _judge_weights if case.from_weights else _judge_run
        with tempfile.TemporaryDirectory() as temporary:
            record |= judge_case(case, paths(case, folder), measured, Path(temporary), clock)
    record["seconds"] = {name: round(value, 2) for name, value in clock.seconds.items()}
    return record


# Runs ------------------------------------------------------------------------------------------


def _judge_run(
    case: Case, data: tuple[Path, Path], truth: Mapping[str, Any], folder: Path, clock: Clock
) -> dict[str, Any]:
    """Return the findings of both runs, and whether `fix` cures the mutated one."""
    with clock.stage("train"):
        healthy = _run(config_of(case.healthy.settings, data[0], SEEDS[0]), folder, "healthy")
        mutated = _run(config_of(mutated_settings(case), data[1], SEEDS[0]), folder, "mutated")
    with clock.stage("diagnose"):
        conditions = examine_run(healthy), examine_run(mutated)
    record: dict[str, Any] = {
        "healthy_findings": _found(conditions[0]),
        "findings": _found(conditions[1]),
    }
    if truth["label"] == "fault":
        with clock.stage("fix"):
            result = Fix(mutated, folder, TRIES).search()
            limit = reachable(case, data[1], truth)
        record["fix"] = {
            "accuracy": result.after.test,
            "regained": regained(truth, result.after.test, limit),
            "reachable": limit,
            "verdict": result.after.verdict,
            "changes": result.changes,
            "tries": [[t.rule, dict(t.remedy.changes), t.outcome] for t in result.tries],
        }
    return record


def _run(config: Config, folder: Path, name: str) -> Path:
    with contextlib.closing(start_run(config.resolve(), folder, name)) as run:
        with contextlib.suppress(DivergedError):
            train_to_end(run, 0)
            run.finish()
        return run.folder


def _found(condition: Condition) -> list[list[str]]:
    return [[finding.rule, str(finding.severity)] for finding in condition.findings]


# Weights alone ---------------------------------------------------------------------------------


def _judge_weights(
    case: Case, data: tuple[Path, Path], truth: Mapping[str, Any], folder: Path, clock: Clock
) -> dict[str, Any]:
    """Return the findings on both weights files, and the accuracy after the first remedy.

    The files are examined on the rows that they were trained on, except that permuted labels are
    seen only beside the right ones.
    """
    changed = mutated_settings(case)
    examined = data[0] if case.mutation.from_weights else data[1]
    loss = case.healthy.settings.get("loss.name", "cross-entropy")
    found: list[Any] = []
    for name, settings, trained_on, rows in (
        ("healthy", case.healthy.settings, data[0], data[0]),
        ("mutated", changed, data[1], examined),
    ):
        with clock.stage("train"):
            path = _bare_weights(trained(settings, trained_on, SEEDS[0]), folder / name)
        # A mutation of the loss is not given away, and the number of logits must fit.
        is_changed = settings.get("loss.name", "cross-entropy") != loss
        told_loss = "cross-entropy" if is_changed else loss
        with clock.stage("diagnose"):
            found.append(_diagnose_file(path, rows, settings, told_loss))
    record = {
        label: [[each["rule"], each["severity"]] for each in findings]
        for label, findings in zip(("healthy_findings", "findings"), found, strict=True)
    }
    changes = next((r["changes"] for f in found[1] for r in f["remedies"] if r["changes"]), {})
    if truth["label"] == "fault" and changes:
        with clock.stage("fix"):
            record["remedy"] = _follow(changes, changed, data[1], truth)
    return record


def _bare_weights(learner: Learner, stem: Path) -> Path:
    """Write a file as PyTorch would: weights and biases, and nothing about them."""
    named = {}
    for index, layer in enumerate(learner.network.layers):
        named[f"{2 * index}.weight"] = layer.weights
        named[f"{2 * index}.bias"] = layer.biases
    path = stem.with_suffix(".safetensors")
    path.write_bytes(b"".join(map(bytes, safetensors_parts(named, {}))))
    return path


def _diagnose_file(path: Path, data: Path, settings: Mapping[str, Any], loss: str) -> Any:
    """Return the findings of `actcli diagnose FILE`, told what the author of a model knows."""
    arguments = ["diagnose", str(path), "--dataset", str(data), "--loss", loss, "--json"]
    arguments += ["--activation", settings["model.activation"]]
    arguments += ["--normalize", settings["data.normalize"]]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    if "is not a finite number" in result.output:  # the file is refused, with this reason
        return [{"rule": "non-finite-parameters", "severity": "error", "remedies": []}]
    if result.exit_code:
        raise RuntimeError(f"actcli {' '.join(arguments)}: {result.output}")
    return json.loads(result.stdout)["findings"]


def _follow(
    changes: Mapping[str, Any], settings: Mapping[str, Any], data: Path, truth: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the accuracy of the mutated training after a remedy."""
    try:
        accuracy = accuracy_of({**settings, **changes}, data, SEEDS[0])
    except UsageError as error:
        return {"changes": changes, "accuracy": None, "refused": str(error)}
    return {"changes": changes, "accuracy": accuracy, "regained": regained(truth, accuracy)}
