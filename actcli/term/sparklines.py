"""Many numbers in one line of text: a column of characters for each number, higher for larger.

A number that is not there, or is none, leaves a blank. Where the stream shows ASCII alone, denser
characters stand for larger numbers.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from actcli.term.canvas import Canvas

BLOCKS = "▁▂▃▄▅▆▇█"
SIGNS = ".:-=+*#@"

T = TypeVar("T")


def sparkline(values: Sequence[float | None], low: float, high: float, canvas: Canvas) -> str:
    """A character for each value: the lowest at `low` and below, the highest at `high`."""
    levels = SIGNS if canvas.ascii else BLOCKS
    text = ""
    for value in values:
        if value is None or not math.isfinite(value):
            text += " "
            continue
        share = (value - low) / (high - low) if high > low else 1.0
        text += levels[min(max(int(share * len(levels)), 0), len(levels) - 1)]
    return text


def strip(counts: Sequence[int], canvas: Canvas) -> str:
    """A distribution: the largest count is full, and only a count of 0 is a dot in the middle."""
    largest = max(counts, default=0)
    if canvas.ascii:  # the dot is the lowest level of the others
        levels, nothing = SIGNS[1:], SIGNS[0]
    else:
        levels, nothing = BLOCKS, "·"
    return "".join(
        levels[math.ceil(count / largest * len(levels)) - 1] if count else nothing
        for count in counts
    )


def thinned(values: Sequence[float | None], most: int) -> list[float | None]:
    """At most so many of the values, evenly spaced, with the first and the last."""
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


def extent(series: Iterable[Sequence[float | None]]) -> tuple[float, float]:
    """The lowest and the highest of the values that are there and finite; else 0 and 1."""
    known = [v for values in series for v in values if v is not None and math.isfinite(v)]
    return min(known, default=0.0), max(known, default=1.0)


class Thinning(Generic[T]):
    """Things that come one after the other, of which evenly spaced ones are kept, and the last.

    So that to draw a million takes neither longer nor more memory than to draw some hundred.
    """

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._kept: list[T] = []
        self._stride = 1
        self._count = 0
        self._last: list[T] = []  # at most one

    def add(self, thing: T) -> None:
        """Take in one more."""
        self._last = [thing]
        if self._count % self._stride == 0:
            self._kept.append(thing)
            self._last = []
            if len(self._kept) > self._most:
                del self._kept[1::2]
                self._stride *= 2
                self._last = [thing] if self._kept[-1] is not thing else []
        self._count += 1

    @property
    def kept(self) -> list[T]:
        """From the first to the last."""
        return self._kept + self._last
