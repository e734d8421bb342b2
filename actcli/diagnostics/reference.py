"""A reference: the accuracy that two simple classifiers reach on the rows of a split.

Hard data is not an ill network. Where the labels of two classes overlap, no network is right for
every row. Simple classifiers show in a fraction of a second what can at least be learnt: a linear
classifier (multinomial logistic regression), and the vote of the five nearest neighbours. They are
fitted to a fixed sample of the rows and judged on other rows. So a reference is a lower bound, and
a network that is clearly below it has a fault.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Split
from actcli.nn.arrays import Labels
from actcli.nn.links import log_softmax

MIN_ROWS = 20  # fewer rows tell nothing
MAX_ROWS, MAX_VALUES = 5000, 4_000_000  # of the sample: 5,000 images of MNIST
FOLDS = 5  # a fifth of the sample is judged
MAX_ROWS_OF_ALL_FOLDS = 1000  # of a sample whose fifths are all judged, in turn
MAX_LINEAR_WORK = 16_000_000  # rows times columns times classes: 2,000 images of MNIST
NEIGHBOURS = 5
ITERATIONS, MEMORY = 15, 10  # of L-BFGS; more iterations gain less than 1 point on MNIST
PENALTY = 1e-3  # weight of half the squared weights beside the mean loss

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Reference:
    """What simple classifiers reach on a split.

    Args:
        rows: number of rows to which each classifier was fitted, at most.
        judged: number of other rows on which the accuracies are measured.
        linear: accuracy of a linear classifier.
        neighbours: accuracy of the vote of the nearest neighbours.
    """

    rows: int
    judged: int
    linear: float
    neighbours: float

    @property
    def accuracy(self) -> float:
        """The accuracy of the better classifier."""
        return max(self.linear, self.neighbours)


def measure_reference(split: Split, classes: int) -> Reference | None:
    """Return the reference of a split; None for a split of fewer than 20 rows.

    Args:
        split: the rows; a fixed sample of them is used.
        classes: K, the number of classes.
    """
    columns = split.pixels.shape[1]
    count = min(len(split), MAX_ROWS, max(MIN_ROWS, MAX_VALUES // columns))
    if count < MIN_ROWS:
        return None
    sample = split.sample(count)
    fitted = judged = linear = neighbours = 0
    for fit, other in _folds(count):
        inputs, labels = _scaled(sample, fit), sample.labels
        few = fit[: max(MIN_ROWS, MAX_LINEAR_WORK // (columns * classes))]
        answers = _linear(inputs[few], labels[few], inputs[other], classes)
        linear += int(np.count_nonzero(answers == labels[other]))
        answers = _neighbours(inputs[fit], labels[fit], inputs[other], classes)
        neighbours += int(np.count_nonzero(answers == labels[other]))
        fitted, judged = len(fit), judged + len(other)
    return Reference(fitted, judged, linear / judged, neighbours / judged)


def _folds(count: int) -> Iterator[tuple[Labels, Labels]]:
    """Yield the positions to fit and the positions to judge: a fifth, or each fifth of few rows."""
    order = np.random.PCG64(count).random_raw(count).argsort(kind="stable")
    for fold in range(FOLDS if count <= MAX_ROWS_OF_ALL_FOLDS else 1):
        is_judged = np.arange(count) % FOLDS == fold
        yield order[~is_judged], order[is_judged]


def _scaled(sample: Split, fit: Labels) -> Values:
    """Return the pixels (N, D) with each column from 0 to 1 on the fitted rows, then centred.

    So columns of different scale count alike, and images keep their proportions.
    """
    inputs = sample.pixels[sample.rows].astype(np.float32)
    low, high = inputs[fit].min(axis=0), inputs[fit].max(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        inputs -= low
        inputs /= np.where(high > low, high - low, 1)
    inputs -= inputs[fit].mean(axis=0)
    return np.nan_to_num(inputs, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _linear(inputs: Values, labels: Labels, others: Values, classes: int) -> Labels:
    """Return the predictions of a logistic regression for other rows."""
    rows = np.arange(len(inputs))
    shape = inputs.shape[1] + 1, classes

    def loss(flat: Values) -> tuple[float, Values]:
        weights = flat.reshape(shape)
        log_p = log_softmax(inputs @ weights[:-1] + weights[-1])
        value = PENALTY / 2 * np.vdot(flat, flat) - log_p[rows, labels].mean(dtype=np.float64)
        delta = np.exp(log_p)
        delta[rows, labels] -= 1
        delta /= len(inputs)
        gradient = np.vstack([inputs.T @ delta, delta.sum(axis=0)])
        return float(value), gradient.reshape(-1) + np.float32(PENALTY) * flat

    start = np.zeros(math.prod(shape), np.float32)
    weights = minimise(loss, start, ITERATIONS).reshape(shape)
    answers: Labels = (others @ weights[:-1] + weights[-1]).argmax(axis=1)
    return answers


def minimise(
    loss: Callable[[Values], tuple[float, Values]], start: Values, iterations: int
) -> Values:
    """Return a point near the minimum of a convex function, by L-BFGS with halved steps.

    Liu, Nocedal, On the Limited Memory BFGS Method (Mathematical Programming 45, 1989), section 2.

    Args:
        loss: returns the value and the gradient at a point.
        start: where to start.
        iterations: number of steps, at most.
    """
    point, (value, gradient) = start, loss(start)
    pairs: list[tuple[Values, Values, float]] = []
    for _ in range(iterations):
        norm = float(np.linalg.norm(gradient))
        if not norm > 0:
            break
        direction = _two_loops(gradient, pairs) if pairs else gradient / np.float32(norm)
        slope, step = float(np.vdot(gradient, direction)), 1.0
        while True:
            moved = point - np.float32(step) * direction
            moved_value, moved_gradient = loss(moved)
            if moved_value <= value - 1e-4 * step * slope or step < 1e-6:
                break
            step /= 2
        if not moved_value < value:
            break
        change, bend = moved - point, moved_gradient - gradient
        curvature = float(np.vdot(change, bend))
        if curvature > 0:
            pairs = [*pairs, (change, bend, curvature)][-MEMORY:]
        point, value, gradient = moved, moved_value, moved_gradient
    return point


def _two_loops(gradient: Values, pairs: list[tuple[Values, Values, float]]) -> Values:
    """Return the gradient times the estimate of the inverse Hessian (algorithm 7.4 of Nocedal,
    Wright, Numerical Optimization, 2006).
    """
    result, shares = gradient.copy(), []
    for change, bend, curvature in reversed(pairs):
        shares.append(np.float32(np.vdot(change, result) / curvature))
        result -= shares[-1] * bend
    _, bend, curvature = pairs[-1]
    result *= np.float32(curvature / np.vdot(bend, bend))
    for (change, bend, curvature), share in zip(pairs, reversed(shares), strict=True):
        result += (share - np.float32(np.vdot(bend, result) / curvature)) * change
    return result


def _neighbours(inputs: Values, labels: Labels, others: Values, classes: int) -> Labels:
    """Return the classes that most of the nearest rows have, for other rows."""
    distances = others @ inputs.T  # |a - b|² = |a|² - 2 a·b + |b|², of which |a|² changes no order
    distances *= -2
    distances += np.vecdot(inputs, inputs)
    rows, votes = np.arange(len(others)), np.zeros((len(others), classes))
    for _ in range(min(NEIGHBOURS, len(inputs))):
        nearest = distances.argmin(axis=1)
        votes[rows, labels[nearest]] += 1
        distances[rows, nearest] = np.inf
    answers: Labels = votes.argmax(axis=1)
    return answers
