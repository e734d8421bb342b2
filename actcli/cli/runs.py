"""`actcli runs` lists the runs; `actcli runs rm` removes some of them."""

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actcli.cli.options import runs_dir_option
from actcli.cli.output import csv_option, emit, json_option, save_option
from actcli.cli.parameter_types import TargetType
from actcli.errors import ActcliError, UsageError
from actcli.registry import nearest
from actcli.store.catalog import Summary, run_folders, summarize, usable_runs
from actcli.store.removal import check_removable, remove_run
from actcli.sweep.store import all_sweeps

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.sweep.results import Outcome, SweepSummary


@dataclass(frozen=True)
class RunList:
    """The result of `actcli runs`: the summaries of runs and sweeps, the newest first."""

    summaries: list[Summary]
    sweeps: "list[SweepSummary]"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the list."""
        sweeps = [
            _fields(sweep) | {name: _run_fields(getattr(sweep, name)) for name in ("best", "worst")}
            for sweep in self.sweeps
        ]
        return {"runs": [_fields(run) for run in self.summaries], "sweeps": sweeps}

    def csv_rows(self) -> Iterator[list[Any]]:
        """Yield the header of the CSV, and a row for each run, without its configuration."""
        columns = [field.name for field in fields(Summary) if field.name != "config"]
        yield ["run", *columns[1:]]
        for run in self.summaries:
            values = _fields(run)
            yield [values[column] for column in columns]


def _fields(entry: "Summary | SweepSummary") -> dict[str, Any]:
    changed = datetime.fromtimestamp(entry.changed, UTC).isoformat(timespec="seconds")
    return asdict(entry) | {"path": str(entry.path), "changed": changed}


def _run_fields(run: "Outcome | None") -> dict[str, Any] | None:
    return None if run is None else {"run": run.job, "test": run.test, "verdict": run.verdict}


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  actcli train --epochs 1 -q && actcli runs
  actcli train --epochs 1 --name try -q && actcli runs rm try --yes
""",
)
@runs_dir_option
@json_option
@csv_option("run")
@save_option
@click.pass_context
def runs(ctx: click.Context, runs_dir: Path, as_json: bool, as_csv: bool) -> None:
    """List the runs and the sweeps, the newest first.

    The accuracy and loss of a run are measured on the test rows at its end. A run without them is
    still in training, was interrupted (resume it with actcli train --resume), or has diverged.
    """
    if ctx.invoked_subcommand is not None:
        return
    summaries = [summarize(folder) for folder in run_folders(runs_dir)]
    summaries.sort(key=lambda run: (-run.changed, run.name))
    from actcli.sweep.results import summarize_sweep

    sweeps = [summarize_sweep(folder) for folder in all_sweeps(runs_dir)]
    sweeps.sort(key=lambda sweep: (-sweep.changed, sweep.name))

    def view(_: object) -> "RenderableType":
        from actcli.render.runs import RunsView, no_runs

        is_empty = not (summaries or sweeps)
        return no_runs(str(runs_dir)) if is_empty else RunsView(summaries, sweeps, time.time())

    emit(RunList(summaries, sweeps), view, as_json, as_csv)


@runs.command(
    epilog="""\b
Examples:
  actcli train --epochs 1 --name try -q && actcli runs rm try --yes
  actcli train --epochs 1 --name a+b -q && actcli runs rm runs/a+b --yes
"""
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=TargetType())
@runs_dir_option
@click.option("-y", "--yes", is_flag=True, help="Remove without asking.")
@click.pass_context
def rm(ctx: click.Context, names: tuple[str, ...], runs_dir: Path, yes: bool) -> None:
    """Remove runs, by their names or folders.

    Only the files of a run are removed. A folder is left alone if it holds other files, is a link,
    or is in use by a training.
    """
    outer = ctx.parent.params if ctx.parent else {}
    if "runs_dir" in outer and _is_default(ctx) and ctx.parent and not _is_default(ctx.parent):
        runs_dir = outer["runs_dir"]
    folders = list(dict.fromkeys(find_folder(name, runs_dir) for name in names))
    for folder in folders:
        check_removable(folder)
    if not (yes or confirmed(folders)):
        raise ActcliError("nothing was removed")
    for folder in folders:
        remove_run(folder)
        click.echo(f"removed {folder}")


def _is_default(ctx: click.Context) -> bool:
    return ctx.get_parameter_source("runs_dir") == click.core.ParameterSource.DEFAULT


def find_folder(name: str, runs_dir: Path) -> Path:
    """Return the folder of a name or a path, damaged or not.

    Raises:
        UsageError: the folder does not exist; the message has the nearest name.
    """
    for folder in (runs_dir / name, Path(name)):
        if name not in {"", ".", ".."} and (folder.is_symlink() or folder.exists()):
            return folder
    names = [folder.name for folder in usable_runs(runs_dir)]
    guess = nearest(name, names)
    hint = f"Did you mean {guess!r}? " if guess else ""
    raise UsageError(
        f"there is no run {name!a}", f"{hint}Runs in {runs_dir}: {', '.join(names[:10]) or 'none'}"
    )


def confirmed(folders: list[Path]) -> bool:
    """Ask on stderr whether to remove the runs.

    Raises:
        UsageError: stdin is not a terminal.
    """
    what = "this run" if len(folders) == 1 else f"these {len(folders)} runs"
    try:
        return click.confirm(f"Remove {what}: {', '.join(map(str, folders))}?", err=True)
    except click.Abort:
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        raise UsageError(
            "stdin is not a terminal", "Pass --yes to remove without a question"
        ) from None
