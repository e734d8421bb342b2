"""Tensors of an ONNX file as arrays: raw bytes or typed lists, in each precision.

Raw bytes are little-endian. Typed data of float32 and float64 are lists of numbers; float16 and
bfloat16 are the bit patterns of their numbers in a list of whole numbers.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.formats.onnx_messages import Tensor

BFLOAT16 = 16

# The types of elements that are read: number in TensorProto.DataType -> NumPy.
DTYPES: Mapping[int, str] = {
    1: "<f4",
    2: "u1",
    3: "i1",
    4: "<u2",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "u1",  # bool
    10: "<f2",
    11: "<f8",
    12: "<u4",
    13: "<u8",
    BFLOAT16: "<u2",
}
NAMES: Mapping[int, str] = {
    0: "no type",
    8: "string",
    14: "complex64",
    15: "complex128",
    **dict.fromkeys(range(17, 21), "float8"),
    21: "uint4",
    22: "int4",
    23: "float4",
}
FLOATS, DOUBLES = {1}, {11}  # types whose typed data are not varints


def to_array(tensor: Tensor) -> NDArray[Any]:
    """Return the elements of a tensor; bfloat16 becomes float32 without loss.

    Raises:
        DataError: the elements are in another file, have a type that is not read, or are more or
            fewer than the shape says. The message starts with the name of the tensor.
    """
    name = f"tensor {quoted(tensor.name)}"
    if tensor.is_external:
        raise DataError(
            f"{name} is in another file, which is not opened",
            "Save the weights inside the model: torch.onnx.export(…, external_data=False), "
            "or onnx.save(onnx.load(old), new)",
        )
    if tensor.kind not in DTYPES:
        raise DataError(f"{name} is of type {NAMES.get(tensor.kind, tensor.kind)}")
    dtype = np.dtype(DTYPES[tensor.kind])
    if isinstance(tensor.data, np.ndarray):
        has = "float_data" if tensor.kind in FLOATS | DOUBLES else ""
        if has:
            raise DataError(f"{name} has whole numbers in place of its {has}")
        array = _narrowed(tensor.data, dtype)
    else:
        data = tensor.data
        if len(data) and not tensor.is_raw and tensor.kind not in FLOATS | DOUBLES:
            raise DataError(f"{name} has numbers of another type than its own")
        if len(data) % dtype.itemsize:
            raise DataError(f"{name} ends within a number")
        array = np.frombuffer(data, dtype)
    if array.size != math.prod(tensor.dims):
        raise DataError(f"{name} has the shape {quoted(tensor.dims)}, but {array.size:,} numbers")
    if tensor.kind == BFLOAT16:  # bfloat16 is the upper half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.reshape(tensor.dims)


def _narrowed(numbers: NDArray[np.uint64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return varints as numbers of a type; those of 16-bit floats are their bits."""
    if dtype.kind == "f":
        return numbers.astype(np.uint16).view(dtype)
    return numbers.astype(np.int64).astype(dtype) if dtype.kind == "i" else numbers.astype(dtype)
