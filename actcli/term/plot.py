"""Plots of curves as text, with a legend and two labelled axes.

All points are visible: the vertical axis extends from the tick below the lowest value to the tick
above the highest. Without colour, curves differ by their dashes and by the signs of their marks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from actcli.term.canvas import Canvas
from actcli.term.plot_area import (
    BLANK,
    DASHES,
    DOTS,
    SIGNS,
    STYLES,
    Curve,
    PlotArea,
    shown,
    sign_style,
)
from actcli.term.plot_axes import LinearAxis, horizontal_axis, vertical_axis
from actcli.term.table import GAP

MIN_AREA_COLUMNS = 8
SAMPLE_COLUMNS = 3  # of a line in the legend


@dataclass(frozen=True)
class Plot:
    """Curves with a legend above and axes on the left and below.

    Args:
        curves: at least one, with at least one finite point among them.
        height: approximate number of rows of the area; adjusted so that ticks are evenly spaced.
        x_name: the label at the end of the horizontal axis.
        whole: whether x is a count, so that ticks are whole numbers.
        x_axis: the horizontal axis; None for an axis with ticks at round numbers.
        together: the sign for marks of several curves on one character.
    """

    curves: Sequence[Curve]
    height: int
    x_name: str = "x"
    whole: bool = False
    x_axis: LinearAxis | None = None
    together: str = "&"

    def lines(self, canvas: Canvas) -> list[Text]:
        """Return the lines of the legend, the area and the axes, in the width of the canvas.

        The area has at least MIN_AREA_COLUMNS, even if the canvas is too narrow for them.
        """
        finite = [point for curve in self.curves for point in curve.points if shown(point)]
        xs, ys = zip(*finite, strict=True)
        vertical = vertical_axis(min(ys), max(ys), self.height)
        labels = {tick: vertical.label(tick) for tick in vertical.ticks}
        gutter = max(map(len, labels.values())) + 1
        columns = max(MIN_AREA_COLUMNS, canvas.width - gutter - 1 - 1 - cell_len(self.x_name))
        horizontal = self.x_axis or horizontal_axis(min(xs), max(xs), columns, self.whole)
        area = PlotArea(columns, vertical.rows(self.height), horizontal, vertical, canvas)
        for number, curve in enumerate(self.curves):
            area.draw(curve, number)
        together = self.together if area.set_marks(self.together, self.whole) else ""
        return [
            *_legend(self.curves, together, canvas),
            *_with_axis(area, labels, gutter),
            *_below(area, gutter, self.x_name),
        ]


def _legend(curves: Sequence[Curve], together: str, canvas: Canvas) -> Iterator[Text]:
    """Yield the lines of the legend: for each curve a sample of its line, and its name."""
    entries = [_entry(curve, number, canvas) for number, curve in enumerate(curves)]
    if together:
        several = "both" if len(curves) == 2 else "several"
        entries.append(Text.assemble((together, "bold"), f" {several}"))
    line = Text()
    for entry in entries:
        if line and line.cell_len + GAP + entry.cell_len > canvas.width:
            yield line
            line = Text()
        line.append(" " * GAP * bool(line)).append_text(entry)
    yield line


def _entry(curve: Curve, number: int, canvas: Canvas) -> Text:
    style = "" if canvas.ascii else STYLES[number % len(STYLES)]
    line = _sample(number, canvas) if curve.joined else ""
    entry = Text(line[:1], style)
    entry.append(curve.sign or line[1:2], sign_style(curve.sign, number) if curve.sign else style)
    entry.append(line[2:], style)
    return entry.append(f" {canvas.plain(curve.name)}", "default")


def _sample(number: int, canvas: Canvas) -> str:
    """Return a short sample of the line of a curve."""
    if canvas.ascii:
        return SIGNS[number % len(SIGNS)] * SAMPLE_COLUMNS
    dashes = DASHES[number % len(DASHES)]
    filled = [dashes[dot % len(dashes)] for dot in range(2 * SAMPLE_COLUMNS)]
    dots = zip(filled[::2], filled[1::2], strict=True)
    return "".join(chr(BLANK + DOTS[2][0] * left + DOTS[2][1] * right) for left, right in dots)


def _with_axis(area: PlotArea, ticks: dict[float, str], gutter: int) -> Iterator[Text]:
    """Yield the rows of the area with the vertical axis on the left."""
    labels = {area.row(tick): label for tick, label in ticks.items()}
    bar, tick = ("|", "+") if area.canvas.ascii else ("│", "┤")
    for row in range(area.rows):
        label = labels.get(row, "")
        text = Text().append(f"{label.rjust(gutter - 1)} {tick if label else bar}", "dim")
        text.append_text(area.line(row))
        text.rstrip()
        yield text


def _below(area: PlotArea, gutter: int, x_name: str) -> Iterator[Text]:
    """Yield the horizontal axis with its name, and the labels of its ticks."""
    corner, dash, tick = ("+", "-", "+") if area.canvas.ascii else ("└", "─", "┬")
    tick_labels = {area.column(x): area.horizontal.label(x) for x in area.horizontal.ticks}
    line = "".join(tick if column in tick_labels else dash for column in range(area.columns))
    yield Text(f"{' ' * gutter}{corner}{line} {area.canvas.plain(x_name)}", "dim")
    labels = ""
    for column, label in tick_labels.items():
        start = (
            gutter + 1 + column - len(label) // 2 - label.startswith("-") * (len(label) % 2 == 0)
        )
        if start > len(labels) or not labels:
            labels = labels.ljust(start) + label
    yield Text(labels, "dim")
