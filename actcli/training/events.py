"""The events of a training: frozen records that `fit` yields to its caller.

Importing this module does not import NumPy, so that records can be read without it.
"""

from dataclasses import dataclass

HISTOGRAM_BINS = 40
MAX_SCALE = 1e35  # of a layer's bins: the outermost edge is still a float32


@dataclass(frozen=True)
class Score:
    """The mean loss per row of a model on a split, and the share of rows classified right."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Histograms:
    """Histograms of the values of each layer on a few training rows: see `diagnostics/histograms`.

    Args:
        scale: for each layer, the number that fixes the edges of its bins; the same after every
            epoch of a training.
        y_range: for each hidden layer, the range of its activation, which the bins of y divide;
            None if it is not bounded, so that the bins of y are those of z.
        z: for each layer, the number of pre-activations in each of 40 bins.
        y: for each hidden layer, the number of activations in each of 40 bins.
        saturated: for each hidden layer, the share of the (row, unit) pairs that are saturated;
            None for an activation that does not saturate.
    """

    scale: tuple[float, ...]
    y_range: tuple[tuple[float, float] | None, ...]
    z: tuple[tuple[int, ...], ...]
    y: tuple[tuple[int, ...], ...]
    saturated: tuple[float | None, ...]


@dataclass(frozen=True)
class Health:
    """The state of each layer after an epoch, measured on a few training rows.

    Args:
        delta_norm: for each layer, the mean over the rows of ‖δ‖₂.
        weight_grad_norm: for each layer, the norm of the gradient of its weights.
        silent: for each hidden layer, the number of units that none of these rows activates.
    """

    delta_norm: tuple[float, ...]
    weight_grad_norm: tuple[float, ...]
    silent: tuple[int, ...]


@dataclass(frozen=True)
class StepDone:
    """The event after each update of the parameters.

    Args:
        epoch: number of the epoch, from 1.
        step: number of the step in the epoch, from 1.
        rows: number of rows processed in the epoch so far.
    """

    epoch: int
    step: int
    rows: int


@dataclass(frozen=True)
class EpochDone:
    """The event after each epoch, that is, after one pass over all training rows.

    Args:
        epoch: number of the epoch, from 1.
        learning_rate: mean learning rate of the epoch's steps.
        train: score on the training rows, each measured before the step that learns from it.
        validation: score on the validation rows after the epoch; None without validation rows.
        seconds: time spent in the steps of the epoch.
        examples_per_second: training rows divided by `seconds`.
        update_ratio: for each layer, the RMS of the last update over the RMS of the weights.
        best: whether the validation loss, or without validation rows the training loss, is a new
            minimum.
        health: the health of each layer; None if the training does not measure it.
        histograms: of each layer; None if the training does not measure them.
    """

    epoch: int
    learning_rate: float
    train: Score
    validation: Score | None
    seconds: float
    examples_per_second: float
    update_ratio: tuple[float, ...]
    best: bool
    health: Health | None = None
    histograms: Histograms | None = None


Event = StepDone | EpochDone
