"""Gradient flow as a table: how much of the error reaches each layer in the backward pass."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult

from actcli.diagnostics.gradients import LayerGradient
from actcli.term.bars import bar
from actcli.term.canvas import Canvas
from actcli.term.numbers import fixed, grouped, percent, shortest, significant
from actcli.term.table import (
    GAP,
    Column,
    fit,
    lines,
    numbers,
    optional,
    paragraph,
    titled,
    total_width,
)

MIN_DECIMAL = 1e-4  # a column with a smaller number has exponents
MAX_BAR_COLUMNS, MIN_BAR_COLUMNS = 24, 7
BAR_RANK = 3  # columns of this rank and above are left out for the sake of the bar
ABOUT = "δ = ∂loss/∂z, the error of a row at a layer; factor: δ norm over that of the next layer"
ABOUT_BOUND = (
    "The bound limits mean |f'|. A factor can exceed it, because large weights make the error grow."
)
MAX_DECIMALS = 6  # of a percentage
MIN_DECADES = 2  # on the scale of the bars


@dataclass(frozen=True)
class GradientView:
    """The gradient flow: a row for each layer, and a sentence on the error at layer 1."""

    layers: tuple[LayerGradient, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        yield titled("Gradient flow", ABOUT, canvas)
        columns = fit(_columns(self.layers, canvas), canvas.width - GAP - MIN_BAR_COLUMNS, BAR_RANK)
        room = min(MAX_BAR_COLUMNS, canvas.width - total_width(columns) - GAP)
        if room >= MIN_BAR_COLUMNS:
            shares = [layer.compounded for layer in self.layers]
            columns.append(log_bars(shares, room, canvas))
        columns = fit(columns, canvas.width)
        yield from lines(columns)
        yield paragraph(reach(self.layers), canvas)
        if any(column.heading == "bound" for column in columns) and exceeds_bound(self.layers):
            yield paragraph(ABOUT_BOUND, canvas)


def _columns(layers: Sequence[LayerGradient], canvas: Canvas) -> list[Column]:
    def column(heading: str, texts: Iterable[str], rank: int = 0) -> Column:
        return numbers(canvas.plain(heading), texts, rank)

    def ratio(value: float) -> str:
        return fixed(value, 3)

    names = [*(str(layer.layer) for layer in layers[:-1]), "output"]
    slopes = [optional(layer.derivative_mean, ratio, canvas) for layer in layers]
    bounds = [optional(layer.derivative_bound, _bound, canvas) for layer in layers]
    factors = [optional(layer.backprop_factor, ratio, canvas) for layer in layers]
    updates = [layer.update_ratio for layer in layers]
    columns = [
        Column("layer", names, left=True),
        column("units", [grouped(layer.units) for layer in layers], rank=4),
        column("δ norm", measures([layer.delta_norm for layer in layers])),
        column("factor", factors),
        Column("compounded", _shares(layers)),
        column("mean |f'|", slopes, rank=1),
        column("bound", bounds, rank=2),
        column("‖∂L/∂W‖", measures([layer.weight_grad_norm for layer in layers]), rank=5),
        column("‖∂L/∂b‖", measures([layer.bias_grad_norm for layer in layers]), rank=6),
    ]
    if any(update is not None for update in updates):
        ratios = [optional(update, _two_digits, canvas) for update in updates]
        columns.append(column("ΔW/W", ratios, rank=3))
    return columns


def _bound(value: float) -> str:
    return shortest(value, 3)  # 0.25, 1, 1.13


def _two_digits(value: float) -> str:
    return significant(value, 2)


def measures(values: Sequence[float]) -> list[str]:
    """Return numbers with three digits; all with exponents if one needs an exponent."""
    if any(0 < abs(value) < MIN_DECIMAL for value in values):
        return [f"{value:.1e}" if value else "0" for value in values]
    return [significant(value, 3) for value in values]


def _shares(layers: Sequence[LayerGradient]) -> list[str]:
    """Return the compounded factors as percentages; the smallest has two digits."""
    finite = [layer.compounded for layer in layers if 0 < layer.compounded < math.inf]
    decimals = _decimals(min(finite, default=1.0))
    return [share(layer.compounded, decimals) for layer in layers]


def _decimals(share_value: float) -> int:
    """Return the decimals that two digits of a percentage need, at most MAX_DECIMALS."""
    return min(max(-math.floor(math.log10(share_value)) - 1, 1), MAX_DECIMALS)


def share(value: float, decimals: int) -> str:
    """Return a share as a percentage, with an exponent if it is very large."""
    return f"{100 * value:.1e} %" if 1e4 <= value < math.inf else percent(value, decimals)


def log_bars(shares: Sequence[float], width: int, canvas: Canvas) -> Column:
    """Return bars on a log scale between two powers of ten, which are in the heading."""
    finite = [value for value in shares if 0 < value < math.inf]
    logs = [math.log10(value) for value in finite] or [0.0]
    high = max(math.ceil(max(logs)), 0)
    low = min(math.floor(min(logs) - 0.1), high - MIN_DECADES)
    cells = []
    for value in shares:
        level = math.log10(value) - low if 0 < value < math.inf else math.nan
        cells.append(bar(level / (high - low), width, canvas))
    left, right = (f"1e{end}" if end else "1" for end in (low, high))
    heading = left + right.rjust(width - len(left))
    return Column(heading, cells, left=True, style="cyan")


def reach(layers: Sequence[LayerGradient]) -> str:
    """Return a sentence on how much of the error reaches the first layer."""
    hidden, arriving = len(layers) - 1, layers[0].compounded
    if not hidden:
        return "Without a hidden layer, the whole error reaches the only weights."
    if not layers[-1].delta_norm:
        return "The error at the output is 0: nothing is left to learn."
    if not math.isfinite(arriving):
        return "The error is not finite."
    if not arriving:
        return "Nothing of the error reaches layer 1."
    factor = arriving ** (1 / hidden)
    amount = f"{_percentage(arriving)} of the error"
    if arriving >= 1e4:
        amount = f"{significant(arriving, 2)} times the error"
    if hidden == 1:
        return f"{amount} reaches layer 1."
    verb = "passes on" if factor < 1 else "multiplies it by"
    of_it = " of it" if factor < 1 else ""
    return (
        f"{amount} reaches layer 1: each layer {verb} {significant(factor, 2)}{of_it} on average."
    )


def exceeds_bound(layers: Sequence[LayerGradient]) -> bool:
    """Return whether a factor exceeds the bound of |f'| beside it, which looks like a fault."""
    return any(
        layer.backprop_factor > layer.derivative_bound
        for layer in layers
        if layer.backprop_factor is not None and layer.derivative_bound is not None
    )


def _percentage(arriving: float) -> str:
    """Return a percentage as the table shows it, if two of its digits are visible there."""
    if arriving < 1e-4 and float(f"{100 * arriving:.{MAX_DECIMALS - 1}f}"):
        return percent(arriving, _decimals(arriving))
    return f"{significant(100 * arriving, 2 if arriving < 1 else 3)} %"
