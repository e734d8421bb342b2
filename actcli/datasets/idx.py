"""IDX, the file format of MNIST.

A file holds two zero bytes, the type of the numbers, the number of dimensions, the size of each
dimension as a big-endian 32-bit integer, and then the numbers. Only unsigned bytes (type 0x08) are
read and written. A file may be packed with gzip, which is recognized by its first two bytes and not
by its name. A data set is a folder with four IDX files.

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
READ_BYTES = 1 << 20  # per call

# Deflate packs at most 258 bytes into 2 bits: https://zlib.net/zlib_tech.html
MAX_DEFLATE_RATIO = 1032

MAX_DIMENSIONS = 32  # images have 3; a damaged header might announce hundreds

# The files of a data set: train images, train labels, test images, test labels.
FILE_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array of an IDX file, in the shape that its header announces.

    The array is allocated only after the file has proved large enough for it. The numbers are read
    directly into it.

    Raises:
        DataError: the file cannot be read, is damaged, or is not an IDX file of unsigned bytes.
        ActcliError: this machine has less memory than the array needs.
    """
    with _open_unpacked(path) as (stream, max_bytes):
        shape = _read_shape(path, stream)
        size = math.prod(shape)
        if size > max_bytes:
            raise DataError(
                f"{path} is truncated: {_announcement(shape)}, which is more than the file can hold"
            )
        require_memory(size, str(path))
        try:
            array = np.empty(size, np.uint8)
        except MemoryError:
            raise DataError(f"{path} does not fit into memory: {_announcement(shape)}") from None
        filled = _fill(array.data, stream)
        if filled < size:
            raise DataError(f"{path} is truncated: {_announcement(shape)}, but {filled:,} follow")
        if stream.read(1):
            raise DataError(f"{path} is too long: {_announcement(shape)}, but more follow")
    return array.reshape(shape)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an array as an IDX file, packed with gzip if the name ends in `.gz`.

    The same array always gives the same file: the gzip header holds neither a time nor a name.

    Raises:
        ActcliError: the file cannot be written.
    """
    if array.dtype != np.uint8 or not array.size or not 1 <= array.ndim <= MAX_DIMENSIONS:
        raise ValueError(f"IDX cannot hold {array.dtype} of shape {array.shape}")
    header = struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape)
    with files.replace_atomically(path) as file, contextlib.ExitStack() as stack:
        stream: io.BufferedIOBase = file
        if path.suffix == ".gz":
            stream = stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        stream.write(header)
        stream.write(np.ascontiguousarray(array).data)


def raw_sha256(path: Path, *, max_bytes: int) -> str:
    """Return the SHA-256 of a file's unpacked bytes, in hexadecimal.

    Packers write different gzip files for the same data; the unpacked bytes are the same.

    Raises:
        DataError: the file cannot be read, is damaged, or unpacks to more than `max_bytes` bytes.
    """
    digest = hashlib.sha256()
    with _open_unpacked(path) as (stream, _):
        remaining = max_bytes
        while chunk := stream.read(min(READ_BYTES, remaining + 1)):
            remaining -= len(chunk)
            if remaining < 0:
                raise DataError(f"{path} is too long")
            digest.update(chunk)
    return digest.hexdigest()


def locate_files(folder: Path) -> tuple[Path, Path, Path, Path]:
    """Return the four files of the data set in a folder, in the order of `FILE_NAMES`.

    A file may be packed (`.gz`) or not. Some unpackers write `train-images.idx3-ubyte`, which is
    accepted too.

    Raises:
        DataError: one or more of the four files are missing.
    """
    paths: dict[str, Path] = {}
    not_files: list[str] = []  # folders and pipes that have the name of a file
    for name in FILE_NAMES:
        dotted = name.replace("-idx", ".idx")
        for spelling in (f"{dotted}.gz", f"{name}.gz", dotted, name):
            try:
                if (folder / spelling).is_file():
                    paths[name] = folder / spelling
                elif (folder / spelling).exists():
                    not_files.append(spelling)
            except OSError as error:
                raise DataError(f"cannot read {folder}: {error.strerror}") from error
    if missing := [name for name in FILE_NAMES if name not in paths]:
        remark = f"; {', '.join(not_files)} there is not a file" if not_files else ""
        raise DataError(
            f"{folder} lacks {', '.join(missing)}{remark}",
            f"A data set is the four files {', '.join(FILE_NAMES)}, packed (.gz) or not",
        )
    train_images, train_labels, test_images, test_labels = (paths[name] for name in FILE_NAMES)
    return train_images, train_labels, test_images, test_labels


@contextlib.contextmanager
def _open_unpacked(path: Path) -> Iterator[tuple[io.BufferedIOBase, int]]:
    """Open a file; yield a stream of its unpacked bytes, and an upper bound of their number."""
    try:
        # Checked before opening: opening a named pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path} is not a file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=file) as stream:
                    yield stream, size * MAX_DEFLATE_RATIO
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
        raise DataError(f"{path} is empty: {_announcement(shape)}")
    return shape


def _fill(target: memoryview, stream: io.BufferedIOBase) -> int:
    """Read until the target is full or the stream ends, and return the number of bytes read.

    Reading is done in chunks, because gzip's `readinto` makes a temporary copy of each request.
    """
    filled = 0
    while count := stream.readinto(target[filled : filled + READ_BYTES]):
        filled += count
    return filled


def _announcement(shape: tuple[int, ...]) -> str:
    return f"its header announces {' x '.join(map(str, shape))} = {math.prod(shape):,} bytes"
