"""Sparklines: a character for each number, a higher block for a larger number.

A missing number or NaN is a blank. In ASCII, denser characters stand for larger numbers.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from actcli.term.canvas import Canvas

BLOCKS = "▁▂▃▄▅▆▇█"
SIGNS = ".:-=+*#@"

T = TypeVar("T")


def sparkline(values: Sequence[float | None], low: float, high: float, canvas: Canvas) -> str:
    """Return a character for each value, from the lowest at `low` to the highest at `high`."""
    levels = SIGNS if canvas.ascii else BLOCKS
    text = ""
    for value in values:
        if value is None or not math.isfinite(value):
            text += " "
            continue
        # Half of each number: the difference of two large ones would overflow.
        share = (value / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else 1.0
        text += levels[min(int(min(max(share, 0.0), 1.0) * len(levels)), len(levels) - 1)]
    return text


def strip(counts: Sequence[int], canvas: Canvas) -> str:
    """Return a histogram of counts; the largest is a full block, only a count of 0 is a dot."""
    largest = max(counts, default=0)
    if canvas.ascii:  # a dot is the lowest of the signs
        levels, zero = SIGNS[1:], SIGNS[0]
    else:
        levels, zero = BLOCKS, "·"
    return "".join(
        levels[math.ceil(count / largest * len(levels)) - 1] if count else zero for count in counts
    )


def thinned(values: Sequence[float | None], limit: int) -> list[float | None]:
    """Return at most `limit` of the values, evenly spaced, with the first and the last."""
    if len(values) <= limit:
        return list(values)
    return [values[round(i * (len(values) - 1) / (limit - 1))] for i in range(limit)]


def extent(series: Iterable[Sequence[float | None]]) -> tuple[float, float]:
    """Return the lowest and the highest finite value; 0 and 1 if no value is finite."""
    finite = [v for values in series for v in values if v is not None and math.isfinite(v)]
    return min(finite, default=0.0), max(finite, default=1.0)


class Thinning(Generic[T]):
    """An evenly spaced sample of a growing series, with its first and its last item.

    A million items therefore need no more time and memory to draw than a few hundred.

    Args:
        limit: maximum number of items.
    """

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._kept: list[T] = []
        self._stride = 1
        self._count = 0
        self._last: list[T] = []  # at most one

    def add(self, item: T) -> None:
        """Append an item to the series."""
        self._last = [item]
        if self._count % self._stride == 0:
            self._kept.append(item)
            self._last = []
            if len(self._kept) > self._limit:
                del self._kept[1::2]
                self._stride *= 2
                self._last = [item] if self._kept[-1] is not item else []
        self._count += 1

    @property
    def kept(self) -> list[T]:
        """The sample, in order."""
        return self._kept + self._last
