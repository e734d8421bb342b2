"""Plots of a sweep over its axes: a curve over numbers, bars for names, a heat map for two axes.

The test accuracy is plotted and, if any unit is dead, the share of dead units. For more axes or a
random search, scatter plots show the test accuracy of each combination over each numeric axis. If
the dots are close to one line, this key explains the accuracy.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from actcli.render.sweep_axes import axis_at, round_axis
from actcli.render.sweep_maps import fitting_maps, width_of
from actcli.render.sweep_values import GAP_WIDTH, Measure, Values, is_number, together, value_text
from actcli.sweep.axes import option_of
from actcli.sweep.results import Point, SweepTable
from actcli.term.bars import bar
from actcli.term.canvas import Canvas
from actcli.term.numbers import align_points, percent
from actcli.term.plot import Plot
from actcli.term.plot_area import Curve
from actcli.term.table import Column, cut_names, lines, total_width

MIN_CURVE_VALUES = 3  # fewer values are clearer as bars
MAX_MAP_VALUES = 24  # of each axis
MAX_BARS = 20
HEIGHT = 9  # lines of a plot
MAX_WIDTH, MIN_WIDTH = 56, 36  # columns of a plot
MIN_BAR_WIDTH, MAX_BAR_WIDTH = 4, 24

Drawing = Callable[[Sequence[str], Values, Sequence[Measure], int, Console], Iterator[Text]]


def pictures(table: SweepTable, width: int, console: Console) -> Iterator[Text]:
    """Yield the lines of the plots that suit the axes."""
    measures = _measures(table.points)
    values = [
        tuple(dict.fromkeys(outcome.varied[index] for outcome in table.outcomes))
        for index in range(len(table.axes))
    ]
    draw = _drawing(values, len(table.points))
    if not measures or not draw:
        return
    if drawn := list(draw(table.axes, values, measures, width, console)):
        yield Text()
        yield from drawn


def _measures(points: Sequence[Point]) -> list[Measure]:
    test = {point.varied: point.test.mean for point in points if point.test}
    dead = {point.varied: point.dead.mean for point in points if point.dead}
    measures = [Measure("test accuracy %", test, "accuracy")] if test else []
    return [*measures, Measure("dead units %", dead, "dead")] if any(dead.values()) else measures


def _drawing(values: Values, count: int) -> "Drawing | None":
    """Return the function that plots axes with these values, or None."""
    if len(values) == 1 and len(values[0]) > 1:
        if _is_spread(values[0]):
            return _curves
        return _bars if len(values[0]) <= MAX_BARS else None
    is_map = len(values) == 2 and all(
        2 <= len(axis_values) <= MAX_MAP_VALUES for axis_values in values
    )
    # After a random search most cells of a heat map would be empty.
    if is_map and 2 * count >= math.prod(map(len, values)):
        return _maps
    return _scatters if len(values) > 1 and any(map(_is_spread, values)) else None


def _is_spread(values: tuple[Any, ...]) -> bool:
    return len(values) >= MIN_CURVE_VALUES and all(map(is_number, values))


# Curves ---------------------------------------------------------------------------------------


def _curves(
    axes: Sequence[str],
    values: Values,
    measures: Sequence[Measure],
    width: int,
    console: Console,
) -> Iterator[Text]:
    canvas = Canvas.of(console.options)
    room, stacked = _room(width, len(measures))
    drawn = [
        _curve(measure, option_of(axes[0]), sorted(values[0]), canvas.resized(room))
        for measure in measures
    ]
    yield from together(drawn, stacked)


def _curve(measure: Measure, name: str, values: Sequence[float], canvas: Canvas) -> list[Text]:
    points = [(value, 100 * measure.shares.get((value,), math.nan)) for value in values]
    finite = [point for point in points if math.isfinite(point[1])]
    curve = Curve(measure.name, points, finite, canvas.symbol("●", "o"))
    return Plot([curve], HEIGHT, name, x_axis=axis_at(values, canvas.width)).lines(canvas)


def _room(width: int, count: int) -> tuple[int, bool]:
    """Return the width of each of `count` plots, and whether they are stacked."""
    room = (width - GAP_WIDTH * (count - 1)) // count
    stacked = room < MIN_WIDTH
    return min(width if stacked else room, MAX_WIDTH), stacked


# Dots -----------------------------------------------------------------------------------------


def _scatters(
    axes: Sequence[str],
    values: Values,
    measures: Sequence[Measure],
    width: int,
    console: Console,
) -> Iterator[Text]:
    """Plot the first measure over each numeric axis, two plots side by side if they fit."""
    canvas = Canvas.of(console.options)
    sign = canvas.symbol("●", "o")
    room, stacked = _room(width, 2)
    blocks = []
    for index, axis in enumerate(axes):
        if _is_spread(values[index]):
            shares = measures[0].shares.items()
            points = sorted((varied[index], 100 * share) for varied, share in shares)
            dots = Curve(measures[0].name, points, points, sign, joined=False)
            x_axis = round_axis(sorted(values[index]), room)
            plot = Plot([dots], HEIGHT, option_of(axis), x_axis=x_axis)
            blocks.append(plot.lines(canvas.resized(room)))
    for number in range(0, len(blocks), 2):
        if number:
            yield Text()
        yield from together(blocks[number : number + 2], stacked)


# Bars -----------------------------------------------------------------------------------------


def _bars(
    axes: Sequence[str],
    values: Values,
    measures: Sequence[Measure],
    width: int,
    console: Console,
) -> Iterator[Text]:
    columns = _bar_columns(axes[0], values[0], measures, width, console)
    if total_width(columns) <= width:
        yield from lines(columns)
        return
    drawn = [
        lines(cut_names(_bar_columns(axes[0], values[0], [measure], width, console), width))
        for measure in measures
    ]
    yield from together(drawn, stacked=True)


def _bar_columns(
    axis: str,
    values: Sequence[Any],
    measures: Sequence[Measure],
    width: int,
    console: Console,
) -> list[Column]:
    """Return a column of names and, for each measure, a column of numbers and one of bars."""
    canvas = Canvas.of(console.options)
    names = Column(option_of(axis), [value_text(value, canvas) for value in values], left=True)
    columns = [names]
    room = width - names.width - len(measures) * 11
    room = max(MIN_BAR_WIDTH, min(MAX_BAR_WIDTH, room // len(measures)))
    for measure in measures:
        shares = [measure.shares.get((value,), math.nan) for value in values]
        drawn = [bar(share, room, canvas) for share in shares]
        columns += [
            Column("", align_points(_share(share, canvas) for share in shares)),
            Column(measure.name, drawn, left=True, style="cyan"),
        ]
    return columns


def _share(share: float, canvas: Canvas) -> str:
    return percent(share) if math.isfinite(share) else canvas.plain("–")


# Maps -----------------------------------------------------------------------------------------


def _maps(
    axes: Sequence[str],
    values: Values,
    measures: Sequence[Measure],
    width: int,
    console: Console,
) -> Iterator[Text]:
    if maps := fitting_maps(axes, values, measures, width, console):
        total = sum(map(width_of, maps)) + GAP_WIDTH * (len(maps) - 1)
        yield from together(maps, stacked=total > width)
    else:
        yield from _scatters(axes, values, measures, width, console)
