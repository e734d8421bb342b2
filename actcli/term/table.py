"""Columns of short texts under headings, which fit themselves to a width.

Where the width does not suffice, the columns that matter least are left out. Numbers are never
wrapped or cut, no line ends in spaces, and nothing depends on colour.
"""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TypeVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from actcli.term.canvas import Canvas
from actcli.term.numbers import align_points

T = TypeVar("T")

MATTERS = 2  # the highest rank of a column for which a name is cut
NAME, LEAST = 20, 8  # columns that a name has before others are left out, and in any case
GAP = 2  # columns of space between two columns
TOGETHER = "\N{NO-BREAK SPACE}"  # in "5 %" and "α = 1", while lines are broken


@dataclass(frozen=True)
class Column:
    """Texts below each other.

    Args:
        heading: above them.
        cells: the texts; those of numbers are aligned at the point already.
        rank: 0 is always shown; of the others the highest is left out first.
        left: aligned on the left, as words are, and not on the right.
        style: of all cells.
    """

    heading: str
    cells: Sequence[str]
    rank: int = 0
    left: bool = False
    style: str = ""

    @property
    def width(self) -> int:
        """That all of it needs."""
        return max(map(cell_len, [self.heading, *self.cells]))

    def padded(self, text: str) -> str:
        """A text of the width of the column."""
        return set_cell_size(text, self.width) if self.left else " " * self._missing(text) + text

    def _missing(self, text: str) -> int:
        return self.width - cell_len(text)


def titled(title: str, about: str, canvas: Canvas) -> Text:
    """The title of a block of lines, and what it is about if there is room for that."""
    line = Text(title, style="bold")
    about = canvas.plain(about)
    if about and cell_len(title) + GAP + cell_len(about) <= canvas.width:
        line.append(" " * GAP + about, "not bold dim")
    return line


def numbers(heading: str, texts: Iterable[str], rank: int = 0) -> Column:
    """A column of numbers, their points below each other."""
    return Column(heading, align_points(texts), rank)


def needed(columns: Sequence[Column]) -> int:
    """How wide the columns are together."""
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def fit(columns: Sequence[Column], width: int, least: int = 1) -> list[Column]:
    """The columns, without as many of a rank of at least `least` as the width demands."""
    kept = list(columns)
    while needed(kept) > width and any(column.rank >= least for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def shorten(columns: Sequence[Column], at: int, width: int) -> list[Column]:
    """The columns, with names in one of them cut so that there is room for those that matter.

    Args:
        columns: in their order.
        at: the position of the column of names.
        width: of all.
    """
    names, others = columns[at], [*columns[:at], *columns[at + 1 :]]
    rooms = [
        width - GAP - needed([column for column in others if column.rank <= rank])
        for rank in (MATTERS, 1, 0)
    ]
    room = next((room for room in rooms if room >= min(NAME, names.width)), max(LEAST, rooms[-1]))
    short = replace(names, cells=[cut(name, room) for name in names.cells])
    return [*columns[:at], short, *columns[at + 1 :]]


def lines(columns: Sequence[Column], styles: Sequence[str] = ()) -> list[Text]:
    """The headings and the rows.

    Args:
        columns: all of the same length.
        styles: of the rows; none for those beyond.
    """
    found = [_line([(column, column.heading, "dim") for column in columns])]
    for position in range(len(columns[0].cells)):
        row = _line([(column, column.cells[position], column.style) for column in columns])
        if position < len(styles):
            row.stylize_before(styles[position])
        found.append(row)
    return found


def beside(left: Sequence[Text], right: Sequence[Text], gap: int) -> list[Text]:
    """Two blocks of lines side by side."""
    width = max(line.cell_len for line in left)
    both = []
    for first, second in zip_longest(left, right, fillvalue=Text()):
        line = Text().append_text(first)  # whose own style is not that of what follows
        if second.plain:
            line.pad_right(width - first.cell_len + gap)
            line.append_text(second)
        both.append(line)
    return both


def _line(parts: Sequence[tuple[Column, str, str]]) -> Text:
    line = Text()
    for position, (column, text, style) in enumerate(parts):
        line.append(" " * GAP * (position > 0))
        line.append(column.padded(text), style or None)
    line.rstrip()
    return line


def optional(value: T | None, write: Callable[[T], str], canvas: Canvas) -> str:
    """A value as text; a dash where there is none."""
    return canvas.plain("–") if value is None else write(value)


def cut(text: str, width: int) -> str:
    """A text of at most so many columns; a longer one is cut, and ends in ~."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}~"


def paragraph(text: str, canvas: Canvas, label: str = "", style: str = "") -> Text:
    """A text, wrapped between words, beside a label or beneath one another as its own lines say.

    Args:
        text: its line breaks are kept.
        width: of all.
        canvas: the characters that can be shown.
        label: on the left of the first line; all others are indented by as much.
        style: of the text.
    """
    indent = " " * len(label)
    wrapped = [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(
            _together(canvas.plain(line)),
            max(20, canvas.width - len(label)),
            break_long_words=False,
            break_on_hyphens=False,
        )
        or [""]
    ]
    shown = Text(label)
    for position, line in enumerate(wrapped):
        if position:
            shown.append(f"\n{indent}" if line else "\n")
        shown.append(line.replace(TOGETHER, " "), style or None)
    return shown


def _together(text: str) -> str:
    return text.replace(" %", f"{TOGETHER}%").replace(" = ", f"{TOGETHER}={TOGETHER}")
