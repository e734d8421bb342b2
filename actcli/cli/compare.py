"""`actcli compare`: runs side by side: what differs, and how fast they learnt."""

from dataclasses import replace
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import click

from actcli.cli.downloads import downloads
from actcli.cli.messages import print_note
from actcli.cli.options import KindType, runs_dir_option
from actcli.cli.output import csv_option, emit, json_option, save_option
from actcli.cli.parameter_types import TargetType, override_options
from actcli.cli.sweep_targets import find_run
from actcli.config.values import Number
from actcli.errors import ActcliError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.cli.targets import Overrides, Target
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
@click.option("--no-verdict", is_flag=True, help="Do not diagnose targets that have no verdict.")
@override_options
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
    overrides: dict[str, Any],
) -> None:
    """Compare the configurations, learning curves and results of runs.

    RUN is the name or folder of a run, or a file of weights (.pt, .safetensors, .onnx, .keras,
    .h5, .npz). The verdict and share of dead units of a run were recorded when it ended. If they
    are missing, the run is diagnosed now, as by actcli diagnose, and so is a file. The options of a
    network, such as --activation, are for the files.
    """
    named = [find_run(target, runs_dir, or_file=True) for target in targets]
    paths = list({path.resolve(): path for path in named}.values())
    if not 2 <= len(paths) <= MAX_RUNS:
        count = f"{len(paths)} runs are too many" if paths[1:] else "one run is not enough"
        raise UsageError(f"{count} to compare", f"Allowed: 2 to {MAX_RUNS}")
    option = next((name for name, value in overrides.items() if value is not None), None)
    if option and all(path.is_dir() for path in paths):
        raise UsageError(
            f"--{option} is for files of weights", "A run's configuration is compared as it is"
        )
    from actcli.cli.targets import Overrides
    from actcli.explore.compare import compare_runs

    given = Overrides(**overrides)
    runs = [
        compared_run(path, not no_verdict, quiet)
        if path.is_dir()
        else compared_file(path, given, not no_verdict, quiet)
        for path in paths
    ]
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


def compared_file(
    path: Path, overrides: "Overrides", with_verdict: bool, quiet: bool
) -> "ComparedRun":
    """Return a file of weights to compare, with its verdict.

    Raises:
        DataError: the file cannot be read, or does not fit its data set.
    """
    from actcli.store import compared
    from actcli.store.targets import file_target

    with downloads(quiet) as progress:
        target = file_target(path, overrides, progress)
    run = compared.compared_file(target)
    if with_verdict:
        verdict, dead = verdict_of(target)
        run = replace(run, verdict=verdict, dead=dead)
    return run


def diagnosed(folder: Path, quiet: bool) -> tuple[str | None, float | None]:
    """Return the verdict of a diagnosis, and the share of dead units, if there are any units.

    If a diagnosis is not possible, as when the data are gone, print why on stderr.
    """
    from actcli.cli.targets import Overrides, find_target

    try:
        with downloads(quiet) as progress:
            target = find_target(
                str(folder.absolute()), folder.parent, Overrides(), False, progress
            )
        return verdict_of(target)
    except ActcliError as error:
        print_note(f"{folder} has no verdict: {error}")
        return None, None


def verdict_of(target: "Target") -> tuple[str, float | None]:
    """Return the verdict of a diagnosis, and the share of dead units, if there are any units."""
    from actcli.cli.diagnose import examine

    diagnosis = examine(target)
    units = sum(layer.units for layer in diagnosis.units)
    dead = sum(layer.dead for layer in diagnosis.units) / units if units else None
    return diagnosis.verdict, dead
