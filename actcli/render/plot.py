"""Curves in a frame of text, with both axes and what they stand for.

A character of braille holds two dots by four, which makes curves smooth; where the stream is ASCII,
each curve has a sign of its own. Nothing is cut: the vertical axis reaches from the tick below the
lowest value to that above the highest. Without colour curves still differ, by their dashes, and by
the signs that may be set on their points.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len
from rich.text import Text

from actcli.render.axes import Axis, horizontal_axis, vertical_axis
from actcli.render.columns import GAP, plain

LEAST_COLUMNS = 8  # of the area of the curves
BLANK = 0x2800  # the braille character without dots; each dot is a bit
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row and column
DASHES = ((1,), (1, 0, 0), (1, 1, 1, 1, 1, 0, 0, 0), (1, 1, 1, 1, 0, 0, 1, 0, 0))
SIGNS = "*o+x#%"
STYLES = ("cyan", "magenta", "yellow", "green", "blue", "red")
SAMPLE = 3  # characters of a line in the legend

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A line through points.

    Args:
        name: in the legend.
        points: x and y, by ascending x. A y that is not finite breaks the line there.
        marks: points of it that are set off, each with the sign.
        sign: one character.
        joined: whether there is a line at all, or the marks alone.
    """

    name: str
    points: Sequence[Point]
    marks: Sequence[Point] = ()
    sign: str = ""
    joined: bool = True


@dataclass(frozen=True)
class Plot:
    """Curves with a legend above and axes on the left and below.

    Args:
        curves: at least one, with at least one finite point among them.
        width: of all, in columns; a plot has a least width, though.
        height: of the area, in rows, or some fewer or more, so that ticks are equally far apart.
        x_name: what stands at the end of the horizontal axis.
        whole: whether x counts something, so that ticks are whole numbers.
        x_axis: the horizontal axis, where it is not one with ticks at round numbers.
    """

    curves: Sequence[Curve]
    width: int
    height: int
    x_name: str = "x"
    whole: bool = False
    x_axis: Axis | None = None

    def lines(self, ascii_only: bool) -> list[Text]:
        """All of it; `ascii_only` is whether the stream shows ASCII alone."""
        finite = [point for curve in self.curves for point in curve.points if _shown(point)]
        xs, ys = zip(*finite, strict=True)
        vertical = vertical_axis(min(ys), max(ys), self.height)
        labels = {tick: vertical.label(tick) for tick in vertical.ticks}
        gutter = max(map(len, labels.values())) + 1
        columns = max(LEAST_COLUMNS, self.width - gutter - 1 - 1 - cell_len(self.x_name))
        horizontal = self.x_axis or horizontal_axis(min(xs), max(xs), columns, self.whole)
        area = Area(columns, vertical.rows(self.height), horizontal, vertical, ascii_only)
        for number, curve in enumerate(self.curves):
            area.draw(curve, number)
        return [
            *_legend(self.curves, self.width, ascii_only),
            *_with_axis(area, labels, gutter),
            *_below(area, gutter, self.x_name),
        ]


def _shown(point: Point) -> bool:
    return math.isfinite(point[1])


class Area:
    """The characters within the frame.

    Args:
        columns, rows: how many.
        horizontal, vertical: what they stand for.
        ascii_only: whether a character has one sign, and not eight dots.
    """

    def __init__(
        self, columns: int, rows: int, horizontal: Axis, vertical: Axis, ascii_only: bool
    ) -> None:
        self.columns, self.rows = columns, rows
        self.horizontal, self.vertical = horizontal, vertical
        self.ascii_only = ascii_only
        self.across, self.down = (1, 1) if ascii_only else (2, 4)  # dots of a character
        self._bits = [[0] * columns for _ in range(rows)]
        self._signs = [[""] * columns for _ in range(rows)]
        self._styles = [[""] * columns for _ in range(rows)]

    def column(self, x: float) -> int:
        """The character above which x lies."""
        return self._dot_across(x) // self.across

    def row(self, y: float) -> int:
        """The line, from above, on which y lies."""
        return self._dot_down(y) // self.down

    def draw(self, curve: Curve, number: int) -> None:
        """Add a curve over those that are there; its number tells its looks."""
        style, dashes = STYLES[number % len(STYLES)], DASHES[number % len(DASHES)]
        path = self._path(curve.points) if curve.joined else ()
        for number_of_dot, (across, down) in enumerate(path):
            row, column = down // self.down, across // self.across
            if self.ascii_only:
                self._signs[row][column] = SIGNS[number % len(SIGNS)]
            elif dashes[number_of_dot % len(dashes)]:
                self._bits[row][column] |= DOTS[down % 4][across % 2]
                self._styles[row][column] = style
        for x, y in curve.marks:
            row, column = self.row(y), self.column(x)
            self._signs[row][column], self._styles[row][column] = curve.sign, f"bold {style}"

    def line(self, row: int) -> Text:
        """One row of characters."""
        text = Text()
        for bits, sign, style in zip(
            self._bits[row], self._signs[row], self._styles[row], strict=True
        ):
            text.append(sign or (chr(BLANK + bits) if bits else " "), style or None)
        return text

    def _dot_across(self, x: float) -> int:
        return round(self.horizontal.share(x) * (self.columns * self.across - 1))

    def _dot_down(self, y: float) -> int:
        # The ends of the axis are in the middle of their rows, where their ticks are drawn.
        margin = (self.down - 1) / 2
        share = self.vertical.share(y)
        return round(margin + (1 - share) * (self.rows - 1) * self.down)

    def _path(self, points: Sequence[Point]) -> Iterator[tuple[int, int]]:
        """The dots of the line, each once; a point between two breaks stands by itself."""
        dots = [
            (self._dot_across(x), self._dot_down(y)) if _shown((x, y)) else None for x, y in points
        ]
        last = None
        for start, end in pairwise([*dots, None]):
            if start is None:
                continue
            for dot in _straight(start, end or start):
                if dot != last:
                    yield dot
                last = dot


def _straight(start: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The dots from one to another, both included."""
    count = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for step in range(count + 1):
        share = step / count
        yield (
            round(start[0] + share * (end[0] - start[0])),
            round(start[1] + share * (end[1] - start[1])),
        )


def _legend(curves: Sequence[Curve], width: int, ascii_only: bool) -> Iterator[Text]:
    """A piece of each curve's line before its name, as many on a line as there is room for."""
    line = Text()
    for number, curve in enumerate(curves):
        entry = Text(_sample(curve, number, ascii_only), STYLES[number % len(STYLES)])
        entry.append(f" {plain(curve.name, ascii_only)}", "default")
        if line and line.cell_len + GAP + entry.cell_len > width:
            yield line
            line = Text()
        line.append(" " * GAP * bool(line)).append_text(entry)
    yield line


def _sample(curve: Curve, number: int, ascii_only: bool) -> str:
    if not curve.joined:
        return curve.sign
    if ascii_only:
        line = SIGNS[number % len(SIGNS)]
        return f"{line}{curve.sign or line}{line}"
    dashes = DASHES[number % len(DASHES)]
    on = [dashes[dot % len(dashes)] for dot in range(2 * SAMPLE)]
    dots = zip(on[::2], on[1::2], strict=True)
    line = "".join(chr(BLANK + DOTS[2][0] * left + DOTS[2][1] * right) for left, right in dots)
    return f"{line[:1]}{curve.sign or line[1:2]}{line[2:]}"


def _with_axis(area: Area, ticks: dict[float, str], gutter: int) -> Iterator[Text]:
    labels = {area.row(tick): label for tick, label in ticks.items()}
    bar, tick = ("|", "+") if area.ascii_only else ("│", "┤")
    for row in range(area.rows):
        label = labels.get(row, "")
        text = Text().append(f"{label.rjust(gutter - 1)} {tick if label else bar}", "dim")
        text.append_text(area.line(row))
        text.rstrip()
        yield text


def _below(area: Area, gutter: int, x_name: str) -> Iterator[Text]:
    """The horizontal axis with its name at the end, and the labels of its ticks."""
    corner, dash, tick = ("+", "-", "+") if area.ascii_only else ("└", "─", "┬")
    at = {area.column(each): area.horizontal.label(each) for each in area.horizontal.ticks}
    line = "".join(tick if column in at else dash for column in range(area.columns))
    yield Text(f"{' ' * gutter}{corner}{line} {plain(x_name, area.ascii_only)}", "dim")
    labels = ""
    for column, label in at.items():
        start = (
            gutter + 1 + column - len(label) // 2 - label.startswith("-") * (len(label) % 2 == 0)
        )
        if start > len(labels) or not labels:
            labels = labels.ljust(start) + label
    yield Text(labels, "dim")
