"""The start of a file, from which its format is recognized: its first bytes, or a zip's directory.

Three formats of models are zip archives, so that the first bytes alone do not tell them apart. The
size of the directory is checked before the directory is read: one that lies could fill the memory.
"""

import os
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from actcli.datasets.npz import DAMAGE_ERRORS
from actcli.errors import DataError
from actcli.files import reading

HEAD_BYTES = 512
ZIP_MAGIC = b"PK\x03\x04"

MAX_DIRECTORY_BYTES = 10_000_000  # about 100 bytes for each member
MAX_COMMENT_BYTES = 65_535
END_RECORD = b"PK\x05\x06"  # the record at the end of an archive, 22 bytes and a comment
END_RECORD_BYTES = 22
END_RECORD64 = b"PK\x06\x06"  # the same with numbers of 64 bits: 56 bytes, before a locator of 20
END_RECORD64_BYTES, LOCATOR_BYTES = 56, 20


@dataclass(frozen=True)
class FileStart:
    """The facts that a format is recognized by.

    Args:
        suffix: the suffix of the file's name in lower case, with its dot.
        size: of the file in bytes.
        head: its first bytes, at most `HEAD_BYTES`.
        members: the names of the members of a zip archive; empty for any other file.
    """

    suffix: str
    size: int
    head: bytes
    members: frozenset[str] = frozenset()


def read_start(path: Path) -> FileStart:
    """Return the start of a file.

    Raises:
        DataError: the file cannot be read, is not a regular file, or is an archive with a directory
            that is too large to be read.
    """
    try:
        with reading(path) as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(HEAD_BYTES)
            members = _member_names(path, file, size) if head.startswith(ZIP_MAGIC) else []
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    return FileStart(path.suffix.lower(), size, head, frozenset(members))


def _member_names(path: Path, file: BinaryIO, size: int) -> list[str]:
    """Return the names of an archive's members; none if its directory is damaged."""
    directory = _directory_bytes(file, size)
    if directory > MAX_DIRECTORY_BYTES:
        raise DataError(
            f"{path} is a zip archive whose directory has {directory:,} bytes",
            f"At most {MAX_DIRECTORY_BYTES:,} are read",
        )
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.namelist()
    except DAMAGE_ERRORS:  # the reader of the format that its suffix names says what is wrong
        return []


def _directory_bytes(file: BinaryIO, size: int) -> int:
    """Return the size of an archive's directory, as the records at its end announce it."""
    file.seek(max(0, size - MAX_COMMENT_BYTES - END_RECORD_BYTES))
    tail_start = file.tell()
    tail = file.read()
    at = tail.rfind(END_RECORD)
    if at < 0 or len(tail) - at < END_RECORD_BYTES:
        return 0
    announced: int = struct.unpack_from("<L", tail, at + 12)[0]
    file.seek(max(0, tail_start + at - LOCATOR_BYTES - END_RECORD64_BYTES))
    record = file.read(END_RECORD64_BYTES)
    if record.startswith(END_RECORD64):
        announced = struct.unpack_from("<Q", record, 40)[0]
    return min(announced, size)
