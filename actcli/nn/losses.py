"""Losses: the cost of a prediction, and the gradient with which the backward pass starts.

A loss takes logits rather than probabilities, because only then is it exact: the log softmax is
finite even where the softmax rounds to 0. So a loss owns its link. Softmax with cross-entropy, and
sigmoid with binary cross-entropy, have the gradient `prediction - target` (Bishop, Pattern
Recognition and Machine Learning (2006), section 4.3.6). Every other legal pair multiplies by the
link's Jacobian.

Calling a loss returns ℓᵢ of each row, shape (N,), and writes ∂ℓᵢ/∂logits, shape (N, K). The loss of
a mini-batch is the mean of ℓᵢ over its rows.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from actcli.errors import UsageError
from actcli.nn.arrays import Array
from actcli.nn.links import LINKS, Link
from actcli.registry import Registry


class Loss(ABC):
    """A loss for each row, from its logits and its target row.

    Args:
        output: the name of the link, one of `outputs`, or "auto" for the first of them.
        label_smoothing: ε in [0, 1): the share of a target that is spread evenly over the classes;
            with binary cross-entropy, over the yes and no of each unit (Szegedy et al., Rethinking
            the Inception Architecture (CVPR 2016), section 7).

    Raises:
        UsageError: the loss does not have this output, or does not support label smoothing.
    """

    summary: ClassVar[str]
    outputs: ClassVar[tuple[str, ...]]
    smooths: ClassVar[bool] = False  # whether label smoothing is supported
    source: ClassVar[str]

    def __init__(self, output: str = "auto", label_smoothing: float = 0.0) -> None:
        name = next(name for name, entry in LOSSES.items() if entry is type(self))
        self.output = self.outputs[0] if output == "auto" else output
        if self.output not in self.outputs:
            allowed = ", ".join(self.outputs)
            raise UsageError(
                f"loss {name!r} does not go with output {output!r}",
                f"Its outputs: {allowed}, or auto",
            )
        if label_smoothing and not self.smooths:
            smoothing = ", ".join(name for name, entry in LOSSES.items() if entry.smooths)
            raise UsageError(
                f"label_smoothing has no meaning for loss {name!r}", f"It goes with: {smoothing}"
            )
        self.label_smoothing = label_smoothing
        self.link: Link = LINKS[self.output]()

    def units(self, classes: int) -> int:
        """Return the number of output units for this many classes."""
        return classes

    def targets(self, classes: int) -> Array:
        """Return the target row of each class, shape (classes, units): one-hot, or smoothed."""
        smoothing = self.label_smoothing
        return np.eye(classes) * (1 - smoothing) + smoothing / classes

    @abstractmethod
    def __call__(self, logits: Array, targets: Array, gradient: Array, scratch: Array) -> Array:
        """Return the loss ℓᵢ of each row, shape (N,), and write ∂ℓᵢ/∂logits to `gradient`.

        Args:
            logits: shape (N, K).
            targets: shape (N, K).
            gradient: shape (N, K), overwritten.
            scratch: shape (N, K), overwritten.
        """


LOSSES: Registry[type[Loss]] = Registry("loss")


@LOSSES.register("cross-entropy", "ce", "nll")
class CrossEntropy(Loss):
    """ℓ = -Σₖ tₖ log pₖ with p = softmax(z); ∂ℓ/∂z = p - t."""

    summary = "Nats to name the true class under the softmax: only its probability counts."
    outputs = ("softmax",)
    smooths = True
    source = "Bishop, Pattern Recognition and Machine Learning (2006), equations 4.108, 4.109"

    def __call__(self, logits: Array, targets: Array, gradient: Array, scratch: Array) -> Array:
        np.subtract(logits, logits.max(axis=1, keepdims=True), out=gradient)
        target_logits = np.vecdot(targets, gradient)
        # Probabilities stop at 1e-28: smaller ones could become denormal numbers, which are slow.
        np.maximum(gradient, -64, out=gradient)
        np.exp(gradient, out=gradient)
        partition = gradient.sum(axis=1, keepdims=True)
        gradient /= partition
        gradient -= targets
        return np.asarray(np.log(partition[:, 0]) - target_logits)


@LOSSES.register("binary-cross-entropy", "bce")
class BinaryCrossEntropy(Loss):
    """ℓ = mean over units of -t log p - (1 - t) log(1 - p) with p = σ(z); ∂ℓ/∂z = (p - t) / K.

    Two classes share one unit, whose output is the probability of the second class. With more
    classes, each has a unit that separates it from the rest. The mean over units is the one of
    PyTorch's `BCEWithLogitsLoss`.
    """

    summary = "A yes-or-no question for each unit: this class, or not?"
    outputs = ("sigmoid",)
    smooths = True
    source = "Bishop, Pattern Recognition and Machine Learning (2006), equations 4.90, 4.91"

    def units(self, classes: int) -> int:
        return 1 if classes == 2 else classes

    def targets(self, classes: int) -> Array:
        rows = np.array([[0.0], [1.0]]) if classes == 2 else np.eye(classes)
        return rows * (1 - self.label_smoothing) + self.label_smoothing / 2

    def __call__(self, logits: Array, targets: Array, gradient: Array, scratch: Array) -> Array:
        np.abs(logits, out=scratch)  # log(1 + e^z) - t z = max(0, z) - t z + log(1 + e^-|z|)
        np.negative(scratch, out=scratch)
        np.exp(scratch, out=scratch)
        np.log1p(scratch, out=scratch)
        np.maximum(logits, 0, out=gradient)
        scratch += gradient
        np.multiply(targets, logits, out=gradient)
        scratch -= gradient
        self.link.value(logits, gradient)
        gradient -= targets
        gradient /= logits.shape[1]
        return np.asarray(scratch.mean(axis=1))


@LOSSES.register("kl-divergence", "kl")
class KLDivergence(CrossEntropy):
    """ℓ = Σₖ tₖ log(tₖ / pₖ) with p = softmax(z): cross-entropy less the entropy of the target."""

    summary = "Nats lost by using the softmax in place of the target distribution; 0 where equal."
    source = "Kullback, Leibler, On Information and Sufficiency (1951), equation 2.4"

    def __call__(self, logits: Array, targets: Array, gradient: Array, scratch: Array) -> Array:
        losses = super().__call__(logits, targets, gradient, scratch)
        scratch.fill(0)
        np.log(targets, out=scratch, where=targets > 0)  # 0 log 0 = 0
        losses += np.vecdot(targets, scratch)
        return losses


@LOSSES.register("sse")
class SumOfSquaredErrors(Loss):
    """ℓ = Σₖ (pₖ - tₖ)²; ∂ℓ/∂p = 2 (p - t), then back through the link."""

    summary = "Squared distance to the one-hot target, summed over the classes."
    outputs = ("sigmoid", "softmax", "identity")
    source = "Bishop, Neural Networks for Pattern Recognition (1995), section 6.1"

    def __call__(self, logits: Array, targets: Array, gradient: Array, scratch: Array) -> Array:
        self.link.value(logits, scratch)
        np.subtract(scratch, targets, out=gradient)
        losses = np.vecdot(gradient, gradient)
        gradient *= 2
        self.link.pullback(scratch, gradient)
        return np.asarray(losses)


@LOSSES.register("mse")
class MeanSquaredError(SumOfSquaredErrors):
    """ℓ = 1/K Σₖ (pₖ - tₖ)², as in PyTorch's `MSELoss`."""

    summary = "Squared distance to the one-hot target, averaged over the classes."

    def __call__(self, logits: Array, targets: Array, gradient: Array, scratch: Array) -> Array:
        losses = super().__call__(logits, targets, gradient, scratch)
        losses /= logits.shape[1]
        gradient /= logits.shape[1]
        return losses
