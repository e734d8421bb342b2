"""A comparison of runs: the keys that differ, the learning curves, and the final results.

Accuracies are measured on the validation rows if all runs have them; otherwise on the training
rows, while the network learns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from actcli.training.events import EpochDone

# Columns of the CSV: fields of ComparedRun.
RESULT_COLUMNS = ("state", "test_loss", "test_accuracy", "dead", "silent", "verdict")


@dataclass(frozen=True)
class ComparedRun:
    """A run of a comparison.

    Args:
        name: of the run.
        state: how it ended, or "unfinished"; "file" for a file of weights, which has no history.
        settings: the value of each key of the configuration, as TOML.
        history: the epochs.
        test_loss, test_accuracy: of the kept network; None if the run is not finished.
        dead: share of hidden units that no training row activates, for a finished run.
        silent: share of hidden units that no row of a sample activates after the last epoch; at
            least the share of dead units, and available for an unfinished run, too.
        verdict: recorded at the end of the run, or of a diagnosis; None without either.
    """

    name: str
    state: str
    settings: Mapping[str, str]
    history: tuple[EpochDone, ...]
    test_loss: float | None
    test_accuracy: float | None
    dead: float | None
    silent: float | None
    verdict: str | None


@dataclass(frozen=True)
class Comparison:
    """The result of `actcli compare`.

    Args:
        runs: in the order in which they were named.
        rows: "validation" or "train": the rows on which the accuracies are measured.
        curves: the accuracy of each run after each of its epochs.
        goal: an accuracy.
        reached: for each run, the first epoch with at least that accuracy; None if there is none.
        differences: for each key whose values differ, the value of each run.
    """

    runs: tuple[ComparedRun, ...]
    rows: str
    curves: tuple[tuple[float, ...], ...]
    goal: float
    reached: tuple[int | None, ...]
    differences: Mapping[str, tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of `actcli compare --json`."""
        return {
            "rows": self.rows,
            "goal": self.goal,
            "differences": dict(self.differences),
            "runs": [
                {
                    **{name: value for name, value in asdict(run).items() if name != "history"},
                    "curve": curve,
                    "reached": reached,
                }
                for run, curve, reached in zip(self.runs, self.curves, self.reached, strict=True)
            ],
        }

    def csv_rows(self) -> Iterator[Sequence[Any]]:
        """Yield the header of the CSV, and a row for each run, with the keys that differ."""
        yield ["run", "epochs", "reached", *RESULT_COLUMNS, *self.differences]
        for number, (run, reached) in enumerate(zip(self.runs, self.reached, strict=True)):
            results = [getattr(run, column) for column in RESULT_COLUMNS]
            settings = [values[number] for values in self.differences.values()]
            yield [run.name, len(run.history), reached, *results, *settings]


def compare_runs(runs: Sequence[ComparedRun], goal: float) -> Comparison:
    """Return a comparison of runs, with the epochs that each took to reach a goal.

    Args:
        runs: the runs.
        goal: an accuracy in [0, 1].
    """
    validated = all(epoch.validation is not None for run in runs for epoch in run.history)
    curves = tuple(
        tuple(
            epoch.train.accuracy
            if not validated or epoch.validation is None
            else epoch.validation.accuracy
            for epoch in run.history
        )
        for run in runs
    )
    return Comparison(
        runs=tuple(runs),
        rows="validation" if validated else "train",
        curves=curves,
        goal=goal,
        reached=tuple(
            next((epoch for epoch, share in enumerate(curve, 1) if share >= goal), None)
            for curve in curves
        ),
        differences=_differences(runs),
    )


def _differences(runs: Sequence[ComparedRun]) -> dict[str, tuple[str, ...]]:
    """Return the values of each key that differs; beside a file, of the keys that it has, too."""
    keys = list(dict.fromkeys(key for run in runs for key in run.settings))
    for run in runs:
        if run.state == "file":
            keys = [key for key in keys if key in run.settings]
    values = {key: tuple(run.settings.get(key, "") for run in runs) for key in keys}
    return {key: of_runs for key, of_runs in values.items() if len(set(of_runs)) > 1}
