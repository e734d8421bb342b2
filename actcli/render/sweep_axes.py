"""The horizontal axis of what is drawn over the values of a key: as they lie, even or geometric."""

import itertools
import math
import statistics
from collections.abc import Sequence

from actcli.term.plot_axes import LinearAxis, ValuesAxis, horizontal_axis

MOST_TICKS = 12
GEOMETRIC = 4.0  # times the lowest is the highest value, at least, where an axis is logarithmic


def axis_at(values: Sequence[float], width: int) -> LinearAxis:
    """With a tick at each of ascending values, or at round numbers where these are too many."""
    if len(values) <= MOST_TICKS:
        return ValuesAxis.at(values, _is_geometric(values))
    return round_axis(values, width)


def round_axis(values: Sequence[float], width: int) -> LinearAxis:
    """From the first to the last of ascending values, with ticks at round numbers."""
    if not _is_geometric(values):
        return horizontal_axis(values[0], values[-1], width, whole=False)
    powers = range(math.ceil(math.log10(values[0])), math.floor(math.log10(values[-1])) + 1)
    ticks = [10.0**power for power in powers]
    return ValuesAxis(values[0], values[-1], (values[0], *ticks, values[-1]), 0.0, log=True)


def _is_geometric(values: Sequence[float]) -> bool:
    """Whether values are spaced more evenly in their logarithm."""
    if values[0] <= 0 or values[-1] < GEOMETRIC * values[0]:
        return False
    logs = [math.log(value) for value in values]
    return _unevenness(logs) < _unevenness(values)


def _unevenness(values: Sequence[float]) -> float:
    gaps = [after - before for before, after in itertools.pairwise(values)]
    return statistics.pstdev(gaps) / statistics.fmean(gaps)
