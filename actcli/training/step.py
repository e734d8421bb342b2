"""One training step: forward, loss, backward, clip, update, in buffers that are made once.

Several processes share a step. Each takes some rows of the batch forward and back; then, when all
have their δ, each collects the gradient of its share of the parameters and updates them. What is
added up is added in a fixed order, so that the result depends on how many there are, by rounding,
and on nothing else.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Batches
from actcli.nn.active_columns import ActiveColumns
from actcli.nn.arrays import Allocate, Array, Labels, ignore_overflow
from actcli.nn.links import classify
from actcli.nn.network import Trace
from actcli.nn.optimizers import OptimizerState, clip_by_norm
from actcli.nn.schedules import SCHEDULES
from actcli.nn.shards import Shard, cut_shards
from actcli.training.evaluation import TargetRows
from actcli.training.learner import Learner
from actcli.training.parallel.workers import WorkerGroup, shared_zeros

ALONE = "With --workers 1 there is one process only"

# Rows times parameters that make a process worth the 0.02 ms that it takes to meet it.
MIN_WORK_PER_WORKER = 1_000_000

# Rows times units of the first layer from which it pays to leave out inputs that are 0.
MIN_WORK_FOR_ACTIVE_COLUMNS = 8192


class SharedBatch:
    """What the members of a team tell each other: the batch, and what each has found in it."""

    def __init__(self, rows: int, members: int, allocate: Allocate) -> None:
        index, number = np.dtype(np.intp), np.dtype(np.float64)
        self.rows = allocate((rows,), index)  # of the pixels, those of the batch
        self.labels = allocate((rows,), index)
        self.size = allocate((1,), index)  # how many rows the batch has
        self.step = allocate((1,), index)  # how many were taken before
        self.rate = allocate((1,), number)
        self.losses = allocate((members,), number)  # summed over the rows of each
        self.right = allocate((members,), index)
        self.squares = allocate((members,), number)  # summed over the gradient of each

    def write(
        self, rows: NDArray[np.intp], labels: Labels, step: int, learning_rate: float
    ) -> None:
        """Set the next step."""
        count = len(rows)
        self.rows[:count], self.labels[:count], self.size[0] = rows, labels, count
        self.step[0], self.rate[0] = step, learning_rate

    def loss(self) -> float:
        """Summed over the batch."""
        return float(self.losses.sum())


@dataclass(frozen=True)
class WorkerState:
    """What is one member's own: a share of the parameters, and the targets of its rows."""

    share: Shard
    parameters: Array
    gradient: Array
    state: OptimizerState
    decayed: int  # so many of them are weights
    targets: TargetRows
    room: Array  # see Lit


@dataclass(frozen=True)
class Batch:
    """What the members share of a batch of so many rows: views of the buffers."""

    trace: Trace
    rows: tuple[slice, ...]  # of each member
    traces: tuple[Trace, ...]  # of each member's rows


class Step:
    """What takes steps, until it is closed.

    Args:
        learner: what learns. Where several processes share the steps, its parameters and slots move
            to memory that they share.

    Raises:
        ActcliError: the processes cannot be started.
    """

    def __init__(self, learner: Learner) -> None:
        network, config, data = learner.network, learner.config, learner.dataset
        rows = min(config.training.batch_size, len(data.train))
        worth = max(1, rows * network.parameters.size // MIN_WORK_PER_WORKER)
        members = min(int(config.training.workers), worth)
        allocate: Allocate = shared_zeros if members > 1 else np.empty
        if members > 1:
            network.move(allocate)
            learner.state.move(allocate)
        self.leaves_out = rows * network.sizes[1] >= MIN_WORK_FOR_ACTIVE_COLUMNS
        self.learner, self.clipped = learner, config.optimizer.clip_norm > 0
        self.batches = Batches(data.train, data.normalization, rows, allocate=allocate)
        self.schedule = SCHEDULES[config.optimizer.schedule]
        self.total = config.training.epochs * len(self.batches)
        self.warmup = config.optimizer.warmup * len(self.batches)
        self.trace = network.trace(rows, learner.dropout, allocate)
        self.gradient = allocate(network.parameters.shape, network.parameters.dtype)
        self.gradients = network.views(self.gradient)
        self.before = np.empty_like(network.parameters)
        self.board = SharedBatch(rows, members, allocate)
        self.parts = [self._part(share) for share in cut_shards(network.shapes, members)]
        self.made: dict[int, Batch] = {}  # by the number of rows: that of most, and of the last
        update = (self._collect, self._update) if self.clipped else (self._collect_and_update,)
        with ignore_overflow():
            self.team = WorkerGroup(members, (self._go_forth_and_back, *update), ALONE)

    def _part(self, share: Shard) -> WorkerState:
        network, state = self.learner.network, self.learner.state
        return WorkerState(
            share,
            network.parameters[share.span],
            self.gradient[share.span],
            state.part(share.span),
            max(0, network.weight_count - share.span.start),
            TargetRows(
                self.learner.loss,
                len(self.learner.dataset.classes),
                len(self.batches.inputs),
                network.parameters.dtype,
            ),
            np.empty_like(network.layers[0].weights.T),
        )

    def close(self) -> None:
        """Take no more steps."""
        self.team.close()

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

        Raises:
            ActcliError: a process of the team has died; the parameters are half updated.
        """
        self.board.write(rows, labels, self.learner.state.step, learning_rate)
        self.trace.first(len(rows)).draw_masks()
        with ignore_overflow():
            self.team.run()
            loss = self.board.loss()
        if math.isfinite(loss):
            self.learner.state.step += 1
        return loss, int(self.board.right.sum())

    def _batch(self) -> Batch:
        """That of the board."""
        rows, count = int(self.board.size[0]), len(self.parts)
        if rows not in self.made:
            trace = self.trace.first(rows)
            bounds = [rows * number // count for number in range(count + 1)]
            mine = tuple(map(slice, bounds[:-1], bounds[1:]))
            traces = tuple(trace.part(each) for each in mine)
            self.made[rows] = Batch(trace, mine, traces)
        return self.made[rows]

    def _go_forth_and_back(self, member: int) -> None:
        """The scores of the member's rows, their loss, and the δ of every layer."""
        network, board, batch = self.learner.network, self.board, self._batch()
        trace, mine = batch.traces[member], batch.rows[member]
        last, labels = trace.passes[-1], board.labels[mine]
        count = int(board.size[0])
        rows = board.rows[:count]
        self.inputs, columns = self.batches.load_part(rows, mine, self.leaves_out)
        self.lit = None if columns is None else ActiveColumns(columns, self.parts[member].room)
        scores = network.forward(self.inputs[mine], trace, self.lit)
        board.right[member] = np.count_nonzero(classify(scores) == labels)
        losses = self.learner.loss(
            scores, self.parts[member].targets(labels), last.delta, last.work
        )
        board.losses[member] = losses.sum(dtype=np.float64)
        np.multiply(last.delta, 1 / count, out=last.delta)
        network.send_back(trace)

    def _collect(self, member: int) -> None:
        """The gradient of the member's share of the parameters."""
        batch, part = self._batch(), self.parts[member]
        share = part.share if len(self.parts) > 1 else None
        network, lit = self.learner.network, self.lit
        network.collect(self.inputs, batch.trace, self.gradients, share, lit)
        if self.clipped:
            self.board.squares[member] = np.vdot(part.gradient, part.gradient)

    def _update(self, member: int) -> None:
        """The member's share of the parameters, once all of the gradient is known."""
        learner, board, part = self.learner, self.board, self.parts[member]
        if not math.isfinite(board.loss()):
            return
        if self.clipped:
            limit = learner.config.optimizer.clip_norm
            clip_by_norm(part.gradient, limit, float(board.squares.sum()))
        part.state.step = int(board.step[0])
        rate = float(board.rate[0])
        learner.optimizer.step(part.parameters, part.gradient, part.state, rate, part.decayed)

    def _collect_and_update(self, member: int) -> None:
        """Both at once: without clipping, no share depends on another."""
        self._collect(member)
        self._update(member)

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
    rows = weights.T  # as they lie in memory; otherwise they would be copied
    return math.sqrt(np.vdot(rows, rows))
