"""What one vector of scores says: as one distribution (softmax) and as separate odds (sigmoids).

Softmax makes the scores compete: its outputs are at least 0 and sum to 1, and adding a constant to
every score changes nothing. A sigmoid looks at one score alone: the outputs need not sum to
anything. A temperature T divides the scores first: above 1 it flattens softmax, below 1 it sharpens
it. A score of -inf is masked: that outcome is impossible.

Everything is float64. Where a true value is too small for float64 it is 0, and where the logarithm
of a probability is too large for it (scores 1e308 apart) it is -inf.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actcli.errors import UsageError
from actcli.nn.activations import Softplus
from actcli.nn.links import Softmax, log_softmax

Vector: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TargetAnalysis:
    """The same scores, when the true class is known.

    Args:
        index: the true class.
        one_hot: y, 1 at the true class and 0 elsewhere.
        cross_entropy: -log p of the true class in nats; infinite where p is 0.
        gradient: p - y, that of the cross-entropy with respect to z / T.
        masked: the true class was masked, and so the cross-entropy is infinite by definition.
    """

    index: int
    one_hot: Vector
    cross_entropy: float
    gradient: Vector
    masked: bool


@dataclass(frozen=True, eq=False)
class LogitAnalysis:
    """One vector of K scores and what follows from it; all vectors have shape (K,).

    Args:
        logits: the scores z, as given.
        temperature: T.
        labels: a name for each score, if they have names.
        exponentials: e^((z - max z) / T), in (0, 1]; softmax is these over their sum.
        softmax: p.
        log_softmax: log p, not rounded to log 0 where p underflows.
        sigmoid: σ(z / T), each by itself.
        entropy: -Σ p log p in nats, where 0 log 0 is 0.
        entropy_maximum: the logarithm of how many scores are not masked.
        entropy_share: entropy over its maximum; None where only one outcome is possible.
        perplexity: e^entropy: as unsure as a fair draw among that many outcomes.
        argmax: the winner, the first one of several with the same score.
        runner_up: the best of the others; None if there is no other.
        margin: p of the winner less p of the runner-up.
        tied: how many other scores equal the winner's.
        masked: how many scores are -inf.
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


def analyse_logits(
    logits: ArrayLike,
    temperature: float = 1.0,
    labels: Sequence[str] | None = None,
    target: int | None = None,
) -> LogitAnalysis:
    """Work out everything about one vector of scores.

    Raises:
        UsageError: the vector, the temperature, the labels or the target is impossible.
    """
    z = np.array(logits, dtype=np.float64)
    require_logits(z)
    require_temperature(temperature)
    if labels is not None and len(labels) != z.size:
        raise UsageError(f"{_some(len(labels), 'label')} for {_some(z.size, 'value')}")
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
    """Refuse a vector that has no softmax.

    Raises:
        UsageError: it is empty, holds NaN or +inf, or all of it is masked.
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
    """Refuse a temperature by which nothing can be divided.

    Raises:
        UsageError: it is not a finite number above 0.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise UsageError(
            f"the temperature cannot be {temperature:g}", "Allowed: finite numbers above 0"
        )


def _relative(z: Vector, temperature: float) -> Vector:
    """(z - max z) / T: at most 0, so that e to its power cannot overflow.

    The maximum is taken off first, because it is then exact for close scores and a tiny T cannot
    make it inf - inf. Halves, because 1e308 - -1e308 has no float64 although its half may, once
    divided by T. What is too far below is -inf, and its probability 0.
    """
    half = z * 0.5
    half -= half.max()
    with np.errstate(over="ignore"):
        half /= temperature
        half *= 2
    return half


def _sigmoid(z: Vector, temperature: float) -> Vector:
    """σ(x) as e^-softplus(-x), which stays exact where σ itself is far below 1e-38."""
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


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
