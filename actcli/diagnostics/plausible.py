"""Plausible choices for what a file does not say, compared on a sample of the training rows.

Under a wrong activation or normalization a network still predicts many rows right, because its
first layers work almost as before. So each choice is tried on a few rows, the best ones on more.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import NORMALIZATIONS, Split
from actcli.diagnostics.significance import is_clearly_better
from actcli.model import Model
from actcli.nn.arrays import ignore_overflow
from actcli.nn.links import log_softmax
from actcli.nn.network import MLP

# The activations that are compared, the most usual first.
PLAUSIBLE = (
    *("relu", "tanh", "sigmoid", "identity", "leaky-relu", "elu", "gelu", "selu", "silu"),
    *("softplus", "softsign", "relu6"),
)
TRIAL_ROWS, PROOF_ROWS = 400, 2000
SIMILAR = 0.02  # accuracies this close are alike: the most usual choice of them is taken
SIGNIFICANT_ERRORS = 3.0  # standard errors by which another choice must be better
# Share of the errors that another choice must remove, and its gain in accuracy. Under a wrong
# activation, right networks lose a third to four fifths of their errors with the right one. Faulty
# ones lose an eighth with a wrong one that is smoother.
FEWER_ERRORS, CLEAR_GAIN = 0.25, 0.01
# A loss of up to so many times the lowest one is alike, too.
SIMILAR_LOSS = 1.5
HUGE = 1e30  # a loss; times SIMILAR_LOSS it is finite, too


def candidates_of(
    model: Model, split: Split, activations: bool, normalizations: bool
) -> list[Model]:
    """Return the models under all plausible choices, the given one first.

    Args:
        model: the model under the assumptions.
        split: the training rows, to which normalizations are fitted.
        activations: whether the activation is open.
        normalizations: whether the normalization is open.
    """
    current = model.network.activation_names
    names = [current]
    if activations and current:
        others = [(name,) * len(current) for name in PLAUSIBLE]
        names += [each for each in others if each != current]
    choices = [model.normalization]
    if normalizations:
        method = model.normalization.method
        choices += [fit(split) for name, fit in NORMALIZATIONS.items() if name != method]
    models = [
        replace(model, network=_with(model.network, each), normalization=normalization)
        for each, normalization in itertools.product(names, choices)
    ]
    return [model, *models[1:]]


def best_fit(candidates: Sequence[Model], split: Split) -> tuple[Model, float, float]:
    """Return the candidate that fits clearly better than the first one, or else the first one.

    Several candidates may be about as accurate as the best one. Of those whose loss is not much
    higher than the lowest one it is the most usual: training lowers it under the right choice.

    Returns:
        The candidate, the accuracy of the first one, and its own.
    """
    trial, proof, first = split.sample(TRIAL_ROWS), split.sample(PROOF_ROWS), candidates[0]
    rights = [int(np.count_nonzero(right_rows(candidate, trial))) for candidate in candidates]
    enough = max(rights) - SIMILAR * len(trial)
    good = [each for each, right in zip(candidates, rights, strict=True) if right >= enough]
    shares = [float(right_rows(each, proof).mean()) for each in good]
    alike = [
        each for each, part in zip(good, shares, strict=True) if part >= max(shares) - SIMILAR / 2
    ]
    losses = [_loss(each, proof) for each in alike]
    limit = SIMILAR_LOSS * min(losses)
    best = next(each for each, loss in zip(alike, losses, strict=True) if loss <= limit)
    old, new = right_rows(first, proof), right_rows(best, proof)
    gain = np.count_nonzero(new) - np.count_nonzero(old)
    needed = max(CLEAR_GAIN * len(proof), FEWER_ERRORS * np.count_nonzero(~old))
    if not is_clearly_better(new, old, SIGNIFICANT_ERRORS) or gain < needed:
        best, new = first, old
    return best, float(old.mean()), float(new.mean())


def right_rows(model: Model, split: Split) -> NDArray[np.bool_]:
    """Return whether each row is predicted right, in the order of the classes that fits."""
    return _answers(model, split)[0]


def _loss(model: Model, split: Split) -> float:
    """Return the mean cross-entropy; a huge number if it is not finite."""
    _, logits, labels = _answers(model, split)
    with ignore_overflow():
        value = -float(log_softmax(logits)[np.arange(len(logits)), labels].mean())
    return value if np.isfinite(value) else HUGE


def _answers(
    model: Model, split: Split
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.intp]]:
    """Return whether each row is predicted right, the logits, and the labels.

    If the labels number the classes in another order than in the training, the right choice is
    wrong for every row. Then the labels are renumbered; `permuted-labels` reports it.
    """
    logits = model.split_logits(split).astype(np.float64)
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    predicted, labels = logits.argmax(axis=1), split.labels
    classes = logits.shape[1]
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    confusion = counts.reshape(classes, classes)
    order = confusion.argmax(axis=1)
    is_moved = (2 * confusion.max(axis=1) >= confusion.sum(axis=1)).all()
    if is_moved and len(set(order.tolist())) == classes:
        labels = order[labels]
    return np.asarray(predicted == labels), logits, labels


def _with(network: MLP, activations: tuple[str, ...]) -> MLP:
    other = MLP(network.sizes, activations)
    other.parameters[:] = network.parameters
    return other
