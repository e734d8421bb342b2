"""Active columns: the features that are nonzero somewhere in a mini-batch.

A feature that is 0 in every row adds nothing to a weighted sum, and its weights have no gradient.
In a mini-batch of 128 rows of MNIST, a third of the pixels are 0 in every row. If the first layer
is wide enough, skipping these pixels costs less than multiplying by them.

Everywhere in this package, the inputs of a network are an array (N, D) or `ActiveColumns` of it.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from actcli.nn.arrays import Array

# Rows of a mini-batch times units of the first layer; below this, skipping columns costs more time
# than it saves.
MIN_WORK_FOR_ACTIVE_COLUMNS = 8192


@dataclass(frozen=True)
class ActiveColumns:
    """The active columns of inputs (N, D).

    Args:
        values: the inputs of these columns, shape (N, k).
        columns: the indices of these columns among the D, shape (k,), ascending.
        scratch: buffer of shape (D, units of the first layer), overwritten.
    """

    values: Array
    columns: NDArray[np.intp]
    scratch: Array

    def rows(self, rows: slice) -> "ActiveColumns":
        """Return the same columns of a range of rows."""
        return ActiveColumns(self.values[rows], self.columns, self.scratch)

    def matmul(self, weights: Array, out: Array) -> None:
        """Write inputs (N, D) times weights (D, units) to `out`."""
        active = self.scratch[: len(self.columns)]
        # With its default mode, `take` gathers into a second buffer first.
        np.take(weights, self.columns, axis=0, out=active, mode="clip")
        np.matmul(self.values, active, out=out)

    def weight_gradient(self, delta: Array, columns: slice, out: Array) -> None:
        """Write the gradient of the weights of a range of columns, active or not.

        Args:
            delta: δ of the first layer, shape (N, units).
            columns: a range of the D columns.
            out: shape (columns, units).
        """
        first = columns.start or 0
        start, end = np.searchsorted(self.columns, (first, first + len(out)))
        gradient = self.scratch[: end - start]
        np.matmul(self.values[:, start:end].T, delta, out=gradient)
        out.fill(0)
        out[self.columns[start:end] - first] = gradient


Inputs: TypeAlias = Array | ActiveColumns


def find_active_columns(rows: NDArray[np.generic]) -> NDArray[np.intp]:
    """Return the ascending indices of the columns of raw rows (N, D) that are nonzero somewhere."""
    return np.flatnonzero(rows.any(axis=0))


def matmul(inputs: Inputs, weights: Array, out: Array) -> None:
    """Write inputs (N, D) times weights (D, units) to `out`."""
    if isinstance(inputs, ActiveColumns):
        inputs.matmul(weights, out)
    else:
        np.matmul(inputs, weights, out=out)


def weight_gradient(inputs: Inputs, delta: Array, columns: slice, out: Array) -> None:
    """Write the gradient of the weights of a range of columns: inputs[:, columns]^T times delta."""
    if isinstance(inputs, ActiveColumns):
        inputs.weight_gradient(delta, columns, out)
    else:
        np.matmul(inputs[:, columns].T, delta, out=out)
