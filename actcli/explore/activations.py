"""What an activation does to a signal on its way forward, and to the error on its way back.

An output is zero-centred if its mean is 0 for pre-activations from a standard normal distribution,
which is what a good initializer makes of them (LeCun, Bottou, Orr, Müller, Efficient BackProp
(1998), sections 4.3 and 4.4). The mean is an integral, here by Gauss and Legendre's rule on pieces
of length 1, and exact to rounding as all kinks lie at whole numbers.

Everything is float64.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.errors import UsageError
from actcli.nn.activations import ACTIVATIONS, Activation
from actcli.nn.arrays import Array

Vector = NDArray[np.float64]

LAYERS = 10  # for which the sentence about the error has a number
TAIL = 2.0  # a pre-activation that is usual, and where most activations have begun to fade
SPAN = 5.0  # that curves reach to on both sides at least,
WIDER = 8.0  # or where they are still on their way to a bound there,
WIDEST = 20.0  # and at most
SAMPLES = 480
JUMP = 0.01  # of the height of a curve; what is less is drawn as a line
CENTRED = 1e-9


@dataclass(frozen=True)
class ActivationFacts:
    """What is known of an activation.

    Args:
        range: infimum and supremum of f.
        bound: sup|f'|.
        mean: of f(z) for z from a standard normal distribution.
        zero_centred: whether that is 0.
        can_die: whether f' is 0 on a half-line.
        initializer: that keeps the signal's scale.
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
    """A curve as points (z, y); a y of NaN parts two pieces where it jumps."""

    z: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class ActivationStudy:
    """An activation at some points, and its course around them.

    Args:
        at: the points z.
        values: f there.
        slopes: f' there.
        remark: what its derivative means for the error, in words.
    """

    facts: ActivationFacts
    at: tuple[float, ...]
    values: tuple[float, ...]
    slopes: tuple[float, ...]
    value_course: ActivationCurve
    slope_course: ActivationCurve
    remark: str


def facts(name: str) -> ActivationFacts:
    """What is known of an activation.

    Raises:
        UsageError: there is none of that name.
    """
    entry = ACTIVATIONS[name]
    mean = _mean(entry())
    centred = abs(mean) < CENTRED
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
    """Look at activations at some points, each over the same span.

    Raises:
        UsageError: there is none of one of the names, or a point is not finite.
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
    """From where to where curves are drawn: around 0, and to the points that are not far off."""
    reach = SPAN
    for name in names:
        upper, function = ACTIVATIONS[name].range[1], ACTIVATIONS[name]()
        if math.isfinite(upper) and function(np.array([SPAN]))[0] < 0.9 * upper:
            reach = WIDER
    near = [math.copysign(math.ceil(abs(z)), z) for z in at if abs(z) <= WIDEST]
    return min([-reach, *near]), max([reach, *near])


def _study(name: str, points: Vector, grid: Vector) -> ActivationStudy:
    known, function = facts(name), ACTIVATIONS[name]()
    # A point may be so large that a derivative there underflows: 0 is then the answer.
    with np.errstate(under="ignore", over="ignore"):
        values, slopes = function(points), function.slope(points)
    return ActivationStudy(
        facts=known,
        at=tuple(points.tolist()),
        values=tuple((values + 0.0).tolist()),  # -0.0 + 0.0 is 0.0
        slopes=tuple((slopes + 0.0).tolist()),
        value_course=_course(function, grid, derivative=False),
        slope_course=_course(function, grid, derivative=True),
        remark=_remark(known, function),
    )


def _mean(function: Activation) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(20)
    starts = np.arange(-12.0, 12.0)[:, np.newaxis]
    z = starts + (nodes + 1) / 2
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return float((function(z) * density) @ weights @ np.ones(len(starts)) / 2)


def _course(function: Activation, grid: Vector, derivative: bool) -> ActivationCurve:
    """The samples, parted where the function jumps: there a line would claim what is not so."""
    curve: Callable[[Vector], Array] = function.slope if derivative else function
    y = curve(grid)
    largest = JUMP * float(np.ptp(y))
    zs, ys = [float(grid[0])], [float(y[0])]
    for left, right, value in zip(grid[:-1], grid[1:], y[1:], strict=True):
        if abs(value - ys[-1]) > largest:
            before, after = _narrowed(curve, left, right)
            edges = curve(np.array([before, after]))
            if abs(edges[1] - edges[0]) > largest:
                zs += [before, after, after]
                ys += [float(edges[0]), math.nan, float(edges[1])]
        zs.append(float(right))
        ys.append(float(value))
    return ActivationCurve(tuple(zs), tuple(ys))


def _narrowed(curve: Callable[[Vector], Array], left: float, right: float) -> tuple[float, float]:
    """Two neighbours between which the curve changes most, by halving the interval."""
    for _ in range(60):
        middle = (left + right) / 2
        a, b, c = curve(np.array([left, middle, right]))
        left, right = (left, middle) if abs(b - a) > abs(c - b) else (middle, right)
    return float(left), float(right)


def _remark(known: ActivationFacts, function: Activation) -> str:
    """What the derivative means for an error on its way back, with a number."""
    kept = known.bound**LAYERS
    bound = f"{known.bound:.4g}"
    through = f"through n layers the error keeps at most {bound}^n of itself"
    if known.bound < 1:
        return f"The derivative is at most {bound}: {through}: {LAYERS} layers, {kept:.7f}."
    if known.bound > 1:
        return (
            f"The derivative is at most {bound}: {through}, so that it can even grow: "
            f"{LAYERS} layers, {kept:.4g}."
        )
    return f"The derivative is at most 1: 1^n = 1, so that {_limits(known, function)}"


def _limits(known: ActivationFacts, function: Activation) -> str:
    """What else may keep an error from passing where the bound does not."""
    left, right = (abs(float(z)) for z in function.slope(np.array([-TAIL, TAIL])))
    far = np.abs(function.slope(np.array([-4 * TAIL, 4 * TAIL])))
    if known.can_die:
        return (
            "an active unit passes the whole error through any number of layers. A silent one "
            "passes nothing: one that is silent for every input is dead."
        )
    least = min(left, right)
    if least == 1:
        return "the whole error passes; but n linear layers are no more than one."
    told = f"at z = {-TAIL if left < right else TAIL:g}" if left != right else f"at |z| = {TAIL:g}"
    if far.min() >= least:
        return f"it sets no limit; nor does it fall below {least:.3g}: no unit cuts the error off."
    kept = f"{LAYERS} layers that all stand there keep {least**LAYERS:.2g}"
    return f"it sets no limit. But it fades: {told} it is {least:.3g}, and {kept} of the error."
