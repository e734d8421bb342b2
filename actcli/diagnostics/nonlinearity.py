"""Whether a non-linearity would help on some data: kernel classifiers on a sample of its rows.

A network whose hidden layers are linear is a linear classifier, however many layers it has. What
this costs depends on the data. So a linear and a Gaussian kernel classifier (kernel ridge
regression: Murphy, Machine Learning (2012), section 14.4.3) learn one half of a sample and predict
the other half. A network is not needed for this, and the fit is exact.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Batches, Normalization, Split
from actcli.diagnostics.significance import is_clearly_better
from actcli.diagnostics.units import LayerUnits

SAMPLE_ROWS = 1200
RIDGES = (1e-4, 1e-2, 1.0)  # times the mean of the kernel's diagonal
WIDTHS = (1.0, 0.1, 0.01)  # times the mean squared distance of two rows
SIGNIFICANT_ERRORS = 3.0  # standard errors between two classifiers that differ

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class NonlinearGain:
    """What the best linear and the best Gaussian kernel classifier reach on the same rows.

    Args:
        rows: number of rows that they predict, and of other rows that they learn.
        linear: accuracy of the linear classifier.
        nonlinear: accuracy of the Gaussian kernel classifier.
        is_significant: whether the difference is more than noise (McNemar's test).
    """

    rows: int
    linear: float
    nonlinear: float
    is_significant: bool


def is_linear(layer: LayerUnits) -> bool:
    """Return whether a hidden layer is linear on all rows: identity, or ReLUs that never switch."""
    return layer.activation == "identity" or (
        layer.always_on > 0 and layer.always_on + layer.dead == layer.units
    )


def nonlinear_gain(
    split: Split, normalization: Normalization, classes: int
) -> NonlinearGain | None:
    """Return what a non-linearity brings on a split; None if its rows are too few or all the same.

    Args:
        split: the rows.
        normalization: applied to them.
        classes: K, number of classes.
    """
    sample = split.sample(SAMPLE_ROWS)
    half = len(sample) // 2
    if half < 2 * classes:
        return None
    ((inputs, labels),) = Batches(sample, normalization, len(sample), np.float64)()
    order = np.argsort(np.arange(len(sample)) % 2, kind="stable")  # the files may be sorted
    x, y = inputs[order].astype(float), labels[order]
    if next(_scalings(x, half), None) is None:  # all rows are the same
        return None
    targets = np.eye(classes)[y[:half]] - 1 / classes
    right = {
        is_gaussian: max(
            (
                _predict(kernel, targets, ridge) == y[half : 2 * half]
                for kernel in kernels
                for ridge in RIDGES
            ),
            key=np.count_nonzero,
        )
        for is_gaussian, kernels in ((False, _linear(x, half)), (True, _gaussian(x, half)))
    }
    return NonlinearGain(
        rows=half,
        linear=float(right[False].mean()),
        nonlinear=float(right[True].mean()),
        is_significant=is_clearly_better(right[True], right[False], SIGNIFICANT_ERRORS),
    )


def _predict(kernel: Matrix, targets: Matrix, ridge: float) -> NDArray[np.intp]:
    """Return the predicted classes of the second half of the rows.

    Args:
        kernel: between all rows and those of the first half, shape (2n, n).
        targets: of the first half, shape (n, K).
        ridge: the ridge, times the mean of the diagonal.
    """
    n = len(targets)
    square = kernel[:n] + ridge * np.trace(kernel[:n]) / n * np.eye(n)
    predicted: NDArray[np.intp] = (kernel[n : 2 * n] @ np.linalg.solve(square, targets)).argmax(1)
    return predicted


def _linear(x: Matrix, half: int) -> Iterator[Matrix]:
    for scaled in _scalings(x, half):
        yield scaled @ scaled[:half].T + np.square(scaled[:half]).sum(axis=1).mean()


def _gaussian(x: Matrix, half: int) -> Iterator[Matrix]:
    for scaled in _scalings(x, half):
        squares = np.square(scaled).sum(axis=1)
        distances = squares[:, np.newaxis] + squares[:half] - 2 * scaled @ scaled[:half].T
        for width in WIDTHS:
            yield np.exp(-np.maximum(distances, 0) / (width * distances.mean()))


def _scalings(x: Matrix, half: int) -> Iterator[Matrix]:
    """Yield the centred inputs, and the standardised ones if not all columns are alike."""
    centred = x - x[:half].mean(axis=0)
    deviation = centred[:half].std(axis=0)
    varied = centred[:, deviation > 0]
    if varied.shape[1]:
        yield varied
        yield varied / deviation[deviation > 0]
