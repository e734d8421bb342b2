"""The temperature that calibrates a network best, from one pass over its logits.

The negative log likelihood of softmax(β z) is convex in β = 1/T. Its derivative in β is the sum
over rows of E[z] - z_true, where E is the mean under softmax(β z) (Guo et al., On Calibration of
Modern Neural Networks, ICML 2017, section 4.2). The next two derivatives are the variance and the
third central moment of z. All three are summed at a few temperatures. Between the two temperatures
where the derivative changes its sign, the root of a polynomial that interpolates it is the best
1/T.
"""

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from actcli.diagnostics.sums import Sums
from actcli.nn.arrays import Allocate, Array, Labels

MAX_TEMPERATURE = 16.0  # the search covers 1/16 to 16
POINTS = 33  # a factor of 1.19 apart, which gives the root to 1e-5


class TemperatureSums(Sums):
    """Sums of three derivatives of the log likelihood in β, at a grid of temperatures."""

    def __init__(self, allocate: Allocate = np.zeros) -> None:
        super().__init__(allocate)
        self.betas = np.geomspace(1 / MAX_TEMPERATURE, MAX_TEMPERATURE, POINTS)
        self.moments = self.sums(3, POINTS)

    def add(self, logits: Array, labels: Labels) -> None:
        """Add logits (N, K) and their true classes (N,)."""
        z = np.ascontiguousarray((logits - logits.max(axis=1, keepdims=True)).T)
        true = z[labels, np.arange(len(labels))]
        powers = np.multiply.outer(self.betas.astype(z.dtype), z)  # (points, K, n)
        np.maximum(powers, -80, out=powers)  # below, e^x is denormal, on which arithmetic is slow
        np.exp(powers, out=powers)
        partition = powers.sum(axis=1)
        first, second, third = (
            np.multiply(powers, z, out=powers).sum(axis=1) / partition for _ in range(3)
        )
        # z is 0 at the largest logit and negative elsewhere: these differences lose few digits.
        variance = second - first * first
        skew = third - first * (3 * variance + first * first)
        for order, moment in enumerate((first - true, variance, skew)):
            self.moments[order] += moment.sum(axis=1, dtype=np.float64)

    def best(self) -> float | None:
        """Return the best temperature; None if it does not lie between 1/16 and 16."""
        slope = self.moments[0]
        if not np.isfinite(self.moments).all() or slope[0] >= 0 or slope[-1] <= 0:
            return None
        right = int(np.argmax(slope > 0))
        ends = slice(right - 1, right + 1)
        return float(1 / _root(self.betas[ends], self.moments[:, ends]))


def _root(ends: NDArray[np.float64], moments: NDArray[np.float64]) -> float:
    """Return the root of the quintic with given values and two derivatives at both ends.

    Args:
        ends: the two ends of the interval, shape (2,).
        moments: value, first and second derivative at each end, shape (3, 2).
    """
    width = ends[1] - ends[0]
    scaled = moments * width ** np.arange(3)[:, np.newaxis]
    value, first, second = (float(row[0]) for row in scaled)
    parabola = Polynomial([value, first, second / 2])  # agrees at the left end
    missing = [scaled[order, 1] - parabola.deriv(order)(1.0) for order in range(3)]
    cubic = np.linalg.solve([[1, 1, 1], [3, 4, 5], [6, 12, 20]], missing)
    roots = (parabola + Polynomial([0, 0, 0, *cubic])).roots()
    real = roots[np.abs(roots.imag) < 1e-9].real
    inside = real[(real >= 0) & (real <= 1)]
    return float(ends[0] + width * (inside[0] if len(inside) else 0.5))
