"""The learning-rate range test: which learning rates suit a network, its loss and its data?

A training starts at a very low rate, which grows by the same factor at each step, until the loss
diverges (Smith, Cyclical Learning Rates for Training Neural Networks (WACV 2017), section 3.3).
`rate_curve` reads the result.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.dataset import Dataset
from actcli.explore.rate_curve import (
    FLOOR,
    SMOOTHING_DECADES,
    ConstantAnswer,
    MovingAverage,
    RateCurve,
    SmoothedLoss,
)
from actcli.nn.optimizers import OPTIMIZERS
from actcli.training.automatic import complete
from actcli.training.learner import Learner
from actcli.training.parallel.parallel_step import make_step

LOWEST_RATE, HIGHEST_RATE = 1e-7, 1e4  # as multiples of the optimizer's default rate
LOWER = 1e-6  # the factor by which a range is moved down that starts within the valley
MAX_MOVES = 2
STEPS_PER_DECADE = 24
LARGE_BATCH_ROWS = 1000  # larger mini-batches take half the steps,
SMALL_BATCH_ROWS = 64  # and smaller ones take more
MAX_FACTOR = 8  # of the steps that small mini-batches take
MORE_STEPS = 4  # the factor of the steps of a second test, if the network did not learn
STOP_FACTOR = 4  # the test stops at this multiple of the lowest smoothed loss, as fastai's does

Watch = Callable[[int, int], None]  # called with the number of steps taken, and of all steps


@dataclass(frozen=True, eq=False)
class RangeTest:
    """The result of a learning-rate range test.

    Args:
        dataset: the name of the data set.
        optimizer: the name of the optimizer.
        batch_size: the mini-batch size.
        default_rate: the optimizer's default learning rate.
        configured_rate: the learning rate of the configuration.
        steps: the number of steps of the whole range.
        rates: the rate of each step taken.
        losses: the mean loss of each step's mini-batch, before the step.
        smoothed: the exponential moving average of the losses, taken of their logarithms.
        initial_loss: the mean loss at rates that are too low to change it.
        constant_loss: the loss of the best constant answer.
        lowest_loss: the lowest smoothed loss.
        suggestion: the suggested rate; None if the network did not learn.
        valley: the rates at which the valley begins and ends; None if the network did not learn.
        steepest: the rate at which the logarithm of the smoothed loss falls fastest; None likewise.
        divergence: the rate at which the loss diverged; None if it did not.
        divergence_reason: the sign of the divergence, as a clause.
        reason: why the suggestion is suggested, or why there is none, as a sentence.
    """

    dataset: str
    optimizer: str
    batch_size: int
    default_rate: float
    configured_rate: float
    steps: int
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    initial_loss: float
    constant_loss: float
    lowest_loss: float
    suggestion: float | None
    valley: tuple[float, float] | None
    steepest: float | None
    divergence: float | None
    divergence_reason: str | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of `actcli lr-find --json`."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def csv_rows(self) -> Iterator[Sequence[Any]]:
        """Yield the header of the CSV, and a row for each step."""
        yield ["step", "rate", "loss", "smoothed"]
        steps = range(1, len(self.rates) + 1)
        yield from zip(steps, self.rates, self.losses, self.smoothed, strict=True)


def find_learning_rate(
    config: ResolvedConfig, dataset: Dataset, watch: Watch = lambda _step, _steps: None
) -> RangeTest:
    """Return the range test of a configuration, from its initial network.

    Data, network, seed and mini-batches are those of a training; the schedule is not used. A small
    data set is passed over several times.

    Args:
        config: the configuration.
        dataset: the data set.
        watch: called after each step.

    Raises:
        ActcliError: the network does not fit into the memory, or a worker process has died.
    """
    config = complete(config, dataset)
    default = OPTIMIZERS[config.optimizer.name].default_learning_rate
    curve, steps = _search(config, dataset, default, watch)
    learns, divergence = curve.learns, curve.divergence
    valley = float(curve.rates[curve.valley_start]), float(curve.rates[curve.valley_end])
    return RangeTest(
        dataset=dataset.name,
        optimizer=config.optimizer.name,
        batch_size=config.training.batch_size,
        default_rate=default,
        configured_rate=config.optimizer.learning_rate,
        steps=steps,
        rates=tuple(curve.rates.tolist()),
        losses=tuple(curve.losses.tolist()),
        smoothed=tuple(curve.smoothed.tolist()),
        initial_loss=curve.initial,
        constant_loss=curve.constant.loss,
        lowest_loss=curve.lowest_loss,
        suggestion=curve.suggestion if learns else None,
        valley=valley if learns else None,
        steepest=float(curve.rates[curve.steepest]) if learns else None,
        divergence=None if divergence is None else float(curve.rates[divergence]),
        divergence_reason=None if divergence is None else _sign_of(curve, divergence),
        reason=_reason(curve, valley),
    )


def steps_per_decade(batch_rows: int) -> int:
    """Return the number of steps in which the rate grows tenfold.

    The loss of a small mini-batch is noisy, so that more of them are averaged. A step with a large
    one takes long.
    """
    if batch_rows > LARGE_BATCH_ROWS:
        return STEPS_PER_DECADE // 2
    return STEPS_PER_DECADE * min(MAX_FACTOR, math.ceil(SMALL_BATCH_ROWS / batch_rows))


def _search(
    config: ResolvedConfig, dataset: Dataset, default: float, watch: Watch
) -> tuple[RateCurve, int]:
    """Return the curve of the first range test that shows a valley, or of the last one.

    A range that starts within the valley is moved down. A network that does not learn is tested
    again with more steps.

    Returns:
        The curve, and the number of steps of the whole range.
    """
    per_decade = steps_per_decade(min(config.training.batch_size, len(dataset.train)))
    low, high = LOWEST_RATE * default, HIGHEST_RATE * default
    result = _record(config, dataset, low, high, per_decade, watch)
    for _ in range(MAX_MOVES):
        if not result[0].starts_too_high:
            break
        low, high = LOWER * low, float(result[0].rates[-1])
        result = _record(config, dataset, low, high, per_decade, watch)
    if not result[0].learns:
        result = _record(config, dataset, low, high, MORE_STEPS * per_decade, watch)
    return result


def _record(
    config: ResolvedConfig,
    dataset: Dataset,
    low: float,
    high: float,
    per_decade: int,
    watch: Watch,
) -> tuple[RateCurve, int]:
    """Train from a low to a high rate, or until the loss diverges.

    Returns:
        The curve, and the number of steps of the whole range.
    """
    learner = Learner(config, dataset)
    constant = ConstantAnswer.of(learner.loss, dataset)
    steps = round(per_decade * math.log10(high / low)) + 1
    window = SMOOTHING_DECADES * per_decade
    joined = max(1, per_decade // STEPS_PER_DECADE)
    smoothed_loss = SmoothedLoss(window, joined, FLOOR * constant.loss)
    accuracy_average = MovingAverage(window)
    points: list[tuple[float, float, float, float]] = []
    lowest = math.inf
    with closing(make_step(learner)) as step:
        epochs = (step.batches.order(learner.shuffling) for _ in itertools.count())
        batches = itertools.islice(itertools.chain.from_iterable(epochs), steps)
        for number, (rows, labels) in enumerate(batches):
            rate = low * 10 ** (number / per_decade)
            total, right = step.take(rows, labels, rate)
            loss = total / len(rows)
            smoothed = smoothed_loss.add(loss)
            points.append((rate, loss, smoothed, accuracy_average.add(right / len(rows))))
            watch(number + 1, steps)
            if number >= window:
                lowest = min(lowest, smoothed)
            limit = max(STOP_FACTOR * lowest, points[0][1], constant.loss)
            if not math.isfinite(smoothed) or smoothed > limit:
                break
        batch_rows = step.batches.batch_size
    rates, losses, averages, accuracies = np.array(points, np.float64).T
    curve = RateCurve(rates, losses, averages, accuracies, per_decade, batch_rows, constant)
    return curve, steps


def _sign_of(curve: RateCurve, divergence: int) -> str:
    """Return the sign of a divergence in words."""
    if not math.isfinite(curve.smoothed[divergence]):
        return "the loss is not finite"
    if not curve.learns:
        return "the loss is twice its initial value"
    if curve.lowest_loss < curve.constant.loss:
        return "half of the lead over a constant answer is lost"
    return "half of the fall of the loss is undone"


def _reason(curve: RateCurve, valley: tuple[float, float]) -> str:
    """Return why a rate is suggested, or why none is."""
    if curve.learns:
        end = _short(float(curve.smoothed[curve.valley_end]))
        return (
            f"The smoothed loss falls from {_short(curve.initial)} at a rate of "
            f"{valley[0]:.2g} to {end} at {valley[1]:.2g}; the suggestion lies two thirds of "
            "the way between these rates, on a logarithmic scale."
        )
    if curve.starts_too_high and curve.divergence is not None:
        return (
            f"No rate is suggested: the loss diverges even at a rate of "
            f"{curve.rates[curve.divergence]:.1g}; the inputs may need another scale."
        )
    lowest, constant = _short(curve.lowest_loss), _short(curve.constant.loss)
    return (
        f"No rate is suggested: in {len(curve.rates)} steps with growing rates, the network did "
        f"not become better than a constant answer (lowest smoothed loss {lowest}; a constant "
        f"answer has {constant})."
    )


def _short(loss: float) -> str:
    return f"{loss:#.3g}".rstrip(".")
