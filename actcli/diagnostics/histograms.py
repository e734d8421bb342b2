"""Histograms of the pre-activations and the activations of each layer.

Each histogram has 40 bins. The edges of a layer are chosen once and then kept, so that histograms
of different epochs can be compared. Around 0 the bins of z are narrow, an eighth of the layer's
root mean square; away from 0 they become wider, up to its thirtyfold. So one set of bins shows both
a healthy layer and one whose z have grown tenfold. 0 is an edge, because there a ReLU is
switched on. The first and the last bin also hold the values beyond them. The bins of an activation
divide its range evenly if the range is bounded; otherwise they are those of z.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Split
from actcli.diagnostics.sums import Counts, Sums
from actcli.model import Model
from actcli.nn.activations import Activation
from actcli.nn.arrays import Allocate, Array
from actcli.nn.network import MLP, Trace
from actcli.training.events import HISTOGRAM_BINS, MAX_SCALE

BLOCK = 1 << 15  # values that are counted at a time: they fit into the cache of a core
SCALE_ROWS = 100  # rows on which the z of each layer are measured for its edges
# The edges of z above 0, in units of the layer's scale; those below 0 mirror them. They are rounded
# values of sinh(k / 4), so that the widths grow steadily: a jump would look like a bump of the z.
EDGES = (0.25, 0.5, 0.8, 1.2, 1.6, 2.1, 2.8, 3.6, 4.7, 6, 7.8, 10, 13, 17, 22, 28, 36, 46, 60, 75)
# A layer of tiny z has no smaller scale than this, so that there are bins for the z to grow into.
MIN_SCALE = 0.05

Edges = tuple[float, ...]


@dataclass(frozen=True)
class LayerEdges:
    """The bins of the histograms of a layer.

    Args:
        scale: the unit of the edges of z.
        has_y: whether the layer has activations; False for the output layer.
        y_range: the range of the activation; None if it is not bounded.
    """

    scale: float
    has_y: bool
    y_range: tuple[float, float] | None

    @property
    def z(self) -> Edges:
        """The 41 edges of the pre-activations."""
        above = [float(f"{self.scale * edge:.6g}") for edge in EDGES]
        return (*(-edge for edge in reversed(above)), 0.0, *above)

    @property
    def y(self) -> Edges | None:
        """The 41 edges of the activations; None for the output layer."""
        if not self.has_y:
            return None
        return (
            tuple(np.linspace(*self.y_range, HISTOGRAM_BINS + 1).tolist())
            if self.y_range
            else self.z
        )


@dataclass(frozen=True)
class LayerHistograms:
    """The histograms of one layer, over all its units and all examined rows.

    Args:
        layer: from 1; the output layer is the last.
        activation: its name; None for the output layer.
        z_edges: the 41 edges of the bins of the pre-activations.
        z_counts: the number of pre-activations in each of the 40 bins. The first and the last bin
            include the values beyond them.
        y_edges: the edges of the bins of the activations; None for the output layer.
        y_counts: the number of activations in each bin; None for the output layer.
    """

    layer: int
    activation: str | None
    z_edges: Edges
    z_counts: tuple[int, ...]
    y_edges: Edges | None
    y_counts: tuple[int, ...] | None


def choose_edges(model: Model, split: Split) -> tuple[LayerEdges, ...]:
    """Return bins that suit the z of each layer on a sample of some rows.

    The scale of a layer is half the root mean square of its z, rounded down to 1, 2 or 5 times a
    power of ten.
    """
    rows = split.sample(SCALE_ROWS)
    squares = np.zeros(len(model.network.layers))
    counts = np.zeros_like(squares)
    for batch in model.forward_batches(rows, SCALE_ROWS):
        for index, layer in enumerate(batch.trace.layers):
            for z in layer.z:  # row by row, to need no copy of them all
                finite = z[np.isfinite(z)].astype(np.float64)
                squares[index] += finite @ finite
                counts[index] += finite.size
    sizes = np.sqrt(squares / np.maximum(counts, 1)).tolist()
    functions = (*model.network.activations, None)
    return tuple(_edges(size, f) for size, f in zip(sizes, functions, strict=True))


def _edges(size: float, f: Activation | None) -> LayerEdges:
    scale = _rounded(min(max(size / 2, MIN_SCALE), MAX_SCALE))
    bounded = f is not None and all(map(math.isfinite, f.range))
    return LayerEdges(scale, f is not None, f.range if f is not None and bounded else None)


def _rounded(size: float) -> float:
    """Return the largest number of the form 1, 2 or 5 times a power of ten up to `size`."""
    exponent = math.floor(math.log10(size))
    candidates = [float(f"{digit}e{exponent}") for digit in (1, 2, 5)]
    return max((each for each in candidates if each <= size), default=candidates[0])


class HistogramSums(Sums):
    """Histograms of z and y of each layer, summed over mini-batches.

    Args:
        network: the network whose traces are added.
        edges: of each layer.
        allocate: makes arrays of zeros.
    """

    def __init__(
        self, network: MLP, edges: tuple[LayerEdges, ...], allocate: Allocate = np.zeros
    ) -> None:
        super().__init__(allocate)
        self.names = (*network.activation_names, None)
        self.edges = edges
        dtype = network.parameters.dtype.type
        self._limits = [
            (_limits(layer.z, dtype), None if (y := layer.y) is None else _limits(y, dtype))
            for layer in edges
        ]
        self.z = [self.counts(HISTOGRAM_BINS) for _ in edges]
        self.y = [self.counts(HISTOGRAM_BINS) for layer in edges if layer.has_y]
        self._is_below: NDArray[np.bool_] = np.empty(BLOCK, bool)

    def add(self, trace: Trace) -> None:
        """Add a mini-batch, after its forward pass."""
        for index, (layer, (z, y)) in enumerate(zip(trace.layers, self._limits, strict=True)):
            self._count(layer.z, z, self.z[index])
            if y is not None:
                self._count(layer.y, y, self.y[index])

    def _count(self, values: Array, limits: Array, counts: Counts) -> None:
        """Add the numbers of values between the limits; NaN is in no bin.

        Comparing all values with each limit is ten times as fast as a search for each value,
        because a processor compares many values at once. Blocks of values stay in its cache.
        """
        flat = values.reshape(-1)
        for start in range(0, flat.size, BLOCK):
            block = flat[start : start + BLOCK]
            low, high = block.min(), block.max()
            first, last, size = 0, len(limits), block.size
            if np.isnan(low):
                size -= int(np.count_nonzero(np.isnan(block)))
            else:  # no value is below the first limits, and all are below the last ones
                first, last = np.searchsorted(limits, (low, high), side="right").tolist()
            is_below = self._is_below[: block.size]
            below = [0]
            for limit in limits[first:last]:
                np.less(block, limit, out=is_below)
                below.append(int(np.count_nonzero(is_below)))
            below.append(size)
            counts[first : last + 1] += np.diff(below)

    def histograms(self) -> tuple[LayerHistograms, ...]:
        """Return the histograms of each layer."""
        return tuple(
            LayerHistograms(
                layer=index + 1,
                activation=self.names[index],
                z_edges=edges.z,
                z_counts=tuple(self.z[index].tolist()),
                y_edges=edges.y,
                y_counts=tuple(self.y[index].tolist()) if edges.has_y else None,
            )
            for index, edges in enumerate(self.edges)
        )


def _limits(edges: Edges, dtype: type[np.generic]) -> Array:
    """Return the inner edges in the precision of the values, each rounded up.

    A value is below an edge if and only if it is below this limit.
    """
    exact = np.asarray(edges[1:-1])
    limits: Array = exact.astype(dtype)
    return np.where(limits < exact, np.nextafter(limits, limits.dtype.type(np.inf)), limits)
