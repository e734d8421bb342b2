"""The values in the pickle of a state dict: storages, tensors, and the calls that make them.

A pickle makes a tensor by calling a function of PyTorch. `NAMES` has for each of these functions
what takes its place here: the description of a tensor. No other name is known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_COUNT = 2**63  # of elements, strides and offsets


@dataclass(frozen=True)
class Name:
    """A global name of Python in a pickle; it stands for nothing but itself."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Storage:
    """A contiguous array of numbers in another member of the archive.

    Args:
        dtype: NumPy's name of the type of its numbers; "bfloat16" is not one of NumPy's.
        key: the name of the member.
        count: of its numbers.
    """

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class StridedTensor:
    """A tensor: a view of a storage.

    Args:
        storage: the numbers, which tensors may share.
        offset: the index of the first number.
        shape: the number of elements along each axis.
        strides: the distance between elements along each axis, in numbers.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


STORAGES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}


def whole_number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MAX_COUNT:
        raise ValueError("a size, stride or offset that is not a whole number of 63 bits")
    return value


def _counts(values: Any) -> tuple[int, ...]:
    if type(values) not in {tuple, list}:
        raise ValueError("a shape that is not a tuple")
    return tuple(map(whole_number, values))


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> StridedTensor:
    if type(storage) is not Storage:
        raise ValueError("a tensor without a storage")
    return StridedTensor(storage, whole_number(offset), _counts(shape), _counts(strides))


def _parameter(tensor: Any, *_: Any) -> StridedTensor:
    if type(tensor) is not StridedTensor:
        raise ValueError("a parameter that is not a tensor")
    return tensor


def _empty_dictionary(*items: Any) -> dict[Any, Any]:
    if items:
        raise ValueError("an OrderedDict of items")
    return {}


# What a pickle may call, and the value in place of the call.
NAMES: Mapping[str, Callable[..., Any]] = {
    "collections.OrderedDict": _empty_dictionary,
    "torch.Size": _counts,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}
