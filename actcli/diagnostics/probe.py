"""The probe: one exact pass over every row of a split, from which all that is told is computed.

Each batch goes forward and back as in training, but nothing is updated; what the layers hold then
is added up in float64, in the order of the rows. So the result does not depend on the size of a
batch, except for rounding, and the memory does not depend on the number of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from actcli.datasets.batches import Split
from actcli.diagnostics.outputs import OutputSums
from actcli.diagnostics.sums import Activity, Counts, InputSums, LayerSums, Sums, Vector
from actcli.model import ForwardBatch, Model
from actcli.nn.arrays import Allocate, Array, ignore_overflow
from actcli.training.parallel.workers import run_on_workers, shared_zeros

ROWS = 500  # of a batch: large enough for the matrix products, small enough for the cache
MIN_WORK_PER_WORKER = 500_000_000  # rows times parameters that make a process worth starting


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


@dataclass(frozen=True, eq=False)
class ForwardSums:
    """What a forward pass alone shows.

    Args:
        loss: mean over the rows.
        active: rows on which each hidden unit is active, layer by layer.
    """

    loss: float
    active: tuple[Counts, ...]


class ProbeSums(Sums):
    """What a pass forward and back adds up to."""

    def __init__(self, model: Model, allocate: Allocate) -> None:
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
        for part in (*self.layers, self.outputs, self.inputs):
            self.arrays += part.arrays

    def look(self, model: Model, split: Split) -> None:
        """Take in the rows of a split."""
        network = model.network
        part = np.empty_like(network.parameters)
        part_views = network.views(part)
        widest = max(network.sizes[1:])
        scratch = np.empty(min(ROWS, len(split)) * widest, network.parameters.dtype)
        with ignore_overflow():
            for batch, losses in _losses(model, split):
                inputs, trace = batch.inputs, batch.trace
                self.inputs.add(inputs)
                self.outputs.add(trace.logits, losses, batch.labels)
                network.backward(inputs, trace, part_views)
                self.gradient += part
                for index, layer in enumerate(self.layers):
                    layer.add(trace, index, scratch)


class ForwardAccumulator(Sums):
    """What a forward pass alone adds up to."""

    def __init__(self, model: Model, allocate: Allocate) -> None:
        super().__init__(allocate)
        self.loss = self.sums()
        self.activity = Activity(model.network, allocate)
        self.arrays += self.activity.arrays

    def look(self, model: Model, split: Split) -> None:
        """Take in the rows of a split."""
        with ignore_overflow():
            for batch, losses in _losses(model, split):
                self.loss += float(losses.sum(dtype=np.float64))
                self.activity.add(batch.trace)


Seen = TypeVar("Seen", ProbeSums, ForwardAccumulator)


def forward_pass(model: Model, split: Split, workers: int = 1) -> ForwardSums:
    """Look at a network on all rows of a split, forward alone: a third of the work of a probe."""
    seen = _add_up(ForwardAccumulator, model, split, workers)
    return ForwardSums(float(seen.loss) / len(split), seen.activity.active)


def probe(model: Model, split: Split, workers: int = 1) -> Probe:
    """Examine a network on all rows of a split.

    The network is left as it is. What overflows shows in the result as inf or NaN.

    Args:
        workers: processes that may share the rows; the sums depend on their number by rounding.

    Raises:
        ActcliError: a process that shares the rows has died.
    """
    seen = _add_up(ProbeSums, model, split, workers)
    return Probe(len(split), seen.layers, seen.gradient, seen.outputs, seen.inputs)


def _add_up(kind: type[Seen], model: Model, split: Split, workers: int) -> Seen:
    """Add up all rows of a split: each process some, and then all of them."""
    work = len(split) * model.network.parameters.size
    size = max(1, min(workers, work // MIN_WORK_PER_WORKER, len(split) // ROWS))
    bounds = [len(split) * number // size for number in range(size + 1)]
    parts = [split.subset(slice(*ends)) for ends in pairwise(bounds)]
    seen = [kind(model, shared_zeros if size > 1 else np.zeros) for _ in parts]
    run_on_workers(lambda number: seen[number].look(model, parts[number]), size)
    for other in seen[1:]:
        seen[0].include(other)
    return seen[0]


def _losses(model: Model, split: Split) -> Iterator[tuple[ForwardBatch, Array]]:
    """Yield each mini-batch after its forward pass with its losses (N,); the logits' δ is set."""
    dtype = model.network.parameters.dtype
    target_rows = model.loss.targets(len(model.classes)).astype(dtype)
    for batch in model.forward_batches(split, ROWS):
        last = batch.trace.layers[-1]
        yield batch, model.loss(last.z, target_rows[batch.labels], last.delta, last.derivative)
