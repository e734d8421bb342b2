"""What the plots of a sweep share: the values of its keys, and the measures that are plotted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from actcli.sweep.axes import written
from actcli.term.canvas import Canvas
from actcli.term.numbers import shortest
from actcli.term.table import beside

GAP_WIDTH = 4  # columns between two plots

Values = Sequence[tuple[Any, ...]]  # the values of each axis


@dataclass(frozen=True)
class Measure:
    """A quantity that is plotted.

    Args:
        name: the title of the plot.
        shares: the quantity, from 0 to 1, by the values of the axes.
        ramp: the name of a colour ramp.
    """

    name: str
    shares: dict[tuple[Any, ...], float]
    ramp: str


def is_number(value: Any) -> bool:
    """Return whether a value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_text(value: Any, canvas: Canvas) -> str:
    """Return a value as it is typed; equal values of a list are counted: 4 × 64."""
    if isinstance(value, tuple) and len(value) > 1 and len(set(value)) == 1:
        return canvas.plain(f"{len(value)} × {written(value[0])}")
    if isinstance(value, float):
        return shortest(value)
    return canvas.printable(written(value))


def together(drawn: Sequence[list[Text]], stacked: bool) -> Iterator[Text]:
    """Yield the lines of plots: two of them side by side, or all of them stacked."""
    if len(drawn) == 2 and not stacked:
        yield from beside(drawn[0], drawn[1], GAP_WIDTH)
        return
    for number, block in enumerate(drawn):
        if number:
            yield Text()
        yield from block
