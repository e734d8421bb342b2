"""Writing files so that nobody ever sees half of one, whatever happens in between."""

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from actcli.errors import ActcliError

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
