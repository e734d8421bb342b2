"""`actcli runs`: the runs that there are, and removing some of them."""

import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from actcli.cli.options import runs_dir_option
from actcli.cli.parameter_types import TargetType
from actcli.errors import ActcliError, UsageError
from actcli.registry import nearest
from actcli.store.catalog import Summary, run_folders, summarize, usable_runs
from actcli.store.removal import check_removable, remove_run


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  actcli train --epochs 1 -q && actcli runs
  actcli train --epochs 1 --name try -q && actcli runs rm try --yes
""",
)
@runs_dir_option
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
@click.pass_context
def runs(ctx: click.Context, runs_dir: Path, as_json: bool) -> None:
    """List the runs, the newest first.

    Accuracy and loss are those of the kept network on the test rows. A run without them is still
    trained, was interrupted (actcli train --resume goes on with it), or has diverged.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = [summarize(folder) for folder in run_folders(runs_dir)]
    found.sort(key=lambda run: (-run.changed, run.name))
    (write_json if as_json else write_table)(found, runs_dir)


@runs.command(
    epilog="""\b
Examples:
  actcli train --epochs 1 --name try -q && actcli runs rm try --yes
  actcli train --epochs 1 --name a+b -q && actcli runs rm runs/a+b --yes
"""
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=TargetType())
@runs_dir_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def rm(ctx: click.Context, names: tuple[str, ...], runs_dir: Path, yes: bool) -> None:
    """Remove runs, by their names or folders.

    Only the files of a run are removed. A folder that holds others, that is a link, or that a
    training writes to is left alone.
    """
    outer = ctx.parent.params if ctx.parent else {}
    if "runs_dir" in outer and _is_default(ctx) and ctx.parent and not _is_default(ctx.parent):
        runs_dir = outer["runs_dir"]
    folders = list(dict.fromkeys(find_folder(name, runs_dir) for name in names))
    for folder in folders:
        check_removable(folder)
    if not (yes or confirmed(folders)):
        raise ActcliError("nothing is removed")
    for folder in folders:
        remove_run(folder)
        click.echo(f"removed {folder}")


def _is_default(ctx: click.Context) -> bool:
    return ctx.get_parameter_source("runs_dir") == click.core.ParameterSource.DEFAULT


def find_folder(name: str, runs_dir: Path) -> Path:
    """The folder that a name or a path means, damaged or not.

    Raises:
        UsageError: there is none; the message has the nearest name.
    """
    for folder in (runs_dir / name, Path(name)):
        if name not in {"", ".", ".."} and (folder.is_symlink() or folder.exists()):
            return folder
    known = [folder.name for folder in usable_runs(runs_dir)]
    guess = nearest(name, known)
    hint = f"Did you mean {guess!r}? " if guess else ""
    raise UsageError(
        f"there is no run {name!a}", f"{hint}Runs in {runs_dir}: {', '.join(known[:10]) or 'none'}"
    )


def confirmed(folders: list[Path]) -> bool:
    """Ask on stderr.

    Raises:
        UsageError: there is nobody to ask.
    """
    what = "this run" if len(folders) == 1 else f"these {len(folders)} runs"
    try:
        return click.confirm(f"Remove {what}: {', '.join(map(str, folders))}?", err=True)
    except click.Abort:
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        raise UsageError("there is nobody to ask", "To remove without a question: --yes") from None


def write_json(found: list[Summary], _runs_dir: Path) -> None:
    """For programs."""
    from actcli.jsonlines import dumps

    def fields(run: Summary) -> dict[str, Any]:
        changed = datetime.fromtimestamp(run.changed, UTC).isoformat(timespec="seconds")
        return asdict(run) | {"path": str(run.path), "changed": changed}

    click.echo(dumps({"runs": [fields(run) for run in found]}))


def write_table(found: list[Summary], runs_dir: Path) -> None:
    """For people."""
    from actcli.render.runs import RunsView, nothing
    from actcli.term.console import stdout_console

    view = RunsView(found, time.time()) if found else nothing(str(runs_dir))
    stdout_console().print(view)
