"""Options whose values are names: of runs, rules, parts of a result, entries of registries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from actcli.cli.options import KindType
from actcli.cli.run_folders import all_runs
from actcli.config.schema import KEYS
from actcli.config.sources import examples
from actcli.config.values import Auto, Kind
from actcli.errors import UsageError
from actcli.registry import declared_names, unknown_name

F = TypeVar("F", bound=Callable[..., Any])


class RunType(click.ParamType[str]):
    """A run, by its name or its folder."""

    name = "RUN"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = run_names(ctx)
        found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*found, CompletionItem(incomplete, type="dir")]


def run_names(ctx: click.Context) -> list[str]:
    """The names of all runs."""
    return [folder.name for folder in all_runs(Path(ctx.params.get("runs_dir") or "runs"))]


class TargetType(click.ParamType[str]):
    """A run, a file of weights or a configuration."""

    name = "TARGET"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = [*run_names(ctx), *(examples() if ctx.params.get("at_init") else ())]
        found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*found, CompletionItem(incomplete, type="file")]


class NamesType(click.ParamType[Any]):
    """One of some names, or several with commas between them.

    Args:
        kind: what they name, for messages.
        names: that there are; of rules, those that are declared.
        several: whether a list is meant.
    """

    def __init__(self, kind: str, names: tuple[str, ...], several: bool = False) -> None:
        self.name = kind
        self.names = names
        self.several = several

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        given = [each.strip() for each in value.split(",")] if self.several else [value.strip()]
        for each in given:
            if each not in self.names:
                option = param.opts[0] if isinstance(param, click.Option) else ""
                error = unknown_name(self.name, each, self.names)
                raise UsageError(f"{option}: {error.message}".removeprefix(": "), error.hint)
        return tuple(given) if self.several else given[0]

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        done, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(f"{done}{comma}{name}") for name in self.names if name.startswith(last)
        ]


def rule_names() -> tuple[str, ...]:
    """Of all rules, without importing them."""
    return declared_names("actcli.diagnostics.rules", "RULES")


def kind_of(key: str) -> Kind:
    """What a key of the configuration may hold, without "auto"."""
    kind = next(each.kind for each in KEYS if str(each) == key)
    return kind.kind if isinstance(kind, Auto) else kind


def override(name: str, key: str, help_text: str) -> Callable[[F], F]:
    """An option that says of a target what a key says in a configuration."""
    kind = kind_of(key)
    return click.option(f"--{name}", type=KindType(kind), metavar=kind.metavar, help=help_text)
