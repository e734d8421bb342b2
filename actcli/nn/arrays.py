"""The types of the arrays, in one place.

Every function of this package that takes an `out` writes its result there and makes no array of its
own: a training step runs in buffers that were made before the first one.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]  # float32 in training, float64 where it is checked
Labels: TypeAlias = NDArray[np.intp]  # class indices 0 … K - 1
