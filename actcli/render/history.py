"""The course of a training: sparklines of the training, the validation and each layer."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.diagnostics.evidence import Training
from actcli.diagnostics.histogram_history import HistogramHistory
from actcli.render.gradients import measures
from actcli.render.layer_histograms import HistogramHistoryView
from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped, percent, significant
from actcli.term.sparklines import extent, sparkline, thinned
from actcli.term.table import Column, lines, numbers, optional, paragraph, titled, total_width
from actcli.training.events import EpochDone

MAX_COLUMNS, MIN_COLUMNS = 20, 4  # of a sparkline
MIN_ACCURACY_SPAN = 0.05  # from the lowest to the highest level of a sparkline
ABOUT_SILENT = (
    "A silent unit was inactive on a sample of the training rows: one in a hundred, at most 500. "
    "A dead unit is inactive on all of them."
)
MIN_DECADES = 1  # of δ, from the lowest to the highest level; all layers share one scale

Series = Sequence[float | None]


@dataclass(frozen=True)
class HistoryView:
    """The course of a training over its epochs.

    Args:
        training: the training; None if it is unknown.
        units: number of units of each hidden layer.
        histograms: of each layer over the epochs; None if they were not recorded.
    """

    training: Training | None
    units: tuple[int, ...]
    histograms: HistogramHistory | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        epochs = self.training.history if self.training else ()
        if not epochs:
            yield Text("History", style="bold")
            reason = "No epoch was trained." if self.training else "The training is unknown."
            yield paragraph(reason, canvas)
            return
        about = f"epoch {epochs[0].epoch} to {epochs[-1].epoch}: first value, course, last value"
        yield titled("History", about, canvas)
        yield from lines(_fitting(lambda columns: _scores(epochs, columns, canvas), canvas.width))
        yield Text()
        if all(epoch.health and epoch.health.delta_norm for epoch in epochs):
            yield from lines(
                _fitting(lambda columns: _layers(epochs, self.units, columns, canvas), canvas.width)
            )
            if self.units:
                yield paragraph(ABOUT_SILENT, canvas)
            yield Text()
            yield HistogramHistoryView(self.histograms)
        else:
            reason = "The training recorded no measurements of the layers."
            yield paragraph(reason, canvas)


def _fitting(build: Callable[[int], list[Column]], width: int) -> list[Column]:
    """Return columns with the widest sparklines that fit."""
    table = build(MAX_COLUMNS)
    for columns in range(MAX_COLUMNS - 1, MIN_COLUMNS - 1, -1):
        if total_width(table) <= width:
            break
        table = build(columns)
    return table


def _scores(epochs: Sequence[EpochDone], columns: int, canvas: Canvas) -> list[Column]:
    losses: list[Series] = [[epoch.train.loss for epoch in epochs]]
    shares: list[Series] = [[epoch.train.accuracy for epoch in epochs]]
    scores = [epoch.validation for epoch in epochs]
    if any(scores):
        losses.append([score.loss if score else None for score in scores])
        shares.append([score.accuracy if score else None for score in scores])
    top = extent(losses)[1]
    low, high = extent(shares)
    drawn = Drawing(columns, canvas)
    return [
        Column("", ["training", "validation"][: len(losses)], left=True),
        drawn.ends("loss", losses, 0, _three_digits),
        drawn.course(losses, [(0, top)] * len(losses)),
        drawn.ends("", losses, -1, _three_digits),
        drawn.ends("accuracy", shares, 0, percent),
        drawn.course(shares, [(min(low, high - MIN_ACCURACY_SPAN), high)] * len(shares)),
        drawn.ends("", shares, -1, percent),
    ]


def _layers(
    epochs: Sequence[EpochDone], units: Sequence[int], columns: int, canvas: Canvas
) -> list[Column]:
    healths = [epoch.health for epoch in epochs if epoch.health]
    count = len(healths[0].delta_norm)
    norms = [[health.delta_norm[index] for health in healths] for index in range(count)]
    first, last = (measures([values[end] for values in norms]) for end in (0, -1))
    logs: list[Series] = [[math.log10(v) if v > 0 else None for v in norm] for norm in norms]
    low, high = extent(logs)
    silent: list[Series] = [
        [health.silent[index] if index < len(health.silent) else None for health in healths]
        for index in range(count)
    ]
    drawn = Drawing(columns, canvas)
    return [
        Column("layer", [*map(str, range(1, count)), "output"], left=True),
        numbers(canvas.plain("δ norm"), first),
        drawn.course(logs, [(min(low, high - MIN_DECADES), high)] * count),
        numbers("", last),
        drawn.ends("silent units", silent, 0, _count),
        drawn.course(silent, [(0, limit) for limit in (*units, 1)]),
        drawn.ends("", silent, -1, _count),
    ]


@dataclass(frozen=True)
class Drawing:
    """Columns of sparklines and their first and last values.

    Args:
        columns: maximum columns of a sparkline.
        canvas: the characters that can be shown.
    """

    columns: int
    canvas: Canvas

    def ends(
        self, heading: str, series: Sequence[Series], end: int, write: Callable[[float], str]
    ) -> Column:
        """Return the first (0) or last (-1) value of each series."""
        return numbers(heading, [optional(values[end], write, self.canvas) for values in series])

    def course(self, series: Sequence[Series], extents: Sequence[tuple[float, float]]) -> Column:
        """Return a sparkline of each series between the ends of its extent."""
        cells = [
            sparkline(thinned(values, self.columns), *extent, self.canvas)
            for values, extent in zip(series, extents, strict=True)
        ]
        return Column("", cells, left=True, style="cyan")


def _three_digits(value: float) -> str:
    return significant(value, 3)


def _count(value: float) -> str:
    return grouped(int(value))
