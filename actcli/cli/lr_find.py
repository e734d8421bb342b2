"""`actcli lr-find`: the learning-rate range test, which finds a learning rate in seconds."""

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from actcli.cli.found_rate import RATE, range_test
from actcli.cli.options import ConfigCommand, ConfigType, configuration_options, settings
from actcli.cli.output import csv_option, emit, json_option, quiet_option, save_option
from actcli.cli.train import print_unused
from actcli.config.sources import Setting, assemble

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.explore.lr_find import RangeTest


@click.command(
    cls=ConfigCommand,
    own_heading="Output",
    epilog="""\b
Examples:
  actcli lr-find
  actcli lr-find dying-relu
  actcli lr-find --optimizer rmsprop --normalize none --csv
""",
)
@click.argument("config", required=False, type=ConfigType())
@json_option
@csv_option("step")
@save_option
@quiet_option
@click.pass_context
def lr_find(
    ctx: click.Context,
    /,
    config: str | None,
    as_json: bool,
    as_csv: bool,
    quiet: bool,
    **_keys: object,
) -> None:
    """Find a learning rate for a configuration, by a range test.

    The network of CONFIG trains for a few hundred steps, while the learning rate grows from far too
    low to far too high. The loss shows at which rates it learns, and at which it diverges. CONFIG
    and the options are those of train; no run is recorded.
    """
    overrides = settings(ctx, config)
    if not quiet:
        print_unused(assemble(overrides).resolve(), overrides)
    test = range_test(overrides, quiet)
    emit(test, lambda test: lr_find_view(test, config, overrides), as_json, as_csv)


# After CONFIG, so that --help lists the options of the configuration before those of the output.
lr_find.params[1:1] = configuration_options()


def train_command(config: str | None, overrides: Iterable[Setting], rate: float) -> str:
    """Return the command that trains the same configuration with another learning rate."""
    from actcli.sweep.axes import written

    options = {
        setting.key.option: written(setting.value)
        for setting in overrides
        if setting.origin.startswith("--") and str(setting.key) != RATE
    }
    words = ["actcli", "train", *([config] if config else [])]
    for option, value in options.items():
        switch = {"true": f"--{option}", "false": f"--no-{option}"}.get(value)
        words += [switch] if switch else [f"--{option}", value]
    return shlex.join([*words, "--lr", f"{rate:g}"])


def lr_find_view(
    test: "RangeTest", config: str | None, overrides: Iterable[Setting]
) -> "RenderableType":
    """Return the view of a range test, with the command that trains with its suggestion."""
    from actcli.render.lr_find import LrFindView

    rate = test.suggestion
    return LrFindView(test, "" if rate is None else train_command(config, overrides, rate))
