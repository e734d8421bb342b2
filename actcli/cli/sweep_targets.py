"""Commands that take a run, given a sweep: the error lists the runs of the sweep."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from actcli.errors import UsageError
from actcli.registry import nearest
from actcli.store import catalog
from actcli.sweep.store import all_sweeps, complete_runs, is_sweep

if TYPE_CHECKING:
    from actcli.sweep.results import SweepTable

MAX_RUNS = 12  # in the message


def find_run(target: str | None, runs: Path, or_file: bool = False) -> Path:
    """Return the folder of a run, as `catalog.find_run`; of a sweep, the error lists the runs.

    Args:
        target: the name or folder of a run; None for the newest run.
        runs: the folder of all runs and sweeps.
        or_file: whether the path of a file is allowed, too.

    Raises:
        UsageError: there is no such run.
    """
    try:
        return catalog.newest(runs) if target is None else catalog.find_run(target, runs, or_file)
    except UsageError:
        error = _error(target, runs)
        if error is None:
            raise
    raise error


def _error(target: str | None, runs: Path) -> UsageError | None:
    """Return the error for a target that is a sweep or in a sweep, but not a run of it."""
    if target is None:
        folder = max(all_sweeps(runs), key=lambda each: each.stat().st_mtime_ns, default=None)
        message = f"there is no run in {runs}, but {folder} is a sweep"
        return _runs_of(folder, message) if folder else None
    if folder := _sweep(target, runs):
        return _runs_of(folder, f"{folder} is a sweep, not a run")
    name = Path(target).name
    if folder := _sweep(target.removesuffix(name), runs):
        names = names_of_runs(folder)
        guess = nearest(name, names)
        hint = f"Did you mean {guess!r}? " if guess else ""
        return UsageError(
            f"there is no run {name!a} in the sweep {folder}",
            f"{hint}Its runs: {', '.join(names[:MAX_RUNS]) or 'none'}",
        )
    return None


def names_of_runs(folder: Path) -> list[str]:
    """Return the names of the complete runs in the folder of a sweep, sorted."""
    return sorted(complete_runs(folder))


def _sweep(target: str, runs: Path) -> Path | None:
    """Return the folder of the sweep that a target names, or None."""
    return next((each for each in (runs / target, Path(target)) if target and is_sweep(each)), None)


def _runs_of(folder: Path, message: str) -> UsageError:
    """Return an error that lists the runs of a sweep, and the commands that diagnose two of them.

    Raises:
        DataError: the sweep is damaged.
    """
    from actcli.sweep.results import read_table

    table = read_table(folder)
    lines = [f"{message}. Its runs:", *(f"  {line}" for line in run_lines(table))]
    if len(table.outcomes) > MAX_RUNS:
        more = len(table.outcomes) - MAX_RUNS
        lines.append(f"  {more} more: actcli sweep show {shlex.quote(str(folder))} --csv")
    for name, run in table.notable().items():
        lines.append(f"The {name}: actcli diagnose {shlex.quote(str(folder / run.job))}")
    return UsageError("\n".join(lines))


def run_lines(table: "SweepTable") -> list[str]:
    """Return the name, test accuracy and verdict of at most `MAX_RUNS` runs, in their order.

    The worst and the best run are among them.
    """
    from actcli.term.numbers import align_points, percent

    notable = list(table.notable().values())
    others = [run for run in table.outcomes if run not in notable]
    kept = [*notable, *others[: MAX_RUNS - len(notable)]]
    runs = [run for run in table.outcomes if run in kept]
    width = max(len(run.job) for run in runs)
    scores = align_points("" if run.test is None else percent(run.test, 2) for run in runs)
    return [
        f"{run.job:{width}}  {score}  {run.ending}" for run, score in zip(runs, scores, strict=True)
    ]
