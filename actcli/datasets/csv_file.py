"""Data sets in one CSV or TSV file: a column of class labels, and columns of numbers.

The file has one table, so its rows are split here, by a rule that gives the same rows on every
machine: a fifth of the rows of each class, drawn with a fixed seed, are the test rows. No value is
guessed: a field that is missing or is not a number is refused with its line and column.
"""

import array
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import stable_permutation
from actcli.datasets.delimited import FALLBACK_ENCODING, Record, open_delimited
from actcli.datasets.layout import (
    LAST,
    MIN_IMAGE_SIDE,
    NUMBER,
    SAMPLE_RECORDS,
    Layout,
    find_layout,
    is_missing,
    is_word,
    shown,
    square_side,
)
from actcli.datasets.raw import Pixels, RawDataset, RawSplit, number_classes
from actcli.errors import DataError
from actcli.machine import require_memory

# The test rows depend on this seed alone, so that all runs can be compared on the same rows.
TEST_SEED = 20_261_125
ROWS_PER_TEST_ROW = 5  # in each class

CHECKED_ROWS = 1024  # rows between two checks of the numbers and of the memory
MAX_CLASSES = 10_000
FEW_CLASSES = 20  # which a table may have, however few rows it has
MAX_NAMES = 6  # of columns or classes in a message
MAX_WHOLE = 2**53  # the largest whole numbers that float64 holds exactly


def read_csv(path: Path, target: str = LAST) -> RawDataset:
    """Return the training and the test rows of a CSV file.

    Args:
        path: the path of the file.
        target: the name or the number, from 1, of the column of the class labels; "last" for the
            last column.

    Raises:
        UsageError: the file has no such column.
        DataError: the file cannot be read, is not a table of numbers with a column of labels, or
            has too few rows.
        ActcliError: this machine has less memory than the table needs.
    """
    text = open_delimited(path)
    with text.records() as records:
        sample = list(itertools.islice(records, SAMPLE_RECORDS))
        layout = find_layout(text, sample, target)
        rows = itertools.chain(sample[layout.skipped :], records)
        numbers, labels = _read_rows(layout, rows)
    has_row_numbers = len(layout.features) > 1 and layout.is_row_number(numbers[:, 0])
    x = _as_pixels(numbers[:, 1:] if has_row_numbers else numbers)
    y, class_names = _number_labels(layout, labels)
    is_test = _draw_test_rows(y)
    if not is_test.any() or is_test.all():
        raise DataError(
            f"{path} has too few rows for a test: {len(y)}",
            f"A class needs {(ROWS_PER_TEST_ROW + 1) // 2} rows or more",
        )
    train, test = (
        RawSplit(x[rows], y[rows], f"{path}, {name} rows", f"{path}, {name} rows")
        for name, rows in (("training", ~is_test), ("test", is_test))
    )
    notes = _notes(layout, train, test, has_row_numbers)
    return RawDataset(_name(path), class_names, train, test, notes)


def _name(path: Path) -> str:
    """Return the name of a file without its endings: "iris" for iris.csv.gz."""
    name = path.name.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def _read_rows(layout: Layout, records: Iterable[Record]) -> tuple[NDArray[np.float32], list[str]]:
    """Return the numbers (N, D) of the features, and the text of each label.

    Raises:
        DataError: a row has another number of fields, or a field is missing or not a number.
        ActcliError: this machine has less memory than the numbers need.
    """
    numbers = array.array("f")
    labels: list[str] = []
    texts: dict[str, str] = {}  # so that equal labels share one text
    lines: list[int] = []  # of the rows that are not checked yet
    left_out = layout.width - 1 - len(layout.features)
    for record in records:
        fields = layout.fields(record)
        label = fields.pop(layout.target).strip()
        if is_missing(label):
            raise _missing(layout, record[0], layout.target, label)
        labels.append(texts.setdefault(label, label))
        fields = fields[left_out:]
        if layout.decimal_comma:
            fields = [field.replace(",", ".") for field in fields]
        try:
            numbers.extend(map(float, fields))
            if "_" in "".join(fields):  # Python's `float` reads 1_000
                raise ValueError
        except ValueError:
            raise _not_numbers(layout, record[0], fields) from None
        lines.append(record[0])
        if len(lines) == CHECKED_ROWS:
            _check(layout, numbers, lines)
            if len(texts) > MAX_CLASSES:
                raise _not_classes(layout, len(texts), len(labels))
            lines.clear()
    _check(layout, numbers, lines)
    if not labels:
        raise DataError(f"{layout.text.path} has no rows below the names of its columns")
    return np.frombuffer(numbers, np.float32).reshape(len(labels), -1), labels


def _check(layout: Layout, numbers: "array.array[float]", lines: Sequence[int]) -> None:
    """Raise if a number of the newest rows is not finite.

    Raises:
        DataError: a number is missing, or beyond float32.
        ActcliError: this machine has less memory than the rows so far need.
    """
    columns = len(layout.features)
    newest = np.frombuffer(numbers[len(numbers) - len(lines) * columns :], np.float32)
    newest = newest.reshape(len(lines), columns)
    for row, column in np.argwhere(~np.isfinite(newest))[:1].tolist():
        if np.isnan(newest[row, column]):
            raise _missing(layout, lines[row], layout.features[column], "nan")
        place = layout.place(lines[row], layout.features[column])
        raise DataError(f"{place} is infinite or beyond float32")
    # The rows are copied when they are split.
    require_memory(2 * numbers.itemsize * len(numbers), str(layout.text.path))


def _missing(layout: Layout, line: int, column: int, value: str) -> DataError:
    written = f" ({value!a})" if value else ""
    return DataError(
        f"{layout.place(line, column)} is missing{written}",
        "Leave such rows out, or fill them in: pandas.read_csv(FILE).dropna().to_csv(NEW, "
        "index=False)",
    )


def _not_numbers(layout: Layout, line: int, fields: Sequence[str]) -> DataError:
    """Return the error of a row in which a feature is not a number."""
    row = dict(zip(layout.features, fields, strict=True))
    words = [column for column, field in row.items() if is_word(field)]
    if not words:
        column = next(column for column, field in row.items() if not NUMBER.fullmatch(field))
        return _missing(layout, line, column, row[column].strip())
    names = [layout.column(column) for column in words]
    more = f", … ({len(names)} columns)" if len(names) > MAX_NAMES else ""
    verb = "is" if len(names) == 2 else "are"
    also = f"; nor {verb} {', '.join(names[1:MAX_NAMES])}{more}" if len(names) > 1 else ""
    listed = ", ".join(name if "'" in name else f"'{name}'" for name in names[:MAX_NAMES])
    hint = (
        "Turn words into numbers first: pandas.get_dummies(pandas.read_csv(FILE), "
        f"columns=[{listed}], dtype=int)"
    )
    if len(words) == 1:
        hint = f"If it has the classes: --target {layout.argument(words[0])}. {hint}"
    value = shown(row[words[0]].strip())
    return DataError(f"{layout.place(line, words[0])} is not a number: {value!r}{also}", hint)


def _number_labels(
    layout: Layout, labels: Sequence[str]
) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Return the labels as whole numbers, and the names of the classes if they are words.

    Raises:
        DataError: the labels are measurements, or there are as many as rows.
    """
    texts = set(labels)
    values = {text: float(text) for text in texts if NUMBER.fullmatch(text)}
    column = f"{layout.text.path}: the target column {layout.column(layout.target)}"
    if len(values) == len(texts):
        for text, value in values.items():
            if not (value.is_integer() and abs(value) <= MAX_WHOLE):
                raise DataError(
                    f"{column} holds {shown(text)}, which is not a class",
                    _target_hint(layout, "Classes are words or whole numbers"),
                )
        y = np.array([int(values[text]) for text in labels], np.int64)
        class_names = _listed_names(layout, y)
    else:
        class_names, (y,) = number_classes(np.array(labels))
    count = len(np.unique(y))
    if count < 2:
        raise DataError(
            f"{column} holds a single class, {shown(labels[0])!r}",
            _target_hint(layout, "Give the column of the classes"),
        )
    if count > max(FEW_CLASSES, len(y) // ROWS_PER_TEST_ROW):
        raise _not_classes(layout, count, len(y))
    return y, class_names


def _listed_names(layout: Layout, y: NDArray[np.int64]) -> dict[int, str]:
    """Return the names of the classes 0, 1, … that the first line of the file lists, if any."""
    names = dict(enumerate(layout.class_names))
    return names if names.keys() >= set(np.unique(y).tolist()) else {}


def _not_classes(layout: Layout, count: int, rows: int) -> DataError:
    return DataError(
        f"{layout.text.path}: the target column {layout.column(layout.target)} holds {count:,} "
        f"different values in {rows:,} rows, so it does not hold classes",
        _target_hint(layout, "Give the column of the classes"),
    )


def _target_hint(layout: Layout, start: str) -> str:
    likely = layout.likely_target()
    argument = "COLUMN" if likely is None else layout.argument(likely)
    names = [layout.column(column) for column in range(layout.width)]
    more = ", …" if len(names) > 2 * MAX_NAMES else ""
    return f"{start}: --target {argument}. Columns: {', '.join(names[: 2 * MAX_NAMES])}{more}"


def _as_pixels(numbers: NDArray[np.float32]) -> Pixels:
    """Return whole numbers from 0 to 255 that form a square as bytes, as images have them."""
    if square_side(numbers.shape[1]) < MIN_IMAGE_SIDE:
        return numbers
    if numbers.min() < 0 or numbers.max() > 255:
        return numbers
    pixels = numbers.astype(np.uint8)
    return pixels if np.array_equal(pixels, numbers) else numbers


def _draw_test_rows(y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows are test rows: a fifth of each class, rounded, drawn with a fixed seed."""
    is_test = np.zeros(len(y), np.bool_)
    order = np.argsort(y, kind="stable")
    starts = np.flatnonzero(np.diff(y[order], prepend=y[order[0]] - 1))
    for rows in np.split(order, starts[1:]):
        count = round(len(rows) / ROWS_PER_TEST_ROW)
        is_test[rows[stable_permutation(len(rows), TEST_SEED)[:count]]] = True
    return is_test


def _notes(
    layout: Layout, train: RawSplit, test: RawSplit, has_row_numbers: bool
) -> tuple[str, ...]:
    """Return sentences on how the file was read, and on its split."""
    rows, columns = len(train.x) + len(test.x), train.x.shape[1]
    target = f"column {layout.column(layout.target)}"
    last = ", the last" if layout.target == layout.width - 1 else ""
    header = "line 1 names the columns" if layout.names else "no line names the columns"
    read = [
        f"{layout.text.path}: {rows:,} rows of {columns:,} numbers, {header}; "
        f"classes in {target}{last}"
    ]
    if has_row_numbers or len(layout.features) < layout.width - 1:
        read.append("the first column is left out: it numbers or names the rows")
    if layout.decimal_comma:
        read.append("commas are decimal points")
    if layout.text.encoding == FALLBACK_ENCODING:
        read.append("the text is not UTF-8, and is read as Windows-1252")
    split = (
        f"Split: {len(test.x):,} test rows, a fifth of each class drawn with a fixed seed; "
        f"{len(train.x):,} training rows"
    )
    return "; ".join(read), split
