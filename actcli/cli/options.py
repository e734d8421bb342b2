"""Options for the keys of the configuration: each key has one, made from its declaration."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from actcli.cli.messages import print_note
from actcli.config.mistakes import ConfigError
from actcli.config.schema import KEYS, Key, toml_value
from actcli.config.sources import (
    Setting,
    check_former_names,
    examples,
    find_config,
    parse_assignment,
    read_toml,
    with_clashes,
)
from actcli.config.values import Kind, Switch, parse_text


class KindType(click.ParamType[Any]):
    """Click's view of a kind of value."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.name = kind.metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return parse_text(self.kind, value) if isinstance(value, str) else value
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
    """The path of a configuration file, or the name of an example configuration."""

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
    """The option of a key: `--lr`, with `ACTCLI_LR`, for optimizer.learning_rate.

    Args:
        key: the key that the option sets.
        option: the option's name without dashes, where it is not the key's own.
    """

    def __init__(self, key: Key, option: str | None = None) -> None:
        self.key = key
        self.option = option or key.option
        self.variable = key.variable
        self.parameter = str(key).replace(".", "_")
        names = [f"--{self.option}"]
        if self.option == "lr":
            names.append("--learning-rate")
        switch = isinstance(key.kind, Switch)
        super().__init__(
            [f"{names[0]}/--no-{self.option}"] if switch else names,
            type=None if switch else KindType(key.kind),
            default=None,
            envvar=self.variable,
            metavar=None if switch else key.kind.metavar,
            help=described(key),
        )
        self.name = self.parameter

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the option or the environment variable that gave the value."""
        return self.origin(ctx) if ctx else f"--{self.option}"

    def origin(self, ctx: click.Context) -> str:
        """Return the option or the environment variable that gave the value."""
        source = ctx.get_parameter_source(self.parameter)
        return self.variable if source == ENVIRONMENT else f"--{self.option}"

    def setting(self, ctx: click.Context) -> Setting | None:
        """Return the setting that the user gave, or None."""
        value = ctx.params[self.parameter]
        return None if value is None else Setting(self.key, value, self.origin(ctx))


class FormerOption(KeyOption):
    """A hidden option with the former name of a key: it works, and a note gives the new name.

    Args:
        key: the key; it has a former name.
        now: the option of the key.
    """

    def __init__(self, key: Key, now: KeyOption) -> None:
        former = (key.former_name or "").replace("_", "-")
        super().__init__(key, former)
        self.now = now
        self.hidden = True
        self.variable = self.envvar = f"ACTCLI_{former.replace('-', '_').upper()}"
        self.parameter = self.name = f"former_{self.parameter}"

    def setting(self, ctx: click.Context) -> Setting | None:
        setting = super().setting(ctx)
        if setting is None:
            return None
        by_option = setting.origin.startswith("--")
        now = f"--{self.now.option}" if by_option else self.now.variable
        return replace(setting, renamed=f"{setting.origin} is now {now}")


def described(key: Key) -> str:
    """A line of help: what the key is, the names it may have, its default as the option has it."""
    names = [name for name in key.kind.completions() if name not in {"auto", "true", "false"}]
    listed = f". Names: {', '.join(names)}" if not all(name in key.help for name in names) else ""
    default = toml_value(key.default).strip("[]").replace('"', "").replace(", ", ",")
    shown = f"  [{default}]" if default else ""
    return f"{key.help[0].upper()}{key.help[1:]}{listed}.{shown}"


ENVIRONMENT = click.core.ParameterSource.ENVIRONMENT


def configuration_options(**names: str) -> list[click.Parameter]:
    """Return an option for each key, and `--set` for any key.

    Args:
        names: for a key's option, another name: in a command that uses the option's own name for
            something else.
    """
    options = [KeyOption(key, names.get(key.option)) for key in KEYS]
    former = [FormerOption(each.key, each) for each in options if each.key.former_name]
    assignment = click.Option(
        ["--set", "assignments"],
        multiple=True,
        metavar="TABLE.KEY=VALUE",
        help="Any key of the configuration, such as model.dropout=0.2; may be repeated.",
    )
    return [*options, *former, assignment]


def settings(ctx: click.Context, config: str | None) -> list[Setting]:
    """What was asked for, the weakest first: file, environment, options, `--set`.

    Raises:
        UsageError: the file or an assignment holds what it may not.
    """
    above = asked(ctx)
    try:
        in_file = read_toml(find_config(config), config) if config else []
    except ConfigError as error:
        raise with_clashes(error, above) from None
    print_new_names(in_file)
    return [*in_file, *above]


def asked(ctx: click.Context) -> list[Setting]:
    """The same without a file.

    Raises:
        UsageError: an assignment holds what it may not.
    """
    options = [option for option in ctx.command.params if isinstance(option, KeyOption)]
    settings = [setting for option in options if (setting := option.setting(ctx))]
    environment = [each for each in settings if not each.origin.startswith("--")]
    command_line = [each for each in settings if each.origin.startswith("--")]
    command_line += map(parse_assignment, ctx.params["assignments"])
    check_former_names(environment)
    check_former_names(command_line)
    print_new_names([*environment, *command_line])
    return [*environment, *command_line]


def print_new_names(settings: Iterable[Setting]) -> None:
    """Print a note on stderr for each key that was set by its former name."""
    for note in dict.fromkeys(setting.renamed for setting in settings if setting.renamed):
        print_note(note)
