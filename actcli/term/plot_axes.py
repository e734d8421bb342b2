"""Axes: what they reach over, and the round numbers at which they have ticks."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Self

from actcli.term.numbers import shortest

TICKS = 5  # of a vertical axis, or so
ROWS_OF_TICK = 1.5  # at least
BETWEEN_LABELS = 3  # columns


@dataclass(frozen=True)
class LinearAxis:
    """What an axis reaches over, and where its ticks are."""

    low: float
    high: float
    ticks: tuple[float, ...]
    step: float

    def share(self, value: float) -> float:
        """How far a value is on the way from the low end, 0, to the high one, 1."""
        return (value - self.low) / (self.high - self.low)

    def rows(self, about: int) -> int:
        """The number of rows, as near as can be, with which ticks are equally far apart."""
        steps = len(self.ticks) - 1
        return max(1, round((about - 1) / steps)) * steps + 1

    def label(self, tick: float) -> str:
        """With the decimals that tell one tick from the next."""
        if not 1e-4 <= self.step < 1e6:
            return shortest(tick, 3)
        decimals = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return f"{tick + 0.0:.{decimals}f}"


@dataclass(frozen=True)
class ValuesAxis(LinearAxis):
    """An axis with ticks at values of its own, which may be evenly spaced in their logarithm."""

    log: bool = False

    @classmethod
    def at(cls, values: Sequence[float], log: bool) -> Self:
        """From the first to the last of ascending values, with a tick at each."""
        return cls(values[0], values[-1], tuple(values), 0.0, log)

    def share(self, value: float) -> float:
        """How far a value, or its logarithm, is on the way from the low end to the high one."""
        if not self.log:
            return super().share(value)
        return math.log(value / self.low) / math.log(self.high / self.low)

    def label(self, tick: float) -> str:
        """With the digits that it has, three at most."""
        return shortest(tick, 3)


def vertical_axis(low: float, high: float, rows: int) -> LinearAxis:
    """An axis from tick to tick that reaches as little as can be beyond what it has to reach."""
    low, high = _apart(low, high)
    most = max(1, math.floor((rows - 1) / ROWS_OF_TICK))  # steps from tick to tick
    found = []
    for step in islice(_steps((high - low) / most), 6):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        found.append(LinearAxis(first * step, last * step, _ticks(first, last, step), step))

    def worth(each: LinearAxis) -> tuple[bool, bool, float, int]:
        many, reach = len(each.ticks), round((each.high - each.low) / (high - low), 6)
        return many > most + 1, many < 3, reach, abs(many - TICKS)

    return min(found, key=worth)


def horizontal_axis(low: float, high: float, columns: int, whole: bool) -> LinearAxis:
    """An axis over just what it has to reach, with two ticks at least, at round numbers."""
    low, high = _apart(low, high)
    label = max(len(shortest(end, 3)) for end in (low, high))
    least = (high - low) / max(1, (columns - 1) // (label + BETWEEN_LABELS))
    found = []
    for step in islice(_steps(least / 10), 6):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if not whole or step >= 1:
            found.append(LinearAxis(low, high, _ticks(first, last, step), step))
    if not found:
        return LinearAxis(low, high, _ticks(math.ceil(low), math.floor(high), 1.0), 1.0)

    def worth(each: LinearAxis) -> tuple[bool, bool, float]:
        distance = abs(math.log(each.step / least))
        return len(each.ticks) < 2, each.step < least * (1 - 1e-9), distance

    return min(found, key=worth)


def _apart(low: float, high: float) -> tuple[float, float]:
    """Two ends that differ; where they did not, to rounding, 0 is one of them."""
    if high - low > max(1e-9 * max(abs(low), abs(high)), 1e-300):
        return low, high
    return min(low, 0.0), max(high, 0.0) or float(low == 0)


def _steps(least: float) -> Iterator[float]:
    """Those of 1, 2, 5, 10, 20, … (times any power of ten) that suffice."""
    power = 10.0 ** math.floor(math.log10(least))
    found = (each * power * 10.0**more for more in count() for each in (1, 2, 5))
    return (step for step in found if step >= least * (1 - 1e-9))


def _ticks(first: int, last: int, step: float) -> tuple[float, ...]:
    return tuple(number * step for number in range(first, last + 1))
