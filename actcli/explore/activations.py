"""Properties and curves of activations: the forward signal f, and the derivative f'.

An activation is zero-centred if its mean output is 0 for standard normal pre-activations, the
distribution at which a good initializer aims (LeCun, Bottou, Orr, Müller, Efficient BackProp
(1998), sections 4.3 and 4.4). The mean is an integral, computed by Gauss-Legendre quadrature on
intervals of length 1. It is exact to rounding, because all kinks lie at whole numbers.

All results are float64.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.errors import UsageError
from actcli.nn.activations import ACTIVATIONS, Activation
from actcli.nn.arrays import Array

Vector = NDArray[np.float64]

EXAMPLE_LAYERS = 10  # depth of the example in a remark
TAIL_Z = 2.0  # a common pre-activation at which most derivatives have begun to shrink
MIN_SPAN = 5.0  # smallest |z| at the ends of a curve
SLOW_SPAN = 8.0  # the same for an activation that is far below its supremum at MIN_SPAN
MAX_SPAN = 20.0  # largest |z| at the ends of a curve
SAMPLES = 480  # intervals between the points of a curve
JUMP_SHARE = 0.01  # of the height of a curve; smaller jumps are drawn as lines
CENTRED_TOLERANCE = 1e-9  # of a mean output that counts as 0


@dataclass(frozen=True)
class ActivationFacts:
    """The properties of an activation.

    Args:
        name, formula, summary: from the registry.
        range: infimum and supremum of f.
        bound: sup|f'|.
        mean: of f(z) for standard normal z.
        zero_centred: whether the mean is 0.
        can_die: whether f' is 0 on a half-line.
        initializer: the initializer that preserves the scale of the signal.
        source: publication that defines the activation.
    """

    name: str
    formula: str
    summary: str
    range: tuple[float, float]
    bound: float
    mean: float
    zero_centred: bool
    can_die: bool
    initializer: str
    source: str


@dataclass(frozen=True)
class ActivationCurve:
    """A curve as points (z, y); a y of NaN separates two pieces at a jump."""

    z: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class ActivationStudy:
    """An activation evaluated at points, and its curves around them.

    Args:
        facts: properties of the activation.
        at: the points z.
        values: f at these points.
        slopes: f' at these points.
        value_course, slope_course: curves of f and f'.
        remark: one or two sentences on how f' scales the error in the backward pass.
    """

    facts: ActivationFacts
    at: tuple[float, ...]
    values: tuple[float, ...]
    slopes: tuple[float, ...]
    value_course: ActivationCurve
    slope_course: ActivationCurve
    remark: str


@dataclass(frozen=True)
class ActivationOverview:
    """The result of `actcli activations`: properties of activations, or studies at points.

    Args:
        entries: one per activation.
    """

    entries: tuple[ActivationFacts, ...] | tuple[ActivationStudy, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of `actcli activations --json`, which has no curves."""
        return {"activations": [_fields(entry) for entry in self.entries]}

    def csv_rows(self) -> Iterator[Sequence[Any]]:
        """Yield the header of the CSV, and a row for each activation, or for each point."""
        if isinstance(self.entries[0], ActivationStudy):
            yield ["activation", "z", "f", "derivative"]
        else:
            names = [field.name for field in fields(ActivationFacts)]
            at = names.index("range")
            yield ["activation", *names[1:at], "low", "high", *names[at + 1 :]]
        for entry in self.entries:
            if isinstance(entry, ActivationStudy):
                for point in zip(entry.at, entry.values, entry.slopes, strict=True):
                    yield [entry.facts.name, *point]
            else:
                name, formula, summary, bounds, *others = astuple(entry)
                yield [name, formula, summary, *bounds, *others]


def _fields(entry: ActivationFacts | ActivationStudy) -> dict[str, Any]:
    values = asdict(entry)
    properties: dict[str, Any] = values.pop("facts", {})
    return {**properties, **{name: values[name] for name in values if "course" not in name}}


def overview(names: Sequence[str], at: Sequence[float] | None = None) -> ActivationOverview:
    """Return the properties of activations, or their studies at the points `at`.

    Raises:
        UsageError: a name does not exist, or a point is not finite.
    """
    if at is None:
        return ActivationOverview(tuple(facts(name) for name in names))
    return ActivationOverview(study(names, at))


def facts(name: str) -> ActivationFacts:
    """Return the properties of an activation.

    Raises:
        UsageError: the name does not exist.
    """
    entry = ACTIVATIONS[name]
    mean = _mean(entry())
    centred = abs(mean) < CENTRED_TOLERANCE
    return ActivationFacts(
        name=name,
        formula=entry.formula,
        summary=entry.summary,
        range=entry.range,
        bound=entry.bound,
        mean=0.0 if centred else mean,
        zero_centred=centred,
        can_die=entry.can_die,
        initializer=entry.initializer,
        source=entry.source,
    )


def study(names: Sequence[str], at: Sequence[float]) -> tuple[ActivationStudy, ...]:
    """Return the studies of activations at the points `at`, with curves over a common interval.

    Raises:
        UsageError: a name does not exist, or a point is not finite.
    """
    points = np.array(at, dtype=np.float64)
    for position in np.flatnonzero(~np.isfinite(points)):
        raise UsageError(
            f"--at: point {position + 1} is {points[position]}", "Allowed: finite numbers"
        )
    low, high = span(names, at)
    grid = np.linspace(low, high, SAMPLES + 1)
    return tuple(_study(name, points, grid) for name in names)


def span(names: Sequence[str], at: Sequence[float]) -> tuple[float, float]:
    """Return the interval of the curves: around 0, with all points up to |z| = 20."""
    reach = MIN_SPAN
    for name in names:
        upper, function = ACTIVATIONS[name].range[1], ACTIVATIONS[name]()
        if math.isfinite(upper) and function(np.array([MIN_SPAN]))[0] < 0.9 * upper:
            reach = SLOW_SPAN
    near = [math.copysign(math.ceil(abs(z)), z) for z in at if abs(z) <= MAX_SPAN]
    return min([-reach, *near]), max([reach, *near])


def _study(name: str, points: Vector, grid: Vector) -> ActivationStudy:
    properties, function = facts(name), ACTIVATIONS[name]()
    # At a very large point, a derivative may underflow; 0 is then the correct result.
    with np.errstate(under="ignore", over="ignore"):
        values, slopes = function(points), function.slope(points)
    return ActivationStudy(
        facts=properties,
        at=tuple(points.tolist()),
        values=tuple((values + 0.0).tolist()),  # -0.0 + 0.0 is 0.0
        slopes=tuple((slopes + 0.0).tolist()),
        value_course=_course(function, grid, derivative=False),
        slope_course=_course(function, grid, derivative=True),
        remark=_remark(properties, function),
    )


def _mean(function: Activation) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(20)
    starts = np.arange(-12.0, 12.0)[:, np.newaxis]
    z = starts + (nodes + 1) / 2
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return float((function(z) * density) @ weights @ np.ones(len(starts)) / 2)


def _course(function: Activation, grid: Vector, derivative: bool) -> ActivationCurve:
    """Return a curve through the samples, interrupted at jumps of the function."""
    curve: Callable[[Vector], Array] = function.slope if derivative else function
    y = curve(grid)
    min_jump = JUMP_SHARE * float(np.ptp(y))
    zs, ys = [float(grid[0])], [float(y[0])]
    for left, right, value in zip(grid[:-1], grid[1:], y[1:], strict=True):
        if abs(value - ys[-1]) > min_jump:
            before, after = _narrowed(curve, left, right)
            edges = curve(np.array([before, after]))
            if abs(edges[1] - edges[0]) > min_jump:
                zs += [before, after, after]
                ys += [float(edges[0]), math.nan, float(edges[1])]
        zs.append(float(right))
        ys.append(float(value))
    return ActivationCurve(tuple(zs), tuple(ys))


def _narrowed(curve: Callable[[Vector], Array], left: float, right: float) -> tuple[float, float]:
    """Return two neighbouring points between which the curve jumps, found by bisection."""
    for _ in range(60):
        middle = (left + right) / 2
        a, b, c = curve(np.array([left, middle, right]))
        left, right = (left, middle) if abs(b - a) > abs(c - b) else (middle, right)
    return float(left), float(right)


def _remark(properties: ActivationFacts, function: Activation) -> str:
    """Return a remark on how the derivative scales an error in the backward pass."""
    remaining = properties.bound**EXAMPLE_LAYERS
    bound = f"{properties.bound:.4g}"
    if properties.bound < 1:
        return (
            f"The derivative is at most {bound}, so n layers pass back at most {bound}^n of the "
            f"error: {EXAMPLE_LAYERS} layers, {remaining:.7f}."
        )
    if properties.bound > 1:
        return (
            f"The derivative is at most {bound}, so n layers pass back at most {bound}^n of the "
            f"error, which may even grow: {EXAMPLE_LAYERS} layers, {remaining:.4g}."
        )
    return f"The derivative is at most 1. {_limits(properties, function)}"


def _limits(properties: ActivationFacts, function: Activation) -> str:
    """Return a remark on how an error may shrink in the backward pass if sup|f'| is 1."""
    left, right = (abs(float(z)) for z in function.slope(np.array([-TAIL_Z, TAIL_Z])))
    far = np.abs(function.slope(np.array([-4 * TAIL_Z, 4 * TAIL_Z])))
    if properties.can_die:
        return (
            "An active unit passes the whole error back through any number of layers. A silent "
            "unit passes nothing back, and a unit that is silent for every input is dead."
        )
    min_slope = min(left, right)
    if min_slope == 1:
        return "The whole error passes back, but n linear layers compute no more than one."
    where = f"z = {-TAIL_Z if left < right else TAIL_Z:g}" if left != right else f"|z| = {TAIL_Z:g}"
    if far.min() >= min_slope:
        return (
            "Depth alone does not shrink the error. The derivative never falls below "
            f"{min_slope:.3g}, so no unit blocks the error."
        )
    return (
        "Depth alone does not shrink the error, but the derivative fades: at "
        f"{where} it is {min_slope:.3g}, and {EXAMPLE_LAYERS} layers with all units there pass "
        f"back {min_slope**EXAMPLE_LAYERS:.2g} of the error."
    )
