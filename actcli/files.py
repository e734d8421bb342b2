"""Writing files so that nobody ever sees half of one, whatever happens in between."""

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
def replacing(path: Path) -> Iterator[io.BufferedWriter]:
    """A new file that takes the place of `path` if the block ends well, and vanishes if not.

    Nobody ever sees half a file: it is written under another name in the same folder.

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
    """Put a file in place whole, from its parts, or not at all.

    Raises:
        ActcliError: the file cannot be written.
    """
    with replacing(path) as file:
        for part in parts:
            file.write(part)


def append(path: Path, line: bytes) -> None:
    """Add a line to the end of a file, whole or not at all.

    Raises:
        ActcliError: the file is not there, or cannot be written.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            try:
                while line:  # what was written of it in part fails to be written in whole
                    line = line[file.write(line) :]
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise ActcliError(f"cannot write {path}: {error.strerror or error}") from error


def sync(path: Path) -> None:
    """Have the system write to the disk what it has not yet written of a file.

    Raises:
        ActcliError: the file is not there, or cannot be written.
    """
    try:
        with path.open("r+b") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise ActcliError(f"cannot write {path}: {error.strerror or error}") from error


def packaged_folder(name: str) -> Path:
    """A folder that comes with actcli: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


@contextlib.contextmanager
def open_regular(path: Path, limit: int | None = None) -> Iterator[BinaryIO]:
    """Open a regular file for reading; a pipe or a device, which might never end, is refused.

    Args:
        path: of the file.
        limit: the largest size in bytes.

    Raises:
        FileNotFoundError: the file does not exist.
        DataError: the file cannot be read, is not a regular file, or is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe must not block
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            os.close(descriptor)
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f"{path} is not a regular file")
            if limit is not None and status.st_size > limit:
                raise DataError(f"{path} has {status.st_size:,} bytes. At most {limit:,} are read")
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
