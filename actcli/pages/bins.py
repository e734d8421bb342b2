"""The bins of a histogram that are worth showing."""

from collections.abc import Sequence

OUTSIDE = 0.002  # share of the values beside a histogram, so that its middle can be seen


def middle(shares: Sequence[float]) -> tuple[int, int]:
    """Return the first and the last bin that are shown: all but a few values lie in them.

    Args:
        shares: of the values, in each bin.
    """
    first, last = 0, len(shares) - 1
    left = OUTSIDE / 2
    while first < last and shares[first] <= left:
        left -= shares[first]
        first += 1
    left = OUTSIDE / 2
    while last > first and shares[last] <= left:
        left -= shares[last]
        last -= 1
    return first, last
