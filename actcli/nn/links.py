"""Links: functions from the logits of the output layer to its outputs.

Softmax gives one distribution: the outputs compete and sum to 1. Sigmoid makes each logit a
separate probability: they need not sum to 1. Identity leaves the logits unchanged.

`value` writes p = link(z). `pullback` carries a gradient with respect to p back to the logits: it
multiplies by the transposed Jacobian of the link. Rows are examples.
"""

from abc import ABC, abstractmethod

import numpy as np

from actcli.nn.activations import Sigmoid as SigmoidFunction
from actcli.nn.arrays import Array, Labels
from actcli.registry import Registry


class Link(ABC):
    """A function from logits to outputs, both of shape (N, K)."""

    @abstractmethod
    def value(self, logits: Array, out: Array) -> None:
        """Write the outputs to `out`."""

    @abstractmethod
    def pullback(self, outputs: Array, gradient: Array) -> None:
        """Turn ∂ℓ/∂outputs into ∂ℓ/∂logits, in place in `gradient`. Overwrites `outputs`."""


LINKS: Registry[type[Link]] = Registry("output")


@LINKS.register("softmax")
class Softmax(Link):
    """pᵢ = e^zᵢ / Σⱼ e^zⱼ (Bridle, Neurocomputing 1990); the largest logit is subtracted first."""

    def value(self, logits: Array, out: Array) -> None:
        np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
        np.exp(out, out=out)
        out /= out.sum(axis=1, keepdims=True)

    def pullback(self, outputs: Array, gradient: Array) -> None:
        gradient -= np.vecdot(outputs, gradient)[:, np.newaxis]  # Jacobian: diag(p) - p pᵀ
        gradient *= outputs


@LINKS.register("sigmoid", "logistic")
class Sigmoid(Link):
    """pᵢ = σ(zᵢ), each output independent of the others."""

    def value(self, logits: Array, out: Array) -> None:
        SigmoidFunction().value(logits, out, out)

    def pullback(self, outputs: Array, gradient: Array) -> None:
        gradient *= outputs
        np.subtract(1, outputs, out=outputs)
        gradient *= outputs


@LINKS.register("identity", "linear", "none")
class Identity(Link):
    """pᵢ = zᵢ."""

    def value(self, logits: Array, out: Array) -> None:
        np.copyto(out, logits)

    def pullback(self, outputs: Array, gradient: Array) -> None:
        """Do nothing: the Jacobian is the identity."""


def log_softmax(logits: Array) -> Array:
    """Return log softmax(z) = z - max - log Σ e^(z - max), shape (N, K), without taking log 0."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def classify(logits: Array) -> Labels:
    """Return the predicted class of each row of logits (N, K), shape (N,).

    With a single unit, the prediction is class 1 where the logit is positive: there σ is above ½.
    """
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).astype(np.intp)
    return np.asarray(logits.argmax(axis=1))
