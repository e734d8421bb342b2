"""The training loop: a generator of events, which prints nothing and writes nothing.

The caller decides whether to show, record or ignore the events. Between two events the training
is paused and can be stopped. The position and the learner are enough to resume it exactly.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actcli.config.resolved import ResolvedTraining
from actcli.training.divergence import divergence_error, first_lost
from actcli.training.evaluation import evaluate
from actcli.training.events import EpochDone, Event, Health, Histograms, Score, StepDone
from actcli.training.learner import Learner
from actcli.training.parallel.parallel_step import make_step
from actcli.training.step import Step

Measurements = tuple[Health | None, Histograms | None]  # of each layer, after an epoch
MeasureLayers = Callable[[], Measurements]


@dataclass
class EpochSums:
    """Sums over the steps of an epoch.

    Args:
        loss: loss summed over the rows.
        right: number of rows classified right.
        rates: learning rates summed over the steps.
        seconds: time spent in the steps.
        update_ratio: see `EpochDone`; empty before the last step.
    """

    loss: float = 0.0
    right: int = 0
    rates: float = 0.0
    seconds: float = 0.0
    update_ratio: tuple[float, ...] = ()


@dataclass
class Position:
    """How far a training has come.

    Args:
        epoch: the number of complete epochs.
        step: the number of steps taken in the current, incomplete epoch.
        tally: the sums over these steps.
        shuffling: the state of the shuffling generator before these steps.
        lowest: the lowest validation loss so far; without validation rows, the lowest training
            loss.
        best_epoch: the epoch with that loss; 0 before the first complete epoch.
        seconds: time spent in the steps of all complete epochs.
    """

    epoch: int = 0
    step: int = 0
    tally: EpochSums = field(default_factory=EpochSums)
    shuffling: Mapping[str, Any] = field(default_factory=dict)
    lowest: float = math.inf
    best_epoch: int = 0
    seconds: float = 0.0

    def is_last(self, training: ResolvedTraining) -> bool:
        """Return whether all epochs of the configuration are done, or patience has run out."""
        epochs_since_best = self.epoch - self.best_epoch
        return self.epoch >= training.epochs or 0 < training.patience <= epochs_since_best

    def describe(self, epochs: int) -> str:
        """Return the position in words, such as "after epoch 3 of 5"."""
        if self.step:
            return f"after step {self.step} of epoch {self.epoch + 1} of {epochs}"
        return f"after epoch {self.epoch} of {epochs}"


def fit(
    learner: Learner,
    position: Position | None = None,
    measure: MeasureLayers | None = None,
) -> Iterator[Event]:
    """Train for the epochs of the configuration, or until patience runs out.

    Args:
        learner: the model that learns, its optimizer and its random generators.
        position: where the training stands, updated in place; None to start from the beginning.
        measure: called after each epoch to measure the health and the histograms of each layer.

    Yields:
        A `StepDone` after each step, an `EpochDone` after each epoch.

    Raises:
        DivergedError: the loss or a parameter is not finite any more. The message names epoch, step
            and layer.
        ActcliError: a worker process has died or cannot be started.
    """
    position = position or Position()
    with closing(make_step(learner)) as step:
        while not position.is_last(learner.config.training):
            yield from _steps(step, position)
            yield _end_epoch(learner, len(step.batches), position, measure)


def _steps(step: Step, position: Position) -> Iterator[StepDone]:
    """Take the remaining steps of an epoch."""
    learner, batches = step.learner, step.batches
    sums, epoch = position.tally, position.epoch + 1
    position.shuffling = learner.shuffling.bit_generator.state
    start = time.perf_counter()
    remaining = batches.order(learner.shuffling, position.step)
    for number, (rows, labels) in enumerate(remaining, start=position.step + 1):
        is_last = number == len(batches)
        if is_last:
            step.remember_parameters()
        learning_rate = step.learning_rate()
        loss, right = step.take(rows, labels, learning_rate)
        if not math.isfinite(loss):
            when = f"in epoch {epoch}, step {number} of {len(batches)}"
            raise divergence_error(learner.config, when, step.trace.layers)
        sums.loss, sums.right = sums.loss + loss, sums.right + right
        sums.rates += learning_rate
        if is_last:
            sums.update_ratio = step.update_ratios()
        position.step = number
        # The time that the caller spends on an event is not training time.
        sums.seconds += time.perf_counter() - start
        yield StepDone(epoch, number, min(number * batches.batch_size, len(batches.split)))
        start = time.perf_counter()


def _end_epoch(
    learner: Learner, steps: int, position: Position, measure: MeasureLayers | None
) -> EpochDone:
    """Evaluate the model, and set the position to the start of the next epoch.

    Raises:
        DivergedError: the loss or a parameter is not finite.
    """
    data, sums, epoch = learner.dataset, position.tally, position.epoch + 1
    train = Score(sums.loss / len(data.train), sums.right / len(data.train))
    validation = evaluate(learner.model, data.validation) if len(data.validation) else None
    loss = (validation or train).loss
    if not (math.isfinite(loss) and np.isfinite(learner.network.parameters).all()):
        layers = first_lost(learner.model, data.validation if validation else data.train)
        raise divergence_error(learner.config, f"after step {steps} of epoch {epoch}", layers)
    best = loss < position.lowest
    if best:
        position.lowest, position.best_epoch = loss, epoch
    position.epoch, position.step, position.tally = epoch, 0, EpochSums()
    position.shuffling = learner.shuffling.bit_generator.state
    position.seconds += sums.seconds
    health, histograms = measure() if measure else (None, None)
    return EpochDone(
        epoch=epoch,
        learning_rate=sums.rates / steps,
        train=train,
        validation=validation,
        seconds=sums.seconds,
        examples_per_second=len(data.train) / sums.seconds,
        update_ratio=sums.update_ratio,
        best=best,
        health=health,
        histograms=histograms,
    )
