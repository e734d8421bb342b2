"""A training in progress, as a block of lines that is redrawn in place.

From top to bottom: loss and accuracy over the epochs so far; for each layer, how much of the error
reaches it and how many of its units are silent; the progress. In a low terminal the layers in the
middle share one line. In a lower one only the layers or only the curves are shown, then neither.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.text import Text

from actcli.diagnostics.health import LayerHealth
from actcli.diagnostics.symptoms import DEAD_SHARE_OF_LAYER
from actcli.render.gradients import log_bars, measures
from actcli.render.history import MIN_ACCURACY_SPAN
from actcli.render.train import accuracy_text, loss_text
from actcli.term.canvas import Canvas
from actcli.term.numbers import align_points, fixed, grouped, percent, rounded, significant
from actcli.term.sparklines import extent, sparkline, thinned
from actcli.term.table import GAP, Column, fit, lines, numbers, optional, total_width
from actcli.training.events import EpochDone

MAX_COLUMNS = 68  # the width of an epoch's row
MAX_CURVE_COLUMNS = 100
MAX_BAR_COLUMNS, MIN_BAR_COLUMNS = 24, 9
BAR_RANK = 2  # columns of this rank and above are left out for the sake of the bar
MAX_CURVE_LINES = 4  # including the blank line above
MIN_LAYER_LINES = 4  # headings, first layer, one line for all middle layers, output
MIN_SAMPLE_COLUMNS = 56  # from this width on, the heading says on how many rows units are silent
WARNING_WORD = "many"  # before a large share of silent units
MARKED_FACTOR = 2.0  # by which δ shrinks or grows from one layer to the next


@dataclass(frozen=True)
class Moment:
    """The progress of a training."""

    epoch: int  # from 1
    share: float  # finished share of the rows of all epochs
    rows_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class LiveBlock:
    """The block below the rows of the epochs.

    Args:
        epochs: the number of epochs of the training.
        canvas: the available width, and the characters that can be shown.
        height: number of available lines.
        sample: the number of training rows on which the layers were measured.
    """

    epochs: int
    canvas: Canvas
    height: int
    sample: int

    def state(self, history: Sequence[EpochDone], layers: Sequence[LayerHealth] = ()) -> list[Text]:
        """Return the curves and the layers after an epoch, each below a blank line.

        Args:
            history: the epochs so far, or a sample of them.
            layers: their health after the last epoch; empty if it was not measured.
        """
        room = self.height - 2
        shown: list[Text] = []
        reserved = 1 + min(len(layers) + 1, MIN_LAYER_LINES) if layers else 0
        if len(history) > 1 and room >= MAX_CURVE_LINES + (reserved if room >= reserved else 0):
            shown += [
                Text(),
                *course(
                    history,
                    self.epochs,
                    self.canvas.resized(min(self.canvas.width, MAX_CURVE_COLUMNS)),
                ),
            ]
        room -= len(shown) + 1
        if layers and room >= min(len(layers) + 1, MIN_LAYER_LINES):
            shown += [
                Text(),
                *layer_lines(
                    layers,
                    self.canvas.resized(min(self.canvas.width, MAX_COLUMNS)),
                    room,
                    self.sample,
                ),
            ]
        for line in shown:
            line.truncate(self.canvas.width, overflow="crop")
        return shown

    def progress(self, moment: Moment) -> Text:
        """Return the progress as one line; a narrow one has no speed, then no bar."""
        minutes, seconds = divmod(round(moment.seconds_left), 60)
        hours, minutes = divmod(minutes, 60)
        left = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
        first = f"epoch {moment.epoch:{len(str(self.epochs))}}/{self.epochs}"
        share = f"{int(100 * moment.share):3d} %"  # rounded down, so that 100 % means finished
        speed = f"{rounded(moment.rows_per_second)} rows/s"
        for after in ([share, speed, f"{left} left"], [share, f"{left} left"], [share]):
            details = "  ".join(after)
            room = min(self.canvas.width, MAX_COLUMNS) - len(first) - len(details) - 4
            if room >= MIN_BAR_COLUMNS:
                break
        else:
            return Text(f"{first}  {details}"[: self.canvas.width])
        done = int(moment.share * room)
        signs = "#-" if self.canvas.ascii else "━─"
        bar = (signs[0] * done, "cyan"), (signs[1] * (room - done), "dim")
        return Text.assemble(f"{first}  ", *bar, f"  {details}")


def course(history: Sequence[EpochDone], epochs: int, canvas: Canvas) -> list[Text]:
    """Return loss and accuracy of the last epoch, with sparklines over all epochs.

    A sparkline has a character for each epoch until it fills its width; then it is thinned out. The
    loss is drawn from 0, the accuracy from its lowest value.
    """
    names = ["training"]
    losses: list[Sequence[float | None]] = [[epoch.train.loss for epoch in history]]
    shares: list[Sequence[float | None]] = [[epoch.train.accuracy for epoch in history]]
    if history[-1].validation is not None:
        names.append("validation")
        losses.append([epoch.validation.loss if epoch.validation else None for epoch in history])
        shares.append(
            [epoch.validation.accuracy if epoch.validation else None for epoch in history]
        )
    top, (low, high) = extent(losses)[1], extent(shares)
    low = max(0.0, min(low, high - MIN_ACCURACY_SPAN))
    scales = (0.0, top), (low, high)
    headings = f"0 to {significant(top, 3)}", _span(percent(low), percent(high))
    columns = [
        Column("", names, left=True),
        Column("loss", [optional(v[-1], loss_text, canvas).rjust(7) for v in losses]),
        Column("accuracy", [optional(v[-1], accuracy_text, canvas) for v in shares]),
    ]
    rooms = _rooms(canvas.width - total_width(columns) - 2 * GAP, headings)
    if min(rooms) < 2:
        return lines(columns)
    for position, series, scale, heading, room in zip(
        (2, 4), (losses, shares), scales, headings, rooms, strict=True
    ):
        cells = [
            sparkline(thinned(values, room), *scale, canvas).ljust(min(room, epochs))
            for values in series
        ]
        fits = len(heading) <= room
        columns.insert(position, Column(heading * fits, cells, left=True, style="cyan"))
    return lines(columns)


def _rooms(width: int, headings: Sequence[str]) -> tuple[int, int]:
    """Return the widths of the two sparklines: halves, unless one needs more for its heading."""
    half = width // 2
    first, second = map(len, headings)
    if first + second <= width:
        half = min(max(half, first), width - second)
    return half, min(max(half, second), width - half)


def layer_lines(
    layers: Sequence[LayerHealth], canvas: Canvas, height: int, sample: int
) -> list[Text]:
    """Return a line for each layer; if there are too many, one line for the middle layers.

    Args:
        layers: the health of each layer.
        canvas: the available width, and the characters that can be shown.
        height: number of available lines.
        sample: the number of rows on which the layers were measured.
    """
    columns = fit(_columns(layers, canvas, sample), canvas.width - GAP - MIN_BAR_COLUMNS, BAR_RANK)
    room = min(MAX_BAR_COLUMNS, canvas.width - total_width(columns) - GAP)
    if len(layers) > 1 and room >= MIN_BAR_COLUMNS:
        columns.insert(-1, _bars(layers, room, canvas))
    rows = lines(fit(columns, canvas.width))
    for line in rows:
        line.highlight_words([WARNING_WORD], "bold")
    if len(rows) <= height:
        return rows
    before = (height - 1) // 2
    after = height - 2 - before
    middle = layers[before : len(layers) - after]
    return [*rows[: before + 1], _between(middle, canvas), *rows[-after:]]


def _columns(layers: Sequence[LayerHealth], canvas: Canvas, sample: int) -> list[Column]:
    """Return columns whose width does not change from epoch to epoch."""
    norms = align_points(measures([layer.delta_norm for layer in layers]))
    factors = [canvas.plain(optional(layer.factor, _times, canvas)) for layer in layers]
    marks = [_mark(layer.factor).ljust(len("shrinks")) for layer in layers]
    heading = f"silent on {grouped(sample)} {'row' if sample == 1 else 'rows'}"
    silent = [optional(layer.silent_share, _silent, canvas) for layer in layers]
    return [
        Column("layer", [*(str(layer.layer) for layer in layers[:-1]), "output"], left=True),
        Column(canvas.plain("δ norm"), [norm.rjust(8) for norm in norms], rank=BAR_RANK),
        numbers("factor", factors),
        Column("", marks, left=True, style="bold"),
        Column(heading if canvas.width >= MIN_SAMPLE_COLUMNS else "silent units", silent),
    ]


def _bars(layers: Sequence[LayerHealth], width: int, canvas: Canvas) -> Column:
    """Return bars of δ relative to the output layer, with the scale in the heading."""
    bars = log_bars([layer.compounded for layer in layers], width, canvas)
    label = canvas.plain("× output").center(width)
    ends = bars.heading.split()
    fits = 2 * max(map(len, ends)) + len(label.strip()) + 2 <= width
    heading = ends[0] + label[len(ends[0]) : width - len(ends[1])] + ends[1]
    return replace(bars, heading=heading if fits else bars.heading, rank=1)


def _between(layers: Sequence[LayerHealth], canvas: Canvas) -> Text:
    """Return one line for the layers that are not shown; bold if one of them has a mark."""
    factors = [_times(end) for end in extent([[layer.factor for layer in layers]])]
    silent = [percent(end) for end in extent([[layer.silent_share for layer in layers]])]
    factor_text = f"{layers[0].layer} to {layers[-1].layer}: factor {_span(*factors)}"
    silent_text = f", silent {_span(*silent)}"
    text = canvas.plain(f"… {factor_text}{silent_text}")
    marked = any(
        _mark(layer.factor) or (layer.silent_share or 0) >= DEAD_SHARE_OF_LAYER for layer in layers
    )
    style = "bold" if marked else "dim"
    return Text(text if len(text) <= canvas.width else canvas.plain(f"… {factor_text}"), style)


def _span(low: str, high: str) -> str:
    return high if low == high else f"{low.removesuffix(' %')} to {high}"


def _mark(factor: float | None) -> str:
    if factor is None or math.isnan(factor):
        return ""
    if factor == 0:
        return "is lost"
    return "shrinks" if factor <= 1 / MARKED_FACTOR else "grows" if factor >= MARKED_FACTOR else ""


def _silent(share: float) -> str:
    """Return a share of silent units, marked if a diagnosis of dead units would warn of it."""
    return f"{WARNING_WORD * (share >= DEAD_SHARE_OF_LAYER)}{percent(share).rjust(8)}"


def _times(value: float) -> str:
    return "–" if math.isnan(value) else fixed(value, 3)
