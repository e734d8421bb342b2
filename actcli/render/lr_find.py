"""A learning-rate range test: the smoothed loss over the rate, the suggestion, the divergence."""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from actcli.explore.lr_find import RangeTest
from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped, shortest
from actcli.term.plot import Plot
from actcli.term.plot_area import Curve, Point
from actcli.term.plot_axes import LinearAxis, ValuesAxis
from actcli.term.table import command_line, paragraph, titled

HEIGHT = 13  # lines of the plot
MAX_WIDTH = 84  # columns of the plot and of sentences
HEADROOM = 1.15  # of the plot above the loss before the fall; the loss may rise far beyond
SIGNS = (("●", "✕"), ("@", "#"))  # of the suggestion and of the divergence; in ASCII
LABEL_COLUMNS = 15
FLAT_PART = 1e-3  # the plot begins at this share of the rate at which the valley begins


@dataclass(frozen=True)
class LrFindView:
    """The result of `actcli lr-find`.

    Args:
        test: the result.
        next_command: the command that trains with the suggestion.
    """

    test: RangeTest
    next_command: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        test, canvas = self.test, Canvas.of(options)
        text = canvas.resized(min(canvas.width, MAX_WIDTH))
        about = (
            f"{test.optimizer} on {canvas.printable(test.dataset)}: {grouped(len(test.rates))} of "
            f"{grouped(test.steps)} steps, mini-batches of {grouped(test.batch_size)}"
        )
        yield titled("Learning-rate range test", about, canvas)
        yield from _plot(test, text)
        yield Text()
        for name, value in _facts(test):
            style = "bold" if name == "suggestion" else ""
            yield paragraph(value, text, f"{name:{LABEL_COLUMNS}}", style)
        yield Text()
        yield paragraph(test.reason, text)
        if test.suggestion is not None:
            yield Text()
            yield command_line("next  ", self.next_command, canvas)


def _facts(test: RangeTest) -> Iterator[tuple[str, str]]:
    """Yield a name and a value for each rate."""
    yield "suggestion", "none" if test.suggestion is None else shortest(test.suggestion)
    if test.steepest is not None:
        yield "steepest fall", f"at {shortest(test.steepest, 2)}"
    if test.divergence is None:
        yield "divergence", f"none up to {shortest(test.rates[-1], 4)}"
    else:
        yield "divergence", f"at {shortest(test.divergence, 2)}: {test.divergence_reason}"
    yield "default", f"{shortest(test.default_rate)}, of {test.optimizer}"
    if test.configured_rate != test.default_rate:
        yield "configured", shortest(test.configured_rate)


def _plot(test: RangeTest, canvas: Canvas) -> list[Text]:
    top = HEADROOM * max(test.initial_loss, test.constant_loss)
    points = _until_top(test, top)
    if len(points) < 2:
        return []
    circle, cross = SIGNS[canvas.ascii]
    curves = [Curve("smoothed loss", points)]
    if test.suggestion is not None:
        curves.append(_mark("suggestion", test.suggestion, points, circle))
    if test.divergence is not None:
        curves.append(_mark("divergence", test.divergence, points, cross))
    axis = _rate_axis(points[0][0], points[-1][0])
    return Plot(curves, HEIGHT, "rate", x_axis=axis).lines(canvas)


def _until_top(test: RangeTest, top: float) -> list[Point]:
    """Return the curve from somewhat before the valley, cut at the top of the plot."""
    first = FLAT_PART * test.valley[0] if test.valley else 0.0
    points = []
    for rate, loss in zip(test.rates, test.smoothed, strict=True):
        if rate < first:
            continue
        points.append((rate, min(loss, top) if math.isfinite(loss) else top))
        if test.divergence is not None and rate >= test.divergence and points[-1][1] == top:
            break
    return points


def _mark(name: str, rate: float, points: list[Point], sign: str) -> Curve:
    """Return a mark on the curve, at the first point whose rate is as high."""
    index = min(bisect_left(points, (rate, -math.inf)), len(points) - 1)
    return Curve(name, [points[index]], [points[index]], sign, joined=False)


def _rate_axis(low: float, high: float) -> LinearAxis:
    """Return a logarithmic axis with a tick at each power of ten."""
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    return ValuesAxis(low, high, tuple(10.0**power for power in powers), 0.0, log=True)


def step_progress(console: Console) -> Progress:
    """Return a progress bar of steps, which disappears at its end."""
    return Progress(
        TextColumn("testing learning rates"),
        BarColumn(style="dim", complete_style="cyan"),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )
