"""The training loop: a generator of events, which prints nothing and writes nothing.

Whoever iterates decides what becomes of the events: a live view, lines of a file, nothing. Between
two events the training stands still: it can be stopped there, and its position, with the learner,
is all that it takes to go on as if it had not been.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actcli.config.schema import TrainingConfig
from actcli.training.divergence import diverged, first_lost
from actcli.training.evaluation import Score, evaluate
from actcli.training.learner import Learner
from actcli.training.step import Step


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
    learning_rate: float  # mean over the steps
    train: Score  # of the network as it was when it saw each batch
    validation: Score | None  # of the network as it is now
    seconds: float  # of the steps alone
    examples_per_second: float
    update_ratio: tuple[float, ...]  # of the last step, layer by layer: see Step.update_ratios
    best: bool  # whether the validation loss, or the training loss without one, is a new low


Event = StepDone | EpochDone


@dataclass
class Tally:
    """What the steps of an epoch add up to."""

    loss: float = 0.0
    right: int = 0
    rates: float = 0.0
    seconds: float = 0.0
    update_ratio: tuple[float, ...] = ()


@dataclass
class Position:
    """How far a training has come."""

    epoch: int = 0  # that many are complete
    step: int = 0  # that many are done of the one that is not
    tally: Tally = field(default_factory=Tally)  # of these steps
    shuffling: Mapping[str, Any] = field(default_factory=dict)  # the generator's state before them
    lowest: float = math.inf  # the loss that decides which epoch is the best
    best_epoch: int = 0  # 0: the initial network
    seconds: float = 0.0  # of the steps of all complete epochs

    def is_last(self, training: TrainingConfig) -> bool:
        """Whether the epochs of the configuration are trained, or patience has run out."""
        waited = self.epoch - self.best_epoch
        return self.epoch >= training.epochs or 0 < training.patience <= waited

    def told(self, epochs: int) -> str:
        """For messages: where it is, of so many epochs."""
        if self.step:
            return f"after step {self.step} of epoch {self.epoch + 1}/{epochs}"
        return f"after epoch {self.epoch}/{epochs}"


def fit(learner: Learner, position: Position | None = None) -> Iterator[Event]:
    """Train for the epochs of the configuration, or until patience runs out.

    Args:
        learner: what learns.
        position: where it stands, and what is kept up to date; None: at the start.

    Raises:
        DivergedError: the loss or a parameter is not finite any more: epoch, step and layer.
        ActcliError: a process that shared the steps has died, or cannot be started.
    """
    position = position or Position()
    with closing(Step(learner)) as step:
        while not position.is_last(learner.config.training):
            yield from _steps(step, position)
            yield _end_epoch(learner, len(step.batches), position)


def _end_epoch(learner: Learner, steps: int, position: Position) -> EpochDone:
    """Judge the network, and move on to the start of the next epoch."""
    data, tally, epoch = learner.dataset, position.tally, position.epoch + 1
    train = Score(tally.loss / len(data.train), tally.right / len(data.train))
    validation = evaluate(learner.model, data.validation) if len(data.validation) else None
    judged = (validation or train).loss
    if not (math.isfinite(judged) and np.isfinite(learner.network.parameters).all()):
        passes = first_lost(learner.model, data.validation if validation else data.train)
        raise diverged(learner.config, f"after step {steps} of epoch {epoch}", passes)
    best = judged < position.lowest
    if best:
        position.lowest, position.best_epoch = judged, epoch
    position.epoch, position.step, position.tally = epoch, 0, Tally()
    position.shuffling = learner.shuffling.bit_generator.state
    position.seconds += tally.seconds
    return EpochDone(
        epoch=epoch,
        learning_rate=tally.rates / steps,
        train=train,
        validation=validation,
        seconds=tally.seconds,
        examples_per_second=len(data.train) / tally.seconds,
        update_ratio=tally.update_ratio,
        best=best,
    )


def _steps(step: Step, position: Position) -> Iterator[StepDone]:
    """The steps of an epoch that are still to be done."""
    learner, batches = step.learner, step.batches
    tally, epoch = position.tally, position.epoch + 1
    position.shuffling = learner.shuffling.bit_generator.state
    start = time.perf_counter()
    remaining = batches.order(learner.shuffling, position.step)
    for number, (rows, labels) in enumerate(remaining, start=position.step + 1):
        if number == len(batches):
            step.remember()
        rate = step.learning_rate()
        loss, right = step.take(rows, labels, rate)
        if not math.isfinite(loss):
            when = f"in epoch {epoch}, step {number} of {len(batches)}"
            raise diverged(learner.config, when, step.trace.passes)
        tally.loss, tally.right = tally.loss + loss, tally.right + right
        tally.rates += rate
        if number == len(batches):
            tally.update_ratio = step.update_ratios()
        position.step = number
        # What is done with an event is not training, and takes none of its time.
        tally.seconds += time.perf_counter() - start
        yield StepDone(epoch, number, min(number * batches.batch_size, len(batches.split)))
        start = time.perf_counter()
