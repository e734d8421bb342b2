"""The numbers of the report of several runs: their comparison, and the report of each of a few."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli.datasets.dataset import ignore_progress
from actcli.datasets.download import Progress
from actcli.explore.compare import Comparison, compare_runs
from actcli.store.compared import compared_run
from actcli.store.run_report import RunReport, run_report
from actcli.store.targets import Overrides

EXAMINED_RUNS = 4  # more are compared by their records; a diagnosis takes about a second
GOAL = 0.95  # accuracy; the epochs up to it are counted


@dataclass(frozen=True, eq=False)
class RunsReport:
    """All that is known of several runs.

    Args:
        comparison: the runs side by side.
        reports: the report of each run; empty if there are many.
    """

    comparison: Comparison
    reports: tuple[RunReport, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers for JSON."""
        return {
            "kind": "runs",
            "comparison": self.comparison.to_dict(),
            "losses": [_losses(self, index) for index in range(len(self.comparison.runs))],
            "reports": [report.to_dict() for report in self.reports],
        }


def _losses(report: RunsReport, index: int) -> list[float]:
    return loss_curve(report.comparison, index)


def loss_curve(comparison: Comparison, index: int) -> list[float]:
    """Return the loss of a run after each epoch, on the rows of the comparison's accuracies."""
    return [
        epoch.validation.loss
        if comparison.rows == "validation" and epoch.validation
        else epoch.train.loss
        for epoch in comparison.runs[index].history
    ]


def runs_report(
    folders: Sequence[Path], progress: Progress = ignore_progress, workers: int = 1
) -> RunsReport:
    """Return the report of several runs; see `run_report` for the arguments.

    Raises:
        ActcliError: a record of a run is damaged.
    """
    comparison = compare_runs([compared_run(folder) for folder in folders], GOAL)
    if len(folders) > EXAMINED_RUNS:
        return RunsReport(comparison)
    reports = [run_report(folder, Overrides(), progress, workers) for folder in folders]
    return RunsReport(comparison, tuple(reports))
