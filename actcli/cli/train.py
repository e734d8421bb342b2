"""`actcli train`: a network from its configuration, with a live view of how it learns."""

import re
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from actcli.cli.downloads import downloads
from actcli.cli.options import ConfigType, configuration_options, runs_dir_option, settings
from actcli.training.config import Config
from actcli.training.settings import Setting, assemble
from actcli.training.threads import set_threads

if TYPE_CHECKING:
    from actcli.training.run import Run

REFRESH = 0.1  # seconds between two looks at a step: drawing each would cost more than computing it


@click.command(
    epilog="""\b
Each option of the configuration has an environment variable: ACTCLI_LR for --lr. An option
overrides the variable, the variable overrides CONFIG, and CONFIG overrides the default.

\b
Examples:
  actcli train
  actcli train sigmoid --epochs 3
  actcli train --hidden 100,100 --activation tanh --optimizer adam --lr 0.003 --dry-run
""",
)
@click.argument("config", required=False, type=ConfigType())
@click.option("--name", metavar="NAME", help="Of the run's folder.  [as CONFIG, or the activation]")
@runs_dir_option
@click.option("--dry-run", is_flag=True, help="Show each value and its origin; train nothing.")
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.pass_context
def train(
    ctx: click.Context,
    /,
    config: str | None,
    name: str | None,
    runs_dir: Path,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    **_keys: object,
) -> None:
    """Train a multilayer perceptron as a run.

    A run has a folder of its own. CONFIG is a TOML file or the name of a lesson; options override
    it. Without any, a network with two hidden layers of ReLUs learns MNIST to 98 % in some seconds.
    """
    asked = settings(ctx, config)
    chosen = assemble(asked)
    set_threads(chosen.training.threads)

    from actcli.training.build import resolve

    chosen = resolve(chosen)
    if dry_run:
        show_settings(chosen, asked, as_json)
        return
    if not quiet:
        tell_unused(chosen, asked)
    run = start(chosen, runs_dir, default_name(config, chosen) if name is None else name, quiet)
    watch(run, quiet)
    conclude(run, as_json)


# After CONFIG, so that --help lists what a network is made of before how a run is kept.
train.params[1:1] = configuration_options()


def default_name(config: str | None, chosen: Config) -> str:
    """Of a run: that of its configuration, as far as a run may have it, else of its activation."""
    path = Path(config or "")
    # The configuration of a run is called config.toml; its folder has the name.
    stem = path.absolute().parent.name if path.name == "config.toml" else path.stem
    return re.sub(r"[^\w.+-]+", "-", stem).strip("-.") or chosen.model.activation[0]


def tell_unused(chosen: Config, asked: list[Setting]) -> None:
    """Name what was asked for and has no effect beside the rest."""
    from actcli.training.build import unused

    reasons = unused(chosen)
    for setting in asked:
        if reason := reasons.get(str(setting.key)):
            click.echo(f"{setting.origin}: {setting.key} has no effect: {reason}", err=True)


def show_settings(chosen: Config, asked: list[Setting], as_json: bool) -> None:
    """What would be trained, and where each value comes from."""
    from actcli.training.build import unused
    from actcli.training.config import values

    origins = {str(setting.key): setting.origin for setting in asked}
    if as_json:
        from actcli.jsonlines import dumps

        tables: dict[str, dict[str, object]] = {}
        for key, value in values(chosen):
            origin = origins.get(str(key), "default")
            tables.setdefault(key.table, {})[key.name] = {"value": value, "origin": origin}
        click.echo(dumps(tables))
    else:
        from actcli.cli.console import stdout_console
        from actcli.render.training import settings_table

        stdout_console().print(settings_table(chosen, origins, unused(chosen)))


def start(chosen: Config, runs: Path, name: str, quiet: bool) -> "Run":
    """Load the data, draw the initial network, make the folder."""
    from actcli.diagnostics.health import examine, few
    from actcli.diagnostics.probe import Subject
    from actcli.training.build import load_dataset
    from actcli.training.learner import Learner
    from actcli.training.run import Run, create_folder

    with downloads(quiet) as progress:
        chosen, dataset = load_dataset(chosen, progress)
    learner = Learner(chosen, dataset)
    subject = Subject(learner.network, learner.loss, dataset.normalization, dataset.classes)
    watched = few(dataset.train)
    folder = create_folder(runs, name)
    return Run(learner, folder, observe=lambda: asdict(examine(subject, watched)))


def watch(run: "Run", quiet: bool) -> None:
    """Train: live in a terminal, a line for each epoch elsewhere, nothing if it is to be quiet."""
    from actcli.cli.console import stderr_console
    from actcli.render.training import EpochTable, LiveProgress
    from actcli.training.loop import EpochDone

    console = stderr_console()
    table = EpochTable(
        epochs=run.learner.config.training.epochs,
        validated=len(run.learner.dataset.validation) > 0,
        width=console.width,
        ascii_only=console.options.ascii_only,
    )
    watched = sys.stderr is not None and sys.stderr.isatty() and not console.is_dumb_terminal
    if quiet or not (table.epochs and watched):
        for event in run.train():
            if isinstance(event, EpochDone) and not quiet:
                console.print(table.sentence(event), soft_wrap=True)
        return
    console.print(table.headings())
    rows = len(run.learner.dataset.train)
    drawn = start = time.perf_counter()
    live = LiveProgress(console, table.epochs, rows)
    with live.progress:
        for event in run.train():
            now = time.perf_counter()
            if isinstance(event, EpochDone):
                console.print(table.row(event))
            elif now - drawn > REFRESH:
                drawn = now
                seen = (event.epoch - 1) * rows + event.rows
                speed = seen / (now - start)
                live.update(event.epoch, event.rows, speed, (rows * table.epochs - seen) / speed)
    console.print()


def conclude(run: "Run", as_json: bool) -> None:
    """Judge the network and write the result to stdout."""
    result = run.result()
    if as_json:
        from actcli.jsonlines import dumps

        click.echo(dumps({**asdict(result), "run": str(result.run)}))
        return
    from actcli.cli.console import stdout_console
    from actcli.render.training import summary

    data = run.learner.dataset
    rows = {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)}
    stdout_console().print(summary(result, rows, f"actcli diagnose {shlex.quote(str(run.folder))}"))
