"""Runs side by side: their differences, their learning curves in one plot, and their results."""

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
    numbers,
    optional,
    paragraph,
    shorten,
    titled,
    total_width,
)

MAX_PLOT_COLUMNS, PLOT_ROWS = 100, 12
MIN_HEADING = 10  # columns of a shortened heading
MAX_NAME = 28  # columns of a run's name
ROW_NAMES = {"validation": "validation rows", "train": "training rows, while it learnt"}
ABOUT_SILENT = "dead: no training row activates the unit; silent: no row of a sample"
MAX_MARKS = 30  # with more epochs, the letters would hide the curves


@dataclass(frozen=True)
class CompareView:
    """A comparison of runs: differences, learning curves, results."""

    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        comparison, canvas = self.comparison, Canvas.of(options)
        names = [_name(run.name, canvas) for run in comparison.runs]
        yield from _differences(comparison, names, canvas)
        yield Text()
        if any(comparison.curves):
            about = f"accuracy in %, {ROW_NAMES[comparison.rows]}, after each epoch"
            yield titled("Learning curves", about, canvas)
            yield from _plot(comparison, names, canvas.resized(min(canvas.width, MAX_PLOT_COLUMNS)))
            yield Text()
        columns = fit(shorten(_results(comparison, names, canvas), 1, canvas.width), canvas.width)
        headings = {column.heading for column in columns}
        yield titled("Results", _about(headings), canvas)
        styles = ["" if is_well(run.verdict, run.state) else "bold" for run in comparison.runs]
        yield from lines(columns, styles)
        yield Text()
        yield paragraph(_conclusion(comparison), canvas, style="bold")


def _differences(comparison: Comparison, names: list[str], canvas: Canvas) -> Iterator[Text]:
    """Yield a table with a column for each run; if it is too wide, a line for each value."""
    yield Text("What differs", style="bold")
    if not comparison.differences:
        yield Text("Nothing: the configurations are the same.")
        return
    cells = {
        key: [canvas.plain(written(value)) for value in values]
        for key, values in comparison.differences.items()
    }
    columns = [
        Column("", list(cells), left=True),
        *(
            Column(f"{sign} {name}", [values[index] for values in cells.values()], left=True)
            for index, (sign, name) in enumerate(zip(ascii_lowercase, names, strict=False))
        ),
    ]
    if total_width(columns) > canvas.width:  # the table of results has the complete names
        columns = [columns[0], *(_narrowed(column) for column in columns[1:])]
    if total_width(columns) <= canvas.width:
        yield from lines(columns)
        return
    for key, values in cells.items():
        yield Text(key)
        signs: dict[str, list[str]] = {}
        for sign, value in zip(ascii_lowercase, values, strict=False):
            signs.setdefault(value, []).append(sign)
        label = max(len(" ".join(group)) for group in signs.values())
        for value, group in signs.items():
            yield paragraph(value, canvas, f"  {' '.join(group).ljust(label)}  ")


def written(value: str) -> str:
    """Return a value as an option takes it, without quotes and brackets of TOML: tanh,relu."""
    parsed = tomllib.loads(f"value = {value}")["value"] if value else ""
    parts = parsed if isinstance(parsed, list) else [parsed]
    return ",".join(map(_part, parts)) or value


def _part(value: object) -> str:
    """Return one value, a number with as few digits as identify it."""
    if isinstance(value, float) and float(shortest(value)) == value:
        return shortest(value)
    return value if isinstance(value, str) else toml_value(value)


def _narrowed(column: Column) -> Column:
    """Return a column whose heading is not much wider than its cells."""
    return replace(
        column, heading=cut(column.heading, max(MIN_HEADING, *map(cell_len, column.cells)))
    )


def _plot(comparison: Comparison, names: list[str], canvas: Canvas) -> list[Text]:
    curves = []
    for sign, name, curve in zip(ascii_lowercase, names, comparison.curves, strict=False):
        points = [(float(epoch), 100 * share) for epoch, share in enumerate(curve, 1)]
        marks = points if len(points) <= MAX_MARKS else [points[0], points[-1]]
        curves.append(Curve(name, points, marks, sign))
    return Plot(curves, PLOT_ROWS, "epoch", whole=True).lines(canvas)


def _results(comparison: Comparison, names: list[str], canvas: Canvas) -> list[Column]:
    def shares(values: Iterator[float | None], decimals: int) -> list[str]:
        return [optional(value, lambda v: percent(v, decimals), canvas) for value in values]

    def loss(value: float) -> str:
        return significant(value, 4)

    runs = comparison.runs
    reached = [
        (f">{len(curve)}" if curve else canvas.plain("–")) if epoch is None else str(epoch)
        for epoch, curve in zip(comparison.reached, comparison.curves, strict=True)
    ]
    silent = Column("silent", shares((run.silent for run in runs), 1), rank=3)
    return [
        Column("", list(ascii_lowercase[: len(runs)]), left=True),
        Column("run", names, left=True),
        Column("epochs", [str(len(run.history)) for run in runs], rank=4),
        Column(f"to {_goal(comparison)}", reached),
        Column("accuracy", shares((run.test_accuracy for run in runs), 2)),
        numbers("test loss", [optional(run.test_loss, loss, canvas) for run in runs], rank=2),
        Column("dead", shares((run.dead for run in runs), 1), rank=1),
        *([silent] if _silent(comparison) else []),
        Column("verdict", [ended(run.verdict, run.state, canvas) for run in runs], left=True),
    ]


def _about(headings: set[str]) -> str:
    """Return an explanation of the columns 'dead' and 'silent', if they are shown."""
    return ABOUT_SILENT if "silent" in headings else ABOUT if "dead" in headings else ""


def _silent(comparison: Comparison) -> bool:
    """Return whether any run has a share of silent units, but no share of dead units."""
    return any(run.dead is None and run.silent is not None for run in comparison.runs)


def _conclusion(comparison: Comparison) -> str:
    """Return a sentence on the epochs that each run took to the goal, the fastest first."""
    entries = []
    order = sorted(range(len(comparison.runs)), key=lambda i: comparison.reached[i] or float("inf"))
    for index in order:
        epoch, trained = comparison.reached[index], len(comparison.curves[index])
        epochs = f"{epoch or trained} epoch{'s' * ((epoch or trained) != 1)}"
        name = comparison.runs[index].name
        within = f"not within {epochs}" if trained else "not: it finished no epoch"
        if comparison.runs[index].state == "file":
            within = "unknown: a file has no history"
        entries.append(f"{name} in {epochs}" if epoch else f"{name} {within}")
    rows = ROW_NAMES[comparison.rows].partition(",")[0]
    return f"To {_goal(comparison)} of the {rows}: {', '.join(entries)}."


def _goal(comparison: Comparison) -> str:
    return f"{shortest(100 * comparison.goal)} %"


def _name(name: str, canvas: Canvas) -> str:
    return cut(canvas.plain(name), MAX_NAME)
