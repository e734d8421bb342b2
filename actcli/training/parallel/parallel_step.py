"""One training step on several workers, in the phases of `training/step.py`.

Each worker takes some rows of the mini-batch through the forward and the backward pass. Once
all δ are computed, each worker computes the gradient of its shard of the parameters and updates
that shard. Sums have a fixed order: another number of workers changes the result only by rounding,
and the same number gives the same bits.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from actcli.nn.active_columns import Inputs
from actcli.nn.arrays import Allocate, Array, Labels, aligned_empty, ignore_overflow
from actcli.nn.links import classify
from actcli.nn.network import Trace
from actcli.nn.optimizers import OptimizerState, clip_by_norm
from actcli.training.evaluation import RowLosses
from actcli.training.learner import Learner
from actcli.training.parallel.shards import Shard, cut_shards
from actcli.training.parallel.workers import Phase, WorkerGroup, shared_zeros
from actcli.training.step import Step

# Rows of a mini-batch times parameters, for each worker. Below this, a worker costs more time at
# barriers (0.02 ms each) than it saves.
MIN_WORK_PER_WORKER = 1_000_000

HINT = "With --workers 1 there is one process only"


def make_step(learner: Learner) -> Step:
    """Return the step of a learner, on the configured number of workers or fewer.

    A small step uses fewer workers: see `MIN_WORK_PER_WORKER`.

    Raises:
        ActcliError: the worker processes cannot be started.
    """
    config = learner.config.training
    rows = min(config.batch_size, len(learner.dataset.train))
    work = rows * learner.network.parameters.size
    workers = min(config.workers, max(1, work // MIN_WORK_PER_WORKER))
    return ParallelStep(learner, workers) if workers > 1 else Step(learner)


class SharedBatch:
    """The mini-batch of a step and the sums over its rows, in shared memory."""

    def __init__(self, rows: int, workers: int, allocate: Allocate) -> None:
        index, number = np.dtype(np.intp), np.dtype(np.float64)
        self._rows = allocate((rows,), index)
        self._labels = allocate((rows,), index)
        self._count = allocate((1,), index)
        self._step = allocate((1,), index)
        self._learning_rate = allocate((1,), number)
        self.losses = allocate((workers,), number)  # summed over the rows of each worker
        self.right = allocate((workers,), index)
        self.squares = allocate((workers,), number)  # summed over the gradient of each shard

    def write(
        self, rows: NDArray[np.intp], labels: Labels, step: int, learning_rate: float
    ) -> None:
        """Set the next mini-batch, the number of steps taken before it, and its learning rate."""
        count = len(rows)
        self._rows[:count], self._labels[:count], self._count[0] = rows, labels, count
        self._step[0], self._learning_rate[0] = step, learning_rate

    @property
    def rows(self) -> NDArray[np.intp]:
        """The row numbers of the mini-batch in the data set."""
        return self._rows[: self.count]

    @property
    def labels(self) -> Labels:
        """The labels of the rows."""
        return self._labels[: self.count]

    @property
    def count(self) -> int:
        """The number of rows."""
        return int(self._count[0])

    @property
    def step(self) -> int:
        """The number of steps before this one."""
        return int(self._step[0])

    @property
    def learning_rate(self) -> float:
        """The learning rate of this step."""
        return float(self._learning_rate[0])

    @property
    def loss(self) -> float:
        """The loss, summed over all rows."""
        return float(self.losses.sum())


@dataclass(frozen=True)
class WorkerState:
    """One worker's shard of the parameters, and buffers that it shares with no other worker."""

    shard: Shard
    parameters: Array
    gradient: Array
    optimizer_state: OptimizerState
    decayed: int  # the number of weights in the shard; weight decay leaves biases alone
    row_losses: RowLosses
    scratch: Array | None  # see `ActiveColumns`; None if no columns are skipped


class ParallelStep(Step):
    """The training step of a learner on several workers, which run until `close`.

    Args:
        learner: the learner; its parameters and optimizer slots move to shared memory.
        workers: number of workers, two or more.

    Raises:
        ActcliError: the worker processes cannot be started.
    """

    def __init__(self, learner: Learner, workers: int) -> None:
        learner.network.move(shared_zeros)
        learner.state.move(shared_zeros)
        super().__init__(learner, shared_zeros)
        self.shared = SharedBatch(self.batches.batch_size, workers, shared_zeros)
        self.states = [
            self._worker_state(shard) for shard in cut_shards(learner.network.shapes, workers)
        ]
        self.rows_of = cache(self._rows_of)
        update: tuple[Phase, ...] = (self._compute_gradient, self._update)
        if not self.clip_norm:  # without clipping, no shard depends on another
            update = (self._compute_gradient_and_update,)
        with ignore_overflow():
            self.group = WorkerGroup(workers, (self._forward_and_backward, *update), HINT)

    def _worker_state(self, shard: Shard) -> WorkerState:
        network, state = self.learner.network, self.learner.state
        return WorkerState(
            shard=shard,
            parameters=network.parameters[shard.span],
            gradient=self.gradient[shard.span],
            optimizer_state=state.part(shard.span),
            decayed=max(0, network.weight_count - shard.span.start),
            row_losses=RowLosses(self.learner.model, len(self.batches.inputs)),
            scratch=None
            if self.scratch is None
            else aligned_empty(self.scratch.shape, self.scratch.dtype),
        )

    def take(
        self, rows: NDArray[np.intp], labels: Labels, learning_rate: float
    ) -> tuple[float, int]:
        """Update the parameters on one mini-batch: see `Step.take`.

        Raises:
            ActcliError: a worker has died; the parameters may be partly updated.
        """
        self.shared.write(rows, labels, self.learner.state.step, learning_rate)
        self.trace.first(len(rows)).draw_masks()
        with ignore_overflow():
            self.group.run()
        loss = self.shared.loss
        if math.isfinite(loss):
            self.learner.state.step += 1
        return loss, int(self.shared.right.sum())

    def close(self) -> None:
        """End the other workers."""
        self.group.close()

    def _rows_of(self, rank: int, count: int) -> tuple[slice, Trace]:
        """Return the rows, out of `count`, of one worker, and its views of the trace."""
        workers = len(self.states)
        rows = slice(count * rank // workers, count * (rank + 1) // workers)
        return rows, self.trace.first(count).rows(rows)

    def _forward_and_backward(self, rank: int, _: None) -> Inputs:
        """Compute the loss and the δ of every layer for the worker's rows.

        Returns:
            The inputs of the whole mini-batch; this worker has loaded only its part of them.
        """
        network, batch, state = self.learner.network, self.shared, self.states[rank]
        rows, trace = self.rows_of(rank, batch.count)
        inputs = self.batches.load(batch.rows, rows, state.scratch)
        labels, output = batch.labels[rows], trace.layers[-1]
        own = inputs[rows] if isinstance(inputs, np.ndarray) else inputs.rows(rows)
        logits = network.forward(own, trace)
        batch.right[rank] = np.count_nonzero(classify(logits) == labels)
        losses = state.row_losses(logits, labels, output.delta, output.derivative)
        batch.losses[rank] = losses.sum(dtype=np.float64)
        np.multiply(output.delta, 1 / batch.count, out=output.delta)
        network.propagate_deltas(trace)
        return inputs

    def _compute_gradient(self, rank: int, inputs: Inputs) -> None:
        """Compute the gradient of the worker's shard over all rows."""
        state, trace = self.states[rank], self.trace.first(self.shared.count)
        self.learner.network.compute_gradient(
            inputs, trace, self.layer_gradients, state.shard.columns, state.shard.biases
        )
        if self.clip_norm:
            self.shared.squares[rank] = np.vdot(state.gradient, state.gradient)

    def _update(self, rank: int, _: None) -> None:
        """Update the worker's shard of the parameters.

        With clipping, all workers must have computed their shards of the gradient before.
        """
        batch, state = self.shared, self.states[rank]
        if not math.isfinite(batch.loss):
            return
        if self.clip_norm:
            clip_by_norm(state.gradient, self.clip_norm, float(batch.squares.sum()))
        state.optimizer_state.step = batch.step
        self.learner.optimizer.step(
            state.parameters,
            state.gradient,
            state.optimizer_state,
            batch.learning_rate,
            state.decayed,
        )

    def _compute_gradient_and_update(self, rank: int, inputs: Inputs) -> None:
        self._compute_gradient(rank, inputs)
        self._update(rank, None)
