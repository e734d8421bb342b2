"""Numbers in tables and sentences: rounded for people, exact for programs."""

from actcli.html.markup import Content, number
from actcli.term.numbers import grouped, percent, significant

DASH = "–"  # in place of a missing value


def share(value: float | None, decimals: int = 1) -> Content:
    """Return a share as a percentage."""
    return DASH if value is None else number(value, percent(value, decimals))


def figure_of(value: float | None, digits: int = 4) -> Content:
    """Return a number with some significant digits."""
    return DASH if value is None else number(value, significant(value, digits))


def count(value: int | None) -> Content:
    """Return a count with separated thousands."""
    return DASH if value is None else number(value, grouped(value))


def percentages(value: float) -> str:
    """Return a number of per cent, for the points of a chart."""
    return percent(value / 100, 2)
