"""From the outputs of a traced ONNX graph back to its inputs: the layers of a network.

Factors and summands are folded into the product before them or, after an activation, into the one
after them. Those of the inputs are the normalization of the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.formats.contents import Activation, LayerChain, Linear, Step
from actcli.formats.description import describe_normalization
from actcli.formats.onnx_functions import Function, Line, nearest_activation, nodes_of, recognize
from actcli.formats.onnx_graph import Tracer
from actcli.formats.onnx_messages import Graph, Node
from actcli.formats.onnx_values import (
    GraphValue,
    LinearStep,
    NetworkOutputs,
    NetworkPlace,
    Rows,
    ScaleStep,
    Unknown,
)
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.links import LINKS

Vector = NDArray[np.float64]

EXPECTED = (
    "Expected linear layers with one activation after each, and softmax, sigmoid or nothing at "
    "the end"
)
ALIKE = 0.01  # difference of two activations that a message names
MAX_LISTED_NODES = 6  # in a message


def to_chain(graph: Graph, file_bytes: int) -> LayerChain:
    """Return the layers of the network that a graph computes.

    Raises:
        DataError: the graph is not a multilayer perceptron; the message has the node, and not the
            path of the file.
    """
    tracer = Tracer(graph, file_bytes)
    fault: DataError | None = None
    values = {name: tracer[name] for name in graph.outputs}
    chain, place = None, None
    for name, value in values.items():
        try:
            candidate = _chain(value, name)
        except DataError as error:
            fault = fault or error
            continue
        if chain is None:
            chain, place = candidate, _place(value)
        elif _place(value) is place and isinstance(candidate.steps[-1], Activation):
            return candidate  # the probabilities of the logits before
        if isinstance(chain.steps[-1], Activation):
            return chain
    if chain is None:
        raise fault or DataError("its graph has no output")
    return chain


def _place(value: GraphValue) -> NetworkPlace | None:
    """Return the place in the network at which an output is computed."""
    rows = value.rows if isinstance(value, NetworkOutputs) else value
    return rows.place if isinstance(rows, Rows) else None


def _chain(value: GraphValue, name: str) -> LayerChain:
    if isinstance(value, Unknown):
        raise DataError(value.reason)
    if not isinstance(value, Rows | NetworkOutputs):
        raise DataError(f"the output {quoted(name)} does not depend on the input")
    rows = value.rows if isinstance(value, NetworkOutputs) else value
    parts: list[Function | LinearStep | ScaleStep] = [rows.function]
    while rows.place.before is not None and rows.place.step is not None:
        parts += [rows.place.step, rows.place.before.function]
        rows = rows.place.before
    builder = _Builder()
    for part in reversed(parts):
        if isinstance(part, LinearStep):
            builder.linear(part)
        elif isinstance(part, ScaleStep):
            builder.scale(part.factor, part.summand, part.node if part.is_norm else None)
        else:
            builder.function(part)
    return builder.finish(value if isinstance(value, NetworkOutputs) else None)


@dataclass(eq=False)
class _Layer:
    node: Node
    weights: NDArray[Any]
    biases: NDArray[Any] | None = None
    activation: str | None = None
    place: str = ""


@dataclass(eq=False)
class _Scale:
    """A factor and a summand, of the inputs or after an activation, that wait for a product."""

    factor: Vector
    summand: Vector
    norm: Node | None


@dataclass(eq=False)
class _Builder:
    """The layers, filled from the inputs to the outputs."""

    layers: list[_Layer] = field(default_factory=list)
    waiting: list[_Scale] = field(default_factory=list)
    normalization: Mapping[str, Any] | None = None
    notes: list[str] = field(default_factory=list)

    def linear(self, step: LinearStep) -> None:
        """Take a product with weights; scales that wait are folded into it."""
        inputs = step.weights.shape[1]
        before = self.layers[-1] if self.layers else None
        if before is not None:
            before.activation = before.activation or "identity"
            if len(before.weights) != inputs:
                raise DataError(
                    f"{step.node.label} has weights for {inputs} inputs, "
                    f"but {len(before.weights)} units come before it"
                )
        for scale in self.waiting:
            if scale.factor.size not in {1, inputs} or scale.summand.size not in {1, inputs}:
                raise DataError(
                    f"{step.node.label} has weights for {inputs} inputs, but "
                    f"{max(scale.factor.size, scale.summand.size)} numbers are scaled before it"
                )
        layer = _Layer(step.node, step.weights)
        if before is None:
            self._normalize()
        for scale in reversed(self.waiting):
            shift = np.broadcast_to(scale.summand, (inputs,))
            biases = layer.weights.astype(np.float64) @ shift
            layer.biases = biases if layer.biases is None else layer.biases + biases
            layer.weights = layer.weights * scale.factor
            self._note(scale.norm, "after", len(self.layers) + 1)
        self.waiting.clear()
        self.layers.append(layer)

    def scale(self, factor: Vector, summand: Vector, norm: Node | None) -> None:
        """Take a factor and a summand for each unit."""
        layer = self.layers[-1] if self.layers else None
        if layer is None or layer.activation is not None:
            self.waiting.append(_Scale(np.asarray(factor), np.asarray(summand), norm))
            return
        biases = 0.0 if layer.biases is None else layer.biases
        if np.ndim(factor) or factor != 1:
            layer.weights = layer.weights * np.reshape(factor, (-1, 1))
            biases = biases * factor
        layer.biases = np.broadcast_to(biases + summand, (len(layer.weights),))
        self._note(norm, "before", len(self.layers))

    def function(self, function: Function) -> None:
        """Take a function of each number: an activation, or a line."""
        nodes = nodes_of(function)
        scaled = recognize(function)
        if scaled is None:
            listed = ", ".join(node.label for node in nodes[:MAX_LISTED_NODES])
            are = "is" if len(nodes) == 1 else "together are"
            nearest, difference = nearest_activation(function)
            alike = f"It differs from {nearest} by up to {difference:.2g}. "
            raise DataError(
                f"{listed} {are} not an activation of actcli",
                f"{alike if difference < ALIKE else ''}Known: {', '.join(ACTIVATIONS)}",
            )
        self._line(scaled.inner)
        if scaled.name != "identity":
            self._activation(scaled.name, nodes)
        self._line(scaled.outer)

    def finish(self, outputs: NetworkOutputs | None) -> LayerChain:
        """Return the layers."""
        if not self.layers:
            raise DataError("its graph has no product of rows and weights", EXPECTED)
        last = self.layers[-1]
        if outputs is not None:
            if last.activation is not None:
                raise DataError(f"{outputs.node.label} comes after {last.place}", EXPECTED)
            last.activation, last.place = outputs.link, outputs.node.name
        elif last.activation not in {None, *LINKS}:
            raise DataError(f"the output activation is {last.place}", EXPECTED)
        if self.waiting:
            raise DataError("the outputs are scaled after their activation", EXPECTED)
        steps: list[Step] = []
        for layer in self.layers:
            steps.append(Linear(layer.node.name, layer.weights, layer.biases))
            if layer.activation is not None:
                steps.append(Activation(layer.activation, layer.place))
        description = {"normalization": self.normalization} if self.normalization else {}
        return LayerChain(steps, description=description, notes=tuple(self.notes))

    def _line(self, line: Line) -> None:
        if not line.is_identity:
            self.scale(np.array(line.factor), np.array(line.summand), None)

    def _activation(self, name: str, nodes: list[Node]) -> None:
        place = " and ".join(node.label for node in nodes[:MAX_LISTED_NODES])
        if not self.layers:
            raise DataError(f"{place} acts on the inputs of the network", EXPECTED)
        if self.layers[-1].activation is not None:
            raise DataError(f"{place} comes after {self.layers[-1].place}", EXPECTED)
        self.layers[-1].activation, self.layers[-1].place = name, place

    def _normalize(self) -> None:
        """Make the scales of the inputs before any batch normalization the normalization."""
        count = next((i for i, each in enumerate(self.waiting) if each.norm), len(self.waiting))
        factor, summand = np.ones(()), np.zeros(())
        for scale in self.waiting[:count]:
            factor, summand = factor * scale.factor, summand * scale.factor + scale.summand
        if not count or not (np.isfinite(factor).all() and (factor != 0).all()):
            return
        del self.waiting[:count]
        self.normalization = describe_normalization(-summand / factor, factor)

    def _note(self, norm: Node | None, where: str, layer: int) -> None:
        if norm is not None:
            self.notes.append(
                f"The batch normalization {quoted(norm.name)} is folded into the linear layer "
                f"{where} it, layer {layer}, with ε = {norm.number('epsilon', 1e-5):g}."
            )
