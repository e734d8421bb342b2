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

from actcli.datasets.batches import Batches, Normalization, Split
from actcli.diagnostics.outputs import OutputSums
from actcli.diagnostics.sums import Activity, Counts, InputSums, LayerSums, Sums, Vector
from actcli.nn.arrays import Allocate, Array, Labels, ignore_overflow
from actcli.nn.losses import Loss
from actcli.nn.network import MLP, Trace
from actcli.training.parallel.workers import run_on_workers, shared_zeros

ROWS = 500  # of a batch: large enough for the matrix products, small enough for the cache
MIN_WORK_PER_WORKER = 500_000_000  # rows times parameters that make a process worth starting


@dataclass(frozen=True, eq=False)
class Subject:
    """What is examined: a network, what it was trained to do, and what it is examined on.

    Args:
        network: in any precision.
        loss: with its link.
        normalization: that the network was trained with.
        classes: the names of the K classes.
        threads: how many processes may share its rows; what they add up to depends on it by
            rounding.
    """

    network: MLP
    loss: Loss
    normalization: Normalization
    classes: tuple[str, ...]
    threads: int = 1


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

    def __init__(self, subject: Subject, allocate: Allocate) -> None:
        super().__init__(allocate)
        network = subject.network
        bounds = (*(f.bound for f in network.activations), None)
        self.layers = tuple(
            LayerSums(units, bound, allocate)
            for units, bound in zip(network.sizes[1:], bounds, strict=True)
        )
        self.gradient = self.sums(network.parameters.size)
        self.outputs = OutputSums(subject.loss, len(subject.classes), allocate)
        self.inputs = InputSums(allocate)
        for part in (*self.layers, self.outputs, self.inputs):
            self.arrays += part.arrays

    def look(self, subject: Subject, split: Split) -> None:
        """Take in the rows of a split."""
        network = subject.network
        part = np.empty_like(network.parameters)
        part_views = network.views(part)
        for inputs, labels, losses, trace in _forward(subject, split):
            self.inputs.add(inputs)
            self.outputs.add(trace.scores, losses, labels)
            network.backward(inputs, trace, part_views)
            self.gradient += part
            for index, layer in enumerate(self.layers):
                layer.add(trace, index)


class ForwardAccumulator(Sums):
    """What a forward pass alone adds up to."""

    def __init__(self, subject: Subject, allocate: Allocate) -> None:
        super().__init__(allocate)
        self.loss = self.sums()
        self.activity = Activity(subject.network, allocate)
        self.arrays += self.activity.arrays

    def look(self, subject: Subject, split: Split) -> None:
        """Take in the rows of a split."""
        for _, _, losses, trace in _forward(subject, split):
            self.loss += float(losses.sum(dtype=np.float64))
            self.activity.add(trace)


Seen = TypeVar("Seen", ProbeSums, ForwardAccumulator)


def forward_pass(subject: Subject, split: Split) -> ForwardSums:
    """Look at a network on all rows of a split, forward alone: a third of the work of a probe."""
    seen = _add_up(ForwardAccumulator, subject, split)
    return ForwardSums(float(seen.loss) / len(split), seen.activity.active)


def probe(subject: Subject, split: Split) -> Probe:
    """Examine a network on all rows of a split.

    The network is left as it is. What overflows shows in the result as inf or NaN.

    Raises:
        ActcliError: a process that shares the rows has died.
    """
    seen = _add_up(ProbeSums, subject, split)
    return Probe(len(split), seen.layers, seen.gradient, seen.outputs, seen.inputs)


def _add_up(kind: type[Seen], subject: Subject, split: Split) -> Seen:
    """Add up all rows of a split: each process some, and then all of them."""
    work = len(split) * subject.network.parameters.size
    size = max(1, min(subject.threads, work // MIN_WORK_PER_WORKER, len(split) // ROWS))
    bounds = [len(split) * number // size for number in range(size + 1)]
    parts = [split.part(slice(*ends)) for ends in pairwise(bounds)]
    seen = [kind(subject, shared_zeros if size > 1 else np.zeros) for _ in parts]
    run_on_workers(lambda number: seen[number].look(subject, parts[number]), size)
    for other in seen[1:]:
        seen[0].include(other)
    return seen[0]


def _forward(subject: Subject, split: Split) -> Iterator[tuple[Array, Labels, Array, Trace]]:
    """Inputs, labels and losses of each batch, and what its forward pass leaves."""
    network, loss = subject.network, subject.loss
    rows = min(ROWS, len(split))
    dtype = network.parameters.dtype
    whole = network.trace(rows)
    target_rows = loss.targets(len(subject.classes)).astype(dtype)
    with ignore_overflow():
        for inputs, labels in Batches(split, subject.normalization, rows, dtype.type)():
            trace = whole.first(len(labels))
            last = trace.passes[-1]
            scores = network.forward(inputs, trace)
            losses = loss(scores, target_rows[labels], last.delta, last.work)
            yield inputs, labels, losses, trace
