"""Runs side by side: what differs, the learning curves in one plot, and where they ended."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from string import ascii_lowercase

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.config.schema import toml_value
from actcli.explore.compare import Comparison
from actcli.render.runs import ABOUT, ended, is_well
from actcli.term.canvas import Canvas
from actcli.term.numbers import percent, shortest, significant
from actcli.term.plot import Plot
from actcli.term.plot_area import Curve
from actcli.term.table import (
    Column,
    cut,
    fit,
    lines,
    needed,
    numbers,
    optional,
    paragraph,
    shorten,
    titled,
)

WIDEST, ROWS = 100, 12  # of the plot
HEADING = 10  # columns of a heading that has been cut
NAME = 28  # columns of the name of a run
ROWS_NAMED = {"validation": "validation rows", "train": "training rows, while it learnt"}
ABOUT_SILENT = "dead: no training row activates the unit; silent: no row of a sample"
MOST_MARKS = 30  # epochs that are marked each: of more, letters would hide the curves


@dataclass(frozen=True)
class CompareView:
    """The result of `actcli compare`."""

    found: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, canvas = self.found, Canvas.of(options)
        names = [_name(run.name, canvas) for run in found.runs]
        yield from _differences(found, names, canvas)
        yield Text()
        if any(found.curves):
            about = f"accuracy in %, {ROWS_NAMED[found.rows]}, after each epoch"
            yield titled("Learning curves", about, canvas)
            yield from _plot(found, names, canvas.resized(min(canvas.width, WIDEST)))
            yield Text()
        columns = fit(shorten(_results(found, names, canvas), 1, canvas.width), canvas.width)
        headings = {column.heading for column in columns}
        yield titled("Results", _about(headings), canvas)
        styles = ["" if is_well(run.verdict, run.state) else "bold" for run in found.runs]
        yield from lines(columns, styles)
        yield Text()
        yield paragraph(_told(found), canvas, style="bold")


def _differences(found: Comparison, names: list[str], canvas: Canvas) -> Iterator[Text]:
    """A column for each run if there is room for that, else a line for the runs of each value."""
    yield Text("What differs", style="bold")
    if not found.differences:
        yield Text("Nothing: the configurations are the same.")
        return
    cells = {
        key: [canvas.plain(written(value)) for value in values]
        for key, values in found.differences.items()
    }
    columns = [
        Column("", list(cells), left=True),
        *(
            Column(f"{sign} {name}", [values[index] for values in cells.values()], left=True)
            for index, (sign, name) in enumerate(zip(ascii_lowercase, names, strict=False))
        ),
    ]
    if needed(columns) > canvas.width:  # the table of results has the whole names
        columns = [columns[0], *(_narrowed(column) for column in columns[1:])]
    if needed(columns) <= canvas.width:
        yield from lines(columns)
        return
    for key, values in cells.items():
        yield Text(key)
        signs: dict[str, list[str]] = {}
        for sign, value in zip(ascii_lowercase, values, strict=False):
            signs.setdefault(value, []).append(sign)
        label = max(len(" ".join(each)) for each in signs.values())
        for value, each in signs.items():
            yield paragraph(value, canvas, f"  {' '.join(each).ljust(label)}  ")


def written(value: str) -> str:
    """A value as an option takes it, without the quotes and brackets of TOML: tanh,relu."""
    parsed = tomllib.loads(f"value = {value}")["value"] if value else ""
    parts = parsed if isinstance(parsed, list) else [parsed]
    return ",".join(map(_part, parts)) or value


def _part(value: object) -> str:
    """With as few digits as tell it."""
    if isinstance(value, float) and float(shortest(value)) == value:
        return shortest(value)
    return value if isinstance(value, str) else toml_value(value)


def _narrowed(column: Column) -> Column:
    """With a heading that is not much wider than what is below it."""
    return replace(column, heading=cut(column.heading, max(HEADING, *map(cell_len, column.cells))))


def _plot(found: Comparison, names: list[str], canvas: Canvas) -> list[Text]:
    curves = []
    for sign, name, curve in zip(ascii_lowercase, names, found.curves, strict=False):
        points = [(float(epoch), 100 * share) for epoch, share in enumerate(curve, 1)]
        marks = points if len(points) <= MOST_MARKS else [points[0], points[-1]]
        curves.append(Curve(name, points, marks, sign))
    return Plot(curves, ROWS, "epoch", whole=True).lines(canvas)


def _results(found: Comparison, names: list[str], canvas: Canvas) -> list[Column]:
    def shares(values: Iterator[float | None], decimals: int) -> list[str]:
        return [optional(value, lambda v: percent(v, decimals), canvas) for value in values]

    def loss(value: float) -> str:
        return significant(value, 4)

    runs = found.runs
    reached = [
        (f">{len(curve)}" if curve else canvas.plain("–")) if epoch is None else str(epoch)
        for epoch, curve in zip(found.reached, found.curves, strict=True)
    ]
    silent = Column("silent", shares((run.silent for run in runs), 1), rank=3)
    return [
        Column("", list(ascii_lowercase[: len(runs)]), left=True),
        Column("run", names, left=True),
        Column("epochs", [str(len(run.history)) for run in runs], rank=4),
        Column(f"to {_goal(found)}", reached),
        Column("accuracy", shares((run.test_accuracy for run in runs), 2)),
        numbers("test loss", [optional(run.test_loss, loss, canvas) for run in runs], rank=2),
        Column("dead", shares((run.dead for run in runs), 1), rank=1),
        *([silent] if _silent(found) else []),
        Column("verdict", [ended(run.verdict, run.state, canvas) for run in runs], left=True),
    ]


def _about(headings: set[str]) -> str:
    """What the shares of units are, as far as they are shown."""
    return ABOUT_SILENT if "silent" in headings else ABOUT if "dead" in headings else ""


def _silent(found: Comparison) -> bool:
    """Whether of some run no more is known than which units were silent."""
    return any(run.dead is None and run.silent is not None for run in found.runs)


def _told(found: Comparison) -> str:
    """Who reached the goal, the fastest first."""
    entries = []
    order = sorted(range(len(found.runs)), key=lambda i: found.reached[i] or float("inf"))
    for index in order:
        epoch, trained = found.reached[index], len(found.curves[index])
        epochs = f"{epoch or trained} epoch{'s' * ((epoch or trained) != 1)}"
        name = found.runs[index].name
        within = f"not within {epochs}" if trained else "not: it finished no epoch"
        entries.append(f"{name} in {epochs}" if epoch else f"{name} {within}")
    rows = ROWS_NAMED[found.rows].partition(",")[0]
    return f"To {_goal(found)} of the {rows}: {', '.join(entries)}."


def _goal(found: Comparison) -> str:
    return f"{shortest(100 * found.goal)} %"


def _name(name: str, canvas: Canvas) -> str:
    return cut(canvas.plain(name), NAME)
