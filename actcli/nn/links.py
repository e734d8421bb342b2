"""Links: what the output layer makes of its raw scores.

Softmax makes them one distribution: the outputs compete and sum to 1. Sigmoids make each score a
probability of its own: they need not sum to 1. The identity leaves them as they are.

`value` writes p = link(z); `pullback` carries a gradient with respect to p back to the scores, that
is, it multiplies by the transposed Jacobian of the link. Rows are examples.
"""

from abc import ABC, abstractmethod

import numpy as np

from actcli.nn.activations import Sigmoid as SigmoidFunction
from actcli.nn.arrays import Array, Labels
from actcli.registry import Registry


class Link(ABC):
    """From scores to outputs, both of shape (N, K)."""

    @abstractmethod
    def value(self, scores: Array, out: Array) -> None:
        """Write the outputs to `out`."""

    @abstractmethod
    def pullback(self, outputs: Array, gradient: Array) -> None:
        """Turn ∂ℓ/∂outputs into ∂ℓ/∂scores, in place in `gradient`. Overwrites `outputs`."""


LINKS: Registry[type[Link]] = Registry("output")


@LINKS.register("softmax")
class Softmax(Link):
    """pᵢ = e^zᵢ / Σⱼ e^zⱼ (Bridle, Neurocomputing 1990); the largest score is taken off first."""

    def value(self, scores: Array, out: Array) -> None:
        np.subtract(scores, scores.max(axis=1, keepdims=True), out=out)
        np.exp(out, out=out)
        out /= out.sum(axis=1, keepdims=True)

    def pullback(self, outputs: Array, gradient: Array) -> None:
        gradient -= np.vecdot(outputs, gradient)[:, np.newaxis]  # Jacobian: diag(p) - p pᵀ
        gradient *= outputs


@LINKS.register("sigmoid")
class Sigmoid(Link):
    """pᵢ = σ(zᵢ), each by itself."""

    def value(self, scores: Array, out: Array) -> None:
        SigmoidFunction().value(scores, out, out)

    def pullback(self, outputs: Array, gradient: Array) -> None:
        gradient *= outputs
        np.subtract(1, outputs, out=outputs)
        gradient *= outputs


@LINKS.register("identity")
class Identity(Link):
    """pᵢ = zᵢ."""

    def value(self, scores: Array, out: Array) -> None:
        np.copyto(out, scores)

    def pullback(self, outputs: Array, gradient: Array) -> None:
        """The Jacobian is the identity: the gradient stays as it is."""


def log_softmax(scores: Array) -> Array:
    """log softmax(z) = z - max - log Σ e^(z - max), shape (N, K): nothing is rounded to log 0."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def classify(scores: Array) -> Labels:
    """The class that each row of scores (N, K) speaks for, shape (N,).

    A single unit speaks for class 1 where its score is positive, that is, where σ is above ½.
    """
    if scores.shape[1] == 1:
        return (scores[:, 0] > 0).astype(np.intp)
    return np.asarray(scores.argmax(axis=1))
