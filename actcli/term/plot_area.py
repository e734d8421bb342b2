"""The area of a plot: curves drawn with dots, and marks on them.

A braille character holds two dots by four, which makes curves smooth. In ASCII, each curve has one
sign. No curve hides another: characters that several curves share alternate between their colours,
or in ASCII between their signs. Marks on one character are moved side by side, or replaced by one
sign for several marks.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.text import Text

from actcli.term.canvas import Canvas
from actcli.term.plot_axes import LinearAxis

BLANK = 0x2800  # the braille character without dots; each dot is a bit
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # bits by row and column
DASHES = ((1,), (1, 0, 0), (1, 1, 1, 1, 1, 0, 0, 0), (1, 1, 1, 1, 0, 0, 1, 0, 0))
SIGNS = "*o+x#%"
STYLES = ("cyan", "magenta", "green", "yellow", "blue", "red")  # yellow is faint on white

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A line through points.

    Args:
        name: in the legend.
        points: (x, y), by ascending x; a y that is not finite interrupts the line.
        marks: the points that are drawn as the sign.
        sign: one character.
        joined: whether a line joins the points; otherwise only the marks are drawn.
    """

    name: str
    points: Sequence[Point]
    marks: Sequence[Point] = ()
    sign: str = ""
    joined: bool = True


def shown(point: Point) -> bool:
    """Return whether a point can be drawn: its y is finite."""
    return math.isfinite(point[1])


def sign_style(sign: str, number: int) -> str:
    """Return the style of a mark; a letter has no colour, to be legible on every background."""
    return "bold" if sign.isalnum() else f"bold {STYLES[number % len(STYLES)]}"


class PlotArea:
    """The grid of characters between the axes of a plot.

    Args:
        columns, rows: size in characters.
        horizontal, vertical: the axes.
        canvas: the characters that can be shown; braille, or one sign per character in ASCII.
    """

    def __init__(
        self,
        columns: int,
        rows: int,
        horizontal: LinearAxis,
        vertical: LinearAxis,
        canvas: Canvas,
    ) -> None:
        self.columns, self.rows = columns, rows
        self.horizontal, self.vertical = horizontal, vertical
        self.canvas = canvas
        self.across, self.down = (1, 1) if canvas.ascii else (2, 4)  # dots per character
        self._bits = [[0] * columns for _ in range(rows)]
        # By row and column: the numbers of the curves; the sign of each curve; sign and style.
        self._through: dict[tuple[int, int], list[int]] = {}
        self._marks: dict[tuple[int, int], dict[int, str]] = {}
        self._signs: dict[tuple[int, int], tuple[str, str]] = {}

    def column(self, x: float) -> int:
        """Return the column of x, from the left."""
        return self._dot_across(x) // self.across

    def row(self, y: float) -> int:
        """Return the row of y, from the top."""
        return self._dot_down(y) // self.down

    def draw(self, curve: Curve, number: int) -> None:
        """Add a curve; its number selects its dashes and its colour."""
        dashes = (1,) if self.canvas.ascii else DASHES[number % len(DASHES)]
        path = self._path(curve.points) if curve.joined else ()
        for position, (across, down) in enumerate(path):
            if dashes[position % len(dashes)]:
                row, column = down // self.down, across // self.across
                self._bits[row][column] |= DOTS[down % 4][across % 2]
                through = self._through.setdefault((row, column), [])
                if number not in through:
                    through.append(number)
        for x, y in curve.marks:
            self._marks.setdefault((self.row(y), self.column(x)), {})[number] = curve.sign

    def set_marks(self, together: str, whole: bool) -> bool:
        """Place the signs of the marks of all drawn curves.

        Args:
            together: the sign for several marks on one character.
            whole: whether each mark has a whole x. Then marks may be side by side, if each stays
                nearest to its x.

        Returns:
            Whether the sign `together` was used.
        """
        columns_per_unit = (
            (self.columns - 1) / (self.horizontal.high - self.horizontal.low) if whole else 0
        )
        shared = False
        for (row, column), signs in self._marks.items():
            count = len(signs)
            if count == 1 or 2 * count <= columns_per_unit:
                start = min(max(0, column - (count - 1) // 2), self.columns - count)
                for place, (number, sign) in enumerate(sorted(signs.items()), start):
                    self._signs[row, place] = sign, sign_style(sign, number)
            else:
                self._signs[row, column] = together, "bold"
                shared = True
        return shared

    def line(self, row: int) -> Text:
        """Return a row of characters."""
        text = Text()
        for column in range(self.columns):
            sign, style = self._signs.get((row, column)) or self._drawn(row, column)
            text.append(sign, style or None)
        return text

    def _drawn(self, row: int, column: int) -> tuple[str, str]:
        """Return the character of the lines at a position, and its style."""
        through = self._through.get((row, column))
        if not through:
            return " ", ""
        number = through[(row + column) % len(through)]
        if self.canvas.ascii:
            return SIGNS[number % len(SIGNS)], ""
        return chr(BLANK + self._bits[row][column]), STYLES[number % len(STYLES)]

    def _dot_across(self, x: float) -> int:
        return round(self.horizontal.share(x) * (self.columns * self.across - 1))

    def _dot_down(self, y: float) -> int:
        # The ends of the axis are in the middle of their rows, level with their ticks.
        margin = (self.down - 1) / 2
        share = self.vertical.share(y)
        return round(margin + (1 - share) * (self.rows - 1) * self.down)

    def _path(self, points: Sequence[Point]) -> Iterator[tuple[int, int]]:
        """Yield the dots of a line, each once; a point between two gaps is a single dot."""
        dots = [
            (self._dot_across(x), self._dot_down(y)) if shown((x, y)) else None for x, y in points
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
    """Yield the dots of a straight line, both ends included."""
    count = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for step in range(count + 1):
        share = step / count
        yield (
            round(start[0] + share * (end[0] - start[0])),
            round(start[1] + share * (end[1] - start[1])),
        )
