"""IDX, the format of MNIST: two zero bytes, the type of the numbers, the number of dimensions, the
size of each dimension as a big-endian 32-bit integer, and then the numbers themselves.

Only unsigned bytes (type 0x08) are read and written. A file may be packed with gzip, which shows in
its first two bytes and not in its name. A data set is a folder with four such files.

Source of the format: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
"""

import contextlib
import gzip
import hashlib
import io
import math
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actcli import files
from actcli.errors import DataError
from actcli.machine import require_memory

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 20

# Deflate packs at most 258 bytes into two bits: https://zlib.net/zlib_tech.html
DEFLATE_RATIO = 1032

MAX_DIMENSIONS = 32  # far more than images have; a header must not announce thousands

# A data set's files, in the order train images, train labels, test images, test labels.
NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def read(path: Path) -> NDArray[np.uint8]:
    """The array that an IDX file holds, in the shape that it announces.

    The numbers go straight into the one array that is returned, which is not allocated before the
    file is seen to be large enough for it.

    Raises:
        DataError: the file cannot be read, is damaged, or is not an IDX file of unsigned bytes.
        ActcliError: this machine has less memory than the array needs.
    """
    with _raw_bytes(path) as (stream, at_most):
        shape = _read_shape(path, stream)
        size = math.prod(shape)
        if size > at_most:
            raise DataError(
                f"{path} is truncated: {_described(shape)}, which is more than the file can hold"
            )
        require_memory(size, str(path))
        try:
            array = np.empty(size, np.uint8)
        except MemoryError:
            raise DataError(f"{path} does not fit into memory: {_described(shape)}") from None
        filled = _fill(array.data, stream)
        if filled < size:
            raise DataError(f"{path} is truncated: {_described(shape)}, but {filled:,} follow")
        if stream.read(1):
            raise DataError(f"{path} is too long: {_described(shape)}, but more follow")
    return array.reshape(shape)


def write(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an array as an IDX file, packed with gzip if the name ends in `.gz`.

    The same array gives the same bytes: gzip's header carries neither a time nor a name.

    Raises:
        ActcliError: the file cannot be written.
    """
    if array.dtype != np.uint8 or not array.size or not 1 <= array.ndim <= MAX_DIMENSIONS:
        raise ValueError(f"IDX cannot hold {array.dtype} of shape {array.shape}")
    header = struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape)
    with files.replacing(path) as file, contextlib.ExitStack() as stack:
        stream: io.BufferedIOBase = file
        if path.suffix == ".gz":
            stream = stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        stream.write(header)
        stream.write(np.ascontiguousarray(array).data)


def sha256(path: Path, *, at_most: int) -> str:
    """The SHA-256 of a file's raw bytes, after unpacking, in hexadecimal.

    Packers differ in the bytes that they make of the same data; the raw bytes are the same.

    Raises:
        DataError: the file cannot be read, is damaged, or unpacks to more than `at_most` bytes.
    """
    digest = hashlib.sha256()
    with _raw_bytes(path) as (stream, _):
        while chunk := stream.read(min(CHUNK, at_most + 1)):
            at_most -= len(chunk)
            if at_most < 0:
                raise DataError(f"{path} is too long")
            digest.update(chunk)
    return digest.hexdigest()


def locate(folder: Path) -> tuple[Path, Path, Path, Path]:
    """The files of the data set in a folder, in the order of `NAMES`.

    Each may be packed (`.gz`) or not, and be spelt `train-images.idx3-ubyte` as some unpackers do.

    Raises:
        DataError: one or more of the four are missing.
    """
    found: dict[str, Path] = {}
    odd: list[str] = []  # folders, pipes
    for name in NAMES:
        dotted = name.replace("-idx", ".idx")
        for spelt in (f"{dotted}.gz", f"{name}.gz", dotted, name):
            try:
                if (folder / spelt).is_file():
                    found[name] = folder / spelt
                elif (folder / spelt).exists():
                    odd.append(spelt)
            except OSError as error:
                raise DataError(f"cannot read {folder}: {error.strerror}") from error
    if missing := [name for name in NAMES if name not in found]:
        beside = f"; {', '.join(odd)} there is not a file" if odd else ""
        raise DataError(
            f"{folder} lacks {', '.join(missing)}{beside}",
            f"A data set is the four files {', '.join(NAMES)}, packed (.gz) or not",
        )
    train_images, train_labels, test_images, test_labels = (found[name] for name in NAMES)
    return train_images, train_labels, test_images, test_labels


@contextlib.contextmanager
def _raw_bytes(path: Path) -> Iterator[tuple[io.BufferedIOBase, int]]:
    """A stream of a file's bytes, unpacked, and how many there can be at most."""
    try:
        # Asked before opening, because to open a named pipe is to wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path} is not a file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=file) as stream:
                    yield stream, size * DEFLATE_RATIO
            else:
                yield file, size
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    except EOFError as error:
        raise DataError(f"{path} is truncated: its gzip stream has no end") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _read_shape(path: Path, stream: io.BufferedIOBase) -> tuple[int, ...]:
    start = stream.read(4)
    zero, kind, dimensions = struct.unpack(">HBB", start) if len(start) == 4 else (-1, 0, 0)
    if zero != 0 or not 1 <= dimensions <= MAX_DIMENSIONS:
        raise DataError(
            f"{path} is not an IDX file: it starts with {start.hex(' ') or 'nothing'}",
            "Allowed: 00 00 08 and the number of dimensions, packed with gzip or not",
        )
    if kind != UNSIGNED_BYTE:
        raise DataError(
            f"{path} holds IDX numbers of type 0x{kind:02x}",
            f"Only unsigned bytes are read: type 0x{UNSIGNED_BYTE:02x}",
        )
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{path} is truncated: it ends within its header")
    shape = struct.unpack(f">{dimensions}I", sizes)
    if 0 in shape:
        raise DataError(f"{path} is empty: {_described(shape)}")
    return shape


def _fill(target: memoryview, stream: io.BufferedIOBase) -> int:
    """Read until the target is full or the stream ends; how many bytes were read.

    In pieces, because gzip's `readinto` builds a second copy of whatever it is asked for.
    """
    filled = 0
    while count := stream.readinto(target[filled : filled + CHUNK]):
        filled += count
    return filled


def _described(shape: tuple[int, ...]) -> str:
    return f"its header announces {' x '.join(map(str, shape))} = {math.prod(shape):,} bytes"
