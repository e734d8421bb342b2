"""What a pass over rows adds up to: arrays in float64 or whole numbers, one batch after another.

Parts of the rows can be added up apart, by several processes where an `allocate` gives them memory
that they share; the sums of one part then include those of another.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Split
from actcli.model import Model
from actcli.nn.arrays import Allocate, Array, ignore_overflow
from actcli.nn.network import MLP, Trace

SATURATED = 0.05  # of sup|f'|: a slope below this share lets next to nothing through

Vector = NDArray[np.float64]
Counts = NDArray[np.int64]


class Sums:
    """Arrays that are added to.

    Args:
        allocate: makes arrays of zeros.
    """

    def __init__(self, allocate: Allocate) -> None:
        self._allocate = allocate
        self.arrays: list[NDArray[Any]] = []

    def sums(self, *shape: int) -> Vector:
        """One more array, of sums."""
        return self._zeros(shape, np.float64)

    def counts(self, *shape: int) -> Counts:
        """One more array, of counts."""
        return self._zeros(shape, np.int64)

    def include(self, other: "Sums") -> None:
        """Add what others have seen, who look for the same."""
        for mine, theirs in zip(self.arrays, other.arrays, strict=True):
            mine[...] += theirs

    def _zeros(self, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
        self.arrays.append(self._allocate(shape, np.dtype(kind)))
        return self.arrays[-1]


class InputSums(Sums):
    """What the inputs, after normalisation, add up to."""

    def __init__(self, allocate: Allocate = np.zeros) -> None:
        super().__init__(allocate)
        self.count, self.total, self.squares = self.counts(), self.sums(), self.sums()

    def add(self, inputs: Array) -> None:
        """Take in inputs (n, D)."""
        flat = inputs.reshape(-1)
        self.count += flat.size
        self.total += float(flat.sum())  # in pairs, and so right to rounding
        self.squares += float(flat @ flat)

    @property
    def mean(self) -> float:
        """Of all pixels."""
        return float(self.total / self.count)

    @property
    def root_mean_square(self) -> float:
        """Of all pixels: how large an input is."""
        return float(np.sqrt(self.squares / self.count))


class LayerSums(Sums):
    """What one layer's share of the pass adds up to.

    Args:
        units: how many the layer has.
        bound: sup|f'| of its activation; None for the layer of the scores, which has none.
    """

    def __init__(self, units: int, bound: float | None, allocate: Allocate = np.zeros) -> None:
        super().__init__(allocate)
        self.bound = bound
        self.delta_norm = self.sums()  # Σ ‖δᵢ‖₂
        self.slope = self.sums()  # Σ |f'(z)| over rows and units
        self.saturated = self.counts()  # (row, unit) pairs with |f'(z)| below 5 % of its bound
        self.active = self.counts(units)  # rows with f'(z) ≠ 0, by unit

    def add(self, trace: Trace, index: int, scratch: Array) -> None:
        """Add the layer of that index, after a forward and a backward pass.

        Args:
            trace: of the mini-batch.
            index: of the layer, from 0.
            scratch: at least as large as a buffer of the layer.
        """
        at = trace.layers[index]
        self.delta_norm += float(np.sqrt(np.vecdot(at.delta, at.delta)).sum(dtype=np.float64))
        if self.bound is None:
            return
        scratch = scratch.reshape(-1)[: at.z.size].reshape(at.z.shape)
        np.abs(at.derivative, out=scratch)
        self.slope += float((trace.ones @ scratch).sum(dtype=np.float64))
        self.saturated += int(np.count_nonzero(scratch < SATURATED * self.bound))
        np.not_equal(at.derivative, 0, out=scratch)
        self.active += (trace.ones @ scratch).astype(np.int64)


class Activity(Sums):
    """On how many rows each hidden unit is active: all that it takes is a forward pass."""

    def __init__(self, network: MLP, allocate: Allocate = np.zeros) -> None:
        super().__init__(allocate)
        self.functions = network.activations
        self.active = tuple(self.counts(units) for units in network.sizes[1:-1])
        self._memory: Array = np.empty((2, 0), network.parameters.dtype)

    @property
    def is_complete(self) -> bool:
        """Whether each unit was active: no further row can tell of one that is dead."""
        return all(units.all() for units in self.active)

    @property
    def dead_share(self) -> float | None:
        """The share of units that no row activates; None without any unit."""
        units = sum(map(len, self.active))
        dead = sum(int(np.count_nonzero(layer == 0)) for layer in self.active)
        return dead / units if units else None

    def add_until_complete(self, model: Model, split: Split) -> None:
        """Add mini-batches of a split until every unit was active, or until the last one."""
        for batch in model.forward_batches(split):
            self.add(batch.trace)
            if self.is_complete:
                break

    def add(self, trace: Trace) -> None:
        """Add a mini-batch, after its forward pass."""
        for f, active, at in zip(self.functions, self.active, trace.layers, strict=False):
            derivative, scratch = self._buffers(at.z)
            with ignore_overflow():
                f.derivative(at.z, at.y, derivative, scratch)
            np.not_equal(derivative, 0, out=scratch)
            active[:] += (trace.ones @ scratch).astype(np.int64)

    def _buffers(self, z: Array) -> tuple[Array, Array]:
        """Return two buffers of the shape of z, from memory that all layers share."""
        if self._memory.shape[1] < z.size:
            self._memory = np.empty((2, z.size), z.dtype)
        first, second = (row[: z.size].reshape(z.shape) for row in self._memory)
        return first, second
