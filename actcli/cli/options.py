"""Options for the keys of the configuration: each key has one, made from its declaration."""

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from actcli.config.schema import KEYS, Key, toml_value
from actcli.config.sources import (
    ConfigError,
    Setting,
    assemble,
    examples,
    find_config,
    parse_assignment,
    read_toml,
)
from actcli.config.values import Kind, Switch


class KindType(click.ParamType[Any]):
    """Click's view of a kind of value."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.name = kind.metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.kind.parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f"must be {error}.", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        # After a comma the next value of a list is completed.
        done, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(f"{done}{comma}{name}")
            for name in self.kind.completions()
            if name.startswith(last)
        ]


class ConfigType(click.ParamType[str]):
    """A configuration file, or the name of a lesson."""

    name = "CONFIG"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = [CompletionItem(name) for name in examples() if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")]


class FolderType(click.Path):
    """A folder, which need not be there: what is in its way is told when it is made."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="dir")]


runs_dir_option = click.option(
    "--runs-dir",
    metavar="DIR",
    type=FolderType(),
    default="runs",
    envvar="ACTCLI_RUNS_DIR",
    help="Where runs are kept.  [runs]",
)


class KeyOption(click.Option):
    """The option of a key: `--lr`, or what `ACTCLI_LR` says, for optimizer.learning_rate."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.parameter = str(key).replace(".", "_")
        names = [f"--{key.option}"]
        if key.option == "lr":
            names.append("--learning-rate")
        switch = isinstance(key.kind, Switch)
        super().__init__(
            [f"{names[0]}/--no-{key.option}"] if switch else names,
            type=None if switch else KindType(key.kind),
            default=None,
            envvar=key.variable,
            metavar=None if switch else key.kind.metavar,
            help=described(key),
        )
        self.name = self.parameter

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Where the value came from."""
        return self.origin(ctx) if ctx else f"--{self.key.option}"

    def origin(self, ctx: click.Context) -> str:
        """The option, or the environment variable that stood in for it."""
        source = ctx.get_parameter_source(self.parameter)
        return self.key.variable if source == ENVIRONMENT else f"--{self.key.option}"


def described(key: Key) -> str:
    """A line of help: what the key is, the names it may have, its default as the option has it."""
    names = [name for name in key.kind.completions() if name not in {"auto", "true", "false"}]
    listed = f". Names: {', '.join(names)}" if not all(name in key.help for name in names) else ""
    default = toml_value(key.default).strip("[]").replace('"', "").replace(", ", ",")
    shown = f"  [{default}]" if default else ""
    return f"{key.help[0].upper()}{key.help[1:]}{listed}.{shown}"


ENVIRONMENT = click.core.ParameterSource.ENVIRONMENT


def configuration_options() -> list[click.Parameter]:
    """An option for each key, and `--set` for any."""
    assignment = click.Option(
        ["--set", "assignments"],
        multiple=True,
        metavar="TABLE.KEY=VALUE",
        help="Any key of the configuration, such as model.dropout=0.2; may be repeated.",
    )
    return [*map(KeyOption, KEYS), assignment]


def settings(ctx: click.Context, config: str | None) -> list[Setting]:
    """What was asked for, the weakest first: file, environment, options, `--set`.

    Raises:
        UsageError: the file or an assignment holds what it may not.
    """
    above = asked(ctx)
    try:
        return [*(read_toml(find_config(config), config) if config else ()), *above]
    except ConfigError as error:
        raise with_clashes(error, above) from None


def asked(ctx: click.Context) -> list[Setting]:
    """The same without a file.

    Raises:
        UsageError: an assignment holds what it may not.
    """
    options = [option for option in ctx.command.params if isinstance(option, KeyOption)]
    found = [
        Setting(option.key, ctx.params[option.parameter], option.origin(ctx))
        for option in options
        if ctx.params[option.parameter] is not None
    ]
    return [
        *(setting for setting in found if not setting.origin.startswith("--")),
        *(setting for setting in found if setting.origin.startswith("--")),
        *map(parse_assignment, ctx.params["assignments"]),
    ]


def with_clashes(error: ConfigError, above: list[Setting]) -> ConfigError:
    """The mistakes of a file, and what does not go together in the rest of it.

    What may follow from a mistake is left out: a key that is wrong has its default in the rest.
    """
    from actcli.training.build import clashes  # imports NumPy, which is no matter any more

    rest = [*error.rest, *above]
    doubtful = {key for mistake in error.mistakes for key in mistake.keys}
    origins = {str(setting.key): setting.origin for setting in rest}
    more = [each for each in clashes(assemble(rest), origins) if not each.keys & doubtful]
    return ConfigError([*error.mistakes, *more], error.rest)
