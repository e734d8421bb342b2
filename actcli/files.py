"""Atomic writes: a reader sees the old file or the whole new one, even after a crash."""

import contextlib
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from actcli.errors import ActcliError, DataError

Buffer = bytes | memoryview


@contextlib.contextmanager
def replace_atomically(path: Path) -> Iterator[io.BufferedWriter]:
    """Yield a new file that replaces `path` when the block ends without an exception.

    The file is written under a temporary name in the same folder, flushed to the disk and renamed.
    After an exception it is removed, and `path` is unchanged.

    Raises:
        ActcliError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise ActcliError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write(path: Path, *parts: Buffer) -> None:
    """Write a file from its parts, whole or not at all.

    Raises:
        ActcliError: the file cannot be written.
    """
    with replace_atomically(path) as file:
        for part in parts:
            file.write(part)


def append(path: Path, line: bytes) -> None:
    """Append a line to a file, whole or not at all.

    Raises:
        ActcliError: the file does not exist or cannot be written.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            try:
                while line:  # a nearly full disk accepts a part; the next write then fails
                    line = line[file.write(line) :]
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise ActcliError(f"cannot write {path}: {error.strerror or error}") from error


def sync(path: Path) -> None:
    """Flush the system's buffers of a file to the disk.

    Raises:
        ActcliError: the file does not exist or cannot be written.
    """
    try:
        with path.open("r+b") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise ActcliError(f"cannot write {path}: {error.strerror or error}") from error


def packaged_folder(name: str) -> Path:
    """Return a folder of data that come with actcli: in the package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; a pipe or a device, which might never end, is refused.

    Raises:
        OSError: the file cannot be opened, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe must not block
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise OSError(errno.EINVAL, "it is not a regular file")


@contextlib.contextmanager
def reading(path: Path, limit: int | None = None) -> Iterator[BinaryIO]:
    """Yield a regular file that is open for reading.

    Args:
        path: of the file.
        limit: the largest size in bytes.

    Raises:
        FileNotFoundError: the file does not exist.
        DataError: the file cannot be read, is not a regular file, or is too large.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if limit is not None and size > limit:
                raise DataError(f"{path} has {size:,} bytes. At most {limit:,} are read")
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
