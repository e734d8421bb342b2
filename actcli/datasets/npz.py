"""Data sets in one `.npz` file with the arrays x_train, y_train, x_test and y_test.

x has the shape (N, D) or (N, H, W) and holds bytes or floats; y has the shape (N,) and holds whole
numbers or words. An `.npz` file can contain pickled objects, which run code when they are loaded,
and arrays whose header announces more than the file holds. Both are refused from the header of each
array, before any data are loaded.
"""

import contextlib
import itertools
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.idx import MAX_DEFLATE_RATIO
from actcli.datasets.raw import Pixels, RawDataset, RawSplit, number_classes
from actcli.errors import DataError
from actcli.machine import require_memory

SPLITS = ("train", "test")
ARRAY_NAMES = ("x_train", "y_train", "x_test", "y_test")
# Exceptions that the readers of zip files, array headers and deflated streams raise on damage.
DAMAGE_ERRORS = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError, struct.error),
    *(ValueError, SyntaxError, TypeError, OverflowError, tokenize.TokenError),
)

MAX_ARRAYS = 20_000  # enough for the largest number of layers that a configuration may have
MAX_NAME_CHARACTERS = 60  # of the name of an array in a message
MAX_LISTED_NAMES = 60  # in a message
MAX_HEADER_CHARACTERS = 120  # of the text of a header in a message

CHECKED_ROWS = 4096  # rows checked at a time, so that no check needs a copy of all images


def read_npz(path: Path) -> RawDataset:
    """Return the training and the test images and labels of an `.npz` file.

    Floats are converted to float32, whole numbers from 0 to 255 to bytes. Labels that are words
    give the classes their names.

    Raises:
        DataError: the file cannot be read or is damaged; an array is missing or has the wrong shape
            or type; a pixel is not finite or is beyond float32.
        ActcliError: this machine has less memory than the arrays need.
    """
    with _open_archive(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if missing := [key for key in ARRAY_NAMES if key not in members]:
            listed = ", ".join(map(_printable, itertools.islice(members, MAX_LISTED_NAMES)))
            more = ", …" if len(members) > MAX_LISTED_NAMES else ""
            raise DataError(
                f"{path} lacks {', '.join(missing)}",
                f"It holds {listed or 'nothing'}{more}; needed are {', '.join(ARRAY_NAMES)}",
            )
        names = {key: f"{path}: {key}" for key in ARRAY_NAMES}
        arrays = {key: _load_array(archive, members[key], names[key]) for key in ARRAY_NAMES}
    x_train, x_test = (
        _as_pixels(arrays.pop(f"x_{split}"), names[f"x_{split}"]) for split in SPLITS
    )
    y = [_as_labels(arrays.pop(f"y_{split}"), names[f"y_{split}"]) for split in SPLITS]
    class_names, (y_train, y_test) = _number_labels(y, [names["y_train"], names["y_test"]])
    return RawDataset(
        path.stem,
        class_names,
        RawSplit(x_train, y_train, names["x_train"], names["y_train"]),
        RawSplit(x_test, y_test, names["x_test"], names["y_test"]),
    )


def read_arrays(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the name and the array of each member of an `.npz` file, of any shape and type.

    Raises:
        DataError: the file cannot be read or is damaged.
        ActcliError: this machine has less memory than the arrays need.
    """
    with _open_archive(path) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            yield name, _load_array(archive, info, f"{path}: '{_printable(name)}'")


def _printable(name: str) -> str:
    """Return the name of an array for a message, with control characters escaped, and shortened."""
    text = ascii(name.removesuffix(".npy"))[1:-1]
    return text if len(text) <= MAX_NAME_CHARACTERS else f"{text[:MAX_NAME_CHARACTERS]}…"


@contextlib.contextmanager
def _open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose directory has been checked; nothing is unpacked yet."""
    try:
        with zipfile.ZipFile(path) as archive:
            members, size = archive.infolist(), path.stat().st_size
            if len(members) > MAX_ARRAYS:
                raise DataError(f"{path} holds {len(members):,} arrays", f"At most {MAX_ARRAYS:,}")
            for info in members:
                if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                    raise DataError(
                        f"{path} is packed in a way that NumPy does not use",
                        "Allowed: files of numpy.savez and numpy.savez_compressed",
                    )
                if info.file_size > MAX_DEFLATE_RATIO * min(info.compress_size, size):
                    name = _printable(info.filename)
                    raise DataError(f"{path}: {name} is truncated: it cannot unpack to its size")
            require_memory(sum(info.file_size for info in members), str(path))
            yield archive
    except DAMAGE_ERRORS as error:
        raise DataError(f"{path} is not an .npz file, or is damaged: {error}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _load_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    """Return one array, after comparing its header with the size of the archive member."""
    announced = "its header"
    try:
        with archive.open(info) as member:
            shape, dtype = _read_header(member)
            announced = f"{dtype} {shape}"[:MAX_HEADER_CHARACTERS]
            if dtype.hasobject:
                raise DataError(f"{name} holds Python objects", "Pickles are never loaded")
            if dtype.names:
                raise DataError(f"{name} holds records", "Allowed: arrays of numbers")
            size = member.tell() + math.prod(shape) * dtype.itemsize
        if size > info.file_size:
            raise DataError(f"{name} is truncated: its header announces {announced}")
        with archive.open(info) as member, _ignore_python2_warning():
            array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    except MemoryError:
        raise DataError(f"{name} does not fit into memory: {announced}") from None
    except DAMAGE_ERRORS as error:
        raise DataError(f"{name} cannot be read: {str(error)[:MAX_HEADER_CHARACTERS]}") from error
    return array


@contextlib.contextmanager
def _ignore_python2_warning() -> Iterator[None]:
    """Ignore NumPy's warning that Python 2 may have written a header, which is read correctly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    with _ignore_python2_warning():
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    return shape, dtype


def _as_pixels(x: NDArray[Any], name: str) -> Pixels:
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
    for start in range(0, len(x), CHECKED_ROWS):
        finite = np.isfinite(single[start : start + CHECKED_ROWS]).reshape(
            -1, math.prod(x.shape[1:])
        )
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            value = x[start + row].reshape(-1)[column]
            fault = "is beyond float32" if np.isfinite(value) else "is not a finite number"
            raise DataError(f"{name}: {value} at row {start + row}, column {column} {fault}")
    return single


def _as_labels(y: NDArray[Any], name: str) -> NDArray[np.int64] | NDArray[np.str_]:
    if y.ndim != 1:
        hint = f"Flatten it: (N,) instead of {y.shape}"
        if y.ndim == 2 and y.shape[1] > 1:
            hint = "Each row needs one label: y.argmax(axis=1) undoes a one-hot encoding"
        raise DataError(f"{name} has the shape {y.shape}", hint)
    if y.dtype.kind in "US":
        return _as_words(y, name)
    if y.dtype.kind not in "biuf":
        raise DataError(f"{name} holds {y.dtype}", "Labels are whole numbers or words")
    with np.errstate(invalid="ignore"):
        labels = y.astype(np.int64)
    for row in np.flatnonzero(labels != y)[:1].tolist():
        raise DataError(f"{name}: {y[row]} at row {row} is not a whole number of 64 bits")
    return labels


def _as_words(y: NDArray[Any], name: str) -> NDArray[np.str_]:
    """Return labels that are texts; bytes are UTF-8.

    Raises:
        DataError: a label is empty, too long, or not a text.
    """
    try:
        words: NDArray[np.str_] = np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y
        for row, word in enumerate(words.tolist()):
            word.encode()  # a lone surrogate is not a text
            if not word.strip():
                raise DataError(f"{name}: the label at row {row} is empty")
    except (UnicodeError, ValueError) as error:
        raise DataError(f"{name} holds labels that are not texts: {error}") from error
    return words


def _number_labels(
    labels: Sequence[NDArray[np.int64] | NDArray[np.str_]], names: Sequence[str]
) -> tuple[dict[int, str], list[NDArray[np.int64]]]:
    """Return the names of the classes, and the labels of both splits as whole numbers.

    Raises:
        DataError: one split has words and the other one numbers.
    """
    are_words = [part.dtype.kind == "U" for part in labels]
    if not any(are_words):
        return {}, [part.astype(np.int64, copy=False) for part in labels]
    if not all(are_words):
        texts = ["words" if is_word else "numbers" for is_word in are_words]
        raise DataError(f"{names[0]} holds {texts[0]}, but {names[1]} holds {texts[1]}")
    return number_classes(*(part.astype(np.str_) for part in labels))
