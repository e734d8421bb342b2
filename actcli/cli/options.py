"""Options for the keys of the configuration, made from the declarations of the keys."""

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
    """A kind of value as a type of Click's parameters."""

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
        before, comma, last = incomplete.rpartition(",")  # of a list, complete the last value
        return [
            CompletionItem(f"{before}{comma}{name}")
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
    """A folder, which need not exist yet. Whether it can be made is seen when it is made."""

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
    help="Folder of the runs.  [runs]",
)


class ConfigCommand(click.Command):
    """A command with configuration options; `--help` lists them table by table.

    Args:
        own_heading: the heading of the options that do not belong to the configuration.
        attributes: the arguments of Click's command.
    """

    def __init__(self, *args: Any, own_heading: str = "Options", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.own_heading = own_heading

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, grouped, with one indentation for the help texts of all groups."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in sorted(self.get_params(ctx), key=self._rank):
            record = param.get_help_record(ctx)
            if record and isinstance(param, click.Option):
                groups.setdefault(self._heading(param), []).append(record)
        names = [name for records in groups.values() for name, _ in records]
        width = max(len(name) for name in names if len(name) <= MAX_NAME_WIDTH)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(name.ljust(width), text) for name, text in records], MAX_NAME_WIDTH
                )

    def _heading(self, param: click.Parameter) -> str:
        if not isinstance(param, KeyOption):
            return self.own_heading
        return MOST_USED_HEADING if param.option in MOST_USED else HEADINGS[param.key.table]

    def _rank(self, param: click.Parameter) -> tuple[int, int]:
        """Return the position of a parameter in the help: the most used options lead the keys."""
        first_key = next(i for i, each in enumerate(self.params) if isinstance(each, KeyOption))
        position = self.params.index(param) if param in self.params else len(self.params)
        if isinstance(param, KeyOption) and param.option in MOST_USED:
            return first_key, MOST_USED.index(param.option) - len(MOST_USED)
        return position, 0


# The options of `train --help` that come first, by their names.
MOST_USED = ("dataset", "epochs", "hidden", "activation", "loss", "optimizer", "lr")
MOST_USED_HEADING = "Most used"

# The headings of the tables in `--help`.
HEADINGS = {
    "data": "Data set",
    "model": "Network",
    "loss": "Loss",
    "optimizer": "Optimizer",
    "training": "Training",
}
MAX_NAME_WIDTH = 30  # of an option with its placeholder; longer ones have a line to themselves


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
            help=help_text(key),
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


def help_text(key: Key) -> str:
    """Return the help text of a key: its description, the names that it may hold, its default."""
    names = [name for name in key.kind.completions() if name not in {"auto", "true", "false"}]
    are_named = all(name in key.help for name in names)
    listed = "" if are_named else f". Names: {', '.join(names)}"
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
        help="Value of any key of the configuration, such as model.dropout=0.2; may be repeated.",
    )
    return [*options, *former, assignment]


def settings(ctx: click.Context, config: str | None) -> list[Setting]:
    """Return all settings, the weakest first: file, environment, options, `--set`.

    Args:
        ctx: of a command with `configuration_options`.
        config: the configuration file or example configuration, if there is one.

    Raises:
        UsageError: a key or a value is wrong; the message lists all mistakes of the file.
    """
    above = settings_of_command(ctx)
    try:
        in_file = read_toml(find_config(config), config) if config else []
    except ConfigError as error:
        raise with_clashes(error, above) from None
    print_new_names(in_file)
    return [*in_file, *above]


def settings_of_command(ctx: click.Context) -> list[Setting]:
    """Return the settings without those of a file: environment, options, `--set`.

    Raises:
        UsageError: an assignment of `--set` is wrong.
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
