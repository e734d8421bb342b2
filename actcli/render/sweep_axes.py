"""Horizontal plot axes for the values of a key: linear, or logarithmic for geometric values."""

import itertools
import math
import statistics
from collections.abc import Sequence

from actcli.term.plot_axes import LinearAxis, ValuesAxis, horizontal_axis

MAX_TICKS = 12
MIN_LOG_RATIO = 4.0  # of the highest to the lowest value on a logarithmic axis


def axis_at(values: Sequence[float], width: int) -> LinearAxis:
    """Return an axis with a tick at each ascending value, or at round numbers if there are many."""
    if len(values) <= MAX_TICKS:
        return ValuesAxis.at(values, _is_geometric(values))
    return round_axis(values, width)


def round_axis(values: Sequence[float], width: int) -> LinearAxis:
    """Return an axis from the first to the last ascending value, with ticks at round numbers."""
    if not _is_geometric(values):
        return horizontal_axis(values[0], values[-1], width, whole=False)
    powers = range(math.ceil(math.log10(values[0])), math.floor(math.log10(values[-1])) + 1)
    ticks = [10.0**power for power in powers]
    return ValuesAxis(values[0], values[-1], (values[0], *ticks, values[-1]), 0.0, log=True)


def _is_geometric(values: Sequence[float]) -> bool:
    """Return whether the logarithms of the values are spaced more evenly than the values."""
    if values[0] <= 0 or values[-1] < MIN_LOG_RATIO * values[0]:
        return False
    logs = [math.log(value) for value in values]
    return _unevenness(logs) < _unevenness(values)


def _unevenness(values: Sequence[float]) -> float:
    gaps = [after - before for before, after in itertools.pairwise(values)]
    return statistics.pstdev(gaps) / statistics.fmean(gaps)
