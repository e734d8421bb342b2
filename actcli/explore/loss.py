"""What each loss makes of one prediction p and one target t, class by class.

Cross-entropy is -Σ t ln p: what it costs, in nats, to expect p where t is so. Of a one-hot target
one term is left, that of the true class. The Kullback-Leibler divergence, Σ t ln(t/p), is the same
less the entropy of the target, -Σ t ln t, which no prediction can get below. Neither is symmetric.
In all of them 0 ln 0 is 0, its limit, while t ln 0 is infinite for t above 0 (Cover, Thomas,
Elements of Information Theory (2006), sections 2.1 and 2.3).

Everything is float64. The logarithm of a prediction that came as scores is exact, even where the
probability itself has been rounded to 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actcli.errors import UsageError
from actcli.nn.activations import Softplus
from actcli.nn.links import log_softmax

Vector = NDArray[np.float64]

OFF = 1e-6  # by how much a sum of probabilities may miss 1, where digits have been rounded


@dataclass(frozen=True, eq=False)
class SwappedPair:
    """The same pair, with the target as prediction and the prediction as target.

    Args:
        cross_entropy: -Σ p ln t, nats.
        kl_divergence: Σ p ln(p/t), nats.
        impossible: the classes that make them infinite: p is above 0, and t is 0.
    """

    cross_entropy: float
    kl_divergence: float
    impossible: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class LossComparison:
    """A target and a prediction of K classes, and what each loss makes of them; vectors are (K,).

    Args:
        labels: a name for each class, if they have names.
        logits: the scores that the prediction was given as, if it was.
        target: t.
        predicted: p.
        true_class: the one class whose target is not 0; None where there are several.
        argmax: the class that the prediction speaks for, the first one of several.
        target_sum, predicted_sum: as given; where they are not 1, what is left of the theory is the
            arithmetic.
        renormalized: whether both were divided by their sums.
        cross_entropy_terms: -t ln p; kl_terms: t ln(t/p); squared_errors: (p - t)².
        losses: by name; each is the sum of its terms, or for binary-cross-entropy and mse the mean.
            Scores make a sigmoid of each class for binary-cross-entropy, and one softmax for the
            others.
        target_entropy: nats.
        impossible: the classes that make cross-entropy infinite: t is above 0, and p is 0.
    """

    labels: tuple[str, ...] | None
    logits: Vector | None
    target: Vector
    predicted: Vector
    true_class: int | None
    argmax: int
    target_sum: float
    predicted_sum: float
    renormalized: bool
    cross_entropy_terms: Vector
    kl_terms: Vector
    squared_errors: Vector
    losses: dict[str, float]
    target_entropy: float
    impossible: tuple[int, ...]
    swapped: SwappedPair


def compare_losses(
    target: ArrayLike | int,
    prediction: ArrayLike,
    *,
    scores: bool = False,
    renormalize: bool = False,
    labels: Sequence[str] | None = None,
) -> LossComparison:
    """Work out every loss of a pair.

    Args:
        target: the true class, or a probability for each.
        prediction: a probability for each class, or a score.
        scores: whether they are scores.
        renormalize: whether to divide both by their sums.
        labels: a name for each class.

    Raises:
        UsageError: a vector is no distribution, or the two do not go together.
    """
    option = "--logits" if scores else "--predicted"
    given = np.array(prediction, dtype=np.float64)
    if given.size < 2:
        raise UsageError(f"{option} needs a value for each class", "Two or more: 0.7,0.3")
    if labels is not None and len(labels) != given.size:
        names = f"{len(labels)} name{'s' * (len(labels) != 1)}"
        raise UsageError(f"--labels has {names}, {option} has {given.size} values")
    t = _target(target, given.size, option)
    _require_probabilities(t, "--target", renormalize)
    if scores:
        _require_finite(given, option)
    else:
        _require_probabilities(given, option, renormalize)
    target_sum, predicted_sum = float(t.sum()), 1.0 if scores else float(given.sum())
    if renormalize:
        t, given = t / target_sum, given / predicted_sum
    return LossComparison(
        labels=None if labels is None else tuple(labels),
        logits=given if scores else None,
        target_sum=target_sum,
        predicted_sum=predicted_sum,
        renormalized=renormalize,
        **_measure(t, given, scores),
    )


def _measure(t: Vector, given: Vector, scores: bool) -> dict[str, Any]:
    """What follows from a target, and probabilities or scores."""
    log_p = log_softmax(given[np.newaxis])[0].astype(np.float64) if scores else _log(given)
    p = np.exp(log_p) if scores else given
    log_t = _log(t)
    costs, entropies = _product(t, -log_p), _product(t, -log_t)
    errors = (p - t) ** 2
    if scores:  # log(1 + e^z) - t z, exact where σ(z) is 0 or 1
        binary = Softplus()(given).astype(np.float64) - t * given
    else:
        binary = costs + _product(1 - t, -_log(1 - p))
    possible = np.flatnonzero(t)
    return {
        "target": t,
        "predicted": p,
        "true_class": int(possible[0]) if len(possible) == 1 else None,
        "argmax": int(p.argmax()),
        "cross_entropy_terms": costs,
        "kl_terms": costs - entropies,
        "squared_errors": errors,
        "losses": {
            "cross-entropy": float(costs.sum()),
            "kl-divergence": float((costs - entropies).sum()),
            "binary-cross-entropy": float(binary.mean()),
            "mse": float(errors.mean()),
            "sse": float(errors.sum()),
        },
        "target_entropy": float(entropies.sum()),
        "impossible": _infinite(costs),
        "swapped": _swap(p, log_p, log_t),
    }


def _swap(p: Vector, log_p: Vector, log_t: Vector) -> SwappedPair:
    costs = _product(p, -log_t)
    return SwappedPair(
        cross_entropy=float(costs.sum()),
        kl_divergence=float((costs - _product(p, -log_p)).sum()),
        impossible=_infinite(costs),
    )


def _log(p: Vector) -> Vector:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(p))


def _product(weights: Vector, logs: Vector) -> Vector:
    """Each weight times its logarithm, 0 where the weight is 0, and never -0.0."""
    found = np.zeros_like(weights)
    np.multiply(weights, logs, out=found, where=weights > 0)
    return found + 0.0


def _infinite(terms: Vector) -> tuple[int, ...]:
    return tuple(np.flatnonzero(np.isinf(terms)).tolist())


def _target(target: ArrayLike | int, count: int, option: str) -> Vector:
    if not isinstance(target, int):
        t = np.array(target, dtype=np.float64)
        if t.size != count:
            raise UsageError(
                f"--target has {t.size} values, {option} has {count}", "Give one for each class"
            )
        return t
    if not 0 <= target < count:
        raise UsageError(f"--target: {target} is out of range", f"Allowed: 0 to {count - 1}")
    t = np.zeros(count)
    t[target] = 1
    return t


def _require_finite(values: Vector, option: str) -> None:
    for index in np.flatnonzero(~np.isfinite(values)):
        raise UsageError(
            f"{option}: value {index + 1} is {values[index]}", "Allowed: finite numbers"
        )


def _require_probabilities(p: Vector, option: str, renormalize: bool) -> None:
    """Refuse what is no distribution, though its sum may be off.

    Raises:
        UsageError: a value is not finite, is negative, or is above 1 and not to be divided by the
            sum; or all are 0.
    """
    _require_finite(p, option)
    scores = "; scores go to --logits" if option == "--predicted" else ""
    for index in np.flatnonzero(p < 0):
        raise UsageError(
            f"{option}: value {index + 1} is {p[index]:g}", f"A probability is 0 to 1{scores}"
        )
    for index in np.flatnonzero(p > 1) if not renormalize else ():
        raise UsageError(
            f"{option}: value {index + 1} is {p[index]:g}",
            f"A probability is 0 to 1; --renormalize divides by the sum{scores}",
        )
    if not p.any():
        raise UsageError(f"{option}: all values are 0", "One class at least must be possible")
    with np.errstate(over="ignore"):
        if np.isinf(p.sum()):
            raise UsageError(f"{option}: the sum is beyond 1.8e308", "Give smaller values")
