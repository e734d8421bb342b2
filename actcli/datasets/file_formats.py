"""The formats of data sets in one file, and the formats that are named but not read.

A format is recognized by the first bytes of a file, or by the ending of its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from actcli import files
from actcli.datasets.csv_file import read_csv
from actcli.datasets.idx import GZIP_MAGIC
from actcli.datasets.layout import LAST
from actcli.datasets.npz import read_npz
from actcli.datasets.raw import RawDataset
from actcli.errors import DataError, UsageError
from actcli.registry import Registry

START_BYTES = 16  # enough for the signatures below


@dataclass(frozen=True)
class FileFormat:
    """A format of data sets in one file.

    Args:
        endings: the endings of the names of such files.
        signatures: the bytes that such files may start with.
        has_columns: whether a target is one of several columns.
        read: returns the data set of a file, and the target of it.
    """

    endings: tuple[str, ...]
    signatures: tuple[bytes, ...]
    has_columns: bool
    read: Callable[[Path, str], RawDataset]


FILE_FORMATS: Registry[FileFormat] = Registry("file format")


@FILE_FORMATS.register("npz")
@lambda define: define()
def npz_format() -> FileFormat:
    """Return NumPy's archives of arrays."""
    return FileFormat((".npz",), (b"PK",), False, lambda path, _: read_npz(path))


@FILE_FORMATS.register("csv")
@lambda define: define()
def csv_format() -> FileFormat:
    """Return tables in text; without another signature, any file is read as text."""
    endings = (".csv", ".tsv", ".tab", ".txt", ".data")
    packed = tuple(f"{ending}.gz" for ending in endings)
    return FileFormat((*endings, *packed), (GZIP_MAGIC, b""), True, read_csv)


TO_CSV = "To convert it: pandas.{}(FILE).to_csv(NEW, index=False)"

# What other files start with or end in, what they are, and what turns them into a data set.
OTHER_FORMATS: dict[bytes | str, tuple[str, str]] = {
    b"PAR1": ("a Parquet file", TO_CSV.format("read_parquet")),
    b"ARROW1": ("a Feather file", TO_CSV.format("read_feather")),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", TO_CSV.format("read_hdf")),
    b"SQLite format 3": ("an SQLite database", TO_CSV.format("read_sql")),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", TO_CSV.format("read_excel")),
    b"\x93NUMPY": ("one NumPy array", "Allowed: numpy.savez(FILE, x_train=…, y_train=…, "
    "x_test=…, y_test=…)"),
    b"\x80\x02": ("a pickle", f"Pickles are never loaded. {TO_CSV.format('read_pickle')}"),
    b"\x80\x03": ("a pickle", f"Pickles are never loaded. {TO_CSV.format('read_pickle')}"),
    b"\x80\x04": ("a pickle", f"Pickles are never loaded. {TO_CSV.format('read_pickle')}"),
    b"\x80\x05": ("a pickle", f"Pickles are never loaded. {TO_CSV.format('read_pickle')}"),
    b"\x89PNG": ("a picture", "To show it: actcli predict --image FILE"),
    b"\xff\xd8\xff": ("a picture", "To show it: actcli predict --image FILE"),
    b"%PDF": ("a PDF document", "Allowed: .npz, .csv, .tsv"),
    ".xlsx": ("an Excel workbook", TO_CSV.format("read_excel")),
    ".xls": ("an Excel workbook", TO_CSV.format("read_excel")),
    ".ods": ("a spreadsheet", TO_CSV.format("read_excel")),
    ".json": ("a JSON file", TO_CSV.format("read_json")),
    ".jsonl": ("a file of JSON lines", "To convert it: pandas.read_json(FILE, lines=True)"
    ".to_csv(NEW, index=False)"),
    ".arff": ("an ARFF file", "To convert it: pandas.DataFrame(scipy.io.arff.loadarff(FILE)[0])"
    ".to_csv(NEW, index=False)"),
}  # fmt: skip


def read_file(path: Path, target: str = LAST) -> RawDataset:
    """Return the data set in a file.

    Args:
        path: the path of the file.
        target: the column of the labels in a table: its name or number, or "last".

    Raises:
        UsageError: the file has no such column, or no columns at all.
        DataError: the file cannot be read, is damaged, or has a format that is not read.
        ActcliError: this machine has less memory than the data need.
    """
    with files.reading(path) as file:
        start = file.read(START_BYTES)
    name = path.name.lower()
    for sign, (kind, hint) in OTHER_FORMATS.items():
        if start.startswith(sign) if isinstance(sign, bytes) else name.endswith(sign):
            raise DataError(f"{path} is {kind}", hint)
    chosen = _format_of(name, start)
    if target != LAST and not chosen.has_columns:
        raise no_columns(str(path))
    return chosen.read(path, target)


def no_columns(source: str) -> UsageError:
    """Return the error of a target in a data set that is not a table."""
    return UsageError(f"--target: {source} has no columns to choose from", "Only a CSV file has")


def _format_of(name: str, start: bytes) -> FileFormat:
    for entry in FILE_FORMATS.values():
        if name.endswith(entry.endings):
            return entry
    return next(entry for entry in FILE_FORMATS.values() if start.startswith(entry.signatures))
