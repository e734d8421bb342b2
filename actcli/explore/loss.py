"""All losses of one prediction p and one target t, class by class.

Cross-entropy is -Σ t ln p, in nats. For a one-hot target only the term of the true class remains.
The Kullback-Leibler divergence, Σ t ln(t/p), is the cross-entropy minus the entropy of the target,
-Σ t ln t, the smallest cross-entropy that a prediction can reach. Neither is symmetric in t and p.
In both, 0 ln 0 is 0, its limit, while t ln 0 is infinite for t above 0 (Cover, Thomas,
Elements of Information Theory (2006), sections 2.1 and 2.3).

All results are float64. For a prediction given as logits, ln p is exact even where p itself is
rounded to 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actcli.errors import UsageError
from actcli.nn.activations import Softplus
from actcli.nn.links import log_softmax

Vector = NDArray[np.float64]

SUM_TOLERANCE = 1e-6  # of a sum of rounded probabilities


@dataclass(frozen=True, eq=False)
class SwappedPair:
    """The same pair, with the target as prediction and the prediction as target.

    Args:
        cross_entropy: -Σ p ln t, nats.
        kl_divergence: Σ p ln(p/t), nats.
        impossible: the classes whose terms are infinite: p is above 0, and t is 0.
    """

    cross_entropy: float
    kl_divergence: float
    impossible: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class LossComparison:
    """All losses of a target and a prediction of K classes; vectors have shape (K,).

    Args:
        labels: a name for each class; None without names.
        logits: of the prediction; None if the prediction consists of probabilities.
        target: t.
        predicted: p.
        true_class: the only class whose target is not 0; None if there are several.
        argmax: class with the largest prediction, the first one of equal predictions.
        target_sum, predicted_sum: before a renormalization.
        renormalized: whether both were divided by their sums.
        cross_entropy_terms: -t ln p; kl_terms: t ln(t/p); squared_errors: (p - t)².
        losses: by name; each is the sum of its terms, or for binary-cross-entropy and mse the mean.
            For logits, binary-cross-entropy uses the sigmoid of each class, the other losses use
            one softmax.
        target_entropy: nats.
        impossible: the classes with an infinite cross-entropy term: t is above 0, and p is 0.
        swapped: the losses with target and prediction swapped.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of `actcli loss --json`."""
        fields: dict[str, Any] = {
            "target": self.target,
            "predicted": self.predicted,
            "true_class": self.true_class,
            "argmax": self.argmax,
            "target_sum": self.target_sum,
            "predicted_sum": self.predicted_sum,
            "renormalized": self.renormalized,
            **{name.replace("-", "_"): value for name, value in self.losses.items()},
            "target_entropy": self.target_entropy,
            "impossible": self.impossible,
            "terms": {
                "cross_entropy": self.cross_entropy_terms,
                "kl_divergence": self.kl_terms,
                "squared_error": self.squared_errors,
            },
            "swapped": {
                "cross_entropy": self.swapped.cross_entropy,
                "kl_divergence": self.swapped.kl_divergence,
                "impossible": self.swapped.impossible,
            },
        }
        if self.labels is not None:
            fields["labels"] = self.labels
        if self.logits is not None:
            fields["logits"] = self.logits
        return fields

    def csv_rows(self) -> Iterator[Sequence[Any]]:
        """Yield the header of the CSV, and a row for each class: vectors and terms of losses."""
        terms = ["cross_entropy", "kl_divergence", "squared_error"]
        yield ["class", "label", "logit", "target", "predicted", *terms]
        count = len(self.target)
        vectors = [self.target, self.predicted]
        vectors += [self.cross_entropy_terms, self.kl_terms, self.squared_errors]
        yield from zip(
            range(count),
            self.labels or [None] * count,
            [None] * count if self.logits is None else self.logits.tolist(),
            *(vector.tolist() for vector in vectors),
            strict=True,
        )


def compare_losses(
    target: ArrayLike | int,
    prediction: ArrayLike,
    *,
    logits: bool = False,
    renormalize: bool = False,
    labels: Sequence[str] | None = None,
) -> LossComparison:
    """Return all losses of a target and a prediction.

    Args:
        target: the true class, or a probability for each.
        prediction: a probability for each class, or a logit.
        logits: whether the prediction consists of logits.
        renormalize: whether to divide target and prediction by their sums.
        labels: a name for each class.

    Raises:
        UsageError: a vector is not a distribution, or the two differ in length.
    """
    option = "--logits" if logits else "--predicted"
    values = np.array(prediction, dtype=np.float64)
    if values.size < 2:
        raise UsageError(f"{option} needs a value for each class", "Two or more: 0.7,0.3")
    if labels is not None and len(labels) != values.size:
        names = f"{len(labels)} name{'s' * (len(labels) != 1)}"
        raise UsageError(f"--labels has {names}, {option} has {values.size} values")
    t = _target(target, values.size, option)
    _require_probabilities(t, "--target", renormalize)
    if logits:
        _require_finite(values, option)
    else:
        _require_probabilities(values, option, renormalize)
    target_sum, predicted_sum = float(t.sum()), 1.0 if logits else float(values.sum())
    if renormalize:
        t, values = t / target_sum, values / predicted_sum
    return LossComparison(
        labels=None if labels is None else tuple(labels),
        logits=values if logits else None,
        target_sum=target_sum,
        predicted_sum=predicted_sum,
        renormalized=renormalize,
        **_measure(t, values, logits),
    )


def _measure(t: Vector, values: Vector, logits: bool) -> dict[str, Any]:
    """Return the fields of a comparison that follow from the target and the prediction."""
    log_p = log_softmax(values[np.newaxis])[0].astype(np.float64) if logits else _log(values)
    p = np.exp(log_p) if logits else values
    log_t = _log(t)
    costs, entropies = _product(t, -log_p), _product(t, -log_t)
    errors = (p - t) ** 2
    if logits:  # log(1 + e^z) - t z, exact where σ(z) is 0 or 1
        binary = Softplus()(values).astype(np.float64) - t * values
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
    """Return weights times logarithms: 0 where the weight is 0, and never -0.0."""
    products = np.zeros_like(weights)
    np.multiply(weights, logs, out=products, where=weights > 0)
    return products + 0.0


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
    """Raise if a vector is not a distribution; its sum may differ from 1.

    Raises:
        UsageError: a value is not finite, is negative, or is above 1 without renormalization;
            or all values are 0.
    """
    _require_finite(p, option)
    hint = "; pass logits as --logits" if option == "--predicted" else ""
    for index in np.flatnonzero(p < 0):
        raise UsageError(
            f"{option}: value {index + 1} is {p[index]:g}", f"A probability is 0 to 1{hint}"
        )
    for index in np.flatnonzero(p > 1) if not renormalize else ():
        raise UsageError(
            f"{option}: value {index + 1} is {p[index]:g}",
            f"A probability is 0 to 1; --renormalize divides by the sum{hint}",
        )
    if not p.any():
        raise UsageError(f"{option}: all values are 0", "One class at least must be possible")
    with np.errstate(over="ignore"):
        if np.isinf(p.sum()):
            raise UsageError(f"{option}: the sum is beyond 1.8e308", "Give smaller values")
