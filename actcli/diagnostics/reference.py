"""A reference: the accuracy that two simple classifiers reach on the rows of a split.

Hard data is not an ill network. Where the labels of two classes overlap, no network is right for
every row. Simple classifiers show in a fraction of a second what can at least be learnt: a linear
classifier (multinomial logistic regression), and the vote of the five nearest neighbours. They are
fitted to a fixed sample of the rows and judged on other rows. So a reference is a lower bound, and
a network that is clearly below it has a fault.

A network may know its training rows by heart, and still be worse than simple classifiers on other
rows. Where validation rows are known, all three therefore answer the same validation rows, which
shows smaller differences than two separate accuracies do.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Split, stable_permutation
from actcli.diagnostics.significance import mcnemar
from actcli.model import Model
from actcli.nn.arrays import Labels
from actcli.nn.links import classify, log_softmax

MIN_ROWS = 20  # fewer rows tell nothing
MAX_ROWS, MAX_VALUES = 5000, 4_000_000  # of the sample: 5,000 images of MNIST
FOLDS = 5  # a fifth of the sample is judged
MAX_ROWS_OF_ALL_FOLDS = 1000  # of a sample whose fifths are all judged, in turn
MAX_LINEAR_WORK = 16_000_000  # rows times columns times classes: 2,000 images of MNIST
MAX_HELD_OUT_ROWS = 1000  # validation rows on which network and reference are compared
MAX_COMPARED_VALUES = 100_000  # of a split whose rows are all compared: 5,000 rows of 20 columns
MANY_NEIGHBOURS = 30  # whose agreement shows how clear a label is
MIN_CLARITY_ROWS, ENOUGH_CLARITY_ROWS = 200, 1000
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


@dataclass(frozen=True)
class Comparison:
    """A network and the better simple classifier on the same rows.

    Args:
        rows: number of rows that both have answered.
        network: accuracy of the network.
        reference: accuracy of the simple classifier, which is fitted to other rows.
        errors: by how many standard errors the simple classifier is better (McNemar's test).
    """

    rows: int
    network: float
    reference: float
    errors: float


@dataclass(frozen=True)
class Clarity:
    """How sure labels are where the neighbours of a row agree most.

    Where classes overlap, there are still rows whose label is clear. If a share of all labels is
    wrong, no row is clear.

    Args:
        rows: number of the clearest rows: a tenth of the rows that were asked.
        accuracy: accuracy of the vote of the 30 nearest neighbours, over all rows that were asked.
        clearest: its accuracy on the clearest rows.
    """

    rows: int
    accuracy: float
    clearest: float


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


def simple_answers(fit: Split, other: Split, classes: int) -> tuple[Labels, Labels]:
    """Return what a linear classifier and the nearest neighbours predict for other rows.

    Args:
        fit: the rows to which they are fitted; `other` has the same pixels.
        other: the rows to predict.
        classes: K, the number of classes.
    """
    both = Split(
        fit.pixels,
        np.concatenate([fit.labels, other.labels]),
        np.concatenate([fit.rows, other.rows]),
    )
    inputs = _scaled(both, np.arange(len(fit)))
    known, asked = inputs[: len(fit)], inputs[len(fit) :]
    # The rows of a sample are in the order of the data, which may be sorted by class.
    most = max(MIN_ROWS, MAX_LINEAR_WORK // (inputs.shape[1] * classes))
    few = stable_permutation(len(fit), 0)[:most]
    return (
        _linear(known[few], fit.labels[few], asked, classes),
        _neighbours(known, fit.labels, asked, classes),
    )


def compare_held_out(model: Model, train: Split, validation: Split) -> Comparison | None:
    """Return how a network and simple classifiers do on the same validation rows.

    Args:
        model: the network.
        train: the training rows; the simple classifiers are fitted to a fixed sample of them.
        validation: the validation rows, of which a fixed sample is answered.

    Returns:
        The comparison; None if one of the splits has fewer than 20 rows.
    """
    most = min(MAX_ROWS, max(MIN_ROWS, MAX_VALUES // train.pixels.shape[1]))
    fit, other = train.sample(most), validation.sample(min(most, MAX_HELD_OUT_ROWS))
    if min(len(fit), len(other)) < MIN_ROWS:
        return None
    answers = np.stack(simple_answers(fit, other, len(model.classes)))
    return _comparison(model, other, answers)


def compare_folds(model: Model, split: Split) -> Comparison | None:
    """Return how a network does on all rows of a small split, on which it may be trained.

    The simple classifiers answer each fifth of the rows after they were fitted to the others. So
    the network has the advantage, and is yet worse if it has learnt too little.

    Args:
        model: the network.
        split: the rows.

    Returns:
        The comparison; None for few rows, and for more rows than can be compared in a moment.
    """
    if len(split) < MIN_ROWS or len(split) * split.pixels.shape[1] > MAX_COMPARED_VALUES:
        return None
    answers = np.empty((2, len(split)), np.intp)
    for fit, other in _parts(len(split)):
        answers[:, other] = simple_answers(
            split.subset(fit), split.subset(other), len(model.classes)
        )
    return _comparison(model, split, answers)


def _comparison(model: Model, split: Split, answers: Labels) -> Comparison:
    """Return the comparison of a network with the better of two rows of answers."""
    right = max((each == split.labels for each in answers), key=np.count_nonzero)
    mine = classify(model.split_logits(split)) == split.labels
    accuracies = float(mine.mean()), float(right.mean())
    return Comparison(len(split), *accuracies, mcnemar(right, mine))


def measure_clarity(split: Split, classes: int) -> Clarity | None:
    """Return how sure the labels of the clearest rows are; None for fewer than 200 rows.

    Args:
        split: the rows; a fixed sample of them is used.
        classes: K, the number of classes.
    """
    sample = split.sample(min(MAX_ROWS, max(MIN_ROWS, MAX_VALUES // split.pixels.shape[1])))
    if len(sample) < MIN_CLARITY_ROWS:
        return None
    shares, right = [], []
    for fit, other in _parts(len(sample)):
        inputs = _scaled(sample, fit)
        votes = _votes(inputs[fit], sample.labels[fit], inputs[other], classes, MANY_NEIGHBOURS)
        shares.append(votes.max(axis=1))
        right.append(votes.argmax(axis=1) == sample.labels[other])
        if len(right) * len(other) >= ENOUGH_CLARITY_ROWS:
            break
    answers = np.concatenate(right)
    clearest = np.concatenate(shares).argsort(kind="stable")[-(len(answers) // 10) :]
    return Clarity(len(clearest), float(answers.mean()), float(answers[clearest].mean()))


def _folds(count: int) -> Iterator[tuple[Labels, Labels]]:
    """Yield the positions to fit and the positions to judge: a fifth, or each fifth of few rows."""
    parts = _parts(count)
    yield from parts if count <= MAX_ROWS_OF_ALL_FOLDS else [next(parts)]


def _parts(count: int) -> Iterator[tuple[Labels, Labels]]:
    """Yield the positions to fit and the positions to judge, for each fifth of the rows."""
    order = np.random.PCG64(count).random_raw(count).argsort(kind="stable")
    for fold in range(FOLDS):
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
    answers: Labels = _votes(inputs, labels, others, classes, NEIGHBOURS).argmax(axis=1)
    return answers


def _votes(
    inputs: Values, labels: Labels, others: Values, classes: int, count: int
) -> NDArray[np.float64]:
    """Return how many of the nearest rows have each class, for other rows, shape (N, K)."""
    distances = others @ inputs.T  # |a - b|² = |a|² - 2 a·b + |b|², of which |a|² changes no order
    distances *= -2
    distances += np.vecdot(inputs, inputs)
    rows, votes = np.arange(len(others)), np.zeros((len(others), classes))
    for _ in range(min(count, len(inputs))):
        nearest = distances.argmin(axis=1)
        votes[rows, labels[nearest]] += 1
        distances[rows, nearest] = np.inf
    return votes
