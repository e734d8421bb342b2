"""One training step: forward, loss, backward, clip, update, in buffers that are made once."""

import math

import numpy as np

from actcli.nn.arrays import Array, Labels
from actcli.nn.links import classify
from actcli.nn.optimizers import clip_by_norm
from actcli.nn.schedules import SCHEDULES
from actcli.training.learner import Learner, Targets


class Step:
    """What takes steps.

    Args:
        learner: what learns.
        rows: the largest batch.
        steps: how many there are in an epoch.
    """

    def __init__(self, learner: Learner, rows: int, steps: int) -> None:
        network, config = learner.network, learner.config
        self.learner = learner
        self.schedule = SCHEDULES[config.optimizer.schedule]
        self.total = config.training.epochs * steps
        self.warmup = config.optimizer.warmup * steps
        self.trace = network.trace(rows, learner.dropout)
        self.gradient = np.empty_like(network.parameters)
        self.gradients = network.views(self.gradient)
        self.before = np.empty_like(network.parameters)
        self.targets = Targets(learner, rows)

    def learning_rate(self) -> float:
        """Of the next step."""
        peak = float(self.learner.config.optimizer.learning_rate)
        return peak * self.schedule(self.learner.state.step, self.total, self.warmup)

    def take(self, inputs: Array, labels: Labels, learning_rate: float) -> tuple[float, int]:
        """Update the parameters, unless the loss is not finite.

        Returns:
            The summed loss of the batch, and how many of its rows were classified right.
        """
        network = self.learner.network
        trace = self.trace.first(len(labels))
        last = trace.passes[-1]
        # What overflows makes the loss infinite or NaN, and that is looked for.
        with np.errstate(over="ignore", invalid="ignore"):
            scores = network.forward(inputs, trace)
            right = int(np.count_nonzero(classify(scores) == labels))
            losses = self.learner.loss(scores, self.targets(labels), last.delta, last.work)
            loss = float(losses.sum(dtype=np.float64))
            if math.isfinite(loss):
                np.multiply(last.delta, 1 / len(labels), out=last.delta)
                network.backward(inputs, trace, self.gradients)
                self._update(learning_rate)
        return loss, right

    def _update(self, learning_rate: float) -> None:
        learner = self.learner
        if limit := learner.config.optimizer.clip_norm:
            clip_by_norm(self.gradient, limit)
        learner.optimizer.step(
            learner.network.parameters,
            self.gradient,
            learner.state,
            learning_rate,
            learner.network.weight_count,
        )

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
