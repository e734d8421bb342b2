"""Evaluation: the exact loss and accuracy of a model, over all rows of a split in a fixed order."""

from collections.abc import Callable

import numpy as np

from actcli.datasets.batches import Split
from actcli.model import EVALUATION_ROWS, Model
from actcli.nn.arrays import Array, Labels, ignore_overflow
from actcli.nn.links import classify
from actcli.nn.losses import Loss
from actcli.nn.network import Trace
from actcli.training.events import Score

BatchHook = Callable[[Trace], None]  # reads the trace of each mini-batch after its forward pass


class TargetRows:
    """The target row of each label of a mini-batch, gathered into one buffer.

    Args:
        loss: defines the target row of a class.
        classes: K, the number of classes.
        rows: number of rows of the largest mini-batch.
        dtype: the dtype of the logits.
    """

    def __init__(self, loss: Loss, classes: int, rows: int, dtype: np.dtype[np.floating]) -> None:
        self.of_class = loss.targets(classes).astype(dtype)
        self.buffer = np.empty((rows, self.of_class.shape[1]), dtype)

    def __call__(self, labels: Labels) -> Array:
        """Return the target rows (N, units) of labels (N,), valid until the next call."""
        out = self.buffer[: len(labels)]
        np.take(self.of_class, labels, axis=0, out=out, mode="clip")
        return out


def evaluate(model: Model, split: Split, hook: BatchHook | None = None) -> Score:
    """Return the mean loss and the accuracy of a model on all rows of a split.

    Args:
        model: the model, in any precision.
        split: the rows, at least one.
        hook: called with the trace of each mini-batch after its forward pass; reads it only.

    Returns:
        The score. Its loss is infinite or NaN if numbers overflow.
    """
    rows = min(EVALUATION_ROWS, len(split))
    targets = TargetRows(model.loss, len(model.classes), rows, model.network.parameters.dtype)
    total, right = 0.0, 0
    for batch in model.forward_batches(split, EVALUATION_ROWS):
        last, labels = batch.trace.layers[-1], batch.labels
        right += int(np.count_nonzero(classify(last.z) == labels))
        with ignore_overflow():
            losses = model.loss(last.z, targets(labels), last.delta, last.derivative)
            total += float(losses.sum(dtype=np.float64))
        if hook:
            hook(batch.trace)
    return Score(total / len(split), right / len(split))
