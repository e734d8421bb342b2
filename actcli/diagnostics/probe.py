"""The probe: one exact pass over every row of a split, which yields all measurements.

Each mini-batch makes a forward and a backward pass as in training, without an update. The traces
are summed in float64, in the order of the rows. Another size of the mini-batches changes the result
only by rounding. The memory does not depend on the number of rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np

from actcli.datasets.batches import Split
from actcli.diagnostics.histograms import HistogramSums, LayerEdges
from actcli.diagnostics.outputs import OutputSums
from actcli.diagnostics.sums import Activity, Counts, InputSums, LayerSums, Sums, Vector
from actcli.model import ForwardBatch, Model
from actcli.nn.arrays import Allocate, Array, ignore_overflow
from actcli.training.evaluation import RowLosses
from actcli.training.parallel.workers import run_on_workers, shared_zeros

ROWS = 500  # of a mini-batch: enough for fast matrix products, few enough for the cache
# Rows times parameters, for each worker; below, starting a process costs more time than it saves.
MIN_WORK_PER_WORKER = 500_000_000


@dataclass(frozen=True, eq=False)
class Probe:
    """The sums over a forward and a backward pass.

    Args:
        rows: N, number of examined rows.
        layers: the sums of each layer, the output layer last.
        gradient: Σ ∂ℓᵢ/∂parameters, of the shape of the parameter vector.
        outputs: sums over the predictions.
        inputs: sums over the normalized inputs.
        histograms: of each layer; None unless their edges were given.
    """

    rows: int
    layers: tuple[LayerSums, ...]
    gradient: Vector
    outputs: OutputSums
    inputs: InputSums
    histograms: HistogramSums | None = None


@dataclass(frozen=True, eq=False)
class ForwardSums:
    """The result of a forward pass over a split.

    Args:
        loss: mean loss of the rows.
        active: for each hidden layer, the number of rows on which each unit is active, shape
            (units,).
    """

    loss: float
    active: tuple[Counts, ...]


class ProbeSums(Sums):
    """Sums over a forward and a backward pass.

    Args:
        model: the model to examine.
        allocate: makes arrays of zeros.
        edges: of the histograms of each layer; None for no histograms.
    """

    def __init__(
        self, model: Model, allocate: Allocate, edges: tuple[LayerEdges, ...] | None = None
    ) -> None:
        super().__init__(allocate)
        network = model.network
        bounds = (*(f.bound for f in network.activations), None)
        self.layers = tuple(
            LayerSums(units, bound, allocate)
            for units, bound in zip(network.sizes[1:], bounds, strict=True)
        )
        self.gradient = self.sums(network.parameters.size)
        self.outputs = OutputSums(model.loss, len(model.classes), allocate)
        self.inputs = InputSums(allocate)
        self.histograms = HistogramSums(network, edges, allocate) if edges else None
        parts = (*self.layers, self.outputs, self.inputs)
        for part in (*parts, self.histograms) if self.histograms else parts:
            self.arrays += part.arrays

    def add_split(self, model: Model, split: Split) -> None:
        """Add the rows of a split."""
        network = model.network
        gradient = np.empty_like(network.parameters)
        gradient_views = network.views(gradient)
        widest = max(network.sizes[1:])
        scratch = np.empty(min(ROWS, len(split)) * widest, network.parameters.dtype)
        with ignore_overflow():
            for batch, losses in _losses(model, split):
                inputs, trace = batch.inputs, batch.trace
                self.inputs.add(inputs)
                self.outputs.add(trace.logits, losses, batch.labels)
                network.backward(inputs, trace, gradient_views)
                self.gradient += gradient
                for index, layer in enumerate(self.layers):
                    layer.add(trace, index, scratch)
                if self.histograms:
                    self.histograms.add(trace)


class ForwardAccumulator(Sums):
    """Sums over a forward pass."""

    def __init__(self, model: Model, allocate: Allocate) -> None:
        super().__init__(allocate)
        self.loss = self.sums()
        self.activity = Activity(model.network, allocate)
        self.arrays += self.activity.arrays

    def add_split(self, model: Model, split: Split) -> None:
        """Add the rows of a split."""
        with ignore_overflow():
            for batch, losses in _losses(model, split):
                self.loss += float(losses.sum(dtype=np.float64))
                self.activity.add(batch.trace)


PassSums = TypeVar("PassSums", ProbeSums, ForwardAccumulator)


def forward_pass(model: Model, split: Split, workers: int = 1) -> ForwardSums:
    """Return loss and activity of a model on all rows of a split. It takes a third of a probe."""
    sums = _add_up(ForwardAccumulator, model, split, workers)
    return ForwardSums(float(sums.loss) / len(split), sums.activity.active)


def probe(
    model: Model, split: Split, workers: int = 1, edges: tuple[LayerEdges, ...] | None = None
) -> Probe:
    """Return the sums over all rows of a split. No parameter of the model changes.

    Args:
        model: the model to examine.
        split: the rows, at least one.
        workers: largest number of processes that share the rows. Their number changes the sums
            only by rounding.
        edges: of the histograms of each layer; None for no histograms.

    Returns:
        The sums. Those in which a number overflowed are infinite or NaN.

    Raises:
        ActcliError: a worker has died.
    """
    sums = _add_up(partial(ProbeSums, edges=edges), model, split, workers)
    return Probe(len(split), sums.layers, sums.gradient, sums.outputs, sums.inputs, sums.histograms)


def _add_up(
    kind: Callable[[Model, Allocate], PassSums], model: Model, split: Split, workers: int
) -> PassSums:
    """Sum over all rows of a split: each worker sums some of them, then the sums are merged."""
    work = len(split) * model.network.parameters.size
    size = max(1, min(workers, work // MIN_WORK_PER_WORKER, len(split) // ROWS))
    bounds = [len(split) * number // size for number in range(size + 1)]
    parts = [split.subset(slice(*ends)) for ends in pairwise(bounds)]
    sums = [kind(model, shared_zeros if size > 1 else np.zeros) for _ in parts]
    run_on_workers(lambda number: sums[number].add_split(model, parts[number]), size)
    for other in sums[1:]:
        sums[0].merge(other)
    return sums[0]


def _losses(model: Model, split: Split) -> Iterator[tuple[ForwardBatch, Array]]:
    """Yield each mini-batch after its forward pass, with its losses (N,).

    The trace holds the δ of the logits, from which a backward pass can start.
    """
    row_losses = RowLosses(model, min(ROWS, len(split)))
    for batch in model.forward_batches(split, ROWS):
        last = batch.trace.layers[-1]
        yield batch, row_losses(last.z, batch.labels, last.delta, last.derivative)
