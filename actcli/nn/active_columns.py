"""Lit inputs: those of a batch that are not 0 in all of its rows.

What is 0 everywhere adds nothing to a weighted sum, and gets no gradient. On MNIST that is a third
of the pixels of a batch of 128; leaving them out costs less than multiplying by them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.nn.arrays import Array


@dataclass(frozen=True)
class ActiveColumns:
    """Which inputs of a batch are lit, and room to work with them."""

    columns: NDArray[np.intp]  # (k,), ascending, of the D inputs
    room: Array  # (D, units of the first layer)

    def take(self, weights: Array) -> Array:
        """Of the weights W^T of the first layer those of lit inputs, (k, units)."""
        taken = self.room[: len(self.columns)]
        return np.take(weights, self.columns, axis=0, out=taken, mode="clip")

    def collect(self, y: Array, delta: Array, out: Array, first: int) -> None:
        """The gradient of the weights of some inputs, lit or not.

        Args:
            y: the lit inputs, (N, k).
            delta: δ of the first layer, (N, units).
            out: rows of ∂L/∂W^T, those of the inputs from `first` on.
            first: of the inputs.
        """
        start, end = np.searchsorted(self.columns, (first, first + len(out)))
        part = self.room[: end - start]
        np.matmul(y[:, start:end].T, delta, out=part)
        out.fill(0)
        out[self.columns[start:end] - first] = part
