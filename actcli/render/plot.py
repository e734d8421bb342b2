"""Curves in a frame of text, with both axes and what they stand for.

A character of braille holds two dots by four, which makes curves smooth; where the stream is ASCII,
each curve has a sign of its own. Nothing is cut: the vertical axis reaches from the tick below the
lowest value to that above the highest. Without colour curves still differ, by their dashes, and by
the signs that may be set on their points.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, pairwise

from rich.cells import cell_len
from rich.text import Text

from actcli.render.columns import GAP, plain
from actcli.render.numbers import shortest

LEAST_COLUMNS = 8  # of the area of the curves
TICKS = 3  # of a vertical axis at least, if it has room for them
ROWS_OF_TICK = 1.5  # at least
BETWEEN_LABELS = 3  # columns
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
    """

    name: str
    points: Sequence[Point]
    marks: Sequence[Point] = ()
    sign: str = ""


@dataclass(frozen=True)
class Axis:
    """What an axis reaches over, and where its ticks are."""

    low: float
    high: float
    ticks: tuple[float, ...]
    step: float

    def position(self, value: float, steps: int) -> int:
        """Of so many steps between both ends, the nearest to a value."""
        return round((value - self.low) / (self.high - self.low) * (steps - 1))

    def label(self, tick: float) -> str:
        """With the decimals that tell one tick from the next."""
        if not 1e-4 <= self.step < 1e6:
            return shortest(tick, 3)
        decimals = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return f"{tick + 0.0:.{decimals}f}"


def vertical_axis(low: float, high: float, rows: int) -> Axis:
    """An axis from tick to tick that reaches as little as can be beyond what it has to reach."""
    low, high = _apart(low, high)
    most = max(1, math.floor((rows - 1) / ROWS_OF_TICK))  # steps from tick to tick
    found = []
    for step in islice(_steps((high - low) / most), 6):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        found.append(Axis(first * step, last * step, _ticks(first, last, step), step))

    def worth(each: Axis) -> tuple[bool, bool, float, int]:
        count, reach = len(each.ticks), round((each.high - each.low) / (high - low), 6)
        return count > most + 1, count < TICKS, reach, count

    return min(found, key=worth)


def horizontal_axis(low: float, high: float, columns: int, whole: bool) -> Axis:
    """An axis over just what it has to reach, with two ticks at least, at round numbers."""
    low, high = _apart(low, high)
    label = max(len(shortest(end, 3)) for end in (low, high))
    least = (high - low) / max(1, (columns - 1) // (label + BETWEEN_LABELS))
    found = []
    for step in islice(_steps(least / 10), 6):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if not whole or step >= 1:
            found.append(Axis(low, high, _ticks(first, last, step), step))
    if not found:
        return Axis(low, high, _ticks(math.ceil(low), math.floor(high), 1.0), 1.0)

    def worth(each: Axis) -> tuple[bool, bool, float]:
        distance = abs(math.log(each.step / least))
        return len(each.ticks) < 2, each.step < least * (1 - 1e-9), distance

    return min(found, key=worth)


def _apart(low: float, high: float) -> tuple[float, float]:
    """Two ends that differ; where they did not, to rounding, 0 is one of them."""
    if high - low > max(1e-9 * max(abs(low), abs(high)), 1e-300):
        return low, high
    return min(low, 0.0), max(high, 0.0) or float(low == 0)


def _steps(least: float) -> Iterator[float]:
    """Those of 1, 2, 5, 10, 20, … (times any power of ten) that suffice."""
    power = 10.0 ** math.floor(math.log10(least))
    found = (each * power * 10.0**more for more in count() for each in (1, 2, 5))
    return (step for step in found if step >= least * (1 - 1e-9))


def _ticks(first: int, last: int, step: float) -> tuple[float, ...]:
    return tuple(number * step for number in range(first, last + 1))


@dataclass(frozen=True)
class Plot:
    """Curves with a legend above and axes on the left and below.

    Args:
        curves: at least one, with at least one finite point among them.
        width: of all, in columns; a plot has a least width, though.
        height: of the area, in rows.
        x_name: what stands at the end of the horizontal axis.
        whole: whether x counts something, so that ticks are whole numbers.
    """

    curves: Sequence[Curve]
    width: int
    height: int
    x_name: str = "x"
    whole: bool = False

    def lines(self, ascii_only: bool) -> list[Text]:
        """All of it; `ascii_only` is whether the stream shows ASCII alone."""
        finite = [point for curve in self.curves for point in curve.points if _shown(point)]
        xs, ys = zip(*finite, strict=True)
        vertical = vertical_axis(min(ys), max(ys), self.height)
        labels = {tick: vertical.label(tick) for tick in vertical.ticks}
        gutter = max(map(len, labels.values())) + 1
        columns = max(LEAST_COLUMNS, self.width - gutter - 1 - 1 - cell_len(self.x_name))
        horizontal = horizontal_axis(min(xs), max(xs), columns, self.whole)
        area = Area(columns, self.height, horizontal, vertical, ascii_only)
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
        for number_of_dot, (across, down) in enumerate(self._path(curve.points)):
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
        return self.horizontal.position(x, self.columns * self.across)

    def _dot_down(self, y: float) -> int:
        steps = self.rows * self.down
        return steps - 1 - self.vertical.position(y, steps)

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
