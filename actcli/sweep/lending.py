"""What this process lends to those that it starts: arrays that are in memory once, for all of them.

A data set that is sent through a pipe is there once more in each process, and each is started only
when the one before it has taken everything. Here the arrays are written to a file without a name,
and a pickle holds no more than where in it they are.
"""

import contextlib
import mmap
import os
import pickle
import tempfile
from multiprocessing.reduction import DupFd
from typing import Any, BinaryIO, Generic, TypeVar

T = TypeVar("T")

ALIGNMENT = 64  # bytes, at which arrays begin


class Lent(Generic[T]):
    """Something, as the processes receive it that it is given to when they are started.

    Its arrays are there to be read only. The file ends with the last process that has it.

    Args:
        value: anything that can be pickled. Its arrays are lent if they are contiguous.

    Raises:
        OSError: there is no room for the arrays.
    """

    def __init__(self, value: T) -> None:
        buffers: list[pickle.PickleBuffer] = []
        self._pickle = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        self._spans: list[tuple[int, int]] = []
        self._file = _nameless()
        try:
            self._write(buffers)
        except OSError:
            with contextlib.suppress(OSError):  # as it tries to write the rest
                self._file.close()
            raise

    def _write(self, buffers: list[pickle.PickleBuffer]) -> None:
        for buffer in buffers:
            start = -(-self._file.tell() // ALIGNMENT) * ALIGNMENT
            self._file.seek(start)
            self._file.write(buffer.raw())
            self._spans.append((start, self._file.tell()))
        self._file.write(b"\0")  # for nothing cannot be mapped
        self._file.flush()

    def __reduce__(self) -> tuple[Any, ...]:
        return receive, (self._pickle, self._spans, DupFd(self._file.fileno()))

    def close(self) -> None:
        """Lend it no more. Who has received it keeps it."""
        self._file.close()


def receive(pickled: bytes, spans: list[tuple[int, int]], file: Any) -> Any:
    """What was lent, in a process that was started with it."""
    with os.fdopen(file.detach(), "rb") as opened:
        memory = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    buffers = [memory[start:end] for start, end in spans]
    return pickle.loads(pickled, buffers=buffers)  # noqa: S301 - its parent's, which started it


def _nameless() -> BinaryIO:
    """A file of memory where there is such a thing, of a disk elsewhere."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("actcli"), "w+b")
    return tempfile.TemporaryFile()
