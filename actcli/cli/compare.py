"""`actcli compare`: runs side by side: what differs, and how fast they learnt."""

from dataclasses import replace
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING

import click

from actcli.cli.downloads import downloads
from actcli.cli.messages import print_note
from actcli.cli.options import KindType, runs_dir_option
from actcli.cli.output import csv_option, emit, json_option, save_option
from actcli.cli.parameter_types import TargetType
from actcli.cli.sweep_targets import find_run
from actcli.config.values import Number
from actcli.errors import ActcliError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.explore.compare import ComparedRun, Comparison

MAX_RUNS = len(ascii_lowercase)  # each run has a letter


@click.command(
    epilog="""\b
Examples:
  actcli train relu -q && actcli train sigmoid -q && actcli compare relu sigmoid
  actcli train -q && actcli train sigmoid -q && actcli compare default sigmoid --json
""",
)
@click.argument("targets", metavar="RUN RUN...", nargs=-1, required=True, type=TargetType())
@runs_dir_option
@click.option(
    "--goal",
    type=KindType(Number(0, 1)),
    metavar="SHARE",
    default=0.95,
    help="Validation accuracy to reach; the table counts the epochs up to it.  [0.95]",
)
@click.option("--no-verdict", is_flag=True, help="Do not diagnose runs that have no verdict.")
@json_option
@csv_option("run")
@save_option
@click.option("-q", "--quiet", is_flag=True, help="Show no download progress.")
def compare(
    targets: tuple[str, ...],
    runs_dir: Path,
    goal: float,
    no_verdict: bool,
    as_json: bool,
    as_csv: bool,
    quiet: bool,
) -> None:
    """Compare the configurations, learning curves and results of runs.

    RUN is the name or folder of a run. Its verdict and share of dead units were recorded when the
    run ended. If they are missing, the run is diagnosed now, as by actcli diagnose.
    """
    named = [find_run(target, runs_dir) for target in targets]
    folders = list({folder.resolve(): folder for folder in named}.values())
    if not 2 <= len(folders) <= MAX_RUNS:
        count = f"{len(folders)} runs are too many" if folders[1:] else "one run is not enough"
        raise UsageError(f"{count} to compare", f"Allowed: 2 to {MAX_RUNS}")
    from actcli.explore.compare import compare_runs

    runs = [compared_run(folder, not no_verdict, quiet) for folder in folders]
    emit(compare_runs(runs, goal), compare_view, as_json, as_csv)


def compare_view(comparison: "Comparison") -> "RenderableType":
    """Return the view of a comparison."""
    from actcli.render.compare import CompareView

    return CompareView(comparison)


def compared_run(folder: Path, with_verdict: bool, quiet: bool) -> "ComparedRun":
    """Return a run to compare; if it recorded no verdict, diagnose it.

    Raises:
        DataError: the folder is damaged.
    """
    from actcli.store import compared

    run = compared.compared_run(folder)
    if run.verdict is None and with_verdict:
        verdict, measured = diagnosed(folder, quiet)
        dead = measured if run.state == "finished" else None
        run = replace(run, verdict=verdict, dead=dead)
    return run


def diagnosed(folder: Path, quiet: bool) -> tuple[str | None, float | None]:
    """Return the verdict of a diagnosis, and the share of dead units, if there are any units.

    If a diagnosis is not possible, as when the data are gone, print why on stderr.
    """
    from actcli.cli.diagnose import examine
    from actcli.cli.targets import Overrides, find_target

    try:
        with downloads(quiet) as progress:
            target = find_target(
                str(folder.absolute()), folder.parent, Overrides(), False, progress
            )
        diagnosis = examine(target)
    except ActcliError as error:
        print_note(f"{folder} has no verdict: {error}")
        return None, None
    units = sum(layer.units for layer in diagnosis.units)
    dead = sum(layer.dead for layer in diagnosis.units) / units if units else None
    return diagnosis.verdict, dead
