"""The loss over the learning rate, and what it says: the valley, the suggestion, the divergence.

The loss stays where it is while the rate is too low, falls where the rate suits, and rises where
the rate is too high. The stretch on which it falls is the valley. The suggestion lies two thirds
down the valley, on a logarithmic scale.

The losses are smoothed as logarithms. So a loss of a million in a network with inputs of a million
does not hide what comes after it, and one step that is a hundred times worse counts as one step.

fastai's `valley` (`fastai.callback.schedule`) has the same idea, and takes the longest decreasing
subsequence of the smoothed losses for the valley. That subsequence ends at the minimum, as here.
But it begins where the loss falls by a millionth, so that its middle is ten to fifty times lower
than the rate that trains best. Here the valley begins where a twentieth of the fall is done.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.dataset import Dataset
from actcli.nn.losses import Loss

SMOOTHING_DECADES = 0.4  # in which a loss's share of the moving average falls to 1/e
SETTLING_DECADES = 0.5  # at the start, in which the moving average is still noisy
TOO_HIGH_DECADES = 1.0  # a valley that starts so close to the first rate starts below it
VALLEY_START = 0.05  # share of the fall of the loss at which the valley begins
SOLVED = 0.05  # of a constant answer's loss: below, steps do little at any rate, and it ends
VALLEY_POINT = 2 / 3
SLOPE_DECADES = 0.5  # over which the slope is measured
LOST_LEAD = 0.5  # share of its lead that a network loses when it diverges
DIVERGED_FACTOR = 2.0  # of the initial loss, if the network did not learn before
MIN_LEAD = 0.02  # of a constant answer's loss, by which a network that learns is better
STANDARD_ERRORS = 5.0  # by which its accuracy is above that of a constant answer
FLOOR = 0.01  # of a constant answer's loss: lower losses count as this one
TINY = 1e-12  # in place of a share of 0, whose logarithm is infinite

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ConstantAnswer:
    """The best answer that ignores the inputs: the same outputs for each row.

    Args:
        loss: the smallest mean loss of a constant answer.
        accuracy: the share of the largest class.
    """

    loss: float
    accuracy: float

    @classmethod
    def of(cls, loss: Loss, dataset: Dataset) -> Self:
        """Return the best constant answer on the training rows.

        All losses here are proper scoring rules: their mean is smallest if the outputs are the mean
        of the targets (Gneiting, Raftery, JASA 102 (2007), section 3).
        """
        counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
        shares = counts / counts.sum()
        targets = loss.targets(len(dataset.classes))
        outputs = np.clip(shares @ targets, TINY, None)
        logits = {
            "softmax": np.log(outputs),
            "sigmoid": np.log(outputs / np.clip(1 - outputs, TINY, None)),
            "identity": outputs,
        }[loss.output]
        rows = np.tile(logits, (len(targets), 1))
        losses = loss(rows, targets, np.empty_like(rows), np.empty_like(rows))
        return cls(float(shares @ losses), float(shares.max()))


class MovingAverage:
    """An exponential moving average, corrected for its start at 0 (Kingma, Ba (2015), section 3).

    Args:
        steps: the number of steps after which the share of a value has fallen to 1/e; 0 forgets
            all values but the last.
    """

    def __init__(self, steps: float) -> None:
        self._decay = math.exp(-1 / steps) if steps else 0.0
        self._sum = 0.0
        self._weight = 0.0

    def add(self, value: float) -> float:
        """Add a value, and return the average."""
        self._sum = self._decay * self._sum + (1 - self._decay) * value
        self._weight = self._decay * self._weight + (1 - self._decay)
        return self._sum / self._weight


class SmoothedLoss:
    """The moving geometric mean of losses.

    Args:
        window: the number of steps after which the share of a loss has fallen to 1/e.
        joined: the number of steps whose arithmetic mean comes first, for small mini-batches: the
            logarithm of a noisy loss would be too low.
        floor: lower losses count as this one, whose logarithm is finite.
    """

    def __init__(self, window: float, joined: int, floor: float) -> None:
        self._mean = MovingAverage(joined - 1)
        self._logarithm = MovingAverage(window)
        self._floor = floor

    def add(self, loss: float) -> float:
        """Add a loss, and return the mean."""
        mean = self._mean.add(loss)
        return float(np.exp(self._logarithm.add(float(np.log(np.maximum(mean, self._floor))))))


@dataclass(frozen=True, eq=False)
class RateCurve:
    """The losses of a range test, at least two. A point is the index of a step.

    Args:
        rates: the rate of each step, ascending, shape (N,).
        losses: the mean loss of each step's mini-batch before the step; the last may be not finite.
        smoothed: the moving geometric mean of the losses.
        accuracies: the moving average of the accuracies.
        per_decade: the number of steps in which the rate grows tenfold.
        batch_rows: number of rows of a mini-batch.
        constant: the best constant answer, which a network that learns surpasses.
    """

    rates: Numbers
    losses: Numbers
    smoothed: Numbers
    accuracies: Numbers
    per_decade: int
    batch_rows: int
    constant: ConstantAnswer

    @cached_property
    def settled(self) -> int:
        """The first point at which the moving average may be used."""
        return min(round(SETTLING_DECADES * self.per_decade), len(self.rates) - 1)

    @cached_property
    def initial(self) -> float:
        """The mean loss of the first steps, whose rates are too low to change it."""
        losses = self.losses[: max(1, self.settled)]
        return float(np.exp(np.log(np.maximum(losses, FLOOR * self.constant.loss)).mean()))

    @cached_property
    def lowest(self) -> int:
        """The point with the lowest smoothed loss."""
        after = np.where(np.isfinite(self.smoothed), self.smoothed, np.inf)[self.settled :]
        return self.settled + int(after.argmin())

    @property
    def lowest_loss(self) -> float:
        """The lowest smoothed loss."""
        return float(self.smoothed[self.lowest])

    @cached_property
    def learns(self) -> bool:
        """Whether the network became better than a constant answer, in loss or in accuracy."""
        constant = self.constant
        if not math.isfinite(self.initial) or self.lowest_loss >= self.initial:
            return False
        averaged = 2 * SMOOTHING_DECADES * self.per_decade * self.batch_rows  # rows in the average
        error = math.sqrt(constant.accuracy * (1 - constant.accuracy) / averaged)
        return bool(
            self.lowest_loss < (1 - MIN_LEAD) * constant.loss
            or self.accuracies[self.lowest] > constant.accuracy + STANDARD_ERRORS * error
        )

    @cached_property
    def valley_start(self) -> int:
        """The point at which the loss begins to fall for good."""
        level = _between(self.initial, self.lowest_loss, VALLEY_START)
        above = np.flatnonzero(self.smoothed[: self.lowest] > level)
        return int(above[-1]) + 1 if len(above) else 0

    @cached_property
    def valley_end(self) -> int:
        """The point with the lowest loss, or an earlier one at which the training rows are learnt.

        If the loss is almost 0, so is the gradient, and a rate may grow without doing harm.
        """
        solved = np.flatnonzero(self.smoothed[: self.lowest] < SOLVED * self.constant.loss)
        return int(solved[0]) if len(solved) else self.lowest

    @property
    def starts_too_high(self) -> bool:
        """Whether the valley begins before the first rate, so that part of it is missing."""
        margin = TOO_HIGH_DECADES * self.per_decade
        falls = self.learns or not self.lowest_loss > self.initial / 2
        diverges = self.divergence is not None and self.divergence < 2 * margin
        return diverges or (falls and self.valley_start < margin)

    @property
    def suggestion(self) -> float:
        """The rate two thirds down the valley, rounded to two digits."""
        start, end = np.log(self.rates[[self.valley_start, self.valley_end]])
        return float(f"{math.exp(start + VALLEY_POINT * (end - start)):.1e}")

    @property
    def steepest(self) -> int:
        """The point of the valley at which the logarithm of the smoothed loss falls fastest."""
        reach = max(1, round(SLOPE_DECADES * self.per_decade / 2))
        points = np.arange(self.valley_start, self.valley_end + 1)
        before = np.maximum(points - reach, 0)
        after = np.minimum(points + reach, self.valley_end)
        falls = np.log(self.smoothed[before] / self.smoothed[after]) / (after - before)
        return int(points[falls.argmax()])

    @cached_property
    def divergence(self) -> int | None:
        """The point at which the loss diverged, or None."""
        if self.learns:
            first, level = self.lowest, self._lost_level
        else:
            first, level = self.settled, DIVERGED_FACTOR * self.initial
        after = self.smoothed[first:]
        high = np.flatnonzero(~np.isfinite(after) | (after > level))
        return first + int(high[0]) if len(high) else None

    @property
    def _lost_level(self) -> float:
        return _between(self.lowest_loss, self._reference, LOST_LEAD)

    @property
    def _reference(self) -> float:
        """The loss to which a network that diverges returns: a constant answer's, or the first."""
        constant = self.constant.loss
        return constant if self.lowest_loss < constant else self.initial


def _between(start: float, end: float, share: float) -> float:
    """Return the loss at a share of the way from one loss to another, on a logarithmic scale."""
    return math.exp((1 - share) * math.log(start) + share * math.log(end))
