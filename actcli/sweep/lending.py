"""What this process lends to those that it starts: data that are in memory once, for all of them.

A data set that is sent through a pipe is there once more in each process, and each is started only
when the one before it has taken everything. Here the arrays are written to a file without a name,
and a process is told no more than where in it they are.
"""

import contextlib
import math
import mmap
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.reduction import DupFd
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.dataset import Raw
from actcli.datasets.npz import Examples

ALIGNMENT = 64  # bytes, at which arrays begin


class Lent:
    """Data sets, as the processes receive them that they are given to when they are started.

    Their arrays are there to be read only. The file ends with the last process that has it.

    Args:
        data: by any names.

    Raises:
        OSError: there is no room for the arrays.
    """

    def __init__(self, data: Mapping[str, Raw]) -> None:
        self._file = _nameless()
        try:
            self._data = {
                name: replace(raw, train=self._write(raw.train), test=self._write(raw.test))
                for name, raw in data.items()
            }
            self._file.flush()
        except OSError:
            with contextlib.suppress(OSError):  # as it tries to write the rest
                self._file.close()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return receive, (self._data, DupFd(self._file.fileno()))

    def close(self) -> None:
        """Lend them no more. Who has received them keeps them."""
        self._file.close()

    def _write(self, examples: Examples) -> Any:
        """The same with the places of its arrays."""
        return replace(examples, x=self._put(examples.x), y=self._put(examples.y))

    def _put(self, array: NDArray[Any]) -> Any:
        start = -(-self._file.tell() // ALIGNMENT) * ALIGNMENT
        self._file.seek(start)
        self._file.write(np.ascontiguousarray(array).data)
        return start, array.dtype.str, array.shape


def receive(data: Mapping[str, Raw], file: Any) -> dict[str, Raw]:
    """What was lent, in a process that was started with it."""
    with os.fdopen(file.detach(), "rb") as opened:
        memory = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)

    def get(place: Any) -> NDArray[Any]:
        start, kind, shape = place
        return np.frombuffer(memory, kind, math.prod(shape), start).reshape(shape)

    def read(examples: Examples) -> Examples:
        return replace(examples, x=get(examples.x), y=get(examples.y))

    return {
        name: replace(raw, train=read(raw.train), test=read(raw.test)) for name, raw in data.items()
    }


def _nameless() -> BinaryIO:
    """A file of memory where there is such a thing, of a disk elsewhere."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("actcli"), "w+b")
    return tempfile.TemporaryFile()
