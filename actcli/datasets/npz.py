"""A data set of one's own in one file: an `.npz` with x_train, y_train, x_test and y_test.

x is (N, D) or (N, H, W), bytes or floats; y is (N,), whole numbers. NumPy's `.npz` can hide pickled
objects, which run code when they are loaded, and arrays that announce more than the file holds.
Both are refused before anything is loaded, from the header of each array.
"""

import contextlib
import itertools
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.idx import DEFLATE_RATIO
from actcli.errors import DataError
from actcli.machine import require_memory

Pixels = NDArray[np.uint8] | NDArray[np.float32]

KEYS = ("x_train", "y_train", "x_test", "y_test")
# What damage makes the readers of zip files, of headers and of deflated streams raise.
DAMAGE = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError, struct.error),
    *(ValueError, SyntaxError, TypeError, OverflowError, tokenize.TokenError),
)

MOST_ARRAYS = 20_000  # a network of as many layers as a configuration may name, and no more
SHOWN = 60  # characters of a name in a message, names in a list
LONGEST = 120  # characters of what a header says, in a message

CHUNK = 4096  # rows that are checked at a time, so that no check copies all the images


@dataclass(frozen=True, eq=False)
class Examples:
    """Images and their labels, as they stand in their file or files.

    Args:
        x: (N, D) or (N, H, W).
        y: (N,), any whole numbers.
        x_name: where x comes from, for messages.
        y_name: where y comes from, for messages.
    """

    x: Pixels
    y: NDArray[np.int64]
    x_name: str
    y_name: str


def read(path: Path) -> tuple[Examples, Examples]:
    """The training and the test examples of an `.npz`.

    Floats become float32. Whole numbers from 0 to 255 become bytes.

    Raises:
        DataError: the file cannot be read or is damaged; an array is missing or is not as described
            above; a pixel is not finite or is beyond float32.
    """
    with _opened(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if missing := [key for key in KEYS if key not in members]:
            held = map(_shown, itertools.islice(members, SHOWN))
            more = ", …" if len(members) > SHOWN else ""
            raise DataError(
                f"{path} lacks {', '.join(missing)}",
                f"It holds {', '.join(held) or 'nothing'}{more}; needed are {', '.join(KEYS)}",
            )
        names = {key: f"{path}: {key}" for key in KEYS}
        arrays = {key: _load(archive, members[key], names[key]) for key in KEYS}
    train, test = (
        Examples(
            _pixels(arrays.pop(f"x_{part}"), names[f"x_{part}"]),
            _labels(arrays.pop(f"y_{part}"), names[f"y_{part}"]),
            names[f"x_{part}"],
            names[f"y_{part}"],
        )
        for part in ("train", "test")
    )
    return train, test


def read_arrays(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Each array of an `.npz`, whatever it holds, with its name.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    with _opened(path) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            yield name, _load(archive, info, f"{path}: '{_shown(name)}'")


def _shown(name: str) -> str:
    """The name of an array for a message: harmless, and not too long."""
    text = ascii(name.removesuffix(".npy"))[1:-1]
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The file as a zip archive, whose directory has been judged: nothing is unpacked yet."""
    try:
        with zipfile.ZipFile(path) as archive:
            members, size = archive.infolist(), path.stat().st_size
            if len(members) > MOST_ARRAYS:
                raise DataError(f"{path} holds {len(members):,} arrays", f"At most {MOST_ARRAYS:,}")
            for info in members:
                if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                    raise DataError(
                        f"{path} is packed in a way that NumPy does not use",
                        "Allowed: what numpy.savez and numpy.savez_compressed write",
                    )
                if info.file_size > DEFLATE_RATIO * min(info.compress_size, size):
                    name = _shown(info.filename)
                    raise DataError(f"{path}: {name} is truncated: it cannot unpack to its size")
            require_memory(sum(info.file_size for info in members), str(path))
            yield archive
    except DAMAGE as error:
        raise DataError(f"{path} is not an .npz file, or is damaged: {error}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _load(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    """One array, after its header has been checked against what the file can hold."""
    announced = "its header"
    try:
        with archive.open(info) as member:
            shape, dtype = _header(member)
            announced = f"{dtype} {shape}"[:LONGEST]
            if dtype.hasobject:
                raise DataError(f"{name} holds Python objects", "Pickles are never loaded")
            if dtype.names:
                raise DataError(f"{name} holds records", "Allowed: arrays of numbers")
            size = member.tell() + math.prod(shape) * dtype.itemsize
        if size > info.file_size:
            raise DataError(f"{name} is truncated: its header announces {announced}")
        with archive.open(info) as member, _quiet():
            array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    except MemoryError:
        raise DataError(f"{name} does not fit into memory: {announced}") from None
    except DAMAGE as error:
        raise DataError(f"{name} cannot be read: {str(error)[:LONGEST]}") from error
    return array


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep NumPy from warning of a header that Python 2 may have written: it is read as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    with _quiet():
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    return shape, dtype


def _pixels(x: NDArray[Any], name: str) -> Pixels:
    if x.ndim not in {2, 3}:
        raise DataError(f"{name} has the shape {x.shape}", "Allowed: (N, D) or (N, H, W)")
    if not x.size:
        raise DataError(f"{name} is empty: its shape is {x.shape}")
    if x.dtype.kind == "f":
        return _as_float32(x, name)
    if x.dtype.kind not in "biu":
        raise DataError(
            f"{name} holds {x.dtype}", "Allowed: whole numbers from 0 to 255, or floats"
        )
    if x.min() < 0 or x.max() > 255:
        raise DataError(
            f"{name} holds whole numbers from {x.min()} to {x.max()}",
            "Allowed: 0 to 255; store others as floats",
        )
    return np.ascontiguousarray(x, np.uint8)


def _as_float32(x: NDArray[Any], name: str) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(x, np.float32)
    for start in range(0, len(x), CHUNK):
        finite = np.isfinite(single[start : start + CHUNK]).reshape(-1, math.prod(x.shape[1:]))
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            value = x[start + row].reshape(-1)[column]
            fault = "is beyond float32" if np.isfinite(value) else "is not a finite number"
            raise DataError(f"{name}: {value} at row {start + row}, column {column} {fault}")
    return single


def _labels(y: NDArray[Any], name: str) -> NDArray[np.int64]:
    if y.ndim != 1:
        hint = f"Flatten it: (N,) instead of {y.shape}"
        if y.ndim == 2 and y.shape[1] > 1:
            hint = "One label a row is needed: y.argmax(axis=1) undoes a one-hot encoding"
        raise DataError(f"{name} has the shape {y.shape}", hint)
    if y.dtype.kind not in "biuf":
        raise DataError(f"{name} holds {y.dtype}", "Labels are whole numbers")
    with np.errstate(invalid="ignore"):
        labels = y.astype(np.int64)
    if wrong := np.flatnonzero(labels != y)[:1].tolist():
        raise DataError(f"{name}: {y[wrong[0]]} at row {wrong[0]} is not a whole number of 64 bits")
    return labels
