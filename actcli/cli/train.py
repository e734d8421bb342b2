"""`actcli train`: a network from its configuration, with a live view of how it learns."""

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from actcli.cli.begin import go_on, settings_of_run, start
from actcli.cli.interrupts import STATUS, Interrupts
from actcli.cli.messages import print_note
from actcli.cli.options import (
    ConfigCommand,
    ConfigType,
    configuration_options,
    runs_dir_option,
    settings,
)
from actcli.cli.parameter_types import RunType
from actcli.cli.watch import conclude, tell_interrupted, watch
from actcli.config.sources import Setting, assemble
from actcli.errors import UsageError
from actcli.runs.catalog import find_run

if TYPE_CHECKING:
    from actcli.config.resolved import ResolvedConfig


@click.command(
    cls=ConfigCommand,
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
@click.option(
    "--resume",
    metavar="RUN",
    type=RunType(),
    help="Go on with a run, by its name or folder, from its last checkpoint, to the same result as "
    "if it had not been interrupted. --epochs may be raised.",
)
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
    resume: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    **_keys: object,
) -> None:
    """Train a multilayer perceptron as a run.

    Each run has a folder. CONFIG is a TOML file or the name of an example configuration; options
    override it. Without CONFIG, two hidden layers of ReLUs learn MNIST to 98 % in some seconds.
    Ctrl-C saves all of it, to go on later with --resume.
    """
    if resume is not None and not (config is name is None):
        what = "CONFIG" if name is None else "--name"
        raise UsageError(f"--resume takes no {what}", "The run has a configuration and a name")
    folder = None if resume is None else find_run(resume, runs_dir)
    asked = settings_of_run(ctx, folder) if folder else settings(ctx, config)
    chosen = assemble(asked).resolve()
    if dry_run:
        show_settings(chosen, asked, as_json)
        return
    if folder:
        run = go_on(folder, chosen, quiet, as_json)
    else:
        if not quiet:
            tell_unused(chosen, asked)
        run = start(chosen, runs_dir, default_name(config, chosen) if name is None else name, quiet)
    if run:
        with closing(run), Interrupts() as interrupts:
            watch(run, quiet, interrupts)
            if interrupts.received:
                tell_interrupted(run, interrupts.received)
                ctx.exit(STATUS[interrupts.received])
            conclude(run, as_json)


# After CONFIG, so that --help lists what a network is made of before how a run is kept.
train.params[1:1] = configuration_options()


def default_name(config: str | None, chosen: "ResolvedConfig") -> str:
    """Of a run: that of its configuration, as far as a run may have it, else of its activation."""
    return name_of(config) or chosen.model.activation[0]


def name_of(config: str | None) -> str:
    """What a folder may be called after a configuration; nothing if no letter of it may be used."""
    path = Path(config or "")
    # The configuration of a run is called config.toml; its folder has the name.
    stem = path.absolute().parent.name if path.name == "config.toml" else path.stem
    return re.sub(r"[^\w.+-]+", "-", stem).strip("-.")


def tell_unused(chosen: "ResolvedConfig", asked: list[Setting]) -> None:
    """Name what was asked for and has no effect beside the rest."""
    from actcli.config.clashes import unused_keys

    reasons = unused_keys(chosen)
    for setting in asked:
        if reason := reasons.get(str(setting.key)):
            print_note(f"{setting.origin}: {setting.key} has no effect: {reason}")


def show_settings(chosen: "ResolvedConfig", asked: list[Setting], as_json: bool) -> None:
    """What would be trained, and where each value comes from."""
    from actcli.config.clashes import unused_keys
    from actcli.config.schema import values

    origins = {str(setting.key): setting.origin for setting in asked}
    if as_json:
        from actcli.jsonlines import dumps

        tables: dict[str, dict[str, object]] = {}
        for key, value in values(chosen):
            origin = origins.get(str(key), "default")
            tables.setdefault(key.table, {})[key.name] = {"value": value, "origin": origin}
        click.echo(dumps(tables))
    else:
        from actcli.render.train import settings_table
        from actcli.term.console import stdout_console

        stdout_console().print(settings_table(chosen, origins, unused_keys(chosen)))
