"""Parameters of the commands: runs, targets with their overrides, sweeps, lists of names."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from actcli.cli.options import KindType
from actcli.config.schema import KEYS
from actcli.config.sources import examples
from actcli.config.values import Auto, Kind, Listed, Number
from actcli.errors import UsageError
from actcli.registry import declared_names, unknown_name
from actcli.store.catalog import usable_runs

F = TypeVar("F", bound=Callable[..., Any])

MAX_MEAN, MIN_SCALE = 1e30, 1e-30  # of a normalization given by numbers

SHOW = "show"  # the subcommand of `sweep`; an example configuration must not have this name


class RunType(click.ParamType[str]):
    """A run, given by its name or its folder."""

    name = "RUN"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = run_names(ctx, incomplete)
        items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*items, CompletionItem(incomplete, type="dir")]


def run_names(ctx: click.Context, incomplete: str) -> list[str]:
    """Return the names of all runs in the folder of the runs, and those of sweeps: SWEEP/RUN.

    To keep the list short, a sweep whose name is not begun is only SWEEP/.
    """
    from actcli.sweep.store import all_sweeps, complete_runs

    runs = Path(ctx.params.get("runs_dir") or "runs")
    names = [folder.name for folder in usable_runs(runs)]
    for folder in all_sweeps(runs):
        is_begun = incomplete and f"{folder.name}/".startswith(incomplete.partition("/")[0])
        of_sweep = sorted(complete_runs(folder)) if is_begun else [""]
        names += [f"{folder.name}/{name}" for name in of_sweep]
    return names


class TargetType(click.ParamType[str]):
    """A run, a model file or, with --at-init, a configuration."""

    name = "TARGET"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = [*run_names(ctx, incomplete), *(examples() if ctx.params.get("at_init") else ())]
        items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*items, CompletionItem(incomplete, type="file")]


class SweepConfigType(click.ParamType[str]):
    """A sweep file, a configuration file, or the name of an example of either."""

    name = "CONFIG"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from actcli.sweep.file import sweeps

        names = [SHOW, *sweeps(), *examples()]
        items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*items, CompletionItem(incomplete, type="file")]


class AxisType(click.ParamType[Any]):
    """An axis of a sweep: a configuration key and its values, as table.key=values."""

    name = "axis"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from actcli.sweep.axes import parse_axis

        return parse_axis(value) if isinstance(value, str) else value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(f"{key}=") for key in KEYS if str(key).startswith(incomplete)]


class SweepType(click.ParamType[str]):
    """A sweep, given by its name."""

    name = "NAME"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from actcli.sweep.store import all_sweeps

        folders = all_sweeps(Path(ctx.params.get("runs_dir") or "runs"))
        names = [folder.name for folder in folders]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class NamesType(click.ParamType[Any]):
    """One of some names, or a list of them, separated by commas.

    Args:
        kind: the word for one of them in messages: "rule".
        names: the names that are allowed.
        several: whether a list is allowed.
        aliases: the name that each alias stands for.
    """

    def __init__(
        self,
        kind: str,
        names: tuple[str, ...],
        several: bool = False,
        aliases: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = kind
        self.names = names
        self.several = several
        self.aliases = aliases

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        names = value.split(",") if self.several else [value]
        names = [self.aliases.get(name.strip(), name.strip()) for name in names]
        for name in names:
            if name not in self.names:
                option = param.opts[0] if isinstance(param, click.Option) else ""
                error = unknown_name(self.name, name, self.names)
                raise UsageError(f"{option}: {error.message}".removeprefix(": "), error.hint)
        return tuple(names) if self.several else names[0]

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        done, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(f"{done}{comma}{name}") for name in self.names if name.startswith(last)
        ]


def rule_names() -> tuple[str, ...]:
    """Return the names of all rules, without importing the rules."""
    return declared_names("actcli.diagnostics.rules", "RULES")


def kind_of(key: str) -> Kind:
    """Return the kind of value of a key, without "auto"."""
    kind = next(each.kind for each in KEYS if str(each) == key)
    return kind.kind if isinstance(kind, Auto) else kind


class MeanAndDeviation(Kind):
    """The name of a normalization, or a mean and a standard deviation."""

    metavar = "NAME|MEAN,STD"
    numbers = Listed(Number(-MAX_MEAN, MAX_MEAN), 2, 2)

    def check(self, value: Any) -> str | tuple[float, float]:
        if not isinstance(value, list):
            name: str = kind_of("data.normalize").check(value)
            return name
        return self._positive(self.numbers.check(value))

    def parse_words(self, text: str) -> str | tuple[float, float]:
        if "," not in text:
            name: str = kind_of("data.normalize").parse_words(text)
            return name
        return self._positive(self.numbers.parse_words(text))

    def completions(self) -> Sequence[str]:
        return kind_of("data.normalize").completions()

    @staticmethod
    def _positive(numbers: tuple[Any, ...]) -> tuple[float, float]:
        mean, deviation = numbers
        if not deviation >= MIN_SCALE:
            raise ValueError(f"a mean and a deviation above 0, not {mean:g},{deviation:g}")
        return mean, deviation


# The properties of a target that options override: option, kind of value and help text.
OVERRIDES: dict[str, tuple[str, Kind, str]] = {
    "activation": (
        *("activation", kind_of("model.activation")),
        "Activation of the hidden layers.",
    ),
    "output": ("output", kind_of("model.output"), "Output activation."),
    "loss": ("loss", kind_of("loss.name"), "Loss function."),
    "dataset": ("dataset", kind_of("data.name"), "Data set."),
    "target_column": ("target", kind_of("data.target"), "Column of the classes in a CSV file."),
    "normalize": (
        *("normalize", MeanAndDeviation()),
        "Input normalization; of a file also the mean and deviation of its framework.",
    ),
    "scale": (
        *("scale", Number(MIN_SCALE, MAX_MEAN)),
        "Number by which a framework divided raw inputs, such as 255, before MEAN and STD.",
    ),
}


def override_options(command: F) -> F:
    """Add the options that override the properties of a target.

    They stand in the help where the decorator stands among the options. The command receives them
    as one argument, `overrides`: the values by name, None for an option that was not given. Make
    them `targets.Overrides(**overrides)`.
    """

    @functools.wraps(command)
    def with_overrides(*args: Any, **kwargs: Any) -> Any:
        overrides = {name: kwargs.pop(name) for name in OVERRIDES}
        return command(*args, overrides=overrides, **kwargs)

    decorated: Any = with_overrides
    for name, (option, kind, help_text) in reversed(OVERRIDES.items()):
        decorated = click.option(
            f"--{option}",
            name,
            type=KindType(kind),
            metavar=kind.metavar,
            help=f"{help_text}  [the network's]",
        )(decorated)
    return cast(F, decorated)
