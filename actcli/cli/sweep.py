"""`actcli sweep`: train all combinations of the values of some keys, and compare the results."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actcli.cli.options import (
    ConfigCommand,
    KindType,
    configuration_options,
    print_new_names,
    runs_dir_option,
    settings_of_command,
)
from actcli.cli.output import csv_option, emit, json_option, quiet_option, save_option
from actcli.cli.parameter_types import SHOW, AxisType, SweepConfigType, SweepType
from actcli.cli.train import name_of
from actcli.config.keys import find_key
from actcli.config.sources import Setting
from actcli.config.values import Integer
from actcli.errors import UsageError
from actcli.sweep.axes import Axis, option_of, written
from actcli.sweep.file import SweepFile, find_sweep, read_sweep
from actcli.sweep.store import find_sweep_folder

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.sweep.plan import Job, Plan
    from actcli.sweep.results import SweepTable


class SweepCommand(ConfigCommand):
    """A command with the subcommand `show`, chosen by the first argument."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        if args and args[0] == SHOW:
            return show.make_context(f"{info_name} {SHOW}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(
    cls=SweepCommand,
    epilog="""\b
'actcli sweep show [NAME]' shows the result of an earlier sweep: see its --help.

\b
Examples:
  actcli sweep --vary optimizer.learning_rate=0.003,0.03,0.3 --seeds 2 --epochs 1
  actcli sweep relu --vary model.activation=relu,tanh --vary model.hidden=[32],[32,32] --epochs 1
  actcli sweep dead-units-vs-learning-rate --dry-run
""",
)
@click.argument("config", required=False, type=SweepConfigType())
@click.option(
    "--vary",
    "axes",
    metavar="TABLE.KEY=VALUES",
    type=AxisType(),
    multiple=True,
    help="Configuration key and its values: model.dropout=0,0.2. With --random also a range: "
    "optimizer.learning_rate=0.001..0.1:log. May be repeated.",
)
@click.option(
    "--seeds",
    metavar="N",
    type=KindType(Integer(1)),
    help="Number of seeds for each combination; the first one is --seed.  [1]",
)
@click.option(
    "--random",
    "draws",
    metavar="N",
    type=KindType(Integer(1)),
    help="Number of combinations in a random search, drawn with --seed.  [all combinations]",
)
@click.option(
    "--name", metavar="NAME", help="Name of the sweep's folder.  [CONFIG and the keys that vary]"
)
@runs_dir_option
@click.option(
    "--workers",
    metavar="N",
    type=KindType(Integer(1)),
    help="Number of worker processes on this machine.  [number of cores]",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Address of a Dask scheduler, whose workers then train: tcp://host:8786.",
)
@click.option(
    "--dry-run", is_flag=True, help="List the jobs and their estimated time; train nothing."
)
@json_option
@csv_option("run")
@save_option
@quiet_option
@click.pass_context
def sweep(
    ctx: click.Context,
    /,
    config: str | None,
    axes: tuple[Axis, ...],
    seeds: int | None,
    draws: int | None,
    name: str | None,
    runs_dir: Path,
    workers: int | None,
    scheduler: str | None,
    dry_run: bool,
    as_json: bool,
    as_csv: bool,
    quiet: bool,
    **_keys: object,
) -> None:
    """Train all combinations of the values of some configuration keys, and compare them.

    CONFIG is a sweep file, a configuration file, or the name of an example of either; options
    override it. Each job (one combination with one seed) is a run in the folder of the sweep.
    A sweep has at most 20,000 jobs. Finished runs are not trained again: the same command resumes
    an interrupted sweep.
    """
    exclude({"--workers": workers is not None, "--scheduler": scheduler is not None})
    file = read_sweep(find_sweep(config), config) if config else SweepFile()
    options = settings_of_command(ctx)
    varying = merged(file.axes, axes)
    check_fixed(options, varying)
    print_new_names(file.settings)
    # The runs share the cores, so each has one worker by default.
    base = (Setting(find_key("training", "workers"), 1, "sweep"), *file.settings, *options)

    from actcli.cli.sweep_run import Request, run
    from actcli.sweep.plan import Plan

    plan = Plan(base, varying, seeds or file.seeds or 1, draws or file.random, file.shows)
    folder = default_name(config, axes) if name is None else name
    request = Request(plan, check_jobs(plan), runs_dir, folder, workers, scheduler, quiet)
    if dry_run:
        from actcli.cli.sweep_list import list_jobs

        list_jobs(request, as_json, as_csv)
    else:
        ctx.exit(run(request, as_json, as_csv))


# --help lists the options of the sweep first, the configuration of all jobs last.
sweep.params += configuration_options(workers="workers-per-run")


@click.command(
    name=SHOW,
    epilog="""\b
Examples:
  actcli sweep show
  actcli sweep show relu-activation-hidden --all
  actcli sweep show relu-activation-hidden --csv
""",
)
@click.argument("name", required=False, type=SweepType())
@runs_dir_option
@click.option("--all", "complete", is_flag=True, help="Show all combinations.")
@json_option
@csv_option("run")
@save_option
def show(name: str | None, runs_dir: Path, complete: bool, as_json: bool, as_csv: bool) -> None:
    """Show the result of a sweep, finished or not.

    NAME is a sweep or its folder; the default is the newest sweep.
    """
    from actcli.sweep.results import read_table

    write_table(read_table(find_sweep_folder(name, runs_dir)), as_json, as_csv, complete)


def write_table(table: "SweepTable", as_json: bool, as_csv: bool, complete: bool = False) -> None:
    """Write the result of a sweep to stdout.

    Args:
        table: the result.
        as_json: whether to write one JSON object.
        as_csv: whether to write one line of CSV per run.
        complete: whether the view for people shows all combinations.
    """
    emit(table, lambda table: table_view(table, complete), as_json, as_csv)


def table_view(table: "SweepTable", complete: bool) -> "RenderableType":
    """Return the view of a result, with the commands that diagnose the worst and the best run."""
    from actcli.render.sweep import SweepView

    commands = [
        (f"actcli diagnose {shlex.quote(str(table.folder / run.job))}", f"the {name}: {run.ending}")
        for name, run in table.notable().items()
    ]
    return SweepView(table, commands, complete)


def exclude(options: dict[str, bool]) -> None:
    """Raise if two options that exclude each other are both given.

    Args:
        options: the name of each option, and whether it is given.

    Raises:
        UsageError: both options are given.
    """
    if all(options.values()):
        raise UsageError(f"{' and '.join(options)} exclude each other", "Choose one of them")


def merged(of_file: Sequence[Axis], of_options: Sequence[Axis]) -> tuple[Axis, ...]:
    """Return the axes of file and options; an option replaces the file's axis of the same key.

    Raises:
        UsageError: two options have the same key.
    """
    file_axes = {str(axis.key): axis for axis in of_file}
    option_axes = {str(axis.key): axis for axis in of_options}
    if len(option_axes) < len(of_options):
        twice = next(axis.key for axis in of_options if option_axes[str(axis.key)] is not axis)
        raise UsageError(f"--vary {twice} is given twice", "Put all values into one --vary")
    return tuple((file_axes | option_axes).values())


def check_fixed(options: Sequence[Setting], varying: Sequence[Axis]) -> None:
    """Raise if an option fixes a key that varies.

    Raises:
        UsageError: an option fixes such a key.
    """
    keys = {str(axis.key) for axis in varying}
    for setting in options:
        if str(setting.key) in keys and setting.origin.startswith("--"):
            raise UsageError(
                f"{setting.origin}: {setting.key} varies in this sweep",
                f"Give its values: --vary {setting.key}={written(setting.value)}",
            )


def check_jobs(plan: "Plan") -> list["Job"]:
    """Return the jobs of a plan.

    Raises:
        UsageError: nothing varies, or no job has a legal configuration.
    """
    if not plan.axes and plan.seeds == 1:
        raise UsageError(
            "nothing varies", "Example: --vary optimizer.learning_rate=0.01,0.1, or --seeds 3"
        )
    jobs = plan.jobs()
    if all(job.error for job in jobs):
        raise UsageError(str(jobs[0].error))
    return jobs


def default_name(config: str | None, axes: Sequence[Axis]) -> str:
    """Return the default name of a sweep: its file or configuration and the keys that vary."""
    varied = [option_of(str(axis.key)) for axis in axes]
    return "-".join([name_of(config) or "sweep", *varied])
