"""`actcli compare`: runs side by side, in what they differ and how fast they learnt."""

from dataclasses import asdict
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING

import click

from actcli.cli.downloads import downloads
from actcli.cli.options import KindType, runs_dir_option
from actcli.cli.parameter_types import TargetType
from actcli.config.values import Number
from actcli.errors import ActcliError, DataError, UsageError
from actcli.store.catalog import find_run

if TYPE_CHECKING:
    from actcli.explore.compare import ComparedRun, Comparison

MOST = len(ascii_lowercase)  # runs: each has a letter


@click.command(
    epilog="""\b
Examples:
  actcli train relu -q && actcli train sigmoid -q && actcli compare relu sigmoid
  actcli train -q && actcli train --activation tanh -q && actcli compare relu tanh --json
""",
)
@click.argument("targets", metavar="RUN RUN...", nargs=-1, required=True, type=TargetType())
@runs_dir_option
@click.option(
    "--goal",
    type=KindType(Number(0, 1)),
    metavar="SHARE",
    default=0.95,
    help="The accuracy to which epochs are counted.  [0.95]",
)
@click.option("--no-verdict", is_flag=True, help="Do not examine runs that have no verdict.")
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Tell nothing of downloads.")
def compare(
    targets: tuple[str, ...],
    runs_dir: Path,
    goal: float,
    no_verdict: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare runs: what differs, how fast each learnt, where it ended.

    RUN is a run, by its name or folder. Its verdict and its share of dead units are those that it
    ended with; a run without them is examined, as by actcli diagnose.
    """
    named = [find_run(target, runs_dir) for target in targets]
    folders = list({folder.resolve(): folder for folder in named}.values())
    if not 2 <= len(folders) <= MOST:
        told = (
            f"{len(folders)} runs are too many"
            if folders[1:]
            else "one run has nothing to be compared with"
        )
        raise UsageError(told, f"Allowed: 2 to {MOST}")
    from actcli.explore.compare import compare_runs

    found = compare_runs([contender(folder, not no_verdict, quiet) for folder in folders], goal)
    (write_json if as_json else write_tables)(found)


def contender(folder: Path, judged: bool, quiet: bool) -> "ComparedRun":
    """What a run's folder tells, and where it tells no verdict, what a diagnosis says.

    Raises:
        DataError: the folder is damaged.
    """
    from actcli.config.schema import Config, toml_value, values
    from actcli.explore.compare import ComparedRun
    from actcli.store.catalog import summarize
    from actcli.store.folder import CONFIG
    from actcli.store.train import read_training

    run = summarize(folder)
    if run.config is None:
        raise DataError(f"{folder} is damaged: {run.fault}")
    config = Config.load(folder / CONFIG).resolve()
    verdict, dead = run.verdict, run.dead
    if verdict is None and judged:
        verdict, measured = examined(folder, quiet)
        dead = measured if run.state == "finished" else None
    return ComparedRun(
        name=run.name,
        state=run.state,
        settings={str(key): toml_value(value) for key, value in values(run.config)},
        history=read_training(config, folder).history,
        test_loss=run.test_loss,
        test_accuracy=run.test_accuracy,
        dead=dead,
        silent=run.silent,
        verdict=verdict,
    )


def examined(folder: Path, quiet: bool) -> tuple[str | None, float | None]:
    """The verdict of a diagnosis, and the share of dead units, if there is any unit.

    Where there can be no diagnosis, as when the data are gone, that is told on stderr.
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
        click.echo(f"{folder} has no verdict: {error}", err=True)
        return None, None
    units = sum(layer.units for layer in diagnosis.units)
    dead = sum(layer.dead for layer in diagnosis.units) / units if units else None
    return diagnosis.verdict, dead


def write_json(found: "Comparison") -> None:
    """For programs: what is the same in all runs, too."""
    from actcli.jsonlines import dumps

    runs = [
        {
            **{name: value for name, value in asdict(run).items() if name != "history"},
            "curve": curve,
            "reached": reached,
        }
        for run, curve, reached in zip(found.runs, found.curves, found.reached, strict=True)
    ]
    click.echo(
        dumps(
            {
                "rows": found.rows,
                "goal": found.goal,
                "differences": dict(found.differences),
                "runs": runs,
            }
        )
    )


def write_tables(found: "Comparison") -> None:
    """For people."""
    from actcli.render.compare import CompareView
    from actcli.term.console import stdout_console

    stdout_console().print(CompareView(found))
