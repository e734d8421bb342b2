"""The characters within the frame of a plot: lines of dots, and marks on them.

A character of braille holds two dots by four, which makes curves smooth; where the stream is ASCII,
each curve has a sign of its own. Nothing hides another: characters that several curves go through
take turns with their colours, or in ASCII with their signs, and marks that would fall on one
character stand side by side, or are one mark that says so.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.text import Text

from actcli.term.canvas import Canvas
from actcli.term.plot_axes import LinearAxis

BLANK = 0x2800  # the braille character without dots; each dot is a bit
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row and column
DASHES = ((1,), (1, 0, 0), (1, 1, 1, 1, 1, 0, 0, 0), (1, 1, 1, 1, 0, 0, 1, 0, 0))
SIGNS = "*o+x#%"
STYLES = ("cyan", "magenta", "green", "yellow", "blue", "red")  # yellow is faint on white

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


def shown(point: Point) -> bool:
    """Whether a point is drawn."""
    return math.isfinite(point[1])


def sign_style(sign: str, number: int) -> str:
    """Of a mark of a curve: a letter is to be read, and no colour can be on every background."""
    return "bold" if sign.isalnum() else f"bold {STYLES[number % len(STYLES)]}"


class PlotArea:
    """The characters within the frame.

    Args:
        columns, rows: how many.
        horizontal, vertical: what they stand for.
        canvas: in ASCII a character has one sign, elsewhere eight dots.
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
        self.across, self.down = (1, 1) if canvas.ascii else (2, 4)  # dots of a character
        self._bits = [[0] * columns for _ in range(rows)]
        self._through: dict[tuple[int, int], list[int]] = {}  # row and column: numbers of curves
        self._marks: dict[tuple[int, int], dict[int, str]] = {}  # the same: their signs
        self._signs: dict[tuple[int, int], tuple[str, str]] = {}  # the same: sign and style

    def column(self, x: float) -> int:
        """The character above which x lies."""
        return self._dot_across(x) // self.across

    def row(self, y: float) -> int:
        """The line, from above, on which y lies."""
        return self._dot_down(y) // self.down

    def draw(self, curve: Curve, number: int) -> None:
        """Add a curve to those that are there; its number tells its looks."""
        dashes = (1,) if self.canvas.ascii else DASHES[number % len(DASHES)]
        path = self._path(curve.points) if curve.joined else ()
        for number_of_dot, (across, down) in enumerate(path):
            if dashes[number_of_dot % len(dashes)]:
                row, column = down // self.down, across // self.across
                self._bits[row][column] |= DOTS[down % 4][across % 2]
                through = self._through.setdefault((row, column), [])
                if number not in through:
                    through.append(number)
        for x, y in curve.marks:
            self._marks.setdefault((self.row(y), self.column(x)), {})[number] = curve.sign

    def set_marks(self, together: str, whole: bool) -> bool:
        """Set the signs of all curves that are drawn.

        Args:
            together: the sign of several that have one character.
            whole: whether x is a whole number wherever there is a mark. Then marks may stand side
                by side, as long as each is nearer to its own x than to any other.

        Returns:
            Whether there is such a sign.
        """
        apart = (self.columns - 1) / (self.horizontal.high - self.horizontal.low) if whole else 0
        shared = False
        for (row, column), signs in self._marks.items():
            count = len(signs)
            if count == 1 or 2 * count <= apart:
                start = min(max(0, column - (count - 1) // 2), self.columns - count)
                for at, (number, sign) in enumerate(sorted(signs.items()), start):
                    self._signs[row, at] = sign, sign_style(sign, number)
            else:
                self._signs[row, column] = together, "bold"
                shared = True
        return shared

    def line(self, row: int) -> Text:
        """One row of characters."""
        text = Text()
        for column in range(self.columns):
            sign, style = self._signs.get((row, column)) or self._drawn(row, column)
            text.append(sign, style or None)
        return text

    def _drawn(self, row: int, column: int) -> tuple[str, str]:
        """What the lines leave on a character, and its style."""
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
        # The ends of the axis are in the middle of their rows, where their ticks are drawn.
        margin = (self.down - 1) / 2
        share = self.vertical.share(y)
        return round(margin + (1 - share) * (self.rows - 1) * self.down)

    def _path(self, points: Sequence[Point]) -> Iterator[tuple[int, int]]:
        """The dots of the line, each once; a point between two breaks stands by itself."""
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
    """The dots from one to another, both included."""
    count = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for step in range(count + 1):
        share = step / count
        yield (
            round(start[0] + share * (end[0] - start[0])),
            round(start[1] + share * (end[1] - start[1])),
        )
