"""The multilayer perceptron: layers of units, each a weighted sum, a bias and an activation.

    z = y W^T + b,  y' = f(z)                       forward pass, layer after layer
    δ = ∂ℓ/∂z,  δ = (δ' W') f'(z)                   backward pass, from the logits back
    ∂L/∂W = δ^T y,  ∂L/∂b = Σ δ                     the gradient of each layer's parameters

(Rumelhart, Hinton, Williams, Nature 323 (1986); Nielsen, Neural Networks and Deep Learning (2015),
equations BP1 to BP4.) Rows are examples; y is the input of a layer, and a prime marks the next
layer. The last layer gives the logits: their link belongs to the loss.

All parameters are one vector: the weights of every layer, then the biases of every layer. Layers
hold views of it; the gradient and the slots of an optimizer are vectors of the same form. In memory
weights lie transposed, as W^T (inputs, units): a BLAS multiplies by that up to a third faster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from actcli.nn.activations import ACTIVATIONS, Activation
from actcli.nn.active_columns import Inputs, matmul, weight_gradient
from actcli.nn.arrays import Allocate, Array, aligned_empty
from actcli.nn.initializers import BIAS_INITIALIZERS, INITIALIZERS


@dataclass(frozen=True)
class Layer:
    """Views of one layer's part of a parameter vector: weights (units, inputs), biases (units,)."""

    weights: Array
    biases: Array


@dataclass(frozen=True)
class Dropout:
    """Silence each hidden unit with probability `rate`, and scale the others by 1 / (1 - rate).

    This is the inverted form of Srivastava et al., JMLR 15 (2014), section 10: a trained network
    needs no correction.
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
    """Buffers of one layer for one mini-batch, each of shape (N, units)."""

    z: Array  # pre-activations
    y: Array  # activations
    output: Array  # the input of the next layer: y itself, or y after dropout
    mask: Array | None  # dropout: 0 or 1 / (1 - rate) for each unit; None without dropout
    delta: Array  # ∂ℓ/∂z
    derivative: Array  # f'(z) after the backward pass; scratch before it

    @classmethod
    def allocate(
        cls, shape: tuple[int, int], dtype: np.dtype[Any], dropout: bool, allocate: Allocate
    ) -> Self:
        """Return new buffers for a layer; `shape` is (N, units)."""
        z, y, delta, derivative = (allocate(shape, dtype) for _ in range(4))
        if not dropout:
            return cls(z, y, y, None, delta, derivative)
        return cls(z, y, allocate(shape, dtype), allocate(shape, dtype), delta, derivative)

    def rows(self, rows: slice) -> "LayerTrace":
        """Return views of a range of rows."""
        mask = None if self.mask is None else self.mask[rows]
        z, y, output = self.z[rows], self.y[rows], self.output[rows]
        return LayerTrace(z, y, output, mask, self.delta[rows], self.derivative[rows])


@dataclass(frozen=True)
class Trace:
    """The values of each layer that a forward pass computes and the backward pass needs.

    It is allocated once, for the largest mini-batch. A smaller mini-batch uses its first rows.
    """

    layers: tuple[LayerTrace, ...]
    ones: Array  # (N,): a product with it sums over the rows
    dropout: Dropout | None

    @property
    def logits(self) -> Array:
        """The pre-activations of the last layer, shape (N, K)."""
        return self.layers[-1].z

    def first(self, count: int) -> "Trace":
        """Return the same buffers for a mini-batch of `count` rows."""
        if count == len(self.ones):
            return self
        return replace(self.rows(slice(count)), dropout=self.dropout)

    def rows(self, rows: slice) -> "Trace":
        """Return views of a range of rows.

        The views have no dropout: its masks are drawn once, for the whole mini-batch.
        """
        return Trace(tuple(layer.rows(rows) for layer in self.layers), self.ones[rows], None)

    def draw_masks(self) -> None:
        """Draw the dropout masks of all rows, if there is dropout."""
        for layer in self.layers:
            if self.dropout is not None and layer.mask is not None:
                self.dropout.draw(layer.mask)


class MLP:
    """A multilayer perceptron. All weights and biases are 0 until `initialize` draws them.

    Args:
        sizes: the numbers of inputs, of units in each hidden layer, and of logits, such as
            (784, 256, 128, 10).
        activations: the name of each hidden layer's activation.
        dtype: float32 to train, float64 to check.

    Raises:
        ValueError: the number of activations is not the number of hidden layers.
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
        self.parameters: Array = aligned_empty((self.weight_count + sum(self.sizes[1:]),), dtype)
        self.parameters.fill(0)
        self.layers = self.views(self.parameters)

    def views(self, vector: Array) -> tuple[Layer, ...]:
        """Return each layer's views of a vector that is as long as the parameter vector."""
        layers = []
        weight_start, bias_start = 0, self.weight_count
        for units, inputs in self.shapes:
            weights = vector[weight_start : weight_start + units * inputs].reshape(inputs, units)
            layers.append(Layer(weights.T, vector[bias_start : bias_start + units]))
            weight_start += units * inputs
            bias_start += units
        return tuple(layers)

    def initialize(
        self,
        rng: np.random.Generator,
        init: str = "auto",
        bias_init: str = "zeros",
        scale: float = 1.0,
    ) -> None:
        """Draw new parameters.

        Args:
            rng: draws the weights and then the biases of each layer, first layer first.
            init: an initializer, or "auto" for the one that fits the activation that follows.
            bias_init: an initializer of biases.
            scale: multiplies the drawn weights, not the biases.
        """
        followers = (*self.activations, ACTIVATIONS["identity"]())
        for layer, follower in zip(self.layers, followers, strict=True):
            initializer = INITIALIZERS[follower.initializer if init == "auto" else init]
            layer.weights[...] = scale * initializer(rng, *layer.weights.shape)
            layer.biases[...] = BIAS_INITIALIZERS[bias_init](rng, layer.biases.size)

    def move(self, allocate: Allocate) -> None:
        """Copy the parameters to memory from `allocate`.

        Views made before still refer to the old memory.
        """
        before = self.parameters
        self.parameters = allocate(before.shape, before.dtype)
        np.copyto(self.parameters, before)
        self.layers = self.views(self.parameters)

    def trace(
        self, rows: int, dropout: Dropout | None = None, allocate: Allocate = aligned_empty
    ) -> Trace:
        """Return buffers for mini-batches of up to `rows` rows.

        Args:
            rows: number of rows of the largest mini-batch.
            dropout: applied to the hidden layers; None for no dropout.
            allocate: makes the buffers.
        """
        *hidden, logits = ((rows, units) for units in self.sizes[1:])
        dtype = self.parameters.dtype
        layers = [
            LayerTrace.allocate(shape, dtype, dropout is not None, allocate) for shape in hidden
        ]
        layers.append(LayerTrace.allocate(logits, dtype, False, allocate))
        return Trace(tuple(layers), np.ones(rows, dtype), dropout)

    def forward(self, inputs: Inputs, trace: Trace) -> Array:
        """Return the logits (N, K) of inputs (N, D), a view into the trace.

        If the trace has dropout, its masks are drawn first.
        """
        trace.draw_masks()
        y = inputs
        for index, (layer, values) in enumerate(zip(self.layers, trace.layers, strict=True)):
            matmul(y, layer.weights.T, out=values.z)
            np.add(values.z, layer.biases, out=values.z)
            if index == len(self.activations):
                break  # the logits have no activation
            self.activations[index].value(values.z, values.y, values.derivative)
            if values.mask is not None:
                np.multiply(values.y, values.mask, out=values.output)
            y = values.output
        return trace.logits

    def backward(self, inputs: Inputs, trace: Trace, gradient: Sequence[Layer]) -> None:
        """Compute the δ of every layer from the δ of the logits, then the gradient from all δ.

        Args:
            inputs: the inputs of the forward pass.
            trace: the trace of the forward pass. `trace.layers[-1].delta` holds ∂ℓᵢ/∂logits of each
                row; divided by N beforehand, it yields the gradient of the mean loss.
            gradient: views of the vector for ∂L/∂parameters, summed over the rows.
        """
        self.propagate_deltas(trace)
        self.compute_gradient(inputs, trace, gradient)

    def propagate_deltas(self, trace: Trace) -> None:
        """Compute the δ of every layer from the δ of the logits."""
        for index in reversed(range(1, len(self.layers))):
            values, before = trace.layers[index], trace.layers[index - 1]
            f = self.activations[index - 1]
            f.derivative(before.z, before.y, before.derivative, before.delta)  # δ is scratch here
            np.matmul(values.delta, self.layers[index].weights, out=before.delta)
            np.multiply(before.delta, before.derivative, out=before.delta)
            if before.mask is not None:
                np.multiply(before.delta, before.mask, out=before.delta)

    def compute_gradient(
        self,
        inputs: Inputs,
        trace: Trace,
        gradient: Sequence[Layer],
        columns: Sequence[slice] | None = None,
        biases: bool = True,
    ) -> None:
        """Write the gradient, or a part of it, from the δ of every layer.

        Args:
            inputs: the inputs of the forward pass.
            trace: the trace after `propagate_deltas`.
            gradient: views of the vector for ∂L/∂parameters, summed over the rows.
            columns: for each layer, the range of inputs whose weights belong to the part; None for
                all inputs.
            biases: whether the biases of all layers belong to the part.
        """
        y: list[Inputs] = [inputs, *(values.output for values in trace.layers)]
        for index, values in enumerate(trace.layers):
            part = columns[index] if columns else slice(None)
            weights = gradient[index].weights[:, part].T
            weight_gradient(y[index], values.delta, part, out=weights)
            if biases:
                np.matmul(trace.ones, values.delta, out=gradient[index].biases)
