"""Parameter types of `actcli sweep` with their completion: sweep files, axes, sweeps."""

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from actcli.config.schema import KEYS
from actcli.config.sources import examples
from actcli.sweep.axes import parse_axis
from actcli.sweep.file import sweeps
from actcli.sweep.store import all_sweeps

SHOW = "show"  # a subcommand, so that no example configuration may have this name


class SweepConfigType(click.ParamType[str]):
    """A sweep file, a configuration file, or the name of an example of either."""

    name = "CONFIG"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = [SHOW, *sweeps(), *examples()]
        items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*items, CompletionItem(incomplete, type="file")]


class AxisType(click.ParamType[Any]):
    """An axis: table.key=values."""

    name = "axis"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return parse_axis(value) if isinstance(value, str) else value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(f"{key}=") for key in KEYS if str(key).startswith(incomplete)]


class SweepType(click.ParamType[str]):
    """The name of a sweep."""

    name = "NAME"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        folders = all_sweeps(Path(ctx.params.get("runs_dir") or "runs"))
        names = [folder.name for folder in folders]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
