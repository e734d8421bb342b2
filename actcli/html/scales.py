"""The axes of charts: intervals with ticks at round numbers, linear or logarithmic.

A linear axis is one of the terminal's plots. Each axis says what it shows, with its unit; a
logarithmic one says so.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from actcli.term.numbers import shortest
from actcli.term.plot_axes import horizontal_axis, vertical_axis

TEXT_HEIGHT, CHARACTER = 12, 7.3  # of the texts of a chart, in units of the picture
MAX_DECADES = 6  # with more, not each power of ten has a tick
ROW = 17  # units of the picture between two ticks of a vertical axis, at least, times 1.5


@dataclass(frozen=True)
class Scale:
    """An axis of a chart.

    Args:
        label: what it shows, with its unit.
        low, high: its ends.
        ticks: values with their texts, ascending.
        log: whether it is logarithmic.
    """

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def share(self, value: float) -> float:
        """Return the position of a value: 0 at the low end, 1 at the high end."""
        if self.log:
            low = math.log(self.low)
            return (math.log(value) - low) / (math.log(self.high) - low)
        return (value - self.low) / (self.high - self.low)

    def holds(self, value: float | None) -> bool:
        """Return whether a value has a position: it is finite and, on a log axis, above 0."""
        return value is not None and math.isfinite(value) and (value > 0 or not self.log)

    @property
    def title(self) -> str:
        """The label, with a note if the axis is logarithmic."""
        return f"{self.label} (log scale)" if self.log else self.label


def upright(label: str, low: float, high: float, height: float) -> Scale:
    """Return a linear vertical axis that contains an interval and ends at ticks.

    Args:
        label: what it shows, with its unit.
        low, high: the interval.
        height: in units of the picture.
    """
    axis = vertical_axis(low, high, max(3, round(height / ROW)))
    return Scale(label, axis.low, axis.high, tuple((tick, axis.label(tick)) for tick in axis.ticks))


def level(label: str, low: float, high: float, width: float, whole: bool = False) -> Scale:
    """Return a linear horizontal axis of exactly an interval, with ticks at round numbers.

    Args:
        label: what it shows, with its unit.
        low, high: the interval.
        width: in units of the picture.
        whole: whether only whole numbers have a tick.
    """
    axis = horizontal_axis(low, high, int(width / CHARACTER), whole)
    return Scale(label, axis.low, axis.high, tuple((tick, axis.label(tick)) for tick in axis.ticks))


def logarithmic(label: str, low: float, high: float) -> Scale:
    """Return a logarithmic axis that contains an interval and ends at ticks.

    Args:
        label: what it shows, with its unit.
        low, high: the interval, above 0.
    """
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    if first == last:
        first, last = first - 1, last + 1
    if last - first == 1:
        values = [digit * 10.0**first for digit in (1, 2, 5, 10)]
        inside = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        start = max((value for value in values if value <= low * (1 + 1e-9)), default=values[0])
        end = min((value for value in values if value >= high * (1 - 1e-9)), default=values[-1])
        values = sorted({start, *inside, end})
        if len(values) > 1:
            return Scale(label, values[0], values[-1], _texts(values), log=True)
    step = max(1, math.ceil((last - first) / MAX_DECADES))
    last += -(last - first) % step
    values = [10.0**power for power in range(first, last + 1, step)]
    return Scale(label, values[0], values[-1], _texts(values), log=True)


def _texts(values: Iterable[float]) -> tuple[tuple[float, str], ...]:
    return tuple((value, power_text(value)) for value in values)


def power_text(value: float) -> str:
    """Return a tick of a logarithmic axis as text: 1e-5, 0.01, 20."""
    if 1e-3 <= value < 1e5:
        return shortest(value, 3)
    digits, _, exponent = f"{value:.0e}".partition("e")
    return f"{digits}e{int(exponent)}"


def named(label: str, names: Sequence[str]) -> Scale:
    """Return an axis with a place for each name: 0.5, 1.5, …."""
    ticks = tuple((index + 0.5, name) for index, name in enumerate(names))
    return Scale(label, 0.0, float(len(names)), ticks)
