"""The values that flow through an ONNX graph, as far as a multilayer perceptron needs them.

A value is a constant, the numbers of the rows at some place in the network, the outputs at its end,
a shape, or something that is not understood, which is an error only if the result depends on it.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.formats.onnx_functions import Function, z_itself
from actcli.formats.onnx_messages import Node

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant.

    Args:
        values: its numbers.
        is_coarse: whether they have 16 bits.
    """

    values: Array
    is_coarse: bool = False


@dataclass(frozen=True, eq=False)
class LinearStep:
    """A product with weights (units, inputs).

    Args:
        node: in the graph.
        weights: shape (units, inputs).
    """

    node: Node
    weights: Array


@dataclass(frozen=True, eq=False)
class ScaleStep:
    """A factor and a summand for each unit.

    Args:
        node: in the graph.
        factor, summand: shape (units,) or ().
        is_norm: whether it is a batch normalization.
    """

    node: Node
    factor: Array
    summand: Array
    is_norm: bool = False


@dataclass(frozen=True, eq=False)
class NetworkPlace:
    """A place in the network: its inputs, the result of a product, or of a scaling of its units.

    Args:
        before: the rows from which a step made those at this place; None for the inputs.
        step: the step; None for the inputs.
        units: the numbers of a row; None if unknown.
    """

    before: "Rows | None" = None
    step: LinearStep | ScaleStep | None = None
    units: int | None = None


@dataclass(frozen=True, eq=False)
class Rows:
    """A function of the numbers at a place, for each row.

    Args:
        place: the place.
        function: of each number there.
        dims: the shape of a row; None if unknown.
        has_columns: whether each column of the array is a row of the data; None if undecided.
    """

    place: NetworkPlace
    function: Function
    dims: tuple[int, ...] | None = None
    has_columns: bool | None = False

    @classmethod
    def at(
        cls, place: NetworkPlace, has_columns: bool | None, dims: tuple[int, ...] | None
    ) -> "Rows":
        """Return the numbers at a place themselves."""
        return cls(place, z_itself(), dims, has_columns)

    @property
    def is_plain(self) -> bool:
        """Whether these are the numbers at the place themselves."""
        return self.function.node is None

    def reshaped(self, dims: tuple[int, ...] | None) -> "Rows":
        """Return the same rows in another shape."""
        return replace(self, dims=dims)


@dataclass(frozen=True, eq=False)
class NetworkOutputs:
    """The outputs of a network after its link.

    Args:
        link: a name in `LINKS`.
        rows: the rows to which the link was applied.
        node: that applied it.
    """

    link: str
    rows: Rows
    node: Node


@dataclass(frozen=True, eq=False)
class Shape:
    """A shape that the graph computes, or what it is computed from."""


@dataclass(frozen=True)
class Unknown:
    """A value that is not understood.

    Args:
        reason: an error message without the path of the file.
    """

    reason: str


GraphValue = Constant | Rows | NetworkOutputs | Shape | Unknown


def vector(values: Array, rows: Rows, limit: int) -> NDArray[np.float64] | None:
    """Return a constant as a number for each unit of rows, as broadcasting pairs them, or None.

    Args:
        values: the constant.
        rows: the rows with which it is paired.
        limit: the largest length of the result.
    """
    numbers = values.astype(np.float64)
    if rows.has_columns:
        is_column = numbers.ndim == 2 and numbers.shape[1] == 1
        return numbers[:, 0] if is_column else None
    dims = rows.dims
    if dims is None or len(dims) == 1:
        return numbers.reshape(-1) if numbers.shape[-1:] == (numbers.size,) else None
    if numbers.ndim > len(dims):
        if numbers.shape[: numbers.ndim - len(dims)] != (1,) * (numbers.ndim - len(dims)):
            return None
        numbers = numbers.reshape(numbers.shape[numbers.ndim - len(dims) :])
    size = 1
    for each in dims:
        size *= each
    if size > limit:
        return None
    try:
        return np.broadcast_to(numbers, dims).reshape(-1)
    except ValueError:
        return None
