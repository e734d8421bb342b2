"""Losses: what a prediction costs, and the gradient that starts the way back.

A loss takes raw scores, because only then is it exact: log softmax of a score is finite where the
softmax itself has been rounded to 0. So a loss owns its link, and where the two fit each other the
gradient closes to `prediction - target` (Bishop, Pattern Recognition and Machine Learning (2006),
section 4.3.6): softmax with cross-entropy, sigmoid with binary cross-entropy. Every other legal
pair takes the link's Jacobian into account.

Calling a loss gives ℓᵢ of each example, shape (N,), and writes ∂ℓᵢ/∂scores, shape (N, K). The cost
of a batch is the mean of ℓᵢ over its examples.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from actcli.errors import UsageError
from actcli.nn.arrays import Array
from actcli.nn.links import LINKS, Link
from actcli.registry import Registry


class Loss(ABC):
    """A cost per example, of raw scores against a target row.

    Args:
        output: the link, one of `outputs`, or "auto" for the first of them.
        label_smoothing: ε in [0, 1): the share of a target that is spread evenly over the classes,
            or over yes and no for each unit of a binary cross-entropy (Szegedy et al., Rethinking
            the Inception Architecture (CVPR 2016), section 7).

    Raises:
        UsageError: this loss has no such output, or label smoothing has no meaning for it.
    """

    summary: ClassVar[str]
    outputs: ClassVar[tuple[str, ...]]
    smooths: ClassVar[bool] = False
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
        """How many output units this many classes need."""
        return classes

    def targets(self, classes: int) -> Array:
        """The target row of each class, shape (classes, units): one-hot, smoothed if asked for."""
        smoothing = self.label_smoothing
        return np.eye(classes) * (1 - smoothing) + smoothing / classes

    @abstractmethod
    def __call__(self, scores: Array, targets: Array, gradient: Array, work: Array) -> Array:
        """The cost ℓᵢ of each example; writes ∂ℓᵢ/∂scores to `gradient`.

        Args:
            scores, targets: shape (N, K).
            gradient, work: shape (N, K), overwritten; `work` is scratch.

        Returns:
            Shape (N,).
        """


LOSSES: Registry[type[Loss]] = Registry("loss")


@LOSSES.register("cross-entropy")
class CrossEntropy(Loss):
    """ℓ = -Σₖ tₖ log pₖ with p = softmax(z); ∂ℓ/∂z = p - t."""

    summary = "Nats to name the true class under the softmax: only its probability counts."
    outputs = ("softmax",)
    smooths = True
    source = "Bishop, Pattern Recognition and Machine Learning (2006), equations 4.108, 4.109"

    def __call__(self, scores: Array, targets: Array, gradient: Array, work: Array) -> Array:
        np.subtract(scores, scores.max(axis=1, keepdims=True), out=gradient)
        explained = np.vecdot(targets, gradient)
        # No probability below 1e-28: further down are the denormal numbers, which are slow.
        np.maximum(gradient, -64, out=gradient)
        np.exp(gradient, out=gradient)
        partition = gradient.sum(axis=1, keepdims=True)
        gradient /= partition
        gradient -= targets
        return np.asarray(np.log(partition[:, 0]) - explained)


@LOSSES.register("binary-cross-entropy")
class BinaryCrossEntropy(Loss):
    """ℓ = mean over units of -t log p - (1 - t) log(1 - p) with p = σ(z); ∂ℓ/∂z = (p - t) / K.

    Two classes share one unit, the probability of the second. More classes have one each, a
    question of this class against the rest. The mean over units is PyTorch's `BCEWithLogitsLoss`.
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

    def __call__(self, scores: Array, targets: Array, gradient: Array, work: Array) -> Array:
        np.abs(scores, out=work)  # log(1 + e^z) - t z = max(0, z) - t z + log(1 + e^-|z|)
        np.negative(work, out=work)
        np.exp(work, out=work)
        np.log1p(work, out=work)
        np.maximum(scores, 0, out=gradient)
        work += gradient
        np.multiply(targets, scores, out=gradient)
        work -= gradient
        self.link.value(scores, gradient)
        gradient -= targets
        gradient /= scores.shape[1]
        return np.asarray(work.mean(axis=1))


@LOSSES.register("kl-divergence")
class KLDivergence(CrossEntropy):
    """ℓ = Σₖ tₖ log(tₖ / pₖ) with p = softmax(z): cross-entropy less the entropy of the target."""

    summary = "Nats lost by using the softmax in place of the target distribution; 0 where equal."
    source = "Kullback, Leibler, On Information and Sufficiency (1951), equation 2.4"

    def __call__(self, scores: Array, targets: Array, gradient: Array, work: Array) -> Array:
        losses = super().__call__(scores, targets, gradient, work)
        work.fill(0)
        np.log(targets, out=work, where=targets > 0)  # 0 log 0 = 0
        losses += np.vecdot(targets, work)
        return losses


@LOSSES.register("sse")
class SumOfSquaredErrors(Loss):
    """ℓ = Σₖ (pₖ - tₖ)²; ∂ℓ/∂p = 2 (p - t), then back through the link."""

    summary = "Squared distance to the one-hot target, summed over the classes."
    outputs = ("sigmoid", "softmax", "identity")
    source = "Bishop, Neural Networks for Pattern Recognition (1995), section 6.1"

    def __call__(self, scores: Array, targets: Array, gradient: Array, work: Array) -> Array:
        self.link.value(scores, work)
        np.subtract(work, targets, out=gradient)
        losses = np.vecdot(gradient, gradient)
        gradient *= 2
        self.link.pullback(work, gradient)
        return np.asarray(losses)


@LOSSES.register("mse")
class MeanSquaredError(SumOfSquaredErrors):
    """ℓ = 1/K Σₖ (pₖ - tₖ)², as PyTorch's `MSELoss`."""

    summary = "Squared distance to the one-hot target, averaged over the classes."

    def __call__(self, scores: Array, targets: Array, gradient: Array, work: Array) -> Array:
        losses = super().__call__(scores, targets, gradient, work)
        losses /= scores.shape[1]
        gradient /= scores.shape[1]
        return losses
