"""The layout of a table in a text file: its header, its target, and the columns to leave out.

A CSV file does not say whether its first line has names. It has if a column starts with a word
above numbers, or if no field of the line is a number. The rows are otherwise not interpreted here.
"""

import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.delimited import Delimited, Record
from actcli.errors import DataError, UsageError
from actcli.registry import unknown_name

LAST = "last"  # the target of a file whose last column has the classes
SAMPLE_RECORDS = 50  # from which the layout is found
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "#n/a", "missing"})

# Names of a first column that numbers the rows: pandas writes "" for its index.
ROW_NUMBER_NAMES = {"", "unnamed: 0", "id", "index", "row", "rowid", "rownames", "no", "no.", "#"}
MIN_DISTINCT = 0.95  # of the values of such a column
USUAL_TARGETS = ("target", "label", "class", "species", "y", "labels", "classes", "diagnosis")

MIN_COUNTING = 4  # fields 0, 1, 2, 3, … are a header, not a row
MIN_IMAGE_SIDE = 8  # pixels: columns that form a smaller square are not an image

MAX_SHOWN_CHARACTERS = 40  # of a field or a name in a message
MAX_SHOWN_NAMES = 12

NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*", re.ASCII)


@dataclass(frozen=True)
class Layout:
    """The layout of a table.

    Args:
        text: the file.
        width: the number of fields of a row.
        names: the names of all columns; empty without a header.
        class_names: the names of the classes 0, 1, …, if the file starts with them.
        target: the index of the column of the labels.
        features: the indices of the columns of numbers.
        skipped: the number of records before the first row.
        has_empty_end: whether each row ends with a delimiter.
        decimal_comma: whether numbers are written as 3,14.
    """

    text: Delimited
    width: int
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    target: int
    features: tuple[int, ...]
    skipped: int
    has_empty_end: bool
    decimal_comma: bool

    def fields(self, record: Record) -> list[str]:
        """Return the fields of a row.

        Raises:
            DataError: the row has another number of fields than the others.
        """
        line, fields = record
        if self.has_empty_end and len(fields) == self.width + 1 and not fields[-1].strip():
            return fields[:-1]
        if len(fields) != self.width:
            raise DataError(
                f"{self.text.path}, line {line} has {_counted(len(fields))}, but the rows before "
                f"it have {self.width}",
                "A field with a delimiter in it needs quotes",
            )
        return fields

    def column(self, index: int) -> str:
        """Return the name of a column in quotes, or its number."""
        name = self.names[index] if self.names else ""
        return f"'{shown(name)}'" if name else f"{index + 1}"

    def place(self, line: int, index: int) -> str:
        """Return where a field stands, for messages."""
        return f"{self.text.path}, line {line}: column {self.column(index)}"

    def argument(self, index: int) -> str:
        """Return a column as the value of `--target`."""
        name = self.names[index] if self.names else ""
        return shlex.quote(name) if self.names.count(name) == 1 and name else f"{index + 1}"

    def likely_target(self) -> int | None:
        """Return the column whose name is usual for the classes, other than the target."""
        names = [name.lower() for name in self.names]
        usual = (names.index(name) for name in USUAL_TARGETS if name in names)
        return next((index for index in usual if index != self.target), None)

    def is_row_number(self, values: NDArray[np.float32]) -> bool:
        """Return whether the first column of numbers only numbers the rows, by name and values."""
        first = self.features[0]
        if first > 1 or not self.names or self.names[first].lower() not in ROW_NUMBER_NAMES:
            return False
        are_whole = bool((values == np.floor(values)).all())
        return are_whole and len(np.unique(values)) >= MIN_DISTINCT * len(values)


def find_layout(text: Delimited, sample: Sequence[Record], target: str) -> Layout:
    """Return the layout of a table.

    Args:
        text: the file.
        sample: its first records.
        target: a column's name or number, from 1, or "last".

    Raises:
        UsageError: there is no such column.
        DataError: the file is not a table of two columns or more.
    """
    rows = [[field.strip() for field in fields] for _, fields in sample]
    if not rows:
        raise DataError(f"{text.path} is empty")
    class_names = _class_names(rows)
    first, others = rows[0], rows[1:]
    if class_names:
        first, others = [], rows[1:]
    body = others or rows
    width = len(body[0])
    has_empty_end = all(not row[-1] for row in body) and width > 2
    width -= has_empty_end
    if first and has_empty_end and len(first) == width + 1 and not first[-1]:
        first = first[:-1]
    if width < 2:
        raise DataError(
            f"{text.path} has one column",
            "A table has columns of numbers and one of class labels, separated by commas, "
            "semicolons or tabs",
        )
    is_header = bool(first) and _is_header(first, others)
    if is_header and len(first) == width - 1 and _have_names(others):
        first = ["", *first]  # R writes no name above the names of the rows
    names = tuple(first) if is_header else ()
    if names and len(names) != width:
        raise DataError(
            f"{text.path}, line {sample[0][0]} has {_counted(len(names))}, but line "
            f"{sample[1][0]} has {width}",
            "A field with a delimiter in it needs quotes",
        )
    index = _target_index(text, target, names, width)
    features = [column for column in range(width) if column != index]
    if names and names[features[0]].lower() in ROW_NUMBER_NAMES and len(features) > 1:
        first_values = [row[features[0]] for row in body if len(row) > features[0]]
        if all(is_word(value) for value in first_values):
            features = features[1:]  # the names of the rows
    cells = [row[column] for row in body for column in features if column < len(row)]
    commas = text.delimiter != "," and any(map(DECIMAL_COMMA.fullmatch, cells))
    return Layout(
        text=text,
        width=width,
        names=names,
        class_names=class_names,
        target=index,
        features=tuple(features),
        skipped=1 if names or class_names else 0,
        has_empty_end=has_empty_end,
        decimal_comma=commas and not any("." in cell for cell in cells if not is_word(cell)),
    )


def square_side(columns: int) -> int:
    """Return the side of the square that so many pixels form; 0 if they form none."""
    side = math.isqrt(columns)
    return side if side * side == columns else 0


def is_word(field: str) -> bool:
    """Return whether a field is neither a number nor missing."""
    return NUMBER.fullmatch(field) is None and not is_missing(field)


def is_missing(field: str) -> bool:
    """Return whether a field says that a value is missing."""
    return field.strip().lower() in MISSING


def shown(text: str) -> str:
    """Return a field or a name, cut to a length that fits a message."""
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[: MAX_SHOWN_CHARACTERS - 1]}…"


def _counted(fields: int) -> str:
    return "1 field" if fields == 1 else f"{fields:,} fields"


def _class_names(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the names of the classes if the first row is that of scikit-learn's own files.

    It has the number of rows, the number of columns, and the names of the classes.
    """
    if len(rows) < 2 or len(rows[0]) < 4:
        return ()
    count, columns, *names = rows[0]
    is_about_others = count.isdecimal() and columns == str(len(rows[1]) - 1)
    return tuple(names) if is_about_others and all(map(is_word, names)) else ()


def _have_names(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether all rows start with a name or a whole number."""
    return all(is_word(row[0]) or row[0].isdecimal() for row in rows)


def _is_header(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row has the names of the columns."""
    if all(NUMBER.fullmatch(field) is None for field in first):
        return True
    if len(first) >= MIN_COUNTING and list(first) in (
        [str(number) for number in range(len(first))],
        ["", *(str(number) for number in range(len(first) - 1))],
    ):
        return True
    shift = len(others[0]) - len(first) if others else 0
    for column, field in enumerate(first):
        below = [row[column + shift] for row in others if 0 <= column + shift < len(row)]
        if is_word(field) and below and not any(map(is_word, below)):
            return True
    return False


def _target_index(text: Delimited, target: str, names: Sequence[str], width: int) -> int:
    """Return the index of the target.

    Raises:
        UsageError: there is no such column, or its name is not unique.
    """
    wanted = target.strip()
    matches = [index for index, name in enumerate(names) if name == wanted] or [
        index for index, name in enumerate(names) if name.lower() == wanted.lower()
    ]
    if len(matches) > 1:
        numbers = ", ".join(str(index + 1) for index in matches[:MAX_SHOWN_NAMES])
        raise UsageError(
            f"--target: {text.path} has {len(matches)} columns {wanted!r}",
            f"Give a number: {numbers}",
        )
    if matches:
        return matches[0]
    if wanted == LAST:
        return width - 1
    if re.fullmatch(r"-?[0-9]{1,9}", wanted):
        if not 1 <= int(wanted) <= width:
            raise UsageError(
                f"--target {wanted}: {text.path} has the columns 1 to {width}",
                "Or give a column's name" if names else None,
            )
        return int(wanted) - 1
    if not names:
        raise UsageError(
            f"--target {shown(wanted)!a}: {text.path} has no line with the names of its columns",
            f"Give a number from 1 to {width}",
        )
    listed = [shown(name) for name in names if name][:MAX_SHOWN_NAMES]
    unknown = unknown_name(f"column in {text.path}", shown(wanted), listed)
    raise UsageError(f"--target: {unknown.message}", unknown.hint)
