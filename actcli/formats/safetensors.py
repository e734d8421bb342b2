"""The safetensors format: named arrays in one file, and a text beside them. Nothing is unpickled.

The length of the header in eight bytes, the header in JSON, and then the bytes of each array
(https://huggingface.co/docs/safetensors). It is written here, from the arrays as they lie in
memory, because the library copies all of them twice and ends the process where memory is short; and
read here, because the library reads a whole file before it judges its header.
"""

import json
import math
import os
import stat
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli import jsonlines
from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.files import Buffer
from actcli.machine import require_memory
from actcli.nn.arrays import Array

Tensors = dict[str, NDArray[Any]]

METADATA_KEY = "actcli"  # one key alone: the order of several would differ from run to run
ALIGNMENT_BYTES = 8  # bytes, at which the arrays begin

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}  # that are read

# Of a header, in bytes. It has some hundred for each array; the format itself allows 100 MB.
MAX_HEADER_BYTES = 10_000_000
MAX_DIMENSIONS = 32  # far more than weights have; a header must not announce a million


def safetensors_parts(tensors: Mapping[str, Array], record: Mapping[str, Any]) -> list[Buffer]:
    """The parts of a file with arrays of float32 and a record; only what must be is copied."""
    arrays = {name: np.ascontiguousarray(array, "<f4") for name, array in tensors.items()}
    header: dict[str, Any] = {"__metadata__": {METADATA_KEY: jsonlines.dumps(record)}}
    start = 0
    for name, array in arrays.items():
        offsets = [start, start := start + array.nbytes]
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": offsets}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % ALIGNMENT_BYTES)
    return [len(text).to_bytes(8, "little"), text, *(array.data for array in arrays.values())]


def read_safetensors(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """The arrays of a file by their names, in the precision that they have there, and the record
    beside them; empty, if others wrote the file. bfloat16 becomes float32, which holds each of its
    numbers.

    The header is judged before anything else is read: a file may be many gigabytes of something
    else.

    Raises:
        DataError: it cannot be read, or is not what its header announces.
        ActcliError: this machine has less memory than the tensors need.
    """
    try:
        # Asked before opening, because to open a named pipe is to wait for its writer.
        if stat.S_ISFIFO(path.stat().st_mode):
            raise DataError(f"cannot read {path}: it is a pipe")
        with path.open("rb") as file:
            header, left = _read_header(path, file)
            record = _read_metadata(path, header.pop("__metadata__", None) or {})
            _check_entries(path, header, left)
            require_memory(2 * left, str(path))  # the numbers, and those of the network
            start = file.tell()
            tensors = {name: _read_tensor(path, file, start, name, header[name]) for name in header}
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    return tensors, record


def _not_safetensors(path: Path, why: str) -> DataError:
    return DataError(f"{path} is not a safetensors file: {why}")


def _read_header(path: Path, file: BufferedReader) -> tuple[dict[str, Any], int]:
    """The header, and how many bytes follow it."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise _not_safetensors(
            path, f"its header would have {length:,} bytes, the file has {size:,}"
        )
    if length > MAX_HEADER_BYTES:
        raise _not_safetensors(
            path, f"its header has {length:,} bytes; at most {MAX_HEADER_BYTES:,} are read"
        )
    try:
        header = json.loads(file.read(length).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _not_safetensors(path, f"its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise _not_safetensors(path, "its header is not a JSON object")
    return header, size - 8 - length


def _read_metadata(path: Path, texts: Any) -> dict[str, Any]:
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise _not_safetensors(path, "its __metadata__ is not texts")
    try:
        record = json.loads(texts.get(METADATA_KEY, "{}"))
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise DataError(f"{path}: the description {METADATA_KEY!r} in its header is no JSON object")
    return record


def _check_entries(path: Path, header: dict[str, Any], left: int) -> None:
    """Whether each tensor has a type, a shape and a place, and all of them fill the file."""
    end = 0
    for name, entry in header.items():
        if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
            raise _not_safetensors(
                path, f"tensor {quoted(name)} lacks its dtype, shape or data_offsets"
            )
        if entry["dtype"] not in list(DTYPES):
            raise DataError(
                f"{path}: tensor {quoted(name)} is of type {quoted(entry['dtype'])}",
                f"Known: {', '.join(DTYPES)}",
            )
        shape, offsets = entry["shape"], entry["data_offsets"]
        if not (_are_counts(shape) and _are_counts(offsets) and len(offsets) == 2):
            raise _not_safetensors(
                path, f"tensor {quoted(name)} has no shape, or no place in the file"
            )
        announced = math.prod(shape) * np.dtype(DTYPES[entry["dtype"]]).itemsize
        if offsets[1] - offsets[0] != announced:
            raise _not_safetensors(
                path,
                f"tensor {quoted(name)} of shape {quoted(tuple(shape))} has {announced:,} bytes, "
                f"but a place for {offsets[1] - offsets[0]:,}",
            )
    for offsets in sorted(entry["data_offsets"] for entry in header.values()):
        if offsets[0] != end:
            raise _not_safetensors(path, f"no tensor starts at byte {end:,} of the data")
        end = offsets[1]
    if end != left:
        raise _not_safetensors(
            path, f"its tensors have {end:,} bytes, but {left:,} follow its header"
        )


def _are_counts(values: Any) -> bool:
    """Whether these are whole numbers that a file of this world can have."""
    if not isinstance(values, list) or len(values) > MAX_DIMENSIONS:
        return False
    return all(type(value) is int and 0 <= value < 2**63 for value in values)


def _read_tensor(
    path: Path, file: BufferedReader, start: int, name: str, entry: dict[str, Any]
) -> NDArray[Any]:
    try:
        array = np.empty(entry["shape"], DTYPES[entry["dtype"]])
    except (ValueError, MemoryError) as error:  # too many dimensions, or too large ones beside a 0
        raise _not_safetensors(path, f"tensor {quoted(name)}: {error}") from None
    file.seek(start + entry["data_offsets"][0])
    if file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:
        raise _not_safetensors(path, f"it ends within tensor {quoted(name)}")
    if entry["dtype"] == "BF16":  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array
