"""The heat maps of a sweep over two keys, one for each measure.

On a narrow canvas the labels are cut, or the map is turned.
"""

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from actcli.render.sweep_values import Measure, Values, is_number, value_text
from actcli.sweep.axes import option_of
from actcli.term.canvas import Canvas
from actcli.term.heatmap import HeatMap
from actcli.term.table import cut

SHORT_LABEL_WIDTH = 8


def fitting_maps(
    axes: Sequence[str],
    values: Values,
    measures: Sequence[Measure],
    width: int,
    console: Console,
) -> list[list[Text]]:
    """Return the lines of the map of each measure; none if the maps are too wide."""
    canvas = Canvas.of(console.options)
    down, across = _order([[value_text(value, canvas) for value in part] for part in values])
    for order in ((down, across), (across, down)):
        for longest in (width, SHORT_LABEL_WIDTH):
            maps = _maps(axes, values, measures, order, longest, console)
            if max(map(width_of, maps)) <= width:
                return maps
    return []


def width_of(block: Sequence[Text]) -> int:
    """Return the width of the longest line."""
    return max(cell_len(line.plain) for line in block)


def _maps(
    axes: Sequence[str],
    values: Values,
    measures: Sequence[Measure],
    order: tuple[int, int],
    longest: int,
    console: Console,
) -> list[list[Text]]:
    """Return the lines of the map of each measure.

    Args:
        axes: the two keys.
        values: the values of each key.
        measures: what is drawn.
        order: the index of the key for the rows, and of the key for the columns.
        longest: the number of columns to which labels are cut.
        console: the console on which the maps are drawn.
    """
    canvas = Canvas.of(console.options)
    down, across = (_sorted(values[index]) for index in order)
    names = (option_of(axes[order[0]]), option_of(axes[order[1]]))
    labels = tuple(
        tuple(cut(value_text(value, canvas), longest) for value in part) for part in (down, across)
    )
    drawn = []
    for measure in measures:
        shares = {
            tuple(varied[i] for i in order): share for varied, share in measure.shares.items()
        }
        rows = [[shares.get((one, other)) for other in across] for one in down]
        drawn.append(HeatMap(measure.name, names, labels, rows, measure.ramp).lines(console))
    return drawn


def _order(labels: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return the index of the axis for the rows, and of the axis for the columns.

    The axis with long labels is vertical, or else the axis with fewer values.
    """
    one, other = (max(map(cell_len, texts)) for texts in labels)
    if max(one, other) > SHORT_LABEL_WIDTH and one != other:
        return (0, 1) if one > other else (1, 0)
    return (0, 1) if len(labels[0]) <= len(labels[1]) else (1, 0)


def _sorted(values: tuple[Any, ...]) -> list[Any]:
    """Return numbers in ascending order, other values in the order of the plan."""
    return sorted(values) if all(map(is_number, values)) else list(values)
