"""The interval of a share, and whether the difference of two accuracies is more than chance."""

import math

import numpy as np
from numpy.typing import NDArray

QUANTILE = 1.959964  # of the normal distribution, at 97.5 %


def standard_error(accuracy: float, rows: int) -> float:
    """Return the standard error of an accuracy.

    Two rows of either outcome are added, because 17 right rows of 17 do not prove 100 % (Agresti,
    Coull, The American Statistician 52 (1998), page 119).

    Args:
        accuracy: the measured accuracy.
        rows: number of rows on which it was measured.
    """
    share = (accuracy * rows + 2) / (rows + 4)
    return math.sqrt(share * (1 - share) / (rows + 4))


def wilson(yes: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, JASA 22 (1927), page 209).

    Args:
        yes: the number of successes.
        count: the number of trials, at least 1.
    """
    share, square = yes / count, QUANTILE**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    variance = share * (1 - share) / count + square / (4 * count**2)
    half = QUANTILE * math.sqrt(variance) / (1 + square / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar(
    new: NDArray[np.bool_],
    old: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Return by how many standard errors one classifier is better than another on the same rows.

    This is McNemar's test (Psychometrika 12 (1947), page 153): only rows count on which one of the
    two is right.

    Args:
        new: whether the one classifier predicts each row right, shape (N,).
        old: the same for the other one.
        weights: how much each row counts, shape (N,); None if all rows count alike.
    """
    counts = np.ones(len(new)) if weights is None else weights
    changed = counts * (new.astype(float) - old.astype(float))
    error = math.sqrt(np.vdot(changed, changed))
    return float(changed.sum() / error) if error else 0.0


def is_clearly_better(
    new: NDArray[np.bool_],
    old: NDArray[np.bool_],
    standard_errors: float,
    weights: NDArray[np.float64] | None = None,
) -> bool:
    """Return whether one classifier is better than another one on the same rows; see `mcnemar`.

    Args:
        new: whether the one classifier predicts each row right, shape (N,).
        old: the same for the other one.
        standard_errors: the number of standard errors that the gain must exceed.
        weights: how much each row counts, shape (N,); None if all rows count alike.
    """
    return mcnemar(new, old, weights) > standard_errors
