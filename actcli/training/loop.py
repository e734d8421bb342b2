"""The training loop: a generator of events, which prints nothing and writes nothing.

One step: gather a batch, go forward, take the loss, go backward, update. Whoever iterates decides
what becomes of the events: a live view, lines of a file, nothing. Between two events the training
stands still, so that it can be stopped after any step.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from actcli.datasets.batches import Batches, Split
from actcli.datasets.dataset import Dataset
from actcli.errors import DivergedError
from actcli.nn.arrays import Array, Labels
from actcli.nn.links import classify
from actcli.nn.network import Dropout
from actcli.nn.optimizers import clip_by_norm
from actcli.nn.schedules import SCHEDULES
from actcli.training.build import make_loss, make_network, make_optimizer
from actcli.training.config import Config

EVALUATION_ROWS = 1000  # of a batch where nothing is learnt: the result does not depend on it


@dataclass(frozen=True)
class Score:
    """How well a network does on a split: mean loss per example, share of them classified right."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class StepDone:
    """One update was made."""

    epoch: int  # from 1
    step: int  # of the epoch, from 1
    rows: int  # of the epoch, seen so far


@dataclass(frozen=True)
class EpochDone:
    """Every training row was seen once more."""

    epoch: int  # from 1
    learning_rate: float  # of the last step
    train: Score  # of the network as it was when it saw each batch
    validation: Score | None  # of the network as it is now
    seconds: float  # of the steps alone
    examples_per_second: float
    best: bool  # whether no epoch before had a lower validation loss


Event = StepDone | EpochDone


class Learner:
    """A network and all that changes while it learns.

    Three streams of random numbers, for the initial parameters, the order of the rows and the
    dropout, are drawn from the one seed, so that changing one choice leaves the others alone.

    Args:
        config: resolved.
        dataset: the one that the configuration names.
    """

    def __init__(self, config: Config, dataset: Dataset) -> None:
        seeds = np.random.SeedSequence(config.training.seed).spawn(3)
        initial, self.shuffling, dropping = (np.random.default_rng(seed) for seed in seeds)
        self.config = config
        self.dataset = dataset
        self.loss = make_loss(config)
        self.network = make_network(config, dataset.inputs, len(dataset.classes), initial)
        self.optimizer = make_optimizer(config)
        self.state = self.optimizer.start(self.network.parameters)
        rate = config.model.dropout
        self.dropout = Dropout(rate, dropping) if rate else None


def fit(learner: Learner) -> Iterator[Event]:
    """Train for the epochs of the configuration, or until patience runs out.

    Raises:
        DivergedError: the loss or a parameter is not finite any more: epoch, step and layer.
    """
    training, data = learner.config.training, learner.dataset
    batches = Batches(data.train, data.normalization, training.batch_size)
    step = _Step(learner, min(training.batch_size, len(data.train)), len(batches))
    lowest, best_epoch = math.inf, 0
    for epoch in range(1, training.epochs + 1):
        loss, right, rows, rate = 0.0, 0, 0, 0.0
        start = time.perf_counter()
        for number, (inputs, labels) in enumerate(batches(learner.shuffling), start=1):
            rate = step.learning_rate()
            loss_of_batch, right_of_batch = step.take(inputs, labels, rate)
            if not math.isfinite(loss_of_batch):
                when = f"in epoch {epoch}, step {number} of {len(batches)}"
                raise step.diverged(when)
            loss, right, rows = loss + loss_of_batch, right + right_of_batch, rows + len(labels)
            yield StepDone(epoch, number, rows)
        seconds = time.perf_counter() - start
        train = Score(loss / rows, right / rows)
        validation = score(learner, data.validation) if len(data.validation) else None
        judged = (validation or train).loss
        if not (math.isfinite(judged) and np.isfinite(learner.network.parameters).all()):
            raise step.diverged(f"after epoch {epoch}")
        if judged < lowest:
            lowest, best_epoch = judged, epoch
        best = epoch == best_epoch
        yield EpochDone(epoch, rate, train, validation, seconds, rows / seconds, best)
        if training.patience and epoch - best_epoch >= training.patience:
            return


class _Step:
    """One training step, in buffers that are allocated once.

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
        network, optimizer = self.learner.network, self.learner.optimizer
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
                if limit := self.learner.config.optimizer.clip_norm:
                    clip_by_norm(self.gradient, limit)
                optimizer.step(
                    network.parameters,
                    self.gradient,
                    self.learner.state,
                    learning_rate,
                    network.weight_count,
                )
        return loss, right

    def diverged(self, when: str) -> DivergedError:
        """What to tell of a loss that is not finite, with the first layer that is not either."""
        passes = self.trace.passes
        layers = [number for number, at in enumerate(passes, 1) if not np.isfinite(at.z).all()]
        where = f", first in layer {layers[0]} of {len(passes)}" if layers else ""
        smaller = float(self.learner.config.optimizer.learning_rate) / 10
        return DivergedError(
            f"the loss stopped being finite {when}{where}",
            f"Try --lr {smaller:g}, --clip-norm 1 or --normalize unit",
        )


class Targets:
    """The target rows of a batch, gathered from those of the classes into one buffer."""

    def __init__(self, learner: Learner, rows: int) -> None:
        dtype = learner.network.parameters.dtype
        self.of_class = learner.loss.targets(len(learner.dataset.classes)).astype(dtype)
        self.buffer = np.empty((rows, self.of_class.shape[1]), dtype)

    def __call__(self, labels: Labels) -> Array:
        """Of shape (N, units), good until the next call."""
        out = self.buffer[: len(labels)]
        np.take(self.of_class, labels, axis=0, out=out, mode="clip")
        return out


def score(learner: Learner, split: Split) -> Score:
    """How well the network does on all rows of a split, without dropout.

    The split must not be empty. The loss is infinite or NaN if a parameter is.
    """
    rows = min(EVALUATION_ROWS, len(split))
    trace, targets = learner.network.trace(rows), Targets(learner, rows)
    loss, right = 0.0, 0
    with np.errstate(over="ignore", invalid="ignore"):
        for inputs, labels in Batches(split, learner.dataset.normalization, rows)():
            part = trace.first(len(labels))
            last = part.passes[-1]
            scores = learner.network.forward(inputs, part)
            right += int(np.count_nonzero(classify(scores) == labels))
            losses = learner.loss(scores, targets(labels), last.delta, last.work)
            loss += float(losses.sum(dtype=np.float64))
    return Score(loss / len(split), right / len(split))
