"""Writing files so that nobody ever sees half of one, whatever happens in between."""

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from actcli.errors import ActcliError


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


def write(path: Path, content: bytes) -> None:
    """Put a file in place whole, or not at all.

    Raises:
        ActcliError: the file cannot be written.
    """
    with replacing(path) as file:
        file.write(content)


def shipped(name: str) -> Path:
    """A folder that comes with actcli: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name
