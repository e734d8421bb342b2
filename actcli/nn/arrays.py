"""Array types: the arrays that the functions of this package take and return.

A function with an argument `out` writes its result there and allocates no array: a training step
runs in buffers that were allocated before the first step.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]  # float32 in training, float64 where it is checked
Labels: TypeAlias = NDArray[np.intp]  # class indices 0 … K - 1

# A function that returns an array of a given shape and dtype, with arbitrary contents unless said
# otherwise, such as `numpy.empty`.
Allocate: TypeAlias = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]


CACHE_LINE = 64  # bytes


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an array with arbitrary contents that begins at a cache line.

    NumPy's own arrays begin 16, 32 or 48 bytes behind one, by chance. Then every second load of a
    vector crosses two lines, and a training step is up to a tenth slower.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    array: NDArray[Any] = memory[start : start + size].view(dtype).reshape(shape)
    return array


def ignore_overflow() -> np.errstate:
    """Return a context without overflow warnings: numbers that overflow become inf or NaN."""
    return np.errstate(over="ignore", invalid="ignore")
