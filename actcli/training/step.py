"""One training step: forward, loss, backward, clip, update, in buffers that are made once.

Several threads share a step. Each takes some rows of the batch forward and back; then, when all
know their δ, each collects the gradient of its share of the parameters and updates them. What is
added up is added in a fixed order, so that the result depends on how many threads there are, by
rounding, and on nothing else.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Batches
from actcli.nn.arrays import Array, Labels
from actcli.nn.links import classify
from actcli.nn.network import Trace
from actcli.nn.optimizers import State, clip_by_norm
from actcli.nn.schedules import SCHEDULES
from actcli.nn.shares import Share, cut
from actcli.training.learner import Learner, Targets
from actcli.training.team import Team

# Rows times parameters that make a thread worth the 0.1 ms that it takes to wake and meet it.
WORTH = 4_000_000


@dataclass
class Part:
    """What is one thread's own: a share of the parameters, and what its rows come to."""

    share: Share
    parameters: Array
    gradient: Array
    state: State
    decayed: int  # so many of them are weights
    targets: Targets
    loss: float = 0.0
    right: int = 0
    squares: float = 0.0  # their sum, over the gradient


@dataclass(frozen=True)
class Batch:
    """What the threads share of a batch of so many rows: views of the buffers."""

    inputs: Array
    trace: Trace
    rows: tuple[slice, ...]  # of each thread
    traces: tuple[Trace, ...]  # of each thread's rows


class Step:
    """What takes steps.

    Args:
        learner: what learns.
        batches: from which.
    """

    def __init__(self, learner: Learner, batches: Batches) -> None:
        network, config = learner.network, learner.config
        rows, steps = len(batches.inputs), len(batches)
        self.learner, self.batches = learner, batches
        self.schedule = SCHEDULES[config.optimizer.schedule]
        self.total = config.training.epochs * steps
        self.warmup = config.optimizer.warmup * steps
        self.trace = network.trace(rows, learner.dropout)
        self.gradient = np.empty_like(network.parameters)
        self.gradients = network.views(self.gradient)
        self.before = np.empty_like(network.parameters)
        worth = rows * network.parameters.size // WORTH
        self.team = Team(max(1, min(int(config.training.threads), worth)))
        self.parts = [self._part(share) for share in cut(network.shapes, self.team.size)]
        self.made: dict[int, Batch] = {}  # by the number of rows: that of most, and of the last

    def _part(self, share: Share) -> Part:
        network, state = self.learner.network, self.learner.state
        return Part(
            share,
            network.parameters[share.span],
            self.gradient[share.span],
            state.part(share.span),
            max(0, network.weight_count - share.span.start),
            Targets(self.learner, len(self.batches.inputs)),
        )

    def learning_rate(self) -> float:
        """Of the next step."""
        peak = float(self.learner.config.optimizer.learning_rate)
        return peak * self.schedule(self.learner.state.step, self.total, self.warmup)

    def take(
        self, rows: NDArray[np.intp], labels: Labels, learning_rate: float
    ) -> tuple[float, int]:
        """Update the parameters, unless the loss is not finite.

        Args:
            rows: of the pixels, those of a batch.
            labels: theirs.
            learning_rate: of this step.

        Returns:
            The summed loss of the batch, and how many of its rows were classified right.
        """
        self.rows, self.labels, self.rate = rows, labels, learning_rate
        self.batch = self.made.get(len(rows)) or self._make(len(rows))
        self.batch.trace.draw_masks()
        # What overflows makes the loss infinite or NaN, and that is looked for.
        with np.errstate(over="ignore", invalid="ignore"):
            if self.learner.config.optimizer.clip_norm:
                self.team.run(self._go_forth_and_back, self._collect, self._update)
            else:
                self.team.run(self._go_forth_and_back, self._collect_and_update)
        if math.isfinite(loss := self._loss()):
            self.learner.state.step += 1
        return loss, sum([part.right for part in self.parts])

    def _loss(self) -> float:
        return sum([part.loss for part in self.parts])

    def _make(self, rows: int) -> Batch:
        trace, count = self.trace.first(rows), self.team.size
        bounds = [rows * thread // count for thread in range(count + 1)]
        mine = tuple(map(slice, bounds[:-1], bounds[1:]))
        traces = tuple(trace.part(each) for each in mine)
        self.made[rows] = Batch(self.batches.inputs[:rows], trace, mine, traces)
        return self.made[rows]

    def _go_forth_and_back(self, thread: int) -> None:
        """The scores of the thread's rows, their loss, and the δ of every layer."""
        network, part, trace = self.learner.network, self.parts[thread], self.batch.traces[thread]
        mine, last = self.batch.rows[thread], trace.passes[-1]
        labels = self.labels[mine]
        inputs = self.batches.load(self.rows[mine], mine.start)
        scores = network.forward(inputs, trace)
        part.right = int(np.count_nonzero(classify(scores) == labels))
        losses = self.learner.loss(scores, part.targets(labels), last.delta, last.work)
        part.loss = float(losses.sum(dtype=np.float64))
        np.multiply(last.delta, 1 / len(self.labels), out=last.delta)
        network.send_back(trace)

    def _collect(self, thread: int) -> None:
        """The gradient of the thread's share of the parameters."""
        batch, part = self.batch, self.parts[thread]
        share = part.share if self.team.size > 1 else None
        self.learner.network.collect(batch.inputs, batch.trace, self.gradients, share)
        if self.learner.config.optimizer.clip_norm:
            part.squares = float(np.vdot(part.gradient, part.gradient))

    def _update(self, thread: int) -> None:
        """The thread's share of the parameters, once all of the gradient is known."""
        if not math.isfinite(self._loss()):
            return
        learner, part = self.learner, self.parts[thread]
        if limit := learner.config.optimizer.clip_norm:
            clip_by_norm(part.gradient, limit, sum(part.squares for part in self.parts))
        part.state.step = learner.state.step
        learner.optimizer.step(part.parameters, part.gradient, part.state, self.rate, part.decayed)

    def _collect_and_update(self, thread: int) -> None:
        """Both at once: without clipping, no share depends on another."""
        self._collect(thread)
        self._update(thread)

    def remember(self) -> None:
        """Keep the parameters as they are, for `update_ratios` after the next step."""
        np.copyto(self.before, self.learner.network.parameters)

    def update_ratios(self) -> tuple[float, ...]:
        """Of each layer, the root mean square of the last update over that of the weights."""
        network = self.learner.network
        update = np.subtract(network.parameters, self.before, out=self.gradient)
        return tuple(
            _norm(change.weights) / (_norm(layer.weights) or math.inf)
            for change, layer in zip(network.views(update), network.layers, strict=True)
        )


def _norm(weights: Array) -> float:
    return math.sqrt(np.vdot(weights, weights))
