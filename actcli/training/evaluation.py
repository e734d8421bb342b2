"""Evaluation: the exact loss and accuracy of a model, over all rows of a split in a fixed order."""

from collections.abc import Callable

import numpy as np

from actcli.datasets.batches import Split
from actcli.model import EVALUATION_ROWS, Model
from actcli.nn.arrays import Array, Labels, ignore_overflow
from actcli.nn.links import classify
from actcli.nn.network import Trace
from actcli.training.events import Score

BatchHook = Callable[[Trace], None]  # reads the trace of each mini-batch after its forward pass


class RowLosses:
    """The losses of the rows of a mini-batch and their gradient, from logits and labels.

    Target rows and class weights are gathered into buffers that are allocated once.

    Args:
        model: gives the loss, the class weights and the dtype.
        rows: number of rows of the largest mini-batch.
    """

    def __init__(self, model: Model, rows: int) -> None:
        dtype = model.network.parameters.dtype
        self.loss = model.loss
        self.targets = model.loss.targets(len(model.classes)).astype(dtype)
        self.target_rows = np.empty((rows, self.targets.shape[1]), dtype)
        self.class_weights = np.array(model.class_weights, dtype)
        self.weights = np.empty((rows if model.class_weights else 0, 1), dtype)

    def __call__(self, logits: Array, labels: Labels, gradient: Array, scratch: Array) -> Array:
        """Return the loss of each row, shape (N,), and write its derivative to `gradient`.

        Both are multiplied by the weight of the row's class.

        Args:
            logits: shape (N, units).
            labels: shape (N,).
            gradient: shape (N, units), overwritten.
            scratch: shape (N, units), overwritten.
        """
        targets = self.target_rows[: len(labels)]
        np.take(self.targets, labels, axis=0, out=targets, mode="clip")
        losses = self.loss(logits, targets, gradient, scratch)
        if len(self.class_weights):
            weights = self.weights[: len(labels)]
            np.take(self.class_weights, labels, out=weights[:, 0], mode="clip")
            losses *= weights[:, 0]
            gradient *= weights
        return losses


def evaluate(model: Model, split: Split, hook: BatchHook | None = None) -> Score:
    """Return the mean loss and the accuracy of a model on all rows of a split.

    The loss is weighted if the model has class weights.

    Args:
        model: the model, in any precision.
        split: the rows, at least one.
        hook: called with the trace of each mini-batch after its forward pass; reads it only.

    Returns:
        The score. Its loss is infinite or NaN if numbers overflow.
    """
    rows = min(EVALUATION_ROWS, len(split))
    row_losses = RowLosses(model, rows)
    total, right = 0.0, 0
    for batch in model.forward_batches(split, EVALUATION_ROWS):
        last, labels = batch.trace.layers[-1], batch.labels
        right += int(np.count_nonzero(classify(last.z) == labels))
        with ignore_overflow():
            losses = row_losses(last.z, labels, last.delta, last.derivative)
            total += float(losses.sum(dtype=np.float64))
        if hook:
            hook(batch.trace)
    return Score(total / len(split), right / len(split))
