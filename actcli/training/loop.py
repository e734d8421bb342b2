"""The training loop: a generator of events, which prints nothing and writes nothing.

Whoever iterates decides what becomes of the events: a live view, lines of a file, nothing. Between
two events the training stands still, so that it can be stopped after any step.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from actcli.datasets.batches import Batches
from actcli.training.divergence import diverged, first_lost
from actcli.training.learner import Learner, Score, score
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


def fit(learner: Learner) -> Iterator[Event]:
    """Train for the epochs of the configuration, or until patience runs out.

    Raises:
        DivergedError: the loss or a parameter is not finite any more: epoch, step and layer.
    """
    training, data = learner.config.training, learner.dataset
    batches = Batches(data.train, data.normalization, training.batch_size)
    step = Step(learner, min(training.batch_size, len(data.train)), len(batches))
    lowest, best_epoch = math.inf, 0
    for epoch in range(1, training.epochs + 1):
        tally = _Tally()
        yield from _steps(step, batches, epoch, tally)
        train = Score(tally.loss / len(data.train), tally.right / len(data.train))
        validation = score(learner, data.validation) if len(data.validation) else None
        judged = (validation or train).loss
        if not (math.isfinite(judged) and np.isfinite(learner.network.parameters).all()):
            passes = first_lost(learner, data.validation if validation else data.train)
            raise diverged(learner.config, f"after step {len(batches)} of epoch {epoch}", passes)
        if judged < lowest:
            lowest, best_epoch = judged, epoch
        yield EpochDone(
            epoch=epoch,
            learning_rate=tally.rates / len(batches),
            train=train,
            validation=validation,
            seconds=tally.seconds,
            examples_per_second=len(data.train) / tally.seconds,
            update_ratio=tally.update_ratio,
            best=epoch == best_epoch,
        )
        if training.patience and epoch - best_epoch >= training.patience:
            return


@dataclass
class _Tally:
    """What the steps of an epoch add up to."""

    loss: float = 0.0
    right: int = 0
    rates: float = 0.0
    seconds: float = 0.0
    update_ratio: tuple[float, ...] = ()


def _steps(step: Step, batches: Batches, epoch: int, tally: _Tally) -> Iterator[StepDone]:
    learner, rows = step.learner, 0
    start = time.perf_counter()
    for number, (inputs, labels) in enumerate(batches(learner.shuffling), start=1):
        if number == len(batches):
            step.remember()
        rate = step.learning_rate()
        loss, right = step.take(inputs, labels, rate)
        if not math.isfinite(loss):
            when = f"in epoch {epoch}, step {number} of {len(batches)}"
            raise diverged(learner.config, when, step.trace.passes)
        rows += len(labels)
        tally.loss, tally.right = tally.loss + loss, tally.right + right
        tally.rates += rate
        if number == len(batches):
            tally.update_ratio = step.update_ratios()
        # What is done with an event is not training, and takes none of its time.
        tally.seconds += time.perf_counter() - start
        yield StepDone(epoch, number, rows)
        start = time.perf_counter()
