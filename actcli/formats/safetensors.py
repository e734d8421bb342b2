"""The safetensors format: named arrays in one file, with JSON metadata.

A file holds the length of its header in eight bytes, the header in JSON, and the bytes of each
array (https://huggingface.co/docs/safetensors). This module does not use the safetensors library:
when writing, the library copies all arrays twice and aborts the process if memory is short; when
reading, it loads the whole file before it checks the header.
"""

import json
import math
import os
import stat
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from actcli import jsonlines
from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.files import Buffer, reading
from actcli.formats.contents import Format, NamedTensors, Tensors
from actcli.formats.file_start import FileStart
from actcli.formats.tensors import COUNTS
from actcli.machine import require_memory
from actcli.nn.arrays import Array

METADATA_KEY = "actcli"  # a single key: the library would write several keys in a random order
ALIGNMENT_BYTES = 8  # the arrays start at a multiple of this

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}  # safetensors -> NumPy
COUNT_TYPE = "I64"  # of the number of mini-batches that a batch normalization has seen

# A header needs about 100 bytes for each array; the format itself allows 100 MB.
MAX_HEADER_BYTES = 10_000_000
MAX_DIMENSIONS = 32  # weights have 2; a damaged header might announce a million


def safetensors_parts(tensors: Mapping[str, Array], metadata: Mapping[str, Any]) -> list[Buffer]:
    """Return the parts of a file. An array is copied only if it is not contiguous float32.

    Args:
        tensors: name -> array, written as float32.
        metadata: a JSON object, written into the header.
    """
    arrays = {name: np.ascontiguousarray(array, "<f4") for name, array in tensors.items()}
    header: dict[str, Any] = {"__metadata__": {METADATA_KEY: jsonlines.dumps(metadata)}}
    start = 0
    for name, array in arrays.items():
        offsets = [start, start := start + array.nbytes]
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": offsets}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % ALIGNMENT_BYTES)
    return [len(text).to_bytes(8, "little"), text, *(array.data for array in arrays.values())]


def read_safetensors(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Return the arrays of a file and the metadata that actcli wrote beside them.

    The header is checked before anything else is read, because the file may be many gigabytes in
    another format.

    Returns:
        Name -> array in the precision of the file, with bfloat16 converted to float32 without loss;
        and the metadata, which is empty for files of other frameworks.

    Raises:
        DataError: the file cannot be read, is not a safetensors file or is damaged.
        ActcliError: this machine has less memory than the tensors need.
    """
    try:
        # Checked before opening: opening a named pipe would wait for its writer.
        if stat.S_ISFIFO(path.stat().st_mode):
            raise DataError(f"cannot read {path}: it is a pipe")
        with path.open("rb") as file:
            header, data_bytes = _read_header(path, file)
            metadata = _read_metadata(path, header.pop("__metadata__", None) or {})
            _check_entries(path, header, data_bytes)
            require_memory(2 * data_bytes, str(path))  # the tensors, and the network's copy
            start = file.tell()
            tensors = {name: _read_tensor(path, file, start, name, header[name]) for name in header}
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    return tensors, metadata


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata that actcli wrote into a file, without reading its arrays.

    Raises:
        DataError: the file cannot be read or is not a safetensors file.
    """
    try:
        with reading(path) as file:
            header, _ = _read_header(path, file)
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    return _read_metadata(path, header.get("__metadata__") or {})


def read_named_tensors(path: Path) -> NamedTensors:
    """Return the arrays of a file and the metadata that actcli wrote beside them.

    Raises:
        DataError: the file cannot be read, is not a safetensors file or is damaged.
        ActcliError: this machine has less memory than the tensors need.
    """
    tensors, metadata = read_safetensors(path)
    return NamedTensors(tensors, description=metadata)


def _is_safetensors(start: FileStart) -> bool:
    length = int.from_bytes(start.head[:8], "little")
    return start.head[8:9] == b"{" and length <= start.size - 8


def _not_safetensors(path: Path, reason: str) -> DataError:
    return DataError(f"{path} is not a safetensors file: {reason}")


def _read_header(path: Path, file: BinaryIO) -> tuple[dict[str, Any], int]:
    """Return the header and the number of bytes after it."""
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
        header = jsonlines.loads(file.read(length).decode("utf-8"))
    except ValueError as error:
        raise _not_safetensors(path, f"its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise _not_safetensors(path, "its header is not a JSON object")
    return header, size - 8 - length


def _read_metadata(path: Path, texts: Any) -> dict[str, Any]:
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise _not_safetensors(path, "its __metadata__ does not consist of strings")
    try:
        metadata = jsonlines.loads(texts.get(METADATA_KEY, "{}"))
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict):
        raise DataError(
            f"{path}: the description {METADATA_KEY!r} in its header is not a JSON object"
        )
    return metadata


def _check_entries(path: Path, header: dict[str, Any], data_bytes: int) -> None:
    """Raise if a tensor lacks a type, shape or place, or if the tensors do not fill the file."""
    for name, entry in header.items():
        if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
            raise _not_safetensors(
                path, f"tensor {quoted(name)} lacks its dtype, shape or data_offsets"
            )
        is_count = entry["dtype"] == COUNT_TYPE and name.endswith(COUNTS)
        if entry["dtype"] not in list(DTYPES) and not is_count:
            raise DataError(
                f"{path}: tensor {quoted(name)} is of type {quoted(entry['dtype'])}",
                f"Known: {', '.join(DTYPES)}",
            )
        shape, offsets = entry["shape"], entry["data_offsets"]
        if not (_are_counts(shape) and _are_counts(offsets) and len(offsets) == 2):
            raise _not_safetensors(
                path, f"tensor {quoted(name)} has an invalid shape or invalid data_offsets"
            )
        announced = math.prod(shape) * _dtype(entry).itemsize
        if offsets[1] - offsets[0] != announced:
            raise _not_safetensors(
                path,
                f"tensor {quoted(name)} of shape {quoted(tuple(shape))} has {announced:,} bytes, "
                f"but its data_offsets span {offsets[1] - offsets[0]:,}",
            )
    end = 0
    for offsets in sorted(entry["data_offsets"] for entry in header.values()):
        if offsets[0] != end:
            raise _not_safetensors(path, f"no tensor starts at byte {end:,} of the data")
        end = offsets[1]
    if end != data_bytes:
        raise _not_safetensors(
            path, f"its tensors have {end:,} bytes, but {data_bytes:,} follow its header"
        )


def _dtype(entry: dict[str, Any]) -> np.dtype[Any]:
    return np.dtype("<i8" if entry["dtype"] == COUNT_TYPE else DTYPES[entry["dtype"]])


def _are_counts(values: Any) -> bool:
    """Return whether a value is a list of at most 32 whole numbers from 0 to 2**63 - 1."""
    if not isinstance(values, list) or len(values) > MAX_DIMENSIONS:
        return False
    return all(type(value) is int and 0 <= value < 2**63 for value in values)


def _read_tensor(
    path: Path, file: BufferedReader, start: int, name: str, entry: dict[str, Any]
) -> NDArray[Any]:
    try:
        array = np.empty(entry["shape"], _dtype(entry))
    except (ValueError, MemoryError) as error:  # too many dimensions, or a 0 and huge dimensions
        raise _not_safetensors(path, f"tensor {quoted(name)}: {error}") from None
    file.seek(start + entry["data_offsets"][0])
    if file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:
        raise _not_safetensors(path, f"it ends within tensor {quoted(name)}")
    if entry["dtype"] == "BF16":  # bfloat16 is the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array


SAFETENSORS = Format(
    "a safetensors file", "PyTorch", (".safetensors",), _is_safetensors, read_named_tensors
)
