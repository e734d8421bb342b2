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
# Share of the loss by which the most usual choice may be worse than the best one.
SIMILAR_LOSS = 0.02


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
        names += [(name,) * len(current) for name in PLAUSIBLE]
    choices = [model.normalization]
    if normalizations:
        choices += [fit(split) for fit in NORMALIZATIONS.values()]
    return [
        replace(model, network=_with(model.network, each), normalization=normalization)
        for each, normalization in itertools.product(names, choices)
    ]


def clearly_better(candidates: Sequence[Model], split: Split) -> tuple[Model, float, float] | None:
    """Return the candidate that is clearly better than the first one; None if there is none.

    Returns:
        The candidate, the accuracy of the first one, and its own.
    """
    good = _good(candidates, split)
    best, first, proof = good[0], candidates[0], split.sample(PROOF_ROWS)
    old, new = right_rows(first, proof), right_rows(best, proof)
    gain = np.count_nonzero(new) - np.count_nonzero(old)
    needed = max(CLEAR_GAIN * len(proof), FEWER_ERRORS * np.count_nonzero(~old))
    if not is_clearly_better(new, old, SIGNIFICANT_ERRORS) or gain < needed:
        return None
    return best, float(old.mean()), float(new.mean())


def best_fit(candidates: Sequence[Model], split: Split) -> tuple[Model, float, float]:
    """Return the candidate that fits best, the accuracy of the first one, and its own.

    Of those that are about as accurate as the best one it is the one with the lowest loss, because
    the training has lowered the loss under the right choice. The most usual one of equals counts.
    """
    proof = split.sample(PROOF_ROWS)
    good = _good(candidates, split)
    accuracies = [float(right_rows(each, proof).mean()) for each in good]
    enough = max(accuracies) - SIMILAR / 2
    kept = [each for each in zip(good, accuracies, strict=True) if each[1] >= enough]
    losses = [_loss(each, proof) for each, _ in kept]
    lowest = min(losses)
    best, accuracy = next(
        each for each, loss in zip(kept, losses, strict=True) if loss <= (1 + SIMILAR_LOSS) * lowest
    )
    return best, float(right_rows(candidates[0], proof).mean()), accuracy


def right_rows(model: Model, split: Split) -> NDArray[np.bool_]:
    """Return whether each row is predicted right."""
    logits = model.split_logits(split)
    if logits.shape[1] == 1:
        return np.asarray((logits[:, 0] > 0) == split.labels)
    return np.asarray(logits.argmax(axis=1) == split.labels)


def _good(candidates: Sequence[Model], split: Split) -> list[Model]:
    """Return the candidates that are about as accurate as the best one on a few rows."""
    trial = split.sample(TRIAL_ROWS)
    rights = [int(np.count_nonzero(right_rows(candidate, trial))) for candidate in candidates]
    enough = max(rights) - SIMILAR * len(trial)
    return [each for each, right in zip(candidates, rights, strict=True) if right >= enough]


def _loss(model: Model, split: Split) -> float:
    """Return the mean cross-entropy; infinity instead of NaN."""
    logits = model.split_logits(split).astype(float)
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    with ignore_overflow():
        value = -float(log_softmax(logits)[np.arange(len(logits)), split.labels].mean())
    return value if np.isfinite(value) else np.inf


def _with(network: MLP, activations: tuple[str, ...]) -> MLP:
    other = MLP(network.sizes, activations)
    other.parameters[:] = network.parameters
    return other
