"""Class weights: how much each row of a class counts in the mean loss.

The loss of a row, and with it the gradient, is multiplied by the weight of the row's class. Where a
class has few rows, a larger weight lets it count as much as the others.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from actcli.registry import Registry

# The number of training rows of each class, (K,) -> the weight of each class, (K,)
ClassWeights: TypeAlias = Callable[[NDArray[np.integer]], NDArray[np.float64]]

CLASS_WEIGHTS: Registry[ClassWeights] = Registry("class weight")


@CLASS_WEIGHTS.register("none")
def unweighted(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Every row counts alike."""
    return np.ones(len(counts))


@CLASS_WEIGHTS.register("balanced")
def balanced(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """N / (K Nₖ) for a class with Nₖ of N rows: all K classes have the same sum of weights.

    The mean weight of the training rows is 1, so that the learning rate keeps its meaning. A class
    without training rows has the weight 1 and is not counted in K (King, Zeng, Logistic Regression
    in Rare Events Data, Political Analysis 9 (2001), section 4.2).
    """
    present = counts > 0
    weights = np.ones(len(counts))
    weights[present] = counts.sum() / (np.count_nonzero(present) * counts[present])
    return weights
