"""Delimited text: the records of a CSV or TSV file, plain or packed with gzip.

The file says neither its encoding nor its delimiter. Text is UTF-8, or UTF-16 with a byte order
mark; bytes that are not UTF-8 are read as Windows-1252, which spreadsheets write. The delimiter is
the one that cuts the first lines into equally many fields. Quotes, doubled quotes and line ends
within quotes are read by Python's `csv`.

Memory is bounded, whatever the file holds: a record has at most `MAX_RECORD_CHARACTERS`, and lines
are read one by one.
"""

import codecs
import contextlib
import csv
import gzip
import io
import itertools
import statistics
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from actcli import files
from actcli.datasets.idx import GZIP_MAGIC
from actcli.errors import DataError

MAX_RECORD_CHARACTERS = 4_000_000  # enough for 400,000 columns
MAX_BLANK_LINES = 1_000_000  # one after the other
SAMPLE_LINES = 50  # read to find the delimiter
READ_BYTES = 1 << 20  # per call
DELIMITERS = ("\t", ";", "|", ",")  # of those that fit equally well, the first one
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16: its mark starts with the same bytes
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
FALLBACK_ENCODING = "cp1252"

Record = tuple[int, list[str]]  # the number of its first line, from 1, and its fields


@dataclass(frozen=True)
class Delimited:
    """A file of delimited text.

    Args:
        path: the path of the file.
        encoding: the name of its encoding, for Python.
        delimiter: the character between two fields.
    """

    path: Path
    encoding: str
    delimiter: str

    @contextlib.contextmanager
    def records(self) -> Iterator[Iterator[Record]]:
        """Yield an iterator over the records of the file; blank lines are left out.

        Raises:
            DataError: the file cannot be read, is damaged, or has a record that is too long.
        """
        with _reading(self.path) as stream:
            text = io.TextIOWrapper(stream, self.encoding, newline="")
            yield _records(_Lines(text, self.path), self.delimiter)


def open_delimited(path: Path) -> Delimited:
    """Return a file of delimited text, whose encoding and delimiter are recognized.

    Raises:
        DataError: the file cannot be read, is damaged, or is not text.
    """
    with _reading(path) as stream:
        encoding = _encoding(stream, path)
    with _reading(path) as stream:
        text = io.TextIOWrapper(stream, encoding, newline="")
        lines = list(_first_lines(_Lines(text, path)))
    return Delimited(path, encoding, _delimiter(lines))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    """Yield the unpacked bytes of a file; errors while they are read become a `DataError`."""
    try:
        with files.reading(path) as stream, _clear_errors(path):
            is_packed = stream.read(2) == GZIP_MAGIC
            stream.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if is_packed else stream
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


@contextlib.contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise DataError(f"{path} is truncated: its gzip stream has no end") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    except UnicodeError as error:
        raise DataError(f"{path} is not text: {error}") from error


def _encoding(stream: BinaryIO, path: Path) -> str:
    """Return the encoding of a text.

    Raises:
        DataError: it is not text.
    """
    start = stream.read(READ_BYTES)
    if not start.strip():
        raise DataError(f"{path} is empty")
    for mark, name in BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding = "utf-8"
    while start:
        if b"\0" in start:
            raise DataError(f"{path} is not text: it holds bytes of value 0")
        if encoding == "utf-8":
            try:
                decoder.decode(start)
            except UnicodeDecodeError:
                encoding = FALLBACK_ENCODING
        start = stream.read(READ_BYTES)
    return encoding


class _Lines(Iterator[str]):
    """The lines of a text, whose number of characters since the last record is limited.

    Args:
        text: the text.
        path: the path of its file, for messages.

    Attributes:
        number: the number of lines read.
    """

    def __init__(self, text: IO[str], path: Path) -> None:
        self._text, self.path = text, path
        self._left = MAX_RECORD_CHARACTERS
        self.number = 0

    def begin_record(self) -> None:
        """Count characters anew: a record begins."""
        self._left = MAX_RECORD_CHARACTERS

    def __next__(self) -> str:
        line = self._text.readline(self._left + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._left -= len(line)
        if self._left < 0:
            raise DataError(
                f"{self.path}: the record that ends in line {self.number} has more than "
                f"{MAX_RECORD_CHARACTERS:,} characters",
                "A quote may not be closed, or the file may not be a table",
            )
        return line


def _first_lines(lines: _Lines) -> Iterator[str]:
    """Yield some lines from the start of a text."""
    characters = 0
    for line in itertools.islice(lines, SAMPLE_LINES):
        lines.begin_record()
        yield line
        characters += len(line)
        if characters > MAX_RECORD_CHARACTERS:
            return


def _records(lines: _Lines, delimiter: str) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    blank = 0
    while True:
        lines.begin_record()
        first = lines.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{lines.path}, line {first}: {error}", _quoting_hint(error)) from error
        if fields and (len(fields) > 1 or fields[0].strip()):
            blank = 0
            yield first, fields
        elif (blank := blank + 1) > MAX_BLANK_LINES:
            raise DataError(f"{lines.path} has more than {MAX_BLANK_LINES:,} blank lines in a row")


def _quoting_hint(error: csv.Error) -> str:
    if "field larger" in str(error) or "unexpected end" in str(error):
        return "A quote that is not closed takes in the lines that follow"
    return 'A quote within a quoted field is doubled: "a ""b"" c"'


def _delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that cuts lines into equally many fields, or else into most fields.

    The first line may differ: files of scikit-learn start with a line about the others. The last
    one may be a part of a record.
    """
    counts = {delimiter: _field_counts(lines, delimiter) for delimiter in DELIMITERS}
    for rows in (slice(None), slice(1, None)):
        for delimiter, lengths in counts.items():
            if len(set(lengths[rows])) == 1 and lengths[-1] > 1:
                return delimiter
    return max(reversed(DELIMITERS), key=lambda delimiter: statistics.median(counts[delimiter]))


def _field_counts(lines: Sequence[str], delimiter: str) -> list[int]:
    """Return the number of fields of each record in some lines."""
    try:
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        counts = [len(fields) for fields in reader if fields]
    except csv.Error:
        return [0]
    return counts[:-1] if len(lines) == SAMPLE_LINES and len(counts) > 2 else counts or [0]
