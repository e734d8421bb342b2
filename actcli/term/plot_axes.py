"""Axes of a plot: their intervals, and their ticks at round numbers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Self

from actcli.term.numbers import shortest

TARGET_TICKS = 5  # of a vertical axis
MIN_ROWS_PER_TICK = 1.5
LABEL_GAP = 3  # columns between two labels
CANDIDATES = 6  # steps that are tried for an axis
TOLERANCE = 1e-9  # of a quotient that is a whole number but for rounding


@dataclass(frozen=True)
class LinearAxis:
    """An axis with a linear scale.

    Args:
        low, high: its ends.
        ticks: the values with a tick, ascending.
        step: the distance of two ticks.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    step: float

    def share(self, value: float) -> float:
        """Return the position of a value: 0 at the low end, 1 at the high end."""
        return (value - self.low) / (self.high - self.low)

    def rows(self, target: int) -> int:
        """Return the number of rows nearest to `target` with which ticks are evenly spaced."""
        steps = len(self.ticks) - 1
        return max(1, round((target - 1) / steps)) * steps + 1

    def label(self, tick: float) -> str:
        """Return a tick as text, with as many decimals as distinguish neighbouring ticks."""
        if not 1e-4 <= self.step < 1e6:
            return shortest(tick, 3)
        decimals = max(0, -math.floor(math.log10(self.step) + TOLERANCE))
        return f"{tick + 0.0:.{decimals}f}"


@dataclass(frozen=True)
class ValuesAxis(LinearAxis):
    """An axis with ticks at arbitrary values, and a linear or logarithmic scale."""

    log: bool = False

    @classmethod
    def at(cls, values: Sequence[float], log: bool) -> Self:
        """Return an axis from the first to the last of ascending values, with a tick at each."""
        return cls(values[0], values[-1], tuple(values), 0.0, log)

    def share(self, value: float) -> float:
        """Return the position of a value on the scale: 0 at the low end, 1 at the high end."""
        if not self.log:
            return super().share(value)
        low = math.log(self.low)  # the quotient of the ends may be too large for a float
        return (math.log(value) - low) / (math.log(self.high) - low)

    def label(self, tick: float) -> str:
        """Return a tick as text with at most three digits."""
        return shortest(tick, 3)


def vertical_axis(low: float, high: float, rows: int) -> LinearAxis:
    """Return the shortest axis that contains an interval and ends at ticks."""
    low, high = _apart(low, high)
    max_steps = max(1, math.floor((rows - 1) / MIN_ROWS_PER_TICK))  # from tick to tick
    axes = []
    for step in islice(_steps((high - low) / max_steps), CANDIDATES):
        first, last = math.floor(low / step + TOLERANCE), math.ceil(high / step - TOLERANCE)
        axes.append(LinearAxis(first * step, last * step, _ticks(first, last, step), step))

    def badness(axis: LinearAxis) -> tuple[bool, bool, float, int]:
        ticks, excess = len(axis.ticks), round((axis.high - axis.low) / (high - low), 6)
        return ticks > max_steps + 1, ticks < 3, excess, abs(ticks - TARGET_TICKS)

    return min(axes, key=badness)


def horizontal_axis(low: float, high: float, columns: int, whole: bool) -> LinearAxis:
    """Return an axis of exactly an interval; it has two or more ticks at round numbers."""
    low, high = _apart(low, high)
    label = max(len(shortest(end, 3)) for end in (low, high))
    min_step = (high - low) / max(1, (columns - 1) // (label + LABEL_GAP))
    axes = []
    for step in islice(_steps(min_step / 10), CANDIDATES):
        first, last = math.ceil(low / step - TOLERANCE), math.floor(high / step + TOLERANCE)
        if not whole or step >= 1:
            axes.append(LinearAxis(low, high, _ticks(first, last, step), step))
    if not axes:
        return LinearAxis(low, high, _ticks(math.ceil(low), math.floor(high), 1.0), 1.0)

    def badness(axis: LinearAxis) -> tuple[bool, bool, float]:
        distance = abs(math.log(axis.step / min_step))
        return len(axis.ticks) < 2, axis.step < min_step * (1 - TOLERANCE), distance

    return min(axes, key=badness)


def _apart(low: float, high: float) -> tuple[float, float]:
    """Return two ends that differ; if they are equal but for rounding, 0 replaces one."""
    if high - low > max(1e-9 * max(abs(low), abs(high)), 1e-300):
        return low, high
    return min(low, 0.0), max(high, 0.0) or float(low == 0)


def _steps(minimum: float) -> Iterator[float]:
    """Yield the steps from `minimum` upwards: 1, 2 and 5 times powers of ten."""
    power = 10.0 ** math.floor(math.log10(minimum))
    steps = (digit * power * 10.0**exponent for exponent in count() for digit in (1, 2, 5))
    return (step for step in steps if step >= minimum * (1 - TOLERANCE))


def _ticks(first: int, last: int, step: float) -> tuple[float, ...]:
    return tuple(number * step for number in range(first, last + 1))
