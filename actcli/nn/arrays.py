"""The types of the arrays, in one place.

Every function of this package that takes an `out` writes its result there and makes no array of its
own: a training step runs in buffers that were made before the first one.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]  # float32 in training, float64 where it is checked
Labels: TypeAlias = NDArray[np.intp]  # class indices 0 … K - 1

# What makes an array of a shape and a type, with anything in it; `numpy.empty` is one.
Allocate: TypeAlias = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]


def ignore_overflow() -> np.errstate:
    """For a pass through a network: what overflows there shows in the result, as inf or NaN."""
    return np.errstate(over="ignore", invalid="ignore")
