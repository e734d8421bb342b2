"""Sums over rows, mini-batch by mini-batch, in float64 or whole numbers.

Several workers can each sum a part of the rows, in shared memory that `allocate` makes. The sums of
the workers are merged afterwards.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Split
from actcli.model import EVALUATION_ROWS, Model
from actcli.nn.arrays import Allocate, Array, ignore_overflow
from actcli.nn.network import MLP, Trace

SATURATED_SLOPE = 0.05  # share of sup|f'|: a derivative below it passes almost no error

Vector = NDArray[np.float64]
Counts = NDArray[np.int64]


class Sums:
    """A group of sums that workers can merge.

    Args:
        allocate: makes arrays of zeros.
    """

    def __init__(self, allocate: Allocate) -> None:
        self._allocate = allocate
        self.arrays: list[NDArray[Any]] = []

    def sums(self, *shape: int) -> Vector:
        """Return a new array of sums."""
        return self._zeros(shape, np.float64)

    def counts(self, *shape: int) -> Counts:
        """Return a new array of counts."""
        return self._zeros(shape, np.int64)

    def merge(self, other: "Sums") -> None:
        """Add the sums of another worker; they must be of the same kind and shapes."""
        for total, part in zip(self.arrays, other.arrays, strict=True):
            total[...] += part

    def _zeros(self, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
        self.arrays.append(self._allocate(shape, np.dtype(kind)))
        return self.arrays[-1]


class InputSums(Sums):
    """Sums over the normalized inputs."""

    def __init__(self, allocate: Allocate = np.zeros) -> None:
        super().__init__(allocate)
        self.count, self.total, self.squares = self.counts(), self.sums(), self.sums()

    def add(self, inputs: Array) -> None:
        """Add inputs (N, D)."""
        flat = inputs.reshape(-1)
        self.count += flat.size
        self.total += float(flat.sum())  # pairwise summation: exact to rounding
        self.squares += float(flat @ flat)

    @property
    def mean(self) -> float:
        """The mean of all inputs."""
        return float(self.total / self.count)

    @property
    def root_mean_square(self) -> float:
        """The root mean square of all inputs."""
        return float(np.sqrt(self.squares / self.count))


class LayerSums(Sums):
    """Sums over the trace of one layer.

    Args:
        units: number of units.
        bound: sup|f'| of the activation; None for the output layer.
        allocate: makes arrays of zeros.
    """

    def __init__(self, units: int, bound: float | None, allocate: Allocate = np.zeros) -> None:
        super().__init__(allocate)
        self.bound = bound
        self.delta_norm = self.sums()  # Σ ‖δᵢ‖₂
        self.slope = self.sums()  # Σ |f'(z)| over rows and units
        self.saturated = self.counts(units)  # rows with |f'(z)| below 5 % of its bound, by unit
        self.active = self.counts(units)  # rows with f'(z) ≠ 0, by unit

    def add(self, trace: Trace, index: int, scratch: Array) -> None:
        """Add a mini-batch after its forward and backward pass.

        Args:
            trace: the trace of the mini-batch.
            index: the index of the layer, from 0.
            scratch: buffer of at least the size of the layer's z, overwritten.
        """
        layer = trace.layers[index]
        norms = np.sqrt(np.vecdot(layer.delta, layer.delta))
        self.delta_norm += float(norms.sum(dtype=np.float64))
        if self.bound is None:
            return
        scratch = scratch.reshape(-1)[: layer.z.size].reshape(layer.z.shape)
        np.abs(layer.derivative, out=scratch)
        self.slope += float((trace.ones @ scratch).sum(dtype=np.float64))
        np.less(scratch, SATURATED_SLOPE * self.bound, out=scratch)
        self.saturated += (trace.ones @ scratch).astype(np.int64)
        np.not_equal(layer.derivative, 0, out=scratch)
        self.active += (trace.ones @ scratch).astype(np.int64)


class Activity(Sums):
    """For each hidden unit, the number of rows on which it is active, from forward passes."""

    def __init__(self, network: MLP, allocate: Allocate = np.zeros) -> None:
        super().__init__(allocate)
        self.functions = network.activations
        self.active = tuple(self.counts(units) for units in network.sizes[1:-1])
        self._memory: Array = np.empty((2, 0), network.parameters.dtype)

    @property
    def is_complete(self) -> bool:
        """Whether every unit was active on at least one row, so that no unit is dead."""
        return all(units.all() for units in self.active)

    @property
    def dead_share(self) -> float | None:
        """The share of units that no row activates; None without hidden units."""
        units = sum(map(len, self.active))
        dead = sum(int(np.count_nonzero(layer == 0)) for layer in self.active)
        return dead / units if units else None

    def add_until_complete(
        self, model: Model, split: Split, batch_rows: int = EVALUATION_ROWS
    ) -> None:
        """Add mini-batches of a split until every unit was active, or until the last one."""
        for batch in model.forward_batches(split, batch_rows):
            self.add(batch.trace)
            if self.is_complete:
                break

    def add(self, trace: Trace) -> None:
        """Add a mini-batch, after its forward pass."""
        for f, active, layer in zip(self.functions, self.active, trace.layers, strict=False):
            derivative, scratch = self._buffers(layer.z)
            with ignore_overflow():
                f.derivative(layer.z, layer.y, derivative, scratch)
            np.not_equal(derivative, 0, out=scratch)
            active[:] += (trace.ones @ scratch).astype(np.int64)

    def _buffers(self, z: Array) -> tuple[Array, Array]:
        """Return two buffers of the shape of z, from memory that all layers share."""
        if self._memory.shape[1] < z.size:
            self._memory = np.empty((2, z.size), z.dtype)
        first, second = (row[: z.size].reshape(z.shape) for row in self._memory)
        return first, second
