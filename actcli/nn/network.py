"""The multilayer perceptron: layers of units, each a weighted sum, a bias and an activation.

    z = y W^T + b,  y' = f(z)                       forward, layer after layer
    δ = ∂ℓ/∂z,  δ = (δ' W') f'(z)                   backward, from the scores to the first layer
    ∂L/∂W = δ^T y,  ∂L/∂b = Σ δ                     what each layer's δ means for its parameters

(Rumelhart, Hinton, Williams, Nature 323 (1986); Nielsen, Neural Networks and Deep Learning (2015),
equations BP1 to BP4.) Rows are examples; y is what a layer receives, and a prime marks what follows
it. The last layer gives scores: its link belongs to the loss.

All parameters are one vector, weights of every layer first, then the biases of every layer; what
the layers use are views of it. So is the gradient, and whatever an optimizer remembers. Weights are
written one input after another, as W^T: a BLAS multiplies by that up to a third faster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from actcli.nn.activations import ACTIVATIONS, Activation
from actcli.nn.active_columns import ActiveColumns
from actcli.nn.arrays import Allocate, Array
from actcli.nn.initializers import BIAS_INITIALIZERS, INITIALIZERS
from actcli.nn.shards import Shard


@dataclass(frozen=True)
class Layer:
    """Views of one layer's part of a parameter vector: weights (units, inputs), biases (units,)."""

    weights: Array
    biases: Array


@dataclass(frozen=True)
class Dropout:
    """Silence each hidden unit with probability `rate`, and scale the others by 1 / (1 - rate).

    The inverted form of Srivastava et al., JMLR 15 (2014), section 10: nothing is left to do when
    the network is used.
    """

    rate: float
    rng: np.random.Generator

    def draw(self, out: Array) -> None:
        """Write 0 or 1 / (1 - rate) for each unit of each row."""
        self.rng.random(out=out, dtype=out.dtype.type)
        np.greater_equal(out, self.rate, out=out)
        out *= 1 / (1 - self.rate)


@dataclass(frozen=True)
class LayerTrace:
    """Buffers of one layer for one batch, each of shape (N, units)."""

    z: Array  # pre-activations
    y: Array  # activations
    sent: Array  # what the next layer receives: y itself, or y after dropout
    mask: Array | None  # of the dropout, if there is any
    delta: Array  # ∂ℓ/∂z
    work: Array  # scratch

    @classmethod
    def make(
        cls, shape: tuple[int, int], dtype: np.dtype[Any], dropout: bool, allocate: Allocate
    ) -> Self:
        z, y, delta, work = (allocate(shape, dtype) for _ in range(4))
        if not dropout:
            return cls(z, y, y, None, delta, work)
        return cls(z, y, allocate(shape, dtype), allocate(shape, dtype), delta, work)

    def part(self, rows: slice) -> "LayerTrace":
        mask = None if self.mask is None else self.mask[rows]
        z, y, sent = self.z[rows], self.y[rows], self.sent[rows]
        return LayerTrace(z, y, sent, mask, self.delta[rows], self.work[rows])


@dataclass(frozen=True)
class Trace:
    """What a forward pass leaves for the backward pass, layer by layer.

    Made once for the largest batch; a smaller one uses its first rows.
    """

    passes: tuple[LayerTrace, ...]
    ones: Array  # (N,): a product with it sums over the rows
    dropout: Dropout | None

    @property
    def scores(self) -> Array:
        """The output of the last layer, shape (N, K)."""
        return self.passes[-1].z

    def first(self, rows: int) -> "Trace":
        """The same buffers for a batch of that many rows."""
        if rows == len(self.ones):
            return self
        return replace(self.part(slice(rows)), dropout=self.dropout)

    def part(self, rows: slice) -> "Trace":
        """Some rows of the buffers, for one thread. Who has all rows draws the masks for all."""
        passes = tuple(each.part(rows) for each in self.passes)
        return Trace(passes, self.ones[rows], None)

    def draw_masks(self) -> None:
        """Choose which units are silent, if there is dropout."""
        for at in self.passes:
            if self.dropout is not None and at.mask is not None:
                self.dropout.draw(at.mask)


class MLP:
    """A multilayer perceptron with all weights and biases 0: see `initialize`.

    Args:
        sizes: inputs, units of each hidden layer, scores: (784, 256, 128, 10).
        activations: the name of each hidden layer's, one fewer than there are layers.
        dtype: float32 to train, float64 to check.
    """

    def __init__(
        self, sizes: Sequence[int], activations: Sequence[str], dtype: str = "float32"
    ) -> None:
        if len(activations) != len(sizes) - 2:
            raise ValueError(f"{len(sizes) - 2} hidden layers, {len(activations)} activations")
        self.sizes = tuple(sizes)
        self.activation_names = tuple(activations)
        self.activations: tuple[Activation, ...] = tuple(
            ACTIVATIONS[name]() for name in activations
        )
        self.shapes = tuple(zip(self.sizes[1:], self.sizes[:-1], strict=True))
        self.weight_count = sum(units * inputs for units, inputs in self.shapes)
        self.parameters: Array = np.zeros(self.weight_count + sum(self.sizes[1:]), dtype)
        self.layers = self.views(self.parameters)

    def views(self, vector: Array) -> tuple[Layer, ...]:
        """Each layer's part of a vector of the length of the parameters."""
        layers = []
        weight, bias = 0, self.weight_count
        for units, inputs in self.shapes:
            weights = vector[weight : weight + units * inputs].reshape(inputs, units)
            layers.append(Layer(weights.T, vector[bias : bias + units]))
            weight += units * inputs
            bias += units
        return tuple(layers)

    def initialize(
        self, rng: np.random.Generator, init: str = "auto", bias_init: str = "zeros"
    ) -> None:
        """Draw new parameters.

        Args:
            rng: draws the weights, then the biases, of one layer after the other.
            init: an initializer, or "auto" for the one that fits the activation that follows.
            bias_init: an initializer of biases.
        """
        followers = (*self.activations, ACTIVATIONS["identity"]())
        for layer, follower in zip(self.layers, followers, strict=True):
            rule = INITIALIZERS[follower.initializer if init == "auto" else init]
            layer.weights[...] = rule(rng, *layer.weights.shape)
            layer.biases[...] = BIAS_INITIALIZERS[bias_init](rng, layer.biases.size)

    def trace(
        self, rows: int, dropout: Dropout | None = None, allocate: Allocate = np.empty
    ) -> Trace:
        """Buffers for batches of up to that many rows; dropout is on the hidden layers."""
        *hidden, scores = ((rows, units) for units in self.sizes[1:])
        dtype = self.parameters.dtype
        passes = [LayerTrace.make(shape, dtype, dropout is not None, allocate) for shape in hidden]
        passes.append(LayerTrace.make(scores, dtype, False, allocate))
        return Trace(tuple(passes), np.ones(rows, dtype), dropout)

    def move(self, allocate: Allocate) -> None:
        """Keep the parameters somewhere else. Views of where they were do not follow."""
        before = self.parameters
        self.parameters = allocate(before.shape, before.dtype)
        np.copyto(self.parameters, before)
        self.layers = self.views(self.parameters)

    def forward(self, inputs: Array, trace: Trace, lit: ActiveColumns | None = None) -> Array:
        """The scores, shape (N, K), of inputs of shape (N, D): a view into the trace.

        With `lit` the inputs are those alone, of shape (N, k).
        """
        trace.draw_masks()
        received = inputs
        for index, (layer, at) in enumerate(zip(self.layers, trace.passes, strict=True)):
            weights = layer.weights.T
            if lit is not None and index == 0:
                weights = lit.take(weights)
            np.matmul(received, weights, out=at.z)
            np.add(at.z, layer.biases, out=at.z)
            if index == len(self.activations):
                break  # the scores are left as they are
            self.activations[index].value(at.z, at.y, at.work)
            if at.mask is not None:
                np.multiply(at.y, at.mask, out=at.sent)
            received = at.sent
        return trace.scores

    def backward(self, inputs: Array, trace: Trace, gradient: Sequence[Layer]) -> None:
        """Carry the δ of the scores back through the layers, and write each layer's gradient.

        Args:
            inputs: those of the forward pass.
            trace: of the forward pass; `trace.passes[-1].delta` holds ∂ℓᵢ/∂scores of each row. What
                follows is linear in it: divided by N, it gives the gradient of the mean.
            gradient: views of the vector for ∂L/∂parameters, summed over the rows.
        """
        self.send_back(trace)
        self.collect(inputs, trace, gradient)

    def send_back(self, trace: Trace) -> None:
        """From the δ of the scores, that of every layer."""
        for index in reversed(range(1, len(self.layers))):
            at, before = trace.passes[index], trace.passes[index - 1]
            f = self.activations[index - 1]
            # `work` keeps f'(z) for whoever looks at the trace; δ is scratch until it is written.
            f.derivative(before.z, before.y, before.work, before.delta)
            np.matmul(at.delta, self.layers[index].weights, out=before.delta)
            np.multiply(before.delta, before.work, out=before.delta)
            if before.mask is not None:
                np.multiply(before.delta, before.mask, out=before.delta)

    def collect(
        self,
        inputs: Array,
        trace: Trace,
        gradient: Sequence[Layer],
        share: Shard | None = None,
        lit: ActiveColumns | None = None,
    ) -> None:
        """From the δ of every layer, the gradient, or that share of it."""
        received = [inputs, *(at.sent for at in trace.passes)]
        for index, at in enumerate(trace.passes):
            mine = slice(None) if share is None else share.inputs[index]
            weights = gradient[index].weights[:, mine].T
            if lit is not None and index == 0:
                lit.collect(inputs, at.delta, weights, mine.start or 0)
            else:
                np.matmul(received[index][:, mine].T, at.delta, out=weights)
            if share is None or share.biases:
                np.matmul(trace.ones, at.delta, out=gradient[index].biases)
