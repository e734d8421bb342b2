"""From an ONNX graph to the outputs of a network: each node is followed once, in order.

`Tracer` computes the value of each node from the values of its inputs (`onnx_values`). A product
with constant weights begins a new place in the network; so does a constant for each unit that is
added to the rows or multiplied with them. Operators that act on each number alone extend the
function of the numbers at a place (`onnx_functions`). A node that is not understood is an error
only if the outputs depend on it: the label beside the probabilities may be computed in any way.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.formats.onnx_functions import ELEMENTWISE, SAMPLES, Function, apply
from actcli.formats.onnx_messages import MAX_DIMENSIONS, NO_ATTRIBUTE, Graph, Node, Tensor
from actcli.formats.onnx_tensors import BFLOAT16, to_array
from actcli.formats.onnx_values import (
    Constant,
    GraphValue,
    LinearStep,
    NetworkOutputs,
    NetworkPlace,
    Rows,
    ScaleStep,
    Shape,
    Unknown,
    vector,
)

FLOAT_TYPES = {1, 10, 11, BFLOAT16}  # in TensorProto.DataType
LARGEST_CONSTANT = 1_000_000  # numbers of a constant that nodes compute, unless the file is larger
PASSED_AT_END = {"Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "ai.onnx.ml::ZipMap"}
EXACT = 1e-6  # of the outputs of a single unit as two classes


class Tracer:
    """Follows the nodes of a graph.

    Args:
        graph: the graph.
        file_bytes: the size of the file, which limits what its nodes may compute.
    """

    def __init__(self, graph: Graph, file_bytes: int) -> None:
        self._values: dict[str, GraphValue] = {}
        self._tensors = graph.constants
        self._limit = max(LARGEST_CONSTANT, file_bytes)
        self._computed = 0  # numbers of constants that nodes made of others
        for name, shape in graph.inputs.items():
            if name not in graph.constants:  # before version 4, initializers were inputs, too
                self._values[name] = _input(shape)
        for node in graph.nodes:
            self._follow(node)

    def __getitem__(self, name: str) -> GraphValue:
        """Return the value with that name."""
        if name not in self._values:
            if name not in self._tensors:
                return Unknown(f"nothing in the graph has the name {quoted(name)}")
            self._values[name] = _constant(self._tensors[name])
        return self._values[name]

    def _follow(self, node: Node) -> None:
        inputs = [self[name] if name else None for name in node.inputs]
        unknown = next((each for each in inputs if isinstance(each, Unknown)), None)
        value: GraphValue
        if unknown is not None:
            value = unknown
        else:
            try:
                value = self._value(node, inputs)
            except DataError as error:
                value = Unknown(str(error))
        for index, name in enumerate(node.outputs):
            is_extra = index and not isinstance(value, Unknown)
            extra = Unknown(f"output {index} of {node.label} is not read")
            self._values[name] = extra if is_extra else value

    def _value(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Return the first result of a node.

        Raises:
            DataError: the node is not a part of a multilayer perceptron.
        """
        if node.operator == "Constant":
            return _constant_node(node)
        if any(isinstance(each, Shape) for each in inputs) and node.operator != "Reshape":
            return Shape()
        if all(each is None or isinstance(each, Constant) for each in inputs):
            constants = [each for each in inputs if isinstance(each, Constant)]
            return self._computed_constant(node, constants)
        if any(isinstance(each, NetworkOutputs) for each in inputs):
            return _after_outputs(node, inputs)
        if node.operator in HANDLERS:
            return HANDLERS[node.operator](self, node, inputs)
        if node.operator in ELEMENTWISE:
            return self._elementwise(node, inputs)
        raise DataError(f"{node.label} is not a part of a multilayer perceptron")

    # Constants --------------------------------------------------------------------------------

    def _computed_constant(self, node: Node, constants: list[Constant]) -> GraphValue:
        """Return the constant that a node computes of others; a shape if it is not arithmetic."""
        arrays = [each.values for each in constants]
        if not arrays:
            return Shape()
        is_coarse = any(each.is_coarse for each in constants)
        if node.operator in {"Identity", "Cast", "Dropout"}:
            return constants[0]
        if node.operator == "Transpose":
            axes = node.attributes["perm"].integers if "perm" in node.attributes else None
            return Constant(_checked(node, lambda: np.transpose(arrays[0], axes)), is_coarse)
        if node.operator in {"Squeeze", "Unsqueeze", "Reshape", "Flatten"}:
            self._spend(node, arrays[0].size)
            return Constant(_reshaped_constant(node, arrays), is_coarse)
        if node.operator not in ELEMENTWISE:
            return Shape()
        shape = _checked(node, lambda: np.broadcast_shapes(*(each.shape for each in arrays)))
        self._spend(node, math.prod(shape))
        numbers = [each.astype(np.float64) for each in arrays]
        with np.errstate(all="ignore"):
            result = _checked(node, lambda: ELEMENTWISE[node.operator](node, *numbers))
        return Constant(np.asarray(result), is_coarse)

    def _spend(self, node: Node, numbers: int) -> None:
        """Count numbers of constants that are computed.

        Raises:
            DataError: they are more than a file of this size can need.
        """
        self._computed += numbers
        if self._computed > self._limit:
            raise DataError(f"{node.label} computes more constants than the file holds")

    # Functions of each number -----------------------------------------------------------------

    def _elementwise(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        present = [each for each in inputs if isinstance(each, Rows | Constant)]
        rows = [each for each in present if isinstance(each, Rows)]
        first = rows[0]
        if any(each.place is not first.place for each in rows):
            raise DataError(
                f"{node.label} joins two branches of the graph; a multilayer perceptron has none"
            )
        if any(
            each.dims != first.dims or each.has_columns is not first.has_columns for each in rows
        ):
            raise DataError(f"{node.label} pairs numbers of different columns")
        if len(present) == 2 and node.operator in SCALINGS:
            for position, constant in enumerate(present):
                if isinstance(constant, Constant) and self._is_for_units(node, constant, first):
                    return self._scaling(node, constant, position, first)
        arguments: list[Function | float] = []
        for each in inputs:
            if isinstance(each, Rows):
                arguments.append(each.function)
            elif isinstance(each, Constant):
                arguments.append(_number(node, each))
            else:
                raise DataError(f"{node.label} lacks an input")
        is_coarse = any(isinstance(each, Constant) and each.is_coarse for each in present)
        try:
            function = apply(node, arguments, is_coarse)
        except (TypeError, ValueError):
            raise DataError(f"{node.label} has {len(arguments)} inputs") from None
        return replace(first, function=function)

    def _is_for_units(self, node: Node, constant: Constant, rows: Rows) -> bool:
        """Return whether a constant has a number for each unit; one number is part of a function.

        The bias of a single unit counts as one for each unit.
        """
        is_product = rows.is_plain and isinstance(rows.place.step, LinearStep)
        is_bias = is_product and node.operator == "Add" and constant.values.ndim > 0
        return constant.values.size != 1 or (is_bias and rows.place.units == 1)

    def _scaling(self, node: Node, constant: Constant, position: int, rows: Rows) -> Rows:
        """Return rows with a constant for each unit added, subtracted, multiplied or divided by.

        Args:
            node: the operator.
            constant: its constant input.
            position: that of the constant among the inputs.
            rows: the other input.
        """
        numbers = self._vector(node, constant, rows)
        with np.errstate(all="ignore"):
            factor, summand = SCALINGS[node.operator](numbers, position)
        if factor is None:
            raise DataError(f"{node.label} divides by the rows")
        return _at_step(rows, ScaleStep(node, factor, summand), len(numbers))

    def _vector(self, node: Node, constant: Constant, rows: Rows) -> Any:
        """Return a constant as a number for each unit of rows.

        Raises:
            DataError: the constant does not have one for each.
        """
        units = rows.place.units
        numbers = vector(constant.values, rows, self._limit)
        if numbers is None or units not in {None, len(numbers)}:
            raise DataError(
                f"{node.label} has a constant of shape {constant.values.shape}, "
                f"but rows of {quoted(units or rows.dims)} numbers"
            )
        self._spend(node, len(numbers))
        return numbers

    # Layers -----------------------------------------------------------------------------------

    def gemm(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Follow Y = alpha · op(A) op(B) + beta · C, in which op may transpose."""
        a, b, c = [*inputs, None, None, None][:3]
        alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
        transpose_a = bool(node.integer("transA", 0))
        transpose_b = bool(node.integer("transB", 0))
        result = self._product(node, (a, transpose_a), (b, transpose_b), alpha)
        if c is None:
            return result
        if not isinstance(c, Constant):
            raise DataError(f"{node.label} joins two branches of the graph")
        scaled = Constant(c.values.astype(np.float64) * beta, c.is_coarse)
        units = result.place.units or 1
        if scaled.values.size == 1:
            scaled = Constant(np.full((units, 1) if result.has_columns else units, scaled.values))
        numbers = self._vector(node, scaled, result)
        return _at_step(result, ScaleStep(node, np.ones(()), numbers), units)

    def matmul(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Follow a product with weights."""
        a, b = [*inputs, None, None][:2]
        return self._product(node, (a, False), (b, False), 1.0)

    def _product(
        self,
        node: Node,
        left: tuple[GraphValue | None, bool],
        right: tuple[GraphValue | None, bool],
        alpha: float,
    ) -> Rows:
        """Return the rows after a product, of which each factor may be transposed."""
        (a, transpose_a), (b, transpose_b) = left, right
        if isinstance(a, Rows) and isinstance(b, Constant):
            rows, constant, transposed, has_columns = a, b, transpose_a, False
            weights = constant.values if transpose_b else constant.values.T
            if constant.values.ndim == 1:
                weights = constant.values[np.newaxis]
        elif isinstance(a, Constant) and isinstance(b, Rows):
            rows, constant, transposed, has_columns = b, a, transpose_b, True
            weights = constant.values.T if transpose_a else constant.values
        else:
            raise DataError(f"{node.label} does not multiply rows by constant weights")
        if weights.ndim != 2 or 0 in weights.shape:
            raise DataError(f"{node.label} has weights of shape {constant.values.shape}")
        if rows.dims is not None and len(rows.dims) > 1:
            raise DataError(
                f"{node.label} gets rows of shape {rows.dims}",
                "Expected a vector for each row: flatten images first",
            )
        inputs, is_column = weights.shape[1], has_columns ^ transposed
        is_decided = rows.has_columns is not None
        fits = is_column if not is_decided else rows.dims in {None, (inputs,)}
        if (is_decided and rows.has_columns != is_column) or not (
            fits or rows.dims in {None, (inputs,)}
        ):
            raise DataError(
                f"{node.label} has weights for {inputs} inputs, "
                f"but rows of shape {quoted(rows.dims)}"
            )
        if alpha != 1:
            self._spend(node, weights.size)
            weights = weights.astype(np.float64) * alpha
        place = NetworkPlace(rows, LinearStep(node, weights), len(weights))
        return Rows.at(place, has_columns, (len(weights),))

    def batch_norm(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Follow a batch normalization with its running statistics."""
        rows, *constants = inputs
        if not isinstance(rows, Rows) or len(constants) != 4:
            raise DataError(f"{node.label} does not normalize rows by constants")
        if node.integer("training_mode", 0):
            raise DataError(f"{node.label} is in training mode", "Call model.eval() before export")
        if rows.dims is not None and len(rows.dims) > 1:
            raise DataError(f"{node.label} gets rows of shape {rows.dims}", "Expected vectors")
        numbers = [
            each.values.astype(np.float64).reshape(-1)
            for each in constants
            if isinstance(each, Constant)
        ]
        units = len(numbers[0]) if len(numbers) == 4 else 0
        if not units or any(len(each) != units for each in numbers):
            raise DataError(f"{node.label} has statistics of different lengths")
        scale, shift, mean, variance = numbers
        with np.errstate(all="ignore"):
            factor = scale / np.sqrt(variance + node.number("epsilon", 1e-5))
            summand = shift - mean * factor
        return _at_step(rows, ScaleStep(node, factor, summand, is_norm=True), units)

    def scaler(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Follow scikit-learn's scaling of columns: (x - offset) · scale."""
        rows = _rows(inputs)
        parts = [node.attributes.get(name, NO_ATTRIBUTE).numbers for name in ("offset", "scale")]
        offset, scale = (np.array(part or [], np.float64) for part in parts)
        if not offset.size or offset.shape != scale.shape:
            raise DataError(f"{node.label} has {offset.size} offsets and {scale.size} scales")
        units = None if offset.size == 1 else offset.size
        with np.errstate(all="ignore"):
            step = ScaleStep(node, scale, -offset * scale)
        return _at_step(rows, step, units)

    # The end of a network ---------------------------------------------------------------------

    def softmax(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Follow a softmax, or its logarithm, over the units of each row."""
        rows = _rows(inputs)
        axis = node.integer("axis", -1)
        if axis not in ({0, -2} if rows.has_columns else {1, -1}):
            raise DataError(f"{node.label} is over axis {axis}, not over the units of a row")
        return NetworkOutputs("softmax", rows, node)

    def concat(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Follow 1 - p and p, the two classes of a single unit with a sigmoid."""
        if len(inputs) == 2 and node.integer("axis", 0) in {1, -1}:
            first, second = inputs
            if (
                isinstance(first, Rows)
                and isinstance(second, Rows)
                and first.place is second.place
                and first.place.units == 1
                and _is_close(first.function.values + second.function.values, 1.0)
                and _is_close(second.function.values, 1 / (1 + np.exp(-SAMPLES)))
            ):
                return NetworkOutputs("sigmoid", Rows.at(first.place, False, (1,)), node)
        raise DataError(f"{node.label} is not a part of a multilayer perceptron")

    # Shapes -----------------------------------------------------------------------------------

    def cast(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Pass over a conversion to floats."""
        if node.integer("to", 1) not in FLOAT_TYPES:
            raise DataError(f"{node.label} rounds the numbers of a row")
        return _rows(inputs)

    def flatten(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Pass over a flattening of each row."""
        rows = _rows(inputs)
        size = math.prod(rows.dims) if rows.dims is not None else None
        if node.integer("axis", 1) != 1 and (rows.dims is None or len(rows.dims) > 1):
            raise DataError(f"{node.label} joins different rows")
        return rows.reshaped(None if size is None else (size,))

    def reshape(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Pass over a new shape of each row."""
        rows, shape = _rows(inputs), inputs[1] if len(inputs) > 1 else None
        size = math.prod(rows.dims) if rows.dims is not None else None
        if isinstance(shape, Constant):
            sizes = _whole_numbers(node, shape.values)
        elif "shape" in node.attributes:
            sizes = list(node.attributes["shape"].integers or ())
        else:  # computed by the graph, as `x.view(len(x), -1)` is: the rows stay apart
            return rows.reshaped(None if size is None else (size,))
        if len(sizes) == 1 and sizes[0] in {-1, size}:
            return rows.reshaped(None if size is None else (size,))
        return rows.reshaped(_row_dims(node, rows, sizes[1:]))

    def same_rows(self, _: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Pass over a node that does nothing, or nothing after the training."""
        return _rows(inputs)

    def same_size(self, _: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Pass over a node that adds or removes axes of length 1."""
        rows = _rows(inputs)
        return rows.reshaped(None if rows.dims is None else (math.prod(rows.dims),))

    def transpose(self, node: Node, inputs: list[GraphValue | None]) -> GraphValue:
        """Follow an exchange of rows and columns, or of axes of length 1."""
        rows = _rows(inputs)
        axes = node.attributes["perm"].integers if "perm" in node.attributes else None
        dims = rows.dims
        if dims is None or len(dims) == 1:
            if axes is None or axes == (1, 0):
                columns = None if rows.has_columns is None else not rows.has_columns
                return replace(rows, has_columns=columns)
            if axes == (0, 1):
                return rows
        elif axes is not None and sorted(axes) == list(range(len(dims) + 1)) and axes[0] == 0:
            order = [axis - 1 for axis in axes[1:]]
            longer = [axis for axis in order if dims[axis] > 1]
            if longer == sorted(longer):
                return rows.reshaped(tuple(dims[axis] for axis in order))
        raise DataError(f"{node.label} reorders the numbers of a row")

    def shape(self, _: Node, _inputs: list[GraphValue | None]) -> GraphValue:
        """Return a shape."""
        return Shape()


Handler = Callable[[Tracer, Node, list[GraphValue | None]], GraphValue]

HANDLERS: Mapping[str, Handler] = {
    "ai.onnx.ml::Scaler": Tracer.scaler,
    "BatchNormalization": Tracer.batch_norm,
    "Cast": Tracer.cast,
    "Concat": Tracer.concat,
    "Dropout": Tracer.same_rows,
    "Flatten": Tracer.flatten,
    "Gemm": Tracer.gemm,
    "Identity": Tracer.same_rows,
    "LogSoftmax": Tracer.softmax,
    "MatMul": Tracer.matmul,
    "Reshape": Tracer.reshape,
    "Shape": Tracer.shape,
    "Size": Tracer.shape,
    "Softmax": Tracer.softmax,
    "Squeeze": Tracer.same_size,
    "Transpose": Tracer.transpose,
    "Unsqueeze": Tracer.same_size,
}

# Operators with a constant for each unit: the constant and its position -> factor and summand.
Scaling = Callable[[Any, int], tuple[Any, Any]]
SCALINGS: Mapping[str, Scaling] = {
    "Add": lambda numbers, _: (np.ones(()), numbers),
    "Sub": lambda numbers, position: (
        (np.ones(()), -numbers) if position else (-np.ones(()), numbers)
    ),
    "Mul": lambda numbers, _: (numbers, np.zeros(())),
    "Div": lambda numbers, position: (1 / numbers, np.zeros(())) if position else (None, None),
}


def _input(shape: tuple[int | None, ...] | None) -> Rows:
    """Return the input of a graph: rows, or in an array of two axes perhaps columns."""
    dims: tuple[int, ...] | None = None
    if shape is not None:
        sizes = shape[1:] if len(shape) > 1 else shape
        known = [size for size in sizes if size is not None]
        dims = tuple(known) if len(known) == len(sizes) and known else None
    undecided = shape is not None and len(shape) == 2
    return Rows.at(NetworkPlace(), None if undecided else False, dims)


def _constant(tensor: Tensor) -> Constant | Unknown:
    try:
        return Constant(to_array(tensor), tensor.kind in {10, BFLOAT16})
    except DataError as error:
        return Unknown(str(error))


def _constant_node(node: Node) -> Constant | Unknown:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if name in node.attributes:
            value = node.attributes[name]
            if value.tensor is not None:
                return _constant(value.tensor)
            for numbers in (value.number, value.integer, value.numbers, value.integers):
                if numbers is not None:
                    return Constant(np.array(numbers))
    raise DataError(f"{node.label} does not hold numbers")


def _checked(node: Node, compute: Callable[[], Any]) -> Any:
    """Return what a function of constants returns.

    Raises:
        DataError: the shapes of the constants do not fit.
    """
    try:
        return compute()
    except (ValueError, TypeError, OverflowError):
        raise DataError(f"{node.label} has constants whose shapes do not fit") from None


def _reshaped_constant(node: Node, arrays: list[Any]) -> Any:
    array = arrays[0]
    if node.operator == "Flatten":
        axis = node.integer("axis", 1)
        return _checked(node, lambda: array.reshape(math.prod(array.shape[:axis]), -1))
    numbers = _whole_numbers(node, arrays[1]) if len(arrays) > 1 else None
    name = "shape" if node.operator == "Reshape" else "axes"
    if numbers is None and name in node.attributes:
        numbers = list(node.attributes[name].integers or ())
    if node.operator == "Reshape":
        sizes = numbers or []
        if len(sizes) > array.ndim or 0 not in sizes:
            return _checked(node, lambda: array.reshape(sizes))
        kept = [array.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
        return _checked(node, lambda: array.reshape(kept))
    if node.operator == "Squeeze":
        axes = None if numbers is None else tuple(numbers)
        return _checked(node, lambda: np.squeeze(array, axes))
    return _checked(node, lambda: np.expand_dims(array, tuple(numbers or ())))


def _whole_numbers(node: Node, values: Any) -> list[int]:
    """Return the numbers of a constant that is a shape or a list of axes.

    Raises:
        DataError: they are not whole numbers.
    """
    if values.dtype.kind not in "iu" or values.size > MAX_DIMENSIONS:
        raise DataError(f"{node.label} has a shape that is not a few whole numbers")
    return [int(each) for each in values.reshape(-1).tolist()]


def _number(node: Node, constant: Constant) -> float:
    """Return a constant that is one number.

    Raises:
        DataError: it is several different numbers.
    """
    values = constant.values.reshape(-1)
    if not values.size or (values != values[0]).any():
        raise DataError(
            f"{node.label} has a constant of shape {constant.values.shape}; "
            "expected one number for all units"
        )
    return float(values[0])


def _at_step(rows: Rows, step: ScaleStep, units: int | None) -> Rows:
    """Return the rows after a factor and a summand for each unit."""
    return Rows.at(NetworkPlace(rows, step, units), rows.has_columns, rows.dims)


def _rows(inputs: list[GraphValue | None]) -> Rows:
    rows = inputs[0]
    if not isinstance(rows, Rows):
        raise DataError("an operator on shapes gets constants in place of rows")
    return rows


def _row_dims(node: Node, rows: Rows, sizes: list[int]) -> tuple[int, ...] | None:
    """Return the shape of a row after a reshape, or None if it is unknown.

    Args:
        node: the operator.
        rows: the rows before it.
        sizes: its sizes without the first, the number of rows.

    Raises:
        DataError: the numbers of different rows would come together.
    """
    dims = rows.dims
    if dims is None:
        return tuple(sizes) if all(size > 0 for size in sizes) else None
    total = math.prod(dims)
    resolved = [
        dims[axis] if size == 0 and axis < len(dims) else size for axis, size in enumerate(sizes)
    ]
    rest = math.prod(size for size in resolved if size != -1)
    if resolved.count(-1) == 1 and rest > 0 and total % rest == 0:
        resolved = [total // rest if size == -1 else size for size in resolved]
    if any(size < 1 for size in resolved) or math.prod(resolved) != total:
        raise DataError(f"{node.label} joins or divides rows of {total:,} numbers")
    return tuple(resolved)


def _after_outputs(node: Node, inputs: list[GraphValue | None]) -> NetworkOutputs:
    """Return the outputs after a node that leaves them as they are."""
    outputs = inputs[0]
    is_cast = node.operator == "Cast" and node.integer("to", 1) in FLOAT_TYPES
    is_log = (
        node.operator == "Log" and isinstance(outputs, NetworkOutputs) and outputs.link == "softmax"
    )
    if isinstance(outputs, NetworkOutputs) and (
        node.operator in PASSED_AT_END or is_cast or is_log
    ):
        return outputs
    raise DataError(f"{node.label} after the output activation is not passed over")


def _is_close(values: Any, expected: Any) -> bool:
    return bool(np.allclose(values, expected, EXACT, EXACT))
