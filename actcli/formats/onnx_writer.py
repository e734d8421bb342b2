"""ONNX files of a network: normalization, layers, and softmax or sigmoid in one graph.

The graph has the raw inputs of the model as its input, one row each, and two results: the outputs
of the network, such as probabilities, and the logits. Opset 17 is understood by every runtime since
2022; GELU and mish, which became operators of their own later, are composed of others.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from actcli import jsonlines
from actcli.files import Buffer
from actcli.formats.network_parts import NetworkParts, OutputFile, Source, Writer, cannot_hold
from actcli.formats.protobuf import (
    bytes_field,
    float_field,
    message_field,
    text_field,
    varint_field,
)
from actcli.nn.activations import SELU
from actcli.nn.arrays import Array

OPSET, IR_VERSION = 17, 8
FLOAT, INT64 = 1, 7  # in TensorProto.DataType
NUMBER, INTEGER = 1, 2  # in AttributeProto.AttributeType
METADATA_KEY = "actcli"
SPLIT_FROM = 1e-6  # error of a normalized input from which a shift is subtracted in two parts

# The nodes of each activation: an operator, its inputs, its result and its attributes. z is the
# pre-activation, y the result, a number a constant; other names are values in between.
NodeParts = tuple[str, tuple[str | float, ...], str, Mapping[str, float]]
ACTIVATION_NODES: Mapping[str, Sequence[NodeParts]] = {
    "identity": [("Identity", ("z",), "y", {})],
    "sigmoid": [("Sigmoid", ("z",), "y", {})],
    "tanh": [("Tanh", ("z",), "y", {})],
    "relu": [("Relu", ("z",), "y", {})],
    "leaky-relu": [("LeakyRelu", ("z",), "y", {"alpha": 0.01})],
    "elu": [("Elu", ("z",), "y", {"alpha": 1.0})],
    "selu": [("Selu", ("z",), "y", {"alpha": SELU.alpha, "gamma": SELU.scale})],
    "gelu": [
        ("Div", ("z", math.sqrt(2)), "scaled", {}),
        ("Erf", ("scaled",), "erf", {}),
        ("Add", ("erf", 1.0), "sum", {}),
        ("Mul", ("z", "sum"), "product", {}),
        ("Mul", ("product", 0.5), "y", {}),
    ],
    "silu": [("Sigmoid", ("z",), "gate", {}), ("Mul", ("z", "gate"), "y", {})],
    "softplus": [("Softplus", ("z",), "y", {})],
    "mish": [
        ("Softplus", ("z",), "softplus", {}),
        ("Tanh", ("softplus",), "gate", {}),
        ("Mul", ("z", "gate"), "y", {}),
    ],
    "softsign": [("Softsign", ("z",), "y", {})],
    "relu6": [("Clip", ("z", 0.0, 6.0), "y", {})],
}


def onnx_node(
    operator: str,
    inputs: Iterable[str],
    outputs: Iterable[str],
    name: str = "",
    **attributes: float | int,
) -> list[Buffer]:
    """Return a node of a graph."""
    parts: list[Buffer] = [text_field(1, each) for each in inputs]
    parts += [text_field(2, each) for each in outputs]
    parts += [text_field(3, name), text_field(4, operator)]
    for key, value in attributes.items():
        is_whole = isinstance(value, int)
        number = varint_field(3, value) if isinstance(value, int) else float_field(2, value)
        kind = varint_field(20, INTEGER if is_whole else NUMBER)
        parts += message_field(5, [text_field(1, key), number, kind])
    return message_field(1, parts)


def onnx_constant(name: str, values: Any) -> list[Buffer]:
    """Return an initializer in float32."""
    array: Array = np.ascontiguousarray(values, "<f4").reshape(np.shape(values))
    parts: list[Buffer] = [varint_field(1, size) for size in array.shape]
    parts += [varint_field(2, FLOAT), text_field(8, name)]
    parts += bytes_field(9, array.reshape(-1).data.cast("B"))
    return message_field(5, parts)


def onnx_value(number: int, name: str, sizes: Sequence[str | int]) -> list[Buffer]:
    """Return an input (field 11) or an output (field 12) of a graph in float32."""
    dims: list[Buffer] = []
    for size in sizes:
        dim = varint_field(1, size) if isinstance(size, int) else text_field(2, size)
        dims += message_field(1, [dim])
    tensor = [varint_field(1, FLOAT), *message_field(2, dims)]
    return message_field(number, [text_field(1, name), *message_field(2, message_field(1, tensor))])


def onnx_model(
    graph: Iterable[Buffer],
    metadata: Mapping[str, str],
    name: str = "network",
    producer: str = "actcli",
) -> list[Buffer]:
    """Return the parts of a file, given the nodes, constants, inputs and outputs of its graph."""
    parts: list[Buffer] = [varint_field(1, IR_VERSION), text_field(2, producer)]
    parts += message_field(7, [text_field(2, name), *graph])
    parts += message_field(8, [text_field(1, ""), varint_field(2, OPSET)])
    for key, text in metadata.items():
        parts += message_field(14, [text_field(1, key), text_field(2, text)])
    return parts


class _Graph:
    """The nodes and constants of a graph that is being written."""

    def __init__(self) -> None:
        self.nodes: list[Buffer] = []
        self.constants: list[Buffer] = []

    def constant(self, name: str, values: Any) -> str:
        self.constants += onnx_constant(name, values)
        return name

    def node(
        self, operator: str, inputs: Sequence[str], output: str, **attributes: float | int
    ) -> str:
        self.nodes += onnx_node(operator, inputs, [output], output, **attributes)
        return output

    def normalize(self, parts: NetworkParts, x: str) -> str:
        """Subtract the shift from the inputs and multiply by the scale."""
        shift, scale = np.array(parts.shift), np.array(parts.scale)
        if shift.any():
            single = shift.astype(np.float32)
            x = self.node("Sub", [x, self.constant("shift", single)], "shifted")
            rest = shift - single
            # A large shift of small numbers: float32 does not hold all of its digits.
            if np.abs(rest * scale).max() > SPLIT_FROM:
                x = self.node("Sub", [x, self.constant("shift.rest", rest)], "shifted.rest")
        if (scale != 1).any():
            x = self.node("Mul", [x, self.constant("scale", scale)], "normalized")
        return x

    def activation(self, name: str, z: str, place: str) -> str:
        """Apply an activation."""
        if name not in ACTIVATION_NODES:
            known = ", ".join(ACTIVATION_NODES)
            raise cannot_hold("an ONNX file", f"the activation {name!r}", f"Known: {known}")
        names = {"z": z}
        result = z
        for operator, inputs, output, attributes in ACTIVATION_NODES[name]:
            names[output] = f"{place}.{name}" if output == "y" else f"{place}.{name}.{output}"
            result = names[output]
            arguments = [
                names[each] if isinstance(each, str) else self.constant(f"{result}.{index}", each)
                for index, each in enumerate(inputs)
            ]
            self.node(operator, arguments, result, **attributes)
        return result

    def outputs(self, parts: NetworkParts, logits: str) -> str:
        """Apply the link, and return the name of the result."""
        if parts.output == "softmax":
            return self.node("Softmax", [logits], "probabilities", axis=1)
        if parts.output == "identity":
            return logits
        if not parts.is_two_class_unit:
            return self.node("Sigmoid", [logits], "probabilities")
        second = self.node("Sigmoid", [logits], "second")
        first = self.node("Sigmoid", [self.node("Neg", [logits], "negative")], "first")
        return self.node("Concat", [first, second], "probabilities", axis=1)


def onnx_parts(parts: NetworkParts) -> list[Buffer]:
    """Return the parts of the ONNX file of a network.

    Raises:
        UsageError: an activation has no counterpart.
    """
    graph = _Graph()
    x = graph.normalize(parts, "input")
    last = len(parts.layers) - 1
    for index, (weights, biases) in enumerate(parts.layers):
        w = graph.constant(f"{2 * index}.weight", weights)  # PyTorch's names
        b = graph.constant(f"{2 * index}.bias", biases)
        z = "logits" if index == last else f"layer{index + 1}"
        x = graph.node("Gemm", [x, w, b], z, transB=1)
        if index < last:
            x = graph.activation(parts.activations[index], z, z)
    result = graph.outputs(parts, x)
    units = parts.units[-1]
    message = graph.nodes + graph.constants
    message += onnx_value(11, "input", ["rows", parts.inputs])
    if result != x:
        message += onnx_value(12, result, ["rows", 2 if parts.is_two_class_unit else units])
    message += onnx_value(12, x, ["rows", units])
    return onnx_model(message, {METADATA_KEY: jsonlines.dumps(parts.description)})


def _files(source: Source, path: Path) -> list[OutputFile]:
    return [(path, onnx_parts(source.network()))]


def _usage(source: Source, path: Path) -> str:
    parts = source.network()
    result = "logits" if parts.output == "identity" else "probabilities"
    return (
        "import onnxruntime\n"
        f"session = onnxruntime.InferenceSession({str(path)!r})\n"
        f"x = rows.reshape(len(rows), {parts.inputs}).astype('float32')  # raw inputs\n"
        f"{result} = session.run([{result!r}], {{'input': x}})[0]"
    )


ONNX_WRITER = Writer("an ONNX file", ".onnx", _files, _usage)
