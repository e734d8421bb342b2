"""What this process lends to those that it starts: data that are in memory once, for all of them.

A data set that is sent through a pipe is there once more in each process, and each is started only
when the one before it has taken everything. Here the arrays are written to a file without a name,
which the processes are started with: they read from it, when they are first asked for the data,
where in it the arrays are. Until then it may be empty.
"""

import contextlib
import functools
import json
import math
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from multiprocessing.reduction import DupFd
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.dataset import RawDataset
from actcli.datasets.npz import RawSplit

ALIGNMENT = 64  # bytes, at which arrays begin
LENGTH = 8  # bytes at the start of the file, which tell where the list of the arrays begins


class SharedData:
    """A file that data are lent in. Processes that are started with it receive it as `Borrowed`.

    The file ends with the last process that has it.

    Raises:
        OSError: there is no room for a file.
    """

    def __init__(self) -> None:
        self._file = _nameless()

    def fill(self, data: Mapping[str, RawDataset]) -> None:
        """Write data sets to it, once, before anybody asks for them.

        Args:
            data: by any names.

        Raises:
            OSError: there is no room for the arrays. Nothing can be lent any more.
        """
        try:
            self._file.seek(LENGTH)
            listed = {
                name: asdict(replace(raw, train=self._write(raw.train), test=self._write(raw.test)))
                for name, raw in data.items()
            }
            start = self._file.tell()
            self._file.write(json.dumps(listed).encode())
            self._file.seek(0)
            self._file.write(start.to_bytes(LENGTH))
            self._file.flush()
        except OSError:
            with contextlib.suppress(OSError):  # as it tries to write the rest
                self._file.close()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return AttachedData, (DupFd(self._file.fileno()),)

    def close(self) -> None:
        """Lend them no more. Who has received them keeps them."""
        self._file.close()

    def _write(self, examples: RawSplit) -> Any:
        """The same with the places of its arrays."""
        return replace(examples, x=self._put(examples.x), y=self._put(examples.y))

    def _put(self, array: NDArray[Any]) -> Any:
        start = -(-self._file.tell() // ALIGNMENT) * ALIGNMENT
        self._file.seek(start)
        self._file.write(np.ascontiguousarray(array).data)
        return start, array.dtype.str, array.shape


class AttachedData(Mapping[str, RawDataset]):
    """What was lent, in a process that was started with it: by name, and to be read only."""

    def __init__(self, file: Any) -> None:
        self._file = os.fdopen(file.detach(), "rb")

    def __getitem__(self, name: str) -> RawDataset:
        return self._data[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    @functools.cached_property
    def _data(self) -> dict[str, RawDataset]:
        memory = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        listed = json.loads(memory[int.from_bytes(memory[:LENGTH]) :])

        def get(start: int, kind: str, shape: list[int]) -> NDArray[Any]:
            return np.frombuffer(memory, kind, math.prod(shape), start).reshape(shape)

        def read(told: dict[str, Any]) -> RawSplit:
            return RawSplit(**told | {name: get(*told[name]) for name in ("x", "y")})

        def class_names(told: dict[str, str]) -> dict[int, str]:
            return {int(value): name for value, name in told.items()}

        return {
            key: RawDataset(
                told["name"],
                class_names(told["class_names"]),
                read(told["train"]),
                read(told["test"]),
            )
            for key, told in listed.items()
        }


def _nameless() -> BinaryIO:
    """A file of memory where there is such a thing, of a disk elsewhere."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("actcli"), "w+b")
    return tempfile.TemporaryFile()
