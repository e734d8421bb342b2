"""The messages of an ONNX file: a model with its graph, nodes, attributes and tensors.

The numbers of the fields are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Each
message is read once, down to fixed depth: graphs within nodes (If, Loop) are not opened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from actcli.formats.protobuf import Value, WireError, WireReader, packed_varints, signed

RAW_DATA = 9  # the field of a tensor's raw bytes
VARINT_DATA = {5, 7, 11}  # int32_data, int64_data, uint64_data
DATA_FIELDS = {RAW_DATA, *VARINT_DATA, 4, 10}  # float_data, double_data

MAX_NODES = 10_000  # of a graph; PyTorch writes about two for each layer
MAX_INPUTS = 1000  # of a node
MAX_DIMENSIONS = 32
MAX_SHOWN_CHARACTERS = 60  # of a name in a message

Dims = tuple[int | None, ...]  # the shape of an input of a graph; None for a size that varies


@dataclass(frozen=True, eq=False)
class Tensor:
    """A constant as the file holds it.

    Args:
        name: of the tensor.
        dims: its shape.
        kind: the number of its type in the enumeration `TensorProto.DataType`.
        data: its elements: raw bytes, or the bytes of one of the lists for typed data.
        is_raw: whether the elements are raw bytes.
        is_external: whether the elements are in another file.
    """

    name: str
    dims: tuple[int, ...]
    kind: int
    data: memoryview | NDArray[np.uint64]
    is_raw: bool
    is_external: bool


@dataclass(frozen=True)
class Attribute:
    """The value of a node's attribute; None for each type that it does not have."""

    number: float | None = None
    integer: int | None = None
    text: str | None = None
    tensor: Tensor | None = None
    numbers: tuple[float, ...] | None = None
    integers: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Node:
    """An operator with its inputs and outputs, which are names of values.

    Args:
        operator: its type, such as "Gemm", with its domain if that is not ONNX's own.
        name: of the node; its first output, if it has none.
        inputs, outputs: names; an empty name stands for an absent one.
        attributes: name -> value.
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number."""
        value = self.attributes.get(name, NO_ATTRIBUTE).number
        return default if value is None else value

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number."""
        value = self.attributes.get(name, NO_ATTRIBUTE).integer
        return default if value is None else value

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a text."""
        value = self.attributes.get(name, NO_ATTRIBUTE).text
        return default if value is None else value

    @property
    def label(self) -> str:
        """The node in a message, with its numbers: node 'act' (LeakyRelu, alpha = 0.2)."""
        known = {name: each.number for name, each in self.attributes.items()}
        numbers = [f"{_short(name)} = {value:g}" for name, value in known.items() if value]
        return f"node {_short(self.name)!a} ({', '.join([_short(self.operator), *numbers])})"


NO_ATTRIBUTE = Attribute()


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph.

    Args:
        nodes: in an order in which they can be computed.
        constants: the initializers by name.
        inputs: name -> shape of each input; None for an unknown shape.
        outputs: the names of the results; those of whole numbers come last, as labels do.
    """

    nodes: Sequence[Node]
    constants: Mapping[str, Tensor]
    inputs: Mapping[str, Dims | None]
    outputs: Sequence[str]


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A model.

    Args:
        graph: its graph.
        producer: the program that wrote it; empty if it does not say.
        metadata: texts by name.
    """

    graph: Graph
    producer: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_model(content: memoryview) -> OnnxModel:
    """Return the model in the bytes of an ONNX file.

    Raises:
        WireError: the bytes are not an ONNX model.
    """
    reader = WireReader()
    graph: memoryview | None = None
    producer, metadata, is_versioned = "", {}, False
    for number, value in reader.fields(content):
        if number == 1:
            is_versioned = isinstance(value, int)
        elif number == 2:
            producer = _text(value)
        elif number == 7:
            graph = _bytes(value)
        elif number == 14:
            entry = dict(reader.fields(_bytes(value)))
            metadata[_text(entry.get(1, EMPTY))] = _text(entry.get(2, EMPTY))
    if graph is None or not is_versioned:
        raise WireError("it has no graph")
    return OnnxModel(_graph(reader, graph), producer, metadata)


EMPTY = memoryview(b"")
WHOLE_TYPES = {*range(2, 10), 12, 13}  # in TensorProto.DataType: whole numbers, texts and bools


def _graph(reader: WireReader, message: memoryview) -> Graph:
    nodes: list[Node] = []
    constants: dict[str, Tensor] = {}
    inputs: dict[str, Dims | None] = {}
    outputs: list[tuple[bool, str]] = []
    for number, value in reader.fields(message):
        if number == 1:
            if len(nodes) == MAX_NODES:
                raise WireError(f"its graph has more than {MAX_NODES:,} nodes")
            nodes.append(_node(reader, _bytes(value)))
        elif number == 5:
            tensor = _tensor(reader, _bytes(value))
            constants[tensor.name] = tensor
        elif number == 11:
            name, dims, _ = _value_info(reader, _bytes(value))
            inputs[name] = dims
        elif number == 12:
            name, _, kind = _value_info(reader, _bytes(value))
            outputs.append((kind in WHOLE_TYPES, name))
        elif number == 15:
            raise WireError("it has sparse weights, which are not read")
    outputs.sort(key=lambda output: output[0])
    return Graph(nodes, constants, inputs, [name for _, name in outputs])


def _node(reader: WireReader, message: memoryview) -> Node:
    inputs: list[str] = []
    outputs: list[str] = []
    name, operator, domain = "", "", ""
    attributes: dict[str, Attribute] = {}
    for number, value in reader.fields(message):
        if number == 1:
            inputs.append(_text(value))
        elif number == 2:
            outputs.append(_text(value))
        elif number == 3:
            name = _text(value)
        elif number == 4:
            operator = _text(value)
        elif number == 5:
            key, attribute = _attribute(reader, _bytes(value))
            attributes[key] = attribute
        elif number == 7:
            domain = _text(value)
    if len(inputs) > MAX_INPUTS:
        raise WireError(f"a node has more than {MAX_INPUTS:,} inputs")
    is_own = domain in {"", "ai.onnx"}
    return Node(
        operator if is_own else f"{domain}::{operator}",
        name or next(iter(outputs), ""),
        tuple(inputs),
        tuple(outputs),
        attributes,
    )


def _attribute(reader: WireReader, message: memoryview) -> tuple[str, Attribute]:
    name = ""
    number: float | None = None
    integer: int | None = None
    text: str | None = None
    tensor: Tensor | None = None
    numbers: list[float] = []
    integers: list[int] = []
    for field_number, value in reader.fields(message):
        if field_number == 1:
            name = _text(value)
        elif field_number == 2:
            number = _floats(value)[0]
        elif field_number == 3:
            integer = _integers(value)[0]
        elif field_number == 4:
            text = _text(value)
        elif field_number == 5:
            tensor = _tensor(reader, _bytes(value))
        elif field_number == 7:
            numbers += _floats(value)
        elif field_number == 8:
            integers += _integers(value)
    return name, Attribute(
        number, integer, text, tensor, tuple(numbers) or None, tuple(integers) or None
    )


def _tensor(reader: WireReader, message: memoryview) -> Tensor:
    name, kind, is_external = "", 0, False
    dims: list[int] = []
    data: dict[int, list[Value]] = {}  # by the numbers of their fields
    for number, value in reader.fields(message):
        if number == 1:
            dims += _integers(value)
        elif number == 2:
            kind = _integers(value)[0]
        elif number == 8:
            name = _text(value)
        elif number in DATA_FIELDS:
            data.setdefault(number, []).append(value)
        elif number == 13 or (number == 14 and value == 1):
            is_external = True
    if len(dims) > MAX_DIMENSIONS or any(not 0 <= size < 2**40 for size in dims):
        raise WireError(f"tensor {_short(name)!a} has an invalid shape")
    field_number, values = next(iter(data.items()), (RAW_DATA, []))
    numbers = _joined(values) if field_number in VARINT_DATA else _concatenated(values)
    return Tensor(name, tuple(dims), kind, numbers, field_number == RAW_DATA, is_external)


def _concatenated(values: list[Value]) -> memoryview:
    """Return the bytes of a field that may be repeated."""
    parts = [_bytes(value) for value in values]
    return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))


def _joined(varints: list[Value]) -> NDArray[np.uint64]:
    """Return the numbers of a list whose fields may be packed or not."""
    if len(varints) == 1 and isinstance(varints[0], memoryview):
        return packed_varints(varints[0])
    numbers: list[int] = []
    for value in varints:
        numbers += [value] if isinstance(value, int) else packed_varints(value).tolist()
    return np.array(numbers, np.uint64)


def _value_info(reader: WireReader, message: memoryview) -> tuple[str, Dims | None, int]:
    """Return the name, the shape and the type of the elements of an input or output."""
    name = ""
    dims: Dims | None = None
    kind: Value = 0
    for number, value in reader.fields(message):
        if number == 1:
            name = _text(value)
        elif number == 2:
            tensor_type = dict(reader.fields(_bytes(value))).get(1, EMPTY)
            parts = dict(reader.fields(_bytes(tensor_type)))
            kind, shape = parts.get(1, 0), parts.get(2)
            dims = None if shape is None else _dims(reader, _bytes(shape))
    if dims is not None and len(dims) > MAX_DIMENSIONS:
        raise WireError(f"the input {_short(name)!a} has more than {MAX_DIMENSIONS} dimensions")
    return name, dims, kind if isinstance(kind, int) else 0


def _dims(reader: WireReader, message: memoryview) -> Dims:
    fields = reader.fields(message)
    return tuple(_dimension(reader, _bytes(each)) for number, each in fields if number == 1)


def _dimension(reader: WireReader, message: memoryview) -> int | None:
    """Return a size of a shape; None if it varies."""
    size = dict(reader.fields(message)).get(1)
    return size if isinstance(size, int) and 0 < size < 2**40 else None


def _bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise WireError("a field has the wrong type")
    return value


def _text(value: Value) -> str:
    return bytes(_bytes(value)).decode("utf-8", "backslashreplace")


def _integers(value: Value) -> list[int]:
    """Return the number of a field, or the numbers of a packed one."""
    numbers = [value] if isinstance(value, int) else packed_varints(value).tolist()
    if not numbers:
        raise WireError("a field has the wrong type")
    return [signed(number) for number in numbers]


def _floats(value: Value) -> list[float]:
    data = _bytes(value)
    if not len(data) or len(data) % 4:
        raise WireError("a field has the wrong type")
    numbers: list[float] = np.frombuffer(data, "<f4").tolist()
    return numbers


def _short(name: str) -> str:
    return name if len(name) <= MAX_SHOWN_CHARACTERS else f"{name[:MAX_SHOWN_CHARACTERS]}…"
