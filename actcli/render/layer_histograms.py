"""Histograms of pre-activations and activations: of a network, and over the epochs of a training.

Each histogram is a line of blocks, one for each bin, whose highest block is its fullest bin.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.diagnostics.histogram_history import HistogramHistory, LayerHistory
from actcli.diagnostics.histograms import LayerHistograms
from actcli.diagnostics.unit_activity import LayerActivity
from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped, percent
from actcli.term.sparklines import sparkline, strip, thinned
from actcli.term.table import Column, fit, lines, numbers, paragraph, titled

MAX_EPOCHS = 8  # lines of a layer
STRIP = 40  # columns of a histogram, and of the units
ABOUT = "z and f(z) of all rows and units; bins of z widen away from 0"
ABOUT_HISTORY = "z and f(z) by epoch, a few rows; bins of z widen away from 0"
ABOUT_SCALE = (
    "z: the height of a block is its number of values, f(z): the logarithm of it; each line has "
    "its own scale. The first and the last bin include the values beyond them."
)

ABOUT_UNITS = (
    "units: the share of the rows on which a unit is active, or for sigmoids not saturated, from "
    "the lowest to the highest."
)


@dataclass(frozen=True)
class ActivationsView:
    """The histograms of each layer, and a strip of its units by their activity."""

    histograms: tuple[LayerHistograms, ...]
    activity: tuple[LayerActivity, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        yield titled("Activations", ABOUT, canvas)
        for index, layer in enumerate(self.histograms):
            activity = self.activity[index] if index < len(self.activity) else None
            yield Text()
            yield from _of_layer(layer, activity, canvas)
        yield Text()
        yield paragraph(f"{ABOUT_SCALE} {ABOUT_UNITS}" if self.activity else ABOUT_SCALE, canvas)


def _of_layer(
    layer: LayerHistograms, activity: LayerActivity | None, canvas: Canvas
) -> Iterator[Text]:
    name = f"layer {layer.layer}, {layer.activation}" if layer.activation else "output"
    yield Text(name, "bold")
    rows = [
        ("z", strip(layer.z_counts, canvas)),
        ("", _axis(layer.z_edges)),
    ]
    if layer.y_counts is not None and layer.y_edges is not None:
        rows += [("f(z)", _log_strip(layer.y_counts, canvas)), ("", _axis(layer.y_edges))]
    if activity:
        counts = ", ".join(
            f"{grouped(count)} {state}" for state, count in activity.counts.items() if count
        )
        rows += [("units", _unit_strip(activity, canvas)), ("", counts)]
    for label, text in rows:
        line = Text(f"{label:<7}", "dim").append(text, "not dim cyan" if label else "dim")
        line.rstrip()
        yield line


def _unit_strip(activity: LayerActivity, canvas: Canvas) -> str:
    """Return a block for each unit, or for some of them, from the least to the most active one."""
    shares = activity.active
    if activity.saturated is not None:
        shares = tuple(1 - share for share in activity.saturated)
    return sparkline(thinned([shares[unit] for unit in activity.order], STRIP), 0, 1, canvas)


@dataclass(frozen=True)
class HistogramHistoryView:
    """The histograms of each layer after some of the epochs; nothing if they were not recorded."""

    history: HistogramHistory | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        if self.history is None:
            yield paragraph("The training recorded no histograms.", canvas)
            return
        yield titled("Histograms", ABOUT_HISTORY, canvas)
        shown = _thinned(len(self.history.epochs))
        epochs = [str(self.history.epochs[index]) for index in shown]
        for layer in self.history.layers:
            yield Text()
            yield from lines(fit(_over_epochs(layer, epochs, shown, canvas), canvas.width))
        yield Text()
        yield paragraph(ABOUT_SCALE, canvas)


def _over_epochs(
    layer: LayerHistory, epochs: Sequence[str], shown: Sequence[int], canvas: Canvas
) -> list[Column]:
    name = f"layer {layer.layer}" if layer.y is not None else "output"
    columns = [
        numbers(name, epochs),
        _strips("z", layer.z_edges, [strip(layer.z[index].tolist(), canvas) for index in shown]),
    ]
    if layer.saturated is not None:
        shares = [percent(layer.saturated[index]) for index in shown]
        columns.append(numbers("saturated", shares, rank=1))
    if layer.y is not None and layer.y_edges is not None:
        strips = [_log_strip(layer.y[index].tolist(), canvas) for index in shown]
        columns.append(_strips("f(z)", layer.y_edges, strips, rank=2))
    return columns


def _strips(name: str, edges: Sequence[float], strips: Sequence[str], rank: int = 0) -> Column:
    """Return a column of histograms under their axis, in whose first half stands their name."""
    axis = _axis(edges)
    at = next(at for at in range(len(axis)) if axis[at : at + len(name) + 2].isspace())
    heading = f"{axis[: at + 1]}{name}{axis[at + 1 + len(name) :]}"
    return Column(heading, strips, rank=rank, left=True, style="cyan")


def _axis(edges: Sequence[float]) -> str:
    """Return the first, the middle and the last edge above a histogram of 40 bins."""
    first, middle, last = (f"{edges[at]:g}" for at in (0, len(edges) // 2, -1))
    half = STRIP // 2
    left = first.ljust(half - len(middle) // 2)
    return f"{left}{middle}{last.rjust(STRIP - len(left) - len(middle))}"


def _log_strip(counts: Sequence[int], canvas: Canvas) -> str:
    return strip([round(1000 * math.log1p(count)) for count in counts], canvas)


def _thinned(count: int) -> list[int]:
    """Return at most `MAX_EPOCHS` positions, evenly spaced, with the first and the last."""
    if count <= MAX_EPOCHS:
        return list(range(count))
    return [round(at * (count - 1) / (MAX_EPOCHS - 1)) for at in range(MAX_EPOCHS)]
