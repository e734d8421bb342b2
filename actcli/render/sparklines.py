"""Many numbers in one line of text: a column of characters for each number, higher for larger.

A number that is not there, or is none, leaves a blank. Where the stream shows ASCII alone, denser
characters stand for larger numbers.
"""

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
SIGNS = ".:-=+*#@"


def sparkline(
    values: Sequence[float | None], low: float, high: float, ascii_only: bool = False
) -> str:
    """A character for each value: the lowest at `low` and below, the highest at `high`."""
    levels = SIGNS if ascii_only else BLOCKS
    text = ""
    for value in values:
        if value is None or not math.isfinite(value):
            text += " "
            continue
        share = (value - low) / (high - low) if high > low else 1.0
        text += levels[min(max(int(share * len(levels)), 0), len(levels) - 1)]
    return text


def strip(counts: Sequence[int], ascii_only: bool = False) -> str:
    """A distribution: the largest count is full, and only a count of 0 is a dot in the middle."""
    largest = max(counts, default=0)
    if ascii_only:  # the dot is the lowest level of the others
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
