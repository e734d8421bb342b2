"""`actcli train`: train a network from its configuration, with a live view in a terminal."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actcli.cli.downloads import downloads
from actcli.cli.found_rate import accept_find, with_found_rate
from actcli.cli.interrupts import STATUS, Interrupts
from actcli.cli.messages import escape_lines, print_note
from actcli.cli.options import (
    ConfigCommand,
    ConfigType,
    configuration_options,
    runs_dir_option,
    settings,
)
from actcli.cli.output import csv_option, emit, json_option, quiet_option, save_option
from actcli.cli.parameter_types import RunType
from actcli.cli.resume import describe_finished, print_changes, settings_of_run
from actcli.cli.sweep_targets import find_run
from actcli.cli.watch import TrainingResult, print_interrupted, watch, write_result
from actcli.config.sources import Setting, assemble, examples, first_sentence
from actcli.errors import UsageError
from actcli.store.folder import CONFIG

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.config.resolved import ResolvedConfig
    from actcli.config.schema import Key
    from actcli.store.train import Run


def list_examples(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    """Print the name and the first sentence of each example configuration, and exit."""
    if value and not ctx.resilient_parsing:
        width = max(map(len, examples()))
        for name in examples():
            click.echo(f"{name:{width}}  {first_sentence(name)}")
        ctx.exit()


@click.command(
    cls=ConfigCommand,
    own_heading="Run and output",
    epilog=f"""\b
Each option of the configuration has an environment variable: ACTCLI_LR for --lr. An option
overrides the variable, the variable overrides CONFIG, and CONFIG overrides the default.

\b
Example configurations (--list describes them):
  {", ".join(examples())}

\b
Examples:
  actcli train
  actcli train sigmoid --epochs 3
  actcli train --hidden 100,100 --activation tanh --optimizer adam --lr 0.003 --dry-run
""",
)
@click.argument("config", required=False, type=ConfigType())
@click.option("--name", metavar="NAME", help="Name of the run.  [name of CONFIG, or default]")
@runs_dir_option
@click.option(
    "--resume",
    metavar="RUN",
    type=RunType(),
    help="Name or folder of a run to resume from its last checkpoint. The result is the same as "
    "without the interruption. --epochs may be raised.",
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=list_examples,
    help="List the example configurations, and exit.",
)
@click.option("--dry-run", is_flag=True, help="Show each value and its origin; train nothing.")
@json_option
@csv_option("split")
@save_option
@quiet_option
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
    as_csv: bool,
    quiet: bool,
    **_keys: object,
) -> None:
    """Train a multilayer perceptron, and record the run in a folder.

    CONFIG is a TOML file or the name of an example configuration; options override it. Without
    CONFIG, a network with two hidden layers of ReLUs learns MNIST to 98 % accuracy in a few
    seconds. Ctrl-C saves the run; --resume continues it.
    """
    if resume is not None and not (config is name is None):
        argument = "CONFIG" if name is None else "--name"
        raise UsageError(f"--resume takes no {argument}", "The run has a configuration and a name")
    folder = None if resume is None else find_run(resume, runs_dir)
    if folder:
        overrides = settings_of_run(ctx, folder)
    else:
        overrides = with_found_rate(settings(ctx, config), quiet)
    resolved = assemble(overrides).resolve()
    if dry_run:
        show_settings(resolved, overrides, as_json, as_csv)
        return
    if folder:
        run = resumed_run(folder, resolved, quiet, as_json, as_csv)
    else:
        if not quiet:
            print_unused(resolved, overrides)
        run = new_run(resolved, runs_dir, default_name(config) if name is None else name, quiet)
        if not quiet:
            print_data_notes(resolved, run)
        if name is not None and run.folder.name != name:
            print_note(f"{run.folder.with_name(name)} exists: the new run is {run.folder.name}")
    if run:
        with closing(run), Interrupts() as interrupts:
            watch(run, quiet, interrupts)
            if interrupts.received:
                print_interrupted(run, interrupts.received)
                ctx.exit(STATUS[interrupts.received])
            write_result(run, as_json, as_csv)


# After CONFIG, so that --help lists the options of the configuration before those of the run.
train.params[1:1] = configuration_options()
accept_find(train.params)


def new_run(config: "ResolvedConfig", runs: Path, name: str, quiet: bool) -> "Run":
    """Return a new run, ready to train."""
    from actcli.store.start import start_run

    with downloads(quiet) as progress:
        return start_run(config, runs, name, progress)


def resumed_run(
    folder: Path, config: "ResolvedConfig", quiet: bool, as_json: bool, as_csv: bool
) -> "Run | None":
    """Return a run at its last checkpoint; if it is complete, write its result and return None."""
    from actcli.config.schema import Config
    from actcli.store.record import RunResult
    from actcli.store.start import resume_run

    epochs_before = Config.load(folder / CONFIG).resolve().training.epochs
    with downloads(quiet) as progress:
        run = resume_run(folder, config, progress)
    if isinstance(run, RunResult):
        text = escape_lines(describe_finished(folder, config))
        emit(TrainingResult(run, folder, {}), lambda _: finished_view(text), as_json, as_csv)
        return None
    if not quiet:
        print_changes(run, epochs_before)
    return run


def finished_view(text: str) -> "RenderableType":
    """Return the view of why nothing is left to train."""
    from actcli.render.train import one_line

    return one_line(text)


def default_name(config: str | None) -> str:
    """Return the name of a new run without --name: that of its configuration, or "default"."""
    return name_of(config) or "default"


def name_of(config: str | None) -> str:
    """Return the name for a folder of a configuration; "" if none of its letters may be used."""
    path = Path(config or "")
    # The configuration of a run is called config.toml; its folder has the name.
    stem = path.absolute().parent.name if path.name == "config.toml" else path.stem
    return re.sub(r"[^\w.+-]+", "-", stem).strip("-.")


def print_unused(config: "ResolvedConfig", overrides: list[Setting]) -> None:
    """Print which settings have no effect, and why; and whether the losses are weighted."""
    from actcli.config.clashes import unused_keys

    reasons = unused_keys(config)
    for setting in overrides:
        if reason := reasons.get(str(setting.key)):
            print_note(f"{setting.origin}: {setting.key} has no effect: {reason}")
    if config.loss.class_weight != "none":
        print_note(f"Losses are weighted by class: {config.loss.class_weight}")


def print_data_notes(config: "ResolvedConfig", run: "Run") -> None:
    """Print how a table was read and split, and the settings that the data set has chosen.

    Args:
        config: the configuration before the data set was read.
        run: the new run.
    """
    from actcli.datasets.tables import describe_small_bytes
    from actcli.training.automatic import describe_choice

    dataset = run.learner.dataset
    for note in (*dataset.notes, describe_small_bytes(dataset.normalization.method, dataset.train)):
        if note:
            print_note(note)
    if choice := dataset.is_table and describe_choice(config, run.learner.config):
        print_note(f"Chosen for this table: {choice}")


@dataclass(frozen=True)
class Settings:
    """The result of `actcli train --dry-run`: each value of a configuration and its origin."""

    config: "ResolvedConfig"
    origins: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: by table and name, the value and its origin."""
        tables: dict[str, Any] = {}
        for key, value, origin in self._settings():
            tables.setdefault(key.table, {})[key.name] = {"value": value, "origin": origin}
        return tables

    def csv_rows(self) -> Iterator[list[Any]]:
        """Yield the header of the CSV, and a row for each key; a value is TOML."""
        from actcli.config.schema import toml_value

        yield ["key", "value", "origin"]
        for key, value, origin in self._settings():
            yield [str(key), toml_value(value), origin]

    def _settings(self) -> "Iterator[tuple[Key, Any, str]]":
        from actcli.config.schema import values

        for key, value in values(self.config):
            yield key, value, self.origins.get(str(key), "default")


def show_settings(
    config: "ResolvedConfig", overrides: list[Setting], as_json: bool, as_csv: bool
) -> None:
    """Write each value of the configuration and its origin to stdout."""
    origins = {str(setting.key): setting.origin for setting in overrides}
    emit(Settings(config, origins), settings_view, as_json, as_csv)


def settings_view(settings: Settings) -> "RenderableType":
    """Return the view of a dry run."""
    from actcli.config.clashes import unused_keys
    from actcli.render.train import settings_table

    return settings_table(settings.config, settings.origins, unused_keys(settings.config))
