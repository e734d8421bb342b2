"""The probe: one exact pass over every row of a split, from which all that is told is computed.

Each batch goes forward and back as in training, but nothing is updated; what the layers hold then
is added up in float64, in the order of the rows. So the result does not depend on the size of a
batch, except for rounding, and the memory does not depend on the number of rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Batches, Normalization, Split
from actcli.diagnostics.outputs import OutputSums
from actcli.nn.arrays import Array
from actcli.nn.losses import Loss
from actcli.nn.network import MLP, Trace

ROWS = 500  # of a batch: large enough for the matrix products, small enough for the cache
SATURATED = 0.05  # of sup|f'|: a slope below this share lets next to nothing through

Vector = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Subject:
    """What is examined: a network, what it was trained to do, and what it is examined on.

    Args:
        network: in any precision.
        loss: with its link.
        normalization: that the network was trained with.
        classes: the names of the K classes.
    """

    network: MLP
    loss: Loss
    normalization: Normalization
    classes: tuple[str, ...]


class InputSums:
    """What the inputs, after normalisation, add up to."""

    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, 0.0, 0.0

    def add(self, inputs: Array) -> None:
        """Take in inputs (n, D)."""
        flat = inputs.reshape(-1)
        self.count += flat.size
        self.total += float(flat.sum())  # in pairs, and so right to rounding
        self.squares += float(flat @ flat)

    @property
    def mean(self) -> float:
        """Of all pixels."""
        return self.total / self.count

    @property
    def root_mean_square(self) -> float:
        """Of all pixels: how large an input is."""
        return float(np.sqrt(self.squares / self.count))


class LayerSums:
    """What one layer's share of the pass adds up to.

    Args:
        units: how many the layer has.
        bound: sup|f'| of its activation; None for the layer of the scores, which has none.
    """

    def __init__(self, units: int, bound: float | None) -> None:
        self.bound = bound
        self.delta_norm = 0.0  # Σ ‖δᵢ‖₂
        self.slope = 0.0  # Σ |f'(z)| over rows and units
        self.saturated = 0  # (row, unit) pairs with |f'(z)| below 5 % of its bound
        self.active: Counts = np.zeros(units, np.int64)  # rows with f'(z) ≠ 0, by unit

    def add(self, trace: Trace, index: int) -> None:
        """Take in the layer of that index, after a forward and a backward pass."""
        at = trace.passes[index]
        self.delta_norm += float(np.sqrt(np.vecdot(at.delta, at.delta)).sum(dtype=np.float64))
        if self.bound is None:
            return
        scratch = at.y  # of no more use after the backward pass
        np.abs(at.work, out=scratch)
        self.slope += float((trace.ones @ scratch).sum(dtype=np.float64))
        self.saturated += int(np.count_nonzero(scratch < SATURATED * self.bound))
        np.not_equal(at.work, 0, out=scratch)
        self.active += (trace.ones @ scratch).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Probe:
    """The sums of a pass.

    Args:
        rows: N, how many rows were seen.
        layers: from the first hidden layer to the scores.
        gradient: Σ ∂ℓᵢ/∂parameters, of the length of the parameters.
        outputs: of the predictions.
        inputs: of what the first layer received.
    """

    rows: int
    layers: tuple[LayerSums, ...]
    gradient: Vector
    outputs: OutputSums
    inputs: InputSums


class Activity:
    """On how many rows each hidden unit is active: all that it takes is a forward pass."""

    def __init__(self, network: MLP) -> None:
        self.functions = network.activations
        self.active = tuple(np.zeros(units, np.int64) for units in network.sizes[1:-1])

    def add(self, trace: Trace) -> None:
        """Take in a batch, after a forward pass."""
        for f, active, at in zip(self.functions, self.active, trace.passes, strict=False):
            f.derivative(at.z, at.y, at.work, at.delta)
            np.not_equal(at.work, 0, out=at.delta)
            active[:] += (trace.ones @ at.delta).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Glance:
    """What a forward pass alone shows.

    Args:
        loss: mean over the rows.
        active: rows on which each hidden unit is active, layer by layer.
    """

    loss: float
    active: tuple[Counts, ...]


def glance(subject: Subject, split: Split) -> Glance:
    """Look at a network on all rows of a split, forward alone: a third of the work of a probe."""
    network, loss = subject.network, subject.loss
    rows = min(ROWS, len(split))
    dtype = network.parameters.dtype
    whole, total = network.trace(rows), 0.0
    target_rows = loss.targets(len(subject.classes)).astype(dtype)
    activity = Activity(network)
    with np.errstate(over="ignore", invalid="ignore"):
        for inputs, labels in Batches(split, subject.normalization, rows, dtype.type)():
            trace = whole.first(len(inputs))
            scores = network.forward(inputs, trace)
            last = trace.passes[-1]
            losses = loss(scores, target_rows[labels], last.delta, last.work)
            total += float(losses.sum(dtype=np.float64))
            activity.add(trace)
    return Glance(total / len(split), activity.active)


def probe(subject: Subject, split: Split) -> Probe:
    """Examine a network on all rows of a split.

    The network is left as it is. What overflows shows in the result as inf or NaN.
    """
    network, loss = subject.network, subject.loss
    rows = min(ROWS, len(split))
    dtype = network.parameters.dtype
    whole = network.trace(rows)
    target_rows = loss.targets(len(subject.classes)).astype(dtype)
    bounds = [f.bound for f in network.activations]
    layers = tuple(
        LayerSums(units, bound)
        for units, bound in zip(network.sizes[1:], [*bounds, None], strict=True)
    )
    outputs, seen = OutputSums(loss, len(subject.classes)), InputSums()
    gradient = np.zeros(network.parameters.size)
    part = np.empty_like(network.parameters)
    part_views = network.views(part)
    with np.errstate(over="ignore", invalid="ignore"):
        for inputs, labels in Batches(split, subject.normalization, rows, dtype.type)():
            seen.add(inputs)
            trace = whole.first(len(labels))
            last = trace.passes[-1]
            scores = network.forward(inputs, trace)
            targets = target_rows[labels]
            losses = loss(scores, targets, last.delta, last.work)
            outputs.add(scores, losses, labels)
            network.backward(inputs, trace, part_views)
            gradient += part
            for index, layer in enumerate(layers):
                layer.add(trace, index)
    return Probe(len(split), layers, gradient, outputs, seen)
