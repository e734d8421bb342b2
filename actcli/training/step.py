"""One training step in one process: forward pass, loss, backward pass, clipping, update.

`parallel/parallel_step.py` runs the same phases on several workers. All buffers are allocated once.
"""

import math

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Batches
from actcli.nn.active_columns import MIN_WORK_FOR_ACTIVE_COLUMNS
from actcli.nn.arrays import Allocate, Array, Labels, aligned_empty, ignore_overflow
from actcli.nn.links import classify
from actcli.nn.optimizers import clip_by_norm
from actcli.nn.schedules import SCHEDULES
from actcli.training.evaluation import RowLosses
from actcli.training.learner import Learner


class Step:
    """The training step of a learner, with its buffers; `take` it once for each mini-batch.

    Args:
        learner: the model that learns, its optimizer and its random generators.
        allocate: makes the buffers that workers would share.
    """

    def __init__(self, learner: Learner, allocate: Allocate = aligned_empty) -> None:
        network, config, data = learner.network, learner.config, learner.dataset
        rows = min(config.training.batch_size, len(data.train))
        self.learner = learner
        self.batches = Batches(data.train, data.normalization, rows, allocate=allocate)
        self.row_losses = RowLosses(learner.model, rows)
        self.trace = network.trace(rows, learner.dropout, allocate)
        self.gradient = allocate(network.parameters.shape, network.parameters.dtype)
        self.layer_gradients = network.views(self.gradient)
        self.previous = aligned_empty(network.parameters.shape, network.parameters.dtype)
        skips_columns = rows * network.sizes[1] >= MIN_WORK_FOR_ACTIVE_COLUMNS
        shape = network.layers[0].weights.T.shape
        self.scratch = aligned_empty(shape, network.parameters.dtype) if skips_columns else None
        self.clip_norm = config.optimizer.clip_norm
        self.schedule = SCHEDULES[config.optimizer.schedule]
        self.total_steps = config.training.epochs * len(self.batches)
        self.warmup_steps = config.optimizer.warmup * len(self.batches)

    def learning_rate(self) -> float:
        """Return the learning rate of the next step."""
        peak = self.learner.config.optimizer.learning_rate
        step = self.learner.state.step
        return peak * self.schedule(step, self.total_steps, self.warmup_steps)

    def take(
        self, rows: NDArray[np.intp], labels: Labels, learning_rate: float
    ) -> tuple[float, int]:
        """Update the parameters on one mini-batch, unless its loss is not finite.

        Args:
            rows: the row numbers of the mini-batch in the data set, shape (N,).
            labels: the labels of these rows, shape (N,).
            learning_rate: the learning rate of this step.

        Returns:
            The summed loss of the mini-batch, and the number of its rows classified right.
        """
        network, trace = self.learner.network, self.trace.first(len(rows))
        with ignore_overflow():
            inputs = self.batches.load(rows, scratch=self.scratch)
            logits = network.forward(inputs, trace)
            right = np.count_nonzero(classify(logits) == labels)
            output = trace.layers[-1]
            losses = self.row_losses(logits, labels, output.delta, output.derivative)
            loss = float(losses.sum(dtype=np.float64))
            np.multiply(output.delta, 1 / len(rows), out=output.delta)
            network.backward(inputs, trace, self.layer_gradients)
            if math.isfinite(loss):
                if self.clip_norm:
                    clip_by_norm(self.gradient, self.clip_norm)
                self.learner.optimizer.step(
                    network.parameters,
                    self.gradient,
                    self.learner.state,
                    learning_rate,
                    decayed=network.weight_count,
                )
        return loss, int(right)

    def remember_parameters(self) -> None:
        """Copy the parameters, for `update_ratios` after the next step."""
        np.copyto(self.previous, self.learner.network.parameters)

    def update_ratios(self) -> tuple[float, ...]:
        """Return, for each layer, the RMS of the last update over the RMS of the weights."""
        network = self.learner.network
        update = np.subtract(network.parameters, self.previous, out=self.gradient)
        return tuple(
            _norm(change.weights) / (_norm(layer.weights) or math.inf)
            for change, layer in zip(network.views(update), network.layers, strict=True)
        )

    def close(self) -> None:
        """Do nothing: a step in one process holds no resources."""


def _norm(weights: Array) -> float:
    contiguous = weights.T  # the order in memory: `vdot` would copy `weights` itself
    return math.sqrt(np.vdot(contiguous, contiguous))
