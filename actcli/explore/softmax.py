"""Softmax and sigmoids of one vector of logits, with entropy, perplexity and cross-entropy.

Softmax makes the logits compete: its outputs are at least 0 and sum to 1, and adding a constant to
all logits changes nothing. A sigmoid depends on one logit alone, so the sum of the sigmoids can be
any positive number. A temperature T divides the logits first: above 1 it flattens softmax, below 1
it sharpens softmax. A logit of -inf is masked: that outcome is impossible.

All results are float64. A value too small for float64 becomes 0. A log-probability too large for
float64 (logits that are 1e308 apart) becomes -inf.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actcli.errors import UsageError
from actcli.nn.activations import Softplus
from actcli.nn.links import Softmax, log_softmax

Vector: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TargetAnalysis:
    """The cross-entropy of the true class, and its gradient.

    Args:
        index: of the true class.
        one_hot: y, 1 at the true class and 0 elsewhere.
        cross_entropy: -log p of the true class in nats; infinite where p is 0.
        gradient: p - y, the gradient of the cross-entropy with respect to z / T.
        masked: whether the true class is masked, which makes the cross-entropy infinite.
    """

    index: int
    one_hot: Vector
    cross_entropy: float
    gradient: Vector
    masked: bool


@dataclass(frozen=True, eq=False)
class LogitAnalysis:
    """One vector of K logits and all results for it; all vectors have shape (K,).

    Args:
        logits: z, before the division by the temperature.
        temperature: T.
        labels: a name for each logit; None without names.
        exponentials: e^((z - max z) / T), in [0, 1]; softmax divides them by their sum.
        softmax: p.
        log_softmax: log p, not rounded to log 0 where p underflows.
        sigmoid: σ(z / T), element by element.
        entropy: -Σ p log p in nats, where 0 log 0 is 0.
        entropy_maximum: ln of the number of logits that are not masked, in nats.
        entropy_share: entropy over its maximum; None where only one outcome is possible.
        perplexity: e^entropy. A fair draw among that many outcomes is equally uncertain.
        argmax: index of the largest logit, the winner; the first one of equal logits.
        runner_up: index of the largest of the other logits; None if all others are masked.
        margin: p of the winner minus p of the runner-up.
        tied: number of other logits that equal the winner's.
        masked: number of logits that are -inf.
        target: the results that depend on the true class; None without a true class.
    """

    logits: Vector
    temperature: float
    labels: tuple[str, ...] | None
    exponentials: Vector
    exponential_sum: float
    softmax: Vector
    softmax_sum: float
    log_softmax: Vector
    sigmoid: Vector
    sigmoid_sum: float
    entropy: float
    entropy_maximum: float
    entropy_share: float | None
    perplexity: float
    argmax: int
    runner_up: int | None
    margin: float | None
    tied: int
    masked: int
    target: TargetAnalysis | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of `actcli softmax --json`."""
        fields = {
            "logits": self.logits,
            "softmax": self.softmax,
            "log_softmax": self.log_softmax,
            "sigmoid": self.sigmoid,
            "entropy": self.entropy,
            "perplexity": self.perplexity,
            "argmax": self.argmax,
            "temperature": self.temperature,
        }
        if self.labels is not None:
            fields["labels"] = self.labels
        if self.target is not None:
            fields["target"] = self.target.index
            fields["cross_entropy"] = self.target.cross_entropy
            fields["gradient"] = self.target.gradient
        return fields

    def csv_rows(self) -> Iterator[Sequence[Any]]:
        """Yield the header of the CSV, and a row for each logit."""
        yield ["index", "label", "logit", "softmax", "log_softmax", "sigmoid", "gradient"]
        count = len(self.logits)
        vectors = [self.logits, self.softmax, self.log_softmax, self.sigmoid]
        yield from zip(
            range(count),
            self.labels or [None] * count,
            *(vector.tolist() for vector in vectors),
            [None] * count if self.target is None else self.target.gradient.tolist(),
            strict=True,
        )


def analyse_logits(
    logits: ArrayLike,
    temperature: float = 1.0,
    labels: Sequence[str] | None = None,
    target: int | None = None,
) -> LogitAnalysis:
    """Return softmax, sigmoids and their statistics for one vector of logits.

    Args:
        logits: shape (K,); -inf masks an outcome.
        temperature: divides the logits.
        labels: a name for each logit.
        target: index of the true class.

    Raises:
        UsageError: the logits, the temperature, the labels or the target are not allowed.
    """
    z = np.array(logits, dtype=np.float64)
    require_logits(z)
    require_temperature(temperature)
    if labels is not None and len(labels) != z.size:
        raise UsageError(f"{_counted(len(labels), 'label')} for {_counted(z.size, 'value')}")
    if target is not None and not 0 <= target < z.size:
        raise UsageError(f"target {target} is out of range", f"Allowed: 0 to {z.size - 1}")

    relative = _relative(z, temperature)
    exponentials = np.exp(relative)
    p = np.empty_like(relative)
    Softmax().value(relative[np.newaxis], p[np.newaxis])
    log_p = log_softmax(relative[np.newaxis])[0].astype(np.float64)
    possible = p > 0
    entropy = 0.0 - float(np.vecdot(p[possible], log_p[possible]))  # 0.0 - x is never -0.0
    masked = int(np.isneginf(z).sum())
    entropy_maximum = math.log(z.size - masked)
    sigmoid = _sigmoid(z, temperature)

    winner = int(z.argmax())
    others = z.copy()
    others[winner] = -np.inf
    runner_up = int(others.argmax()) if z.size - masked > 1 else None
    return LogitAnalysis(
        logits=z,
        temperature=temperature,
        labels=None if labels is None else tuple(labels),
        exponentials=exponentials,
        exponential_sum=float(exponentials.sum()),
        softmax=p,
        softmax_sum=float(p.sum()),
        log_softmax=log_p,
        sigmoid=sigmoid,
        sigmoid_sum=float(sigmoid.sum()),
        entropy=entropy,
        entropy_maximum=entropy_maximum,
        entropy_share=entropy / entropy_maximum if entropy_maximum > 0 else None,
        perplexity=math.exp(entropy),
        argmax=winner,
        runner_up=runner_up,
        margin=None if runner_up is None else float(p[winner] - p[runner_up]),
        tied=int((z == z[winner]).sum()) - 1,
        masked=masked,
        target=None if target is None else _measure_target(z, p, log_p, target),
    )


def require_logits(z: Vector) -> None:
    """Raise if softmax is not defined for a vector.

    Raises:
        UsageError: the vector is empty, contains NaN or +inf, or is masked completely.
    """
    if z.size == 0:
        raise UsageError("there are no values", "Give at least one number")
    wrong = np.flatnonzero(np.isnan(z) | np.isposinf(z))
    if wrong.size:
        raise UsageError(
            f"value {wrong[0] + 1} is {z[wrong[0]]:+}".replace("+nan", "nan"),
            "Allowed: finite numbers, and -inf for a masked one",
        )
    if np.isneginf(z).all():
        raise UsageError("every value is -inf", "At least one must be finite")


def require_temperature(temperature: float) -> None:
    """Raise if a temperature is not a finite number above 0.

    Raises:
        UsageError: the temperature is not allowed.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise UsageError(
            f"the temperature cannot be {temperature:g}", "Allowed: finite numbers above 0"
        )


def _relative(z: Vector, temperature: float) -> Vector:
    """Return (z - max z) / T, which is at most 0, so that its exponential cannot overflow.

    The maximum is subtracted first: the difference of close logits is then exact, and a tiny T
    cannot lead to inf - inf. The subtraction uses z / 2, because 1e308 - -1e308 overflows float64,
    although the quotient by T may not. A logit too far below the maximum becomes -inf, and its
    probability 0.
    """
    half = z * 0.5
    half -= half.max()
    with np.errstate(over="ignore"):
        half /= temperature
        half *= 2
    return half


def _sigmoid(z: Vector, temperature: float) -> Vector:
    """Return σ(z / T) as e^-softplus(-z / T), which is exact even where σ is far below 1e-38."""
    with np.errstate(over="ignore"):
        negative = z / -temperature
    return np.exp(-Softplus()(negative)).astype(np.float64)


def _measure_target(z: Vector, p: Vector, log_p: Vector, target: int) -> TargetAnalysis:
    one_hot = np.zeros_like(p)
    one_hot[target] = 1
    return TargetAnalysis(
        index=target,
        one_hot=one_hot,
        cross_entropy=0.0 - float(log_p[target]),
        gradient=p - one_hot,
        masked=bool(np.isneginf(z[target])),
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
