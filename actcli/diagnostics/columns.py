"""The columns of the inputs: the deviation of each one, on a sample of the rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Batches, Normalization, Split

SAMPLE_ROWS = 2000
ROWS_AT_A_TIME = 250


@dataclass(frozen=True, eq=False)
class ColumnStatistics:
    """Statistics of the D normalized inputs.

    Args:
        mean: the mean of each one, shape (D,).
        deviation: the standard deviation of each one, shape (D,).
        unused: whether each one is 0 on every row, shape (D,).
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    unused: NDArray[np.bool_]

    @property
    def ratio(self) -> float:
        """The largest deviation over the median one, of the inputs that vary; 1 if none does.

        Of two medians the smaller one counts, so that two inputs can differ.
        """
        varied = np.sort(self.deviation[self.deviation > 0])
        return float(varied[-1] / varied[(len(varied) - 1) // 2]) if len(varied) else 1.0

    @property
    def offset(self) -> float:
        """The root mean square of the means over that of the deviations, of inputs that vary."""
        varied = self.deviation > 0
        if not varied.any():
            return 0.0
        return float(np.linalg.norm(self.mean[varied]) / np.linalg.norm(self.deviation[varied]))


def column_statistics(split: Split, normalization: Normalization) -> ColumnStatistics:
    """Return the statistics of the inputs on a sample of a split."""
    sample = split.sample(SAMPLE_ROWS)
    batches = Batches(sample, normalization, ROWS_AT_A_TIME, np.float64)
    columns = split.pixels.shape[1]
    total, squares = np.zeros(columns), np.zeros(columns)
    used = np.zeros(columns, bool)
    origin = None
    for inputs, _ in batches():
        used |= inputs.any(axis=0)
        origin = inputs[0].copy() if origin is None else origin
        shifted = inputs - origin  # a large mean would cost digits of the deviation
        total += shifted.sum(axis=0)
        squares += np.square(shifted, out=shifted).sum(axis=0)
    variance = squares / len(sample) - np.square(total / len(sample))
    mean = total / len(sample) + (0 if origin is None else origin)
    return ColumnStatistics(mean, np.sqrt(np.maximum(variance, 0)), ~used)
