"""The folder of a run: the names of its files, its creation, and its lock.

A new folder is filled under a temporary name and then renamed, so that other processes never see a
folder without all its files. A training holds a lock on its folder. The system releases the lock
when the process ends, even if it is killed.
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
FIX = "fix.json"  # of a try of `actcli fix`
LOCK = ".lock"

ABANDONED_SECONDS = 24 * 3600  # a temporary folder older than this was left by a killed process

NAME_IS_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}
NAME = re.compile(r"[\w+-][\w.+-]*")  # a run's name: a single path component, not hidden


class Folder:
    """A run's folder, locked so that only this process writes to it.

    Args:
        path: the path of an existing folder.

    Raises:
        ActcliError: another training writes to the folder, or it cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _lock(path)

    def close(self) -> None:
        """Unlock the folder."""
        with contextlib.suppress(OSError):  # the lock is on the open file, not on its name
            (self.path / LOCK).unlink()
        os.close(self._lock)

    def write(self, name: str, *parts: files.Buffer) -> None:
        """Write a file from its parts, whole or not at all.

        Raises:
            ActcliError: the file cannot be written.
        """
        files.write(self.path / name, *parts)

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            DataError: the file cannot be read.
        """
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {self.path / name}: {error.strerror}") from error

    def append(self, name: str, line: bytes) -> None:
        """Append a line to a file, whole or not at all.

        Raises:
            ActcliError: the file cannot be written.
        """
        files.append(self.path / name, line)

    def sync(self, name: str) -> None:
        """Wait until a file is on the disk.

        Raises:
            ActcliError: the file cannot be written.
        """
        files.sync(self.path / name)

    def remove(self, name: str) -> None:
        """Remove a file, if it exists.

        Raises:
            ActcliError: the file cannot be removed.
        """
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise ActcliError(f"cannot remove {error.filename}: {error.strerror}") from error

    def tidy(self) -> None:
        """Remove the temporary files of a killed process.

        Raises:
            ActcliError: a file cannot be removed.
        """
        for path in self.path.glob(".*.tmp"):
            self.remove(path.name)


class MemoryFolder:
    """The files of a run in memory, until another process writes them to the run's folder.

    Args:
        path: the name of the run; it stands for the folder's path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: dict[str, bytes] = {}

    def write(self, name: str, *parts: files.Buffer) -> None:
        """Store a file."""
        self.files[name] = b"".join(parts)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return self.files[name]

    def append(self, name: str, line: bytes) -> None:
        """Append a line to a file."""
        self.files[name] += line

    def sync(self, name: str) -> None:
        """Do nothing: the files are not on a disk."""

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        self.files.pop(name, None)

    def close(self) -> None:
        """Do nothing: there is no lock, because no other process can write to this memory."""


RunStorage = Folder | MemoryFolder


@contextlib.contextmanager
def new_folder(runs: Path, name: str) -> Iterator[Folder]:
    """Yield a new folder to be filled by the block, and then rename it to its final name.

    If the block fails, the folder is removed. Otherwise it stays locked after the block.

    Args:
        runs: the folder of all runs.
        name: the final name; if it is taken, `name-2`, `name-3`, ….

    Raises:
        UsageError: the name is not a valid name of a folder.
        ActcliError: the folder cannot be made.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"a run cannot be named {name!a}", "Allowed: letters, digits and . + - _, no . first"
        )
    temporary = runs / f".{name}.{secrets.token_hex(4)}.tmp"
    try:
        with contextlib.suppress(FileExistsError):  # `runs` is a file: the next line reports it
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
    """Remove temporary folders of processes that were killed long ago."""
    for path in runs.glob(".*.tmp"):
        with contextlib.suppress(OSError):  # another process removes it at the same time
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(path)


def _rename(folder: Path, runs: Path, name: str) -> Path:
    """Give a folder the first free name, and return its path."""
    for number in itertools.count(1):
        path = runs / (name if number == 1 else f"{name}-{number}")
        if os.path.lexists(path):
            continue
        try:
            return folder.rename(path)
        except OSError as error:
            # Another process may have taken the name since the check.
            if error.errno not in NAME_IS_TAKEN:
                raise
    raise AssertionError


def _lock(folder: Path) -> int:
    """Lock a folder, and return the open lock file, whose content names this process."""
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
                # Between locking and writing, the file does not name the owner yet.
                owner = owner or "another process"
                raise ActcliError(f"{folder} is in use: {owner} trains in it") from None
            os.close(descriptor)
    except OSError as error:
        raise ActcliError(f"cannot write {path}: {error.strerror}") from error


def _is_at(path: Path, descriptor: int) -> bool:
    """Return whether a path still names an open file, which its owner may have removed."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
