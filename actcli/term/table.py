"""Tables: columns of short texts under headings, fitted to a width.

If the table is too wide, the least important columns are left out. Numbers are never wrapped or
cut, and no line ends in spaces. Colour carries no information.
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

SHORTENING_RANK = 2  # the highest rank of a column for which a name is cut
NAME_WIDTH = 20  # below this width of a name, other columns are left out
MIN_NAME_WIDTH = 8
GAP = 2  # spaces between two columns
NO_BREAK = "\N{NO-BREAK SPACE}"  # in "5 %" and "α = 1", while lines are wrapped


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        heading: of the column.
        cells: the texts; numbers are already aligned at the decimal point.
        rank: 0 for a column that is always shown; the highest rank is left out first.
        left: whether the cells are aligned on the left, as for words.
        style: of all cells.
    """

    heading: str
    cells: Sequence[str]
    rank: int = 0
    left: bool = False
    style: str = ""

    @property
    def width(self) -> int:
        """The width of the widest cell, or of the heading."""
        return max(map(cell_len, [self.heading, *self.cells]))

    def padded(self, text: str) -> str:
        """Return a text padded to the width of the column."""
        return set_cell_size(text, self.width) if self.left else " " * self._missing(text) + text

    def _missing(self, text: str) -> int:
        return self.width - cell_len(text)


def titled(title: str, about: str, canvas: Canvas) -> Text:
    """Return the title of a block of lines, with a dim explanation if it fits."""
    line = Text(title, style="bold")
    about = canvas.plain(about)
    if about and cell_len(title) + GAP + cell_len(about) <= canvas.width:
        line.append(" " * GAP + about, "not bold dim")
    return line


def command_line(label: str, command: str, canvas: Canvas) -> Text:
    """Return a command to try next, in one line however long it is: a wrapped one does not copy."""
    line = Text(label, no_wrap=True, overflow="ignore")
    return line.append(canvas.printable(command), "bold")


def numbers(heading: str, texts: Iterable[str], rank: int = 0) -> Column:
    """Return a column of numbers with aligned decimal points."""
    return Column(heading, align_points(texts), rank)


def total_width(columns: Sequence[Column]) -> int:
    """Return the width of the columns and the gaps between them."""
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def fit(columns: Sequence[Column], width: int, min_rank: int = 1) -> list[Column]:
    """Return the columns that fit a width; ranks below `min_rank` are never left out."""
    kept = list(columns)
    while total_width(kept) > width and any(column.rank >= min_rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def shorten(columns: Sequence[Column], at: int, width: int) -> list[Column]:
    """Return the columns, with names in one of them cut so that important columns fit.

    Args:
        columns: in their order.
        at: the position of the column of names.
        width: of the table.
    """
    names, others = columns[at], [*columns[:at], *columns[at + 1 :]]
    rooms = [
        width - GAP - total_width([column for column in others if column.rank <= rank])
        for rank in (SHORTENING_RANK, 1, 0)
    ]
    room = next(
        (room for room in rooms if room >= min(NAME_WIDTH, names.width)),
        max(MIN_NAME_WIDTH, rooms[-1]),
    )
    short = replace(names, cells=[cut(name, room) for name in names.cells])
    return [*columns[:at], short, *columns[at + 1 :]]


def cut_names(columns: Sequence[Column], width: int) -> list[Column]:
    """Return the columns, with the longest columns of words cut so that the table fits, if it can.

    No column becomes narrower than `MIN_NAME_WIDTH`.
    """
    rooms = {
        index: column.width
        for index, column in enumerate(columns)
        if column.left and column.width > MIN_NAME_WIDTH
    }
    excess = total_width(columns) - width
    while excess > 0 and max(rooms.values(), default=0) > MIN_NAME_WIDTH:
        widest = max(rooms.values())
        longest = [index for index, room in rooms.items() if room == widest]
        next_room = max([MIN_NAME_WIDTH, *(room for room in rooms.values() if room < widest)])
        step = min(widest - next_room, excess // len(longest))
        for index in longest if step else longest[:excess]:
            rooms[index] -= step or 1
            excess -= step or 1
    return [
        _cut_to(column, rooms[index]) if index in rooms else column
        for index, column in enumerate(columns)
    ]


def _cut_to(column: Column, room: int) -> Column:
    """Return a column whose heading and cells are cut to a width."""
    cells = [cut(cell, room) for cell in column.cells]
    return replace(column, heading=cut(column.heading, room), cells=cells)


def lines(columns: Sequence[Column], styles: Sequence[str] = ()) -> list[Text]:
    """Return a line for the headings and one for each row.

    Args:
        columns: all of the same length.
        styles: of the first rows; further rows have no style.
    """
    table = [_line([(column, column.heading, "dim") for column in columns])]
    for position in range(len(columns[0].cells)):
        row = _line([(column, column.cells[position], column.style) for column in columns])
        if position < len(styles):
            row.stylize_before(styles[position])
        table.append(row)
    return table


def beside(left: Sequence[Text], right: Sequence[Text], gap: int) -> list[Text]:
    """Return two blocks of lines side by side, `gap` spaces apart."""
    width = max(line.cell_len for line in left)
    joined = []
    for first, second in zip_longest(left, right, fillvalue=Text()):
        line = Text().append_text(first)  # so that its style does not extend to the second block
        if second.plain:
            line.pad_right(width - first.cell_len + gap)
            line.append_text(second)
        joined.append(line)
    return joined


def _line(parts: Sequence[tuple[Column, str, str]]) -> Text:
    line = Text()
    for position, (column, text, style) in enumerate(parts):
        line.append(" " * GAP * (position > 0))
        line.append(column.padded(text), style or None)
    line.rstrip()
    return line


def optional(value: T | None, write: Callable[[T], str], canvas: Canvas) -> str:
    """Return a value as text, or a dash for None."""
    return canvas.plain("–") if value is None else write(value)


def cut(text: str, width: int) -> str:
    """Return a text of at most `width` columns; a longer text is cut and ends in ~."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}~"


def paragraph(text: str, canvas: Canvas, label: str = "", style: str = "") -> Text:
    """Return a text that is wrapped between words, beside a label.

    Args:
        text: the text; its line breaks are kept.
        canvas: the available width, and the characters that can be shown.
        label: on the left of the first line; further lines are indented by its width.
        style: of the text.
    """
    indent = " " * len(label)
    wrapped = [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(
            _unbroken(canvas.plain(line)),
            max(20, canvas.width - len(label)),
            break_long_words=False,
            break_on_hyphens=False,
        )
        or [""]
    ]
    result = Text(label)
    for position, line in enumerate(wrapped):
        if position:
            result.append(f"\n{indent}" if line else "\n")
        result.append(line.replace(NO_BREAK, " "), style or None)
    return result


def _unbroken(text: str) -> str:
    return text.replace(" %", f"{NO_BREAK}%").replace(" = ", f"{NO_BREAK}={NO_BREAK}")
