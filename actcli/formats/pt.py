"""Files of PyTorch: `torch.save` of a state dict (https://pytorch.org/docs/stable/notes/serialization.html).

Such a file is a zip archive of a pickle, `data.pkl`, and of storages, `data/0`, `data/1`, …: plain
arrays of numbers, stored without compression. The pickle says which view of which storage each
tensor is. It is interpreted by `state_pickle` and never executed.
"""

import contextlib
import math
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.config.values import quoted
from actcli.datasets.npz import DAMAGE_ERRORS
from actcli.errors import DataError
from actcli.formats.contents import Format, NamedTensors, Tensors
from actcli.formats.file_start import FileStart
from actcli.formats.state_pickle import STATE_KEYS, interpret
from actcli.formats.tensors import COUNTS, EXPECTED_TENSORS
from actcli.formats.torch_values import Storage, StridedTensor
from actcli.machine import require_memory

PICKLE = "/data.pkl"

MAX_PICKLE_BYTES = 20_000_000
MAX_DIMENSIONS = 8
# Tensors may share storages, as tied layers do, and repeat numbers with a stride of 0. A few bytes
# could so become many gigabytes.
MAX_TIMES_SHARED, FREE_BYTES = 4, 50_000_000

FLOATS = ("float64", "float32", "float16", "bfloat16")


def read_state_dict(path: Path) -> NamedTensors:
    """Return the tensors of a state dict, or of the one in a checkpoint.

    Raises:
        DataError: the file is damaged, or holds something else than tensors; the message has the
            lines that save a whole module anew.
        ActcliError: this machine has less memory than the tensors need.
    """
    with _open(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        root = _root(members)
        if root is None:
            raise DataError(f"{path} is not a zip archive of torch.save: it has no data.pkl")
        program = members[root + PICKLE]
        if program.file_size > MAX_PICKLE_BYTES:
            raise DataError(
                f"{path}: its pickle has {program.file_size:,} bytes",
                f"At most {MAX_PICKLE_BYTES:,} are read",
            )
        state = _state_dict(path, interpret(archive.read(program), path))
        storages = Storages(path, archive, members, root)
        return NamedTensors(_tensors(path, state, storages), in_order=True)


def _root(members: Iterable[str]) -> str | None:
    """Return the folder in the archive with the pickle; None if there is none."""
    return next((name.removesuffix(PICKLE) for name in members if name.endswith(PICKLE)), None)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive all of whose members are stored without compression."""
    try:
        with zipfile.ZipFile(path) as archive:
            members, size = archive.infolist(), path.stat().st_size
            for info in members:
                is_stored = info.compress_type == zipfile.ZIP_STORED
                if not is_stored or info.file_size != info.compress_size:
                    raise DataError(
                        f"{path}: {quoted(info.filename)} is compressed",
                        "torch.save does not compress; save the state dict anew",
                    )
            if sum(info.file_size for info in members) > size:
                raise DataError(f"{path} is damaged: its members are larger than the file")
            yield archive
    except DAMAGE_ERRORS as error:
        raise DataError(
            f"{path} is not a zip archive of torch.save, or is damaged: {error}"
        ) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _state_dict(path: Path, value: Any) -> dict[str, StridedTensor]:
    """Return the tensors, by their names, of a state dict or of the one in a checkpoint.

    Raises:
        DataError: there is none.
    """
    nested = [value.get(key) for key in STATE_KEYS] if type(value) is dict else []
    for candidate in (*nested, value):
        if type(candidate) is dict:
            tensors = {
                str(name): tensor
                for name, tensor in candidate.items()
                if type(tensor) is StridedTensor
            }
            if tensors:
                return tensors
    shown = "a single tensor" if type(value) is StridedTensor else f"a {type(value).__name__}"
    if type(value) is dict:
        shown = f"the keys {', '.join(quoted(key) for key in list(value)[:10]) or '(none)'}"
    raise DataError(
        f"{path} holds no state dict, but {shown}",
        f"Expected tensors by name, at the top or under {', '.join(map(repr, STATE_KEYS))}",
    )


class Storages:
    """The storages of an archive, each read once, when a tensor needs it.

    Args:
        path: the path of the file, for messages.
        archive: the open archive.
        members: the entries of its directory by name.
        root: the folder in the archive.
    """

    def __init__(
        self, path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], root: str
    ) -> None:
        self._path = path
        self._archive = archive
        self._members = members
        self._root = root
        order = members.get(f"{root}/byteorder")
        self._is_big_endian = (
            order is not None and order.file_size < 10 and archive.read(order) == b"big"
        )
        self._arrays: dict[Storage, NDArray[Any]] = {}

    def __getitem__(self, storage: Storage) -> NDArray[Any]:
        """Return the numbers of a storage; bfloat16 is converted to float32 without loss.

        Raises:
            DataError: the archive does not have it, or not that many numbers.
        """
        if storage in self._arrays:
            return self._arrays[storage]
        info = self._members.get(f"{self._root}/data/{storage.key}")
        is_brain = storage.dtype == "bfloat16"
        dtype = np.dtype("uint16" if is_brain else storage.dtype).newbyteorder(
            ">" if self._is_big_endian else "<"
        )
        if info is None or info.file_size != storage.count * dtype.itemsize:
            size = "is missing" if info is None else f"has {info.file_size:,} bytes"
            raise DataError(
                f"{self._path} is damaged: storage {quoted(storage.key)} {size}; "
                f"{storage.count:,} numbers of type {storage.dtype} are expected"
            )
        array: NDArray[Any] = np.frombuffer(self._archive.read(info), dtype)
        if is_brain:  # bfloat16 is the upper half of a float32
            array = (array.astype(np.uint32) << 16).view(np.float32)
        self._arrays[storage] = array
        return array


def _tensors(path: Path, state: dict[str, StridedTensor], storages: Storages) -> Tensors:
    """Return the tensors as views of their storages.

    Raises:
        DataError: a tensor is not of floats, or does not lie within its storage.
    """
    floats = {name: tensor for name, tensor in state.items() if not name.endswith(COUNTS)}
    for name, tensor in floats.items():
        if tensor.storage.dtype not in FLOATS:
            raise DataError(
                f"{path}: tensor {quoted(name)} is of type {tensor.storage.dtype}",
                f"Known: {', '.join(FLOATS)}",
            )
        if len(tensor.shape) > MAX_DIMENSIONS or 0 in tensor.shape:
            raise DataError(
                f"{path}: tensor {quoted(name)} has the shape {quoted(tensor.shape)}",
                EXPECTED_TENSORS,
            )
    stored = sum({tensor.storage: 8 * tensor.storage.count for tensor in floats.values()}.values())
    viewed = sum(8 * math.prod(tensor.shape) for tensor in floats.values())
    if viewed > MAX_TIMES_SHARED * stored + FREE_BYTES:
        raise DataError(
            f"{path}: its tensors have {viewed // 8:,} numbers, but its storages {stored // 8:,}"
        )
    require_memory(viewed + stored, str(path))
    return {name: _view(path, name, tensor, storages) for name, tensor in floats.items()}


def _view(path: Path, name: str, tensor: StridedTensor, storages: Storages) -> NDArray[Any]:
    shape, strides = tensor.shape, tensor.strides
    last = tensor.offset
    if len(shape) == len(strides):
        last += sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if len(shape) != len(strides) or last >= tensor.storage.count:
        raise DataError(
            f"{path} is damaged: tensor {quoted(name)} of shape {quoted(shape)} with strides "
            f"{quoted(strides)} and offset {tensor.offset:,} does not lie within its "
            f"{tensor.storage.count:,} numbers"
        )
    array = storages[tensor.storage]
    # The stride of an axis of one element is never used, and may be any number.
    steps = [stride * array.itemsize * (n > 1) for n, stride in zip(shape, strides, strict=True)]
    return np.lib.stride_tricks.as_strided(
        array[tensor.offset :], shape, tuple(steps), writeable=False
    )


def _is_torch(start: FileStart) -> bool:
    is_script = any(name.endswith("/constants.pkl") for name in start.members)
    return not is_script and _root(start.members) is not None


PT = Format(
    "a zip archive of torch.save", "PyTorch", (".pt", ".pth", ".ckpt"), _is_torch, read_state_dict
)
