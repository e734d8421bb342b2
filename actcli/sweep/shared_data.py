"""Data sets in memory once, shared by the client and all worker processes of this machine.

A data set sent through a pipe would exist once more in each worker, and each worker would start
only after the one before it had read everything. Here the client writes the arrays to one file
without a name. Workers inherit its descriptor when they start, possibly while the file is still
empty, and map it when their first job needs the data.

`np.load(mmap_mode="r")` maps one `.npy` file, given by its name. A named file would outlive a
client killed by SIGKILL; the kernel frees a nameless one with the last process that has it open.
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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.raw import RawDataset, RawSplit, Source

ALIGNMENT_BYTES = 64
HEADER_BYTES = 8  # the position of the index, which follows the arrays


class SharedData:
    """The client's end of the file. A spawned process receives it as `AttachedData`.

    Raises:
        OSError: the file cannot be created.
    """

    def __init__(self) -> None:
        if hasattr(os, "memfd_create"):
            self._file = os.fdopen(os.memfd_create("actcli"), "w+b")
        else:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it

    def fill(self, data: Mapping[Source, RawDataset]) -> None:
        """Write data sets to the file, once, before any worker reads it.

        Args:
            data: data sets by their source.

        Raises:
            OSError: the memory is too small for the arrays; the file is closed.
        """
        try:
            self._file.seek(HEADER_BYTES)
            index = [
                [
                    source,
                    asdict(replace(raw, train=self._write(raw.train), test=self._write(raw.test))),
                ]
                for source, raw in data.items()
            ]
            start = self._file.tell()
            self._file.write(json.dumps(index).encode())
            self._file.seek(0)
            self._file.write(start.to_bytes(HEADER_BYTES))
            self._file.flush()
        except OSError:
            with contextlib.suppress(OSError):  # closing tries to write the rest once more
                self._file.close()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return AttachedData, (DupFd(self._file.fileno()),)

    def close(self) -> None:
        """Close the client's end. Workers that have started keep theirs."""
        self._file.close()

    def _write(self, part: RawSplit) -> Any:
        """Write the arrays of a split; return the split with file positions in place of arrays."""
        return replace(part, x=self._put(part.x), y=self._put(part.y))

    def _put(self, array: NDArray[Any]) -> Any:
        start = -(-self._file.tell() // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        self._file.seek(start)
        self._file.write(np.ascontiguousarray(array).data)
        return start, array.dtype.str, array.shape


class AttachedData(Mapping[Source, RawDataset]):
    """A worker's end of the file: data sets by their source, whose arrays are read-only."""

    def __init__(self, descriptor: Any) -> None:
        self._file = os.fdopen(descriptor.detach(), "rb")

    def __getitem__(self, source: Source) -> RawDataset:
        return self._data[source]

    def __iter__(self) -> Iterator[Source]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    @functools.cached_property
    def _data(self) -> dict[Source, RawDataset]:
        memory = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        index = json.loads(memory[int.from_bytes(memory[:HEADER_BYTES]) :])

        def array(start: int, dtype: str, shape: list[int]) -> NDArray[Any]:
            return np.frombuffer(memory, dtype, math.prod(shape), start).reshape(shape)

        def raw_split(fields: dict[str, Any]) -> RawSplit:
            return RawSplit(**fields | {name: array(*fields[name]) for name in ("x", "y")})

        def dataset(fields: dict[str, Any]) -> RawDataset:
            class_names = {int(label): name for label, name in fields["class_names"].items()}
            train, test = raw_split(fields["train"]), raw_split(fields["test"])
            notes = tuple(fields["notes"])
            return RawDataset(fields["name"], class_names, train, test, notes)

        return {(name, target): dataset(fields) for (name, target), fields in index}
