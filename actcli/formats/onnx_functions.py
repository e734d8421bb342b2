"""Functions of one number, as graphs of operators, and the activations that they are.

Exporters write an activation as one node (Relu) or as several: a GELU is a division, an erf, a sum
and two products, in an order that depends on the exporter and its version. So a function is
recognized by its values and not by its nodes. It is computed at some numbers z and compared with
each activation there; the parameters of the nodes (the slope of a leaky ReLU) are compared with it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.formats.onnx_messages import Node
from actcli.nn import normal
from actcli.nn.activations import ACTIVATIONS

Vector = NDArray[np.float64]

# Where functions are compared: around the kinks of all activations, and where they saturate.
SAMPLES: Vector = np.concatenate([np.linspace(-8, 8, 321), [-30.0, -15.0, 15.0, 30.0]])
TOLERANCE = 1e-6  # the parameters of nodes are float32
COARSE_TOLERANCE = 1e-4  # with constants of 16 bits
LINE_TOLERANCE = 1e-9

MAX_CANDIDATES = 8  # scaled arguments of an activation that are tried
MAX_VISITED = 100  # functions among which they are looked for
MAX_SCALINGS = 4  # of an activation's result that are undone


@dataclass(frozen=True, eq=False)
class Function:
    """A function of one number z.

    Args:
        values: at the numbers `SAMPLES`.
        node: whose result it is; None for z itself.
        arguments: the functions and constants of which the node computed it.
        is_coarse: whether a constant of 16 bits was used.
    """

    values: Vector
    node: Node | None = None
    arguments: tuple["Function | float", ...] = ()
    is_coarse: bool = False


@dataclass(frozen=True)
class Line:
    """The function factor · z + summand."""

    factor: float
    summand: float

    @property
    def is_identity(self) -> bool:
        """Whether it is z itself."""
        return self.factor == 1 and self.summand == 0


@dataclass(frozen=True)
class Scaled:
    """An activation of a scaled and shifted argument, scaled and shifted itself.

    Args:
        inner: applied to z.
        name: of the activation; "identity" for none.
        outer: applied to the activation.
    """

    inner: Line
    name: str
    outer: Line


SAME = Line(1.0, 0.0)


def z_itself() -> Function:
    """Return the function z."""
    return Function(SAMPLES)


def as_line(function: Function) -> Line | None:
    """Return the line that a function is, or None."""
    return _line(SAMPLES, function.values)


def _line(argument: Vector, values: Vector) -> Line | None:
    """Return the line from one function to another, or None."""
    if values is argument:
        return SAME
    if not (np.isfinite(values).all() and np.isfinite(argument).all()):
        return None
    low, high = int(argument.argmin()), int(argument.argmax())
    span = argument[high] - argument[low]
    if span == 0:
        return None
    factor = (values[high] - values[low]) / span
    summand = values[low] - factor * argument[low]
    size = abs(summand) + np.abs(values).max() + np.abs(factor * argument).max()
    is_line = np.abs(factor * argument + summand - values).max() <= LINE_TOLERANCE * size
    return Line(float(factor), float(summand)) if is_line else None


def recognize(function: Function) -> Scaled | None:
    """Return the activation that a function is, or None."""
    if (line := as_line(function)) is not None:
        return Scaled(SAME, "identity", line)
    result, outer = function, SAME
    for _ in range(MAX_SCALINGS):
        for inner in _scaled_arguments(result):
            if (name := _name(inner, result)) is not None:
                return Scaled(inner, name, outer)
        scaled = [each for each in result.arguments if isinstance(each, Function)]
        line = _line(scaled[0].values, result.values) if len(scaled) == 1 else None
        if line is None:
            return None
        outer = Line(outer.factor * line.factor, outer.factor * line.summand + outer.summand)
        result = scaled[0]
    return None


def _scaled_arguments(function: Function) -> list[Line]:
    """Return the lines among the functions of which a function is computed; z itself is first."""
    lines = [SAME]
    seen: set[int] = set()
    waiting = [function]
    while waiting and len(lines) < MAX_CANDIDATES and len(seen) < MAX_VISITED:
        for each in waiting.pop().arguments:
            if isinstance(each, float) or id(each) in seen:
                continue
            seen.add(id(each))
            waiting.append(each)
            line = as_line(each)
            if line is not None and line.factor != 0 and line not in lines:
                lines.append(line)
    return lines


def _name(inner: Line, function: Function) -> str | None:
    """Return the name of the activation that a function is of a scaled argument, or None."""
    argument = inner.factor * SAMPLES + inner.summand
    tolerance = COARSE_TOLERANCE if function.is_coarse else TOLERANCE
    with np.errstate(all="ignore"):
        for name, activation in ACTIVATIONS.items():
            if np.allclose(activation()(argument), function.values, tolerance, tolerance):
                return name
    return None


def nearest_activation(function: Function) -> tuple[str, float]:
    """Return the activation that is most like a function, and their largest difference.

    The difference is infinite if the function is not finite everywhere.
    """
    with np.errstate(all="ignore"):
        differences = {
            name: float(np.abs(activation()(SAMPLES) - function.values).max())
            for name, activation in ACTIVATIONS.items()
        }
    finite = {name: each for name, each in differences.items() if math.isfinite(each)}
    name = min(finite, key=finite.__getitem__, default="identity")
    return name, finite.get(name, math.inf)


def nodes_of(function: Function) -> list[Node]:
    """Return the nodes that compute a function, the first one first."""
    found: list[Node] = []
    seen: set[int] = set()
    waiting = [function]
    while waiting:
        current = waiting.pop()
        if current.node is not None and id(current) not in seen:
            seen.add(id(current))
            found.append(current.node)
            waiting += [each for each in current.arguments if isinstance(each, Function)]
    return found[::-1]


def apply(node: Node, arguments: Sequence[Function | float], is_coarse: bool) -> Function:
    """Return the function that an elementwise operator computes of functions and constants."""
    values = [each.values if isinstance(each, Function) else each for each in arguments]
    with np.errstate(all="ignore"):
        result = np.broadcast_to(ELEMENTWISE[node.operator](node, *values), SAMPLES.shape)
    coarse = is_coarse or any(isinstance(e, Function) and e.is_coarse for e in arguments)
    return Function(np.asarray(result, np.float64), node, tuple(arguments), coarse)


def _erf(x: Any) -> Any:
    x = np.asarray(x, np.float64)
    out = np.empty_like(x)
    normal.distribution(x * math.sqrt(2), out, np.empty_like(x))
    return 2 * out - 1


def _activation(name: str) -> Callable[..., Any]:
    def value(_: Node, x: Any) -> Any:
        return ACTIVATIONS[name]()(np.asarray(x, np.float64))

    return value


def _elu(node: Node, x: Any) -> Any:
    return np.where(x > 0, x, node.number("alpha", 1.0) * np.expm1(np.minimum(x, 0)))


def _celu(node: Node, x: Any) -> Any:
    alpha = node.number("alpha", 1.0)
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha))


def _selu(node: Node, x: Any) -> Any:
    alpha = node.number("alpha", 1.6732632423543772)
    scaled = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
    return node.number("gamma", 1.0507009873554805) * scaled


def _gelu(node: Node, x: Any) -> Any:
    if node.text("approximate", "none") == "tanh":
        cubic = math.sqrt(2 / math.pi) * (x + 0.044715 * np.power(x, 3))
        return 0.5 * x * (1 + np.tanh(cubic))
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def _hard_sigmoid(node: Node, x: Any) -> Any:
    return np.clip(node.number("alpha", 0.2) * x + node.number("beta", 0.5), 0, 1)


def _swish(node: Node, x: Any) -> Any:
    return x * ACTIVATIONS["sigmoid"]()(np.asarray(node.number("alpha", 1.0) * x, np.float64))


def _clip(node: Node, x: Any, *bounds: Any) -> Any:
    low, high = [*bounds, None, None][:2]  # bounds are attributes up to opset 10, then inputs
    low = node.number("min", -math.inf) if low is None else low
    high = node.number("max", math.inf) if high is None else high
    return np.minimum(np.maximum(x, low), high)


def _largest(_: Node, *values: Any) -> Any:
    result = values[0]
    for value in values[1:]:
        result = np.maximum(result, value)
    return result


def _smallest(_: Node, *values: Any) -> Any:
    result = values[0]
    for value in values[1:]:
        result = np.minimum(result, value)
    return result


# The operators that act on each number separately: operator -> a function of its node and inputs.
ELEMENTWISE: Mapping[str, Callable[..., Any]] = {
    "Abs": lambda _, x: np.abs(x),
    "Add": lambda _, x, y: np.add(x, y),
    "Celu": _celu,
    "Clip": _clip,
    "Div": lambda _, x, y: np.divide(x, y),
    "Elu": _elu,
    "Erf": lambda _, x: _erf(x),
    "Exp": lambda _, x: np.exp(x),
    "Gelu": _gelu,
    "Greater": lambda _, x, y: np.greater(x, y),
    "GreaterOrEqual": lambda _, x, y: np.greater_equal(x, y),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda _, x: x * np.clip(x / 6 + 0.5, 0, 1),
    "LeakyRelu": lambda node, x: np.where(x > 0, x, node.number("alpha", 0.01) * x),
    "Less": lambda _, x, y: np.less(x, y),
    "LessOrEqual": lambda _, x, y: np.less_equal(x, y),
    "Log": lambda _, x: np.log(x),
    "Max": _largest,
    "Min": _smallest,
    "Mish": _activation("mish"),
    "Mul": lambda _, x, y: np.multiply(x, y),
    "Neg": lambda _, x: np.negative(x),
    "PRelu": lambda _, x, slope: np.where(x > 0, x, slope * x),
    "Pow": lambda _, x, y: np.power(x, y),
    "Reciprocal": lambda _, x: np.reciprocal(x),
    "Relu": lambda _, x: np.maximum(x, 0),
    "Selu": _selu,
    "Sigmoid": _activation("sigmoid"),
    "Softplus": _activation("softplus"),
    "Softsign": lambda _, x: x / (1 + np.abs(x)),
    "Sqrt": lambda _, x: np.sqrt(x),
    "Sub": lambda _, x, y: np.subtract(x, y),
    "Swish": _swish,
    "Where": lambda _, condition, x, y: np.where(np.not_equal(condition, 0), x, y),
    "Tanh": lambda _, x: np.tanh(x),
    "ThresholdedRelu": lambda node, x: np.where(x > node.number("alpha", 1.0), x, 0),
}
