"""The report of what a user names: a run, several runs, a sweep, or a file of weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli import files
from actcli.datasets.dataset import ignore_progress
from actcli.datasets.download import Progress
from actcli.diagnostics.long_form import long_rows
from actcli.errors import UsageError
from actcli.pages.run_page import run_page
from actcli.pages.runs_page import runs_page
from actcli.pages.sweep_page import sweep_page
from actcli.store.run_report import RunReport, file_report, run_report
from actcli.store.runs_report import RunsReport, runs_report
from actcli.store.targets import Overrides
from actcli.sweep.results import SweepTable, read_table
from actcli.sweep.store import is_sweep
from actcli.term.numbers import grouped, percent


@dataclass(frozen=True, eq=False)
class Report:
    """A report: its numbers, and its page.

    Args:
        numbers: of a run or a file, of several runs, or of a sweep.
    """

    numbers: RunReport | RunsReport | SweepTable

    def to_dict(self) -> dict[str, Any]:
        """Return the object of `actcli report --json`."""
        if isinstance(self.numbers, SweepTable):
            return {"kind": "sweep", **self.numbers.to_dict()}
        return self.numbers.to_dict()

    def csv_rows(self) -> Iterator[Sequence[Any]]:
        """Yield the header and the rows of `actcli report --csv`."""
        if isinstance(self.numbers, SweepTable):
            return self.numbers.csv_rows()
        if isinstance(self.numbers, RunsReport):
            return self.numbers.comparison.csv_rows()
        diagnosis = self.numbers.diagnosis
        return long_rows(diagnosis.to_dict() if diagnosis else {})

    def summary(self) -> str:
        """Return what the report is about, in one line."""
        if isinstance(self.numbers, SweepTable):
            return (
                f"{self.numbers.folder.name}: a sweep of {grouped(len(self.numbers.outcomes))} runs"
            )
        if isinstance(self.numbers, RunsReport):
            runs = self.numbers.comparison.runs
            return f"{grouped(len(runs))} runs: {', '.join(run.name for run in runs)}"
        verdict, test = self.numbers.verdict, self.numbers.test
        parts = [verdict or "no verdict"]
        if test:
            parts.append(f"test accuracy {percent(test.accuracy, 2)}")
        return f"{self.numbers.name}: {', '.join([*parts, *self.numbers.notes])}"

    def save(self, path: str | Path) -> None:
        """Write the page, whole or not at all.

        Raises:
            ActcliError: the file cannot be written.
        """
        files.write(Path(path), self.to_html().encode("utf-8"))

    def to_html(self) -> str:
        """Return the page."""
        if isinstance(self.numbers, SweepTable):
            return sweep_page(self.numbers)
        if isinstance(self.numbers, RunsReport):
            return runs_page(self.numbers)
        return run_page(self.numbers)


def find_sweep(target: str, runs: Path) -> Path | None:
    """Return the folder of a sweep by its name or path, or None if there is no such sweep."""
    folders = (runs / target, Path(target)) if target else ()
    return next((folder for folder in folders if is_sweep(folder)), None)


def make_report(
    paths: Sequence[Path],
    overrides: Overrides | None = None,
    progress: Progress = ignore_progress,
    workers: int = 1,
) -> Report:
    """Return the report of a run, several runs, a sweep, or a file of weights.

    Args:
        paths: folders of runs, or the one of a sweep, or one file.
        overrides: properties that replace those of a run or a file.
        progress: receives the progress of downloads.
        workers: largest number of processes that share the rows of a diagnosis.

    Raises:
        UsageError: what stands side by side is not all runs.
        ActcliError: a file is damaged.
    """
    if len(paths) > 1:
        for path in paths:
            if not path.is_dir() or is_sweep(path):
                kind = "a sweep" if path.is_dir() else "a file"
                raise UsageError(f"{path} is {kind}", "Only runs can stand side by side")
        return Report(runs_report(paths, progress, workers))
    path = paths[0]
    if is_sweep(path):
        return Report(read_table(path))
    make = run_report if path.is_dir() else file_report
    return Report(make(path, overrides, progress, workers))
