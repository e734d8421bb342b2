"""The folder of a run: what its files are called, how it comes to be, and who may write to it.

A new folder is filled under another name and then given its own, so that nobody ever sees one that
lacks a file. While a training writes to a folder, it holds a lock there, which the system lets go
when the process ends, however it ends.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from actcli import files
from actcli.errors import ActcliError, DataError, UsageError

CONFIG = "config.toml"
ENVIRONMENT = "environment.json"
METRICS = "metrics.jsonl"
MODEL = "model.safetensors"
CHECKPOINT = "checkpoint.safetensors"
RESULT = "result.json"
LOCK = ".lock"

ABANDONED_SECONDS = 24 * 3600  # seconds, after which nobody fills a folder any more

TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}
NAME = re.compile(r"[\w+-][\w.+-]*")  # of a run: one folder, nothing else, and not hidden


class Folder:
    """A run's folder that this process alone writes to.

    Args:
        path: of a folder that exists.

    Raises:
        ActcliError: another training writes to it, or it cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _lock(path)

    def close(self) -> None:
        """Unlock it."""
        with contextlib.suppress(OSError):  # what is locked is the open file, not its name
            (self.path / LOCK).unlink()
        os.close(self._lock)

    def write(self, name: str, *parts: files.Buffer) -> None:
        """Put a file in place whole, from its parts, or not at all.

        Raises:
            ActcliError: it cannot be written.
        """
        files.write(self.path / name, *parts)

    def read(self, name: str) -> bytes:
        """What a file holds.

        Raises:
            DataError: it cannot be read.
        """
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {self.path / name}: {error.strerror}") from error

    def append(self, name: str, line: bytes) -> None:
        """Add a line to a file, whole or not at all.

        Raises:
            ActcliError: it cannot be written.
        """
        files.append(self.path / name, line)

    def sync(self, name: str) -> None:
        """Have the system write to the disk what it has not yet written of a file.

        Raises:
            ActcliError: it cannot be written.
        """
        files.sync(self.path / name)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there.

        Raises:
            ActcliError: it cannot be removed.
        """
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise ActcliError(f"cannot remove {error.filename}: {error.strerror}") from error

    def tidy(self) -> None:
        """Remove what a process that was killed had not yet put in place.

        Raises:
            ActcliError: it cannot be removed.
        """
        for path in self.path.glob(".*.tmp"):
            self.remove(path.name)


class MemoryFolder:
    """What would be a run's folder, kept in memory: for a run that another process writes down.

    Args:
        path: what it is called.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: dict[str, bytes] = {}

    def write(self, name: str, *parts: files.Buffer) -> None:
        """Keep a file."""
        self.files[name] = b"".join(parts)

    def read(self, name: str) -> bytes:
        """What a file holds."""
        return self.files[name]

    def append(self, name: str, line: bytes) -> None:
        """Add a line to a file."""
        self.files[name] += line

    def sync(self, name: str) -> None:
        """Nothing is waiting to be written."""

    def remove(self, name: str) -> None:
        """Forget a file."""
        self.files.pop(name, None)

    def close(self) -> None:
        """Nobody else can write to it anyway."""


RunStorage = Folder | MemoryFolder


@contextlib.contextmanager
def new_folder(runs: Path, name: str) -> Iterator[Folder]:
    """A folder to be filled, which then gets its name; where that is taken, `name-2`, `name-3`, ….

    If filling it fails, nothing is left. Leaving the block does not unlock it.

    Raises:
        UsageError: the name is no name of a folder.
        ActcliError: the folder cannot be made.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"a run cannot be named {name!a}", "Letters, digits and . + - _, and no . first"
        )
    temporary = runs / f".{name}.{secrets.token_hex(4)}.tmp"
    try:
        with contextlib.suppress(FileExistsError):  # a file: the next line tells that it is none
            runs.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        _clear(runs)
    except OSError as error:
        raise ActcliError(f"cannot make a run folder in {runs}: {error.strerror}") from error
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, temporary, ignore_errors=True)
        folder = Folder(temporary)
        undo.callback(folder.close)
        yield folder
        try:
            folder.path = _rename(temporary, runs, name)
        except OSError as error:
            raise ActcliError(f"cannot make a run folder in {runs}: {error.strerror}") from error
        undo.pop_all()


def _clear(runs: Path) -> None:
    """Remove what was never given its name because its process was killed, long ago."""
    for path in runs.glob(".*.tmp"):
        with contextlib.suppress(OSError):  # by another process, at the same time
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(path)


def _rename(folder: Path, runs: Path, name: str) -> Path:
    """Give a folder the first name that is free."""
    for number in itertools.count(1):
        path = runs / (name if number == 1 else f"{name}-{number}")
        if os.path.lexists(path):
            continue
        try:
            return folder.rename(path)
        except OSError as error:
            if error.errno not in TAKEN:  # by another process, in this moment
                raise
    raise AssertionError


def _lock(folder: Path) -> int:
    """Lock a folder, and give what keeps it locked: an open file, which tells others by whom."""
    path = folder / LOCK
    try:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(path, descriptor):
                    os.ftruncate(descriptor, 0)
                    os.write(
                        descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode()
                    )
                    return descriptor
            except BlockingIOError:
                owner = ascii(os.read(descriptor, 200).decode(errors="replace"))[1:-1]
                os.close(descriptor)
                # Between its two calls, the owner has not yet said who it is.
                owner = owner or "another process"
                raise ActcliError(f"{folder} is in use: {owner} trains in it") from None
            os.close(descriptor)
    except OSError as error:
        raise ActcliError(f"cannot write {path}: {error.strerror}") from error


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file still is the one of that name, which its last owner may have removed."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
