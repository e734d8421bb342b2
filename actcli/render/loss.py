"""A prediction beside its target: the terms of each class, the losses, and the pair swapped."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.explore.loss import SUM_TOLERANCE, LossComparison, Vector
from actcli.term.bars import bar
from actcli.term.canvas import Canvas
from actcli.term.numbers import fixed, grouped, shortest
from actcli.term.table import (
    GAP,
    Column,
    cut,
    fit,
    lines,
    numbers,
    paragraph,
    titled,
    total_width,
)

MAX_ROWS = 40
MAX_BAR_COLUMNS, MIN_BAR_COLUMNS = 20, 6
MARKS = (("▶", "◆"), (">", "@"))  # of the largest probability and of the target; in ASCII
DECIMALS = 4
ROUNDING_ERROR = 1e-9  # of a sum of numbers with few decimals
MIN_LABEL_COLUMNS, MAX_LABEL_COLUMNS = 10, 27  # of a mark and a label
MEANINGS = {
    "cross-entropy": "nats, -Σ t ln p",
    "target entropy": "nats, -Σ t ln t",
    "kl-divergence": "nats, Σ t ln(t/p) = cross-entropy - target entropy",
    "binary-cross-entropy": "nats, mean of -t ln p - (1-t) ln(1-p)",
    "mse": "mean of (p-t)²",
    "sse": "Σ (p-t)²",
}
LOGIT_MEANINGS = {"binary-cross-entropy": "nats, mean of -t ln σ(z) - (1-t) ln(1-σ(z))"}


@dataclass(frozen=True)
class LossView:
    """The result of `actcli loss`."""

    pair: LossComparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        pair, canvas = self.pair, Canvas.of(options)
        shown = _rows(pair)
        yield from _terms(pair, shown, canvas)
        left_out = pair.target.size - len(shown)
        if left_out:
            dots = canvas.plain("…")
            yield Text(f"{dots} and {grouped(left_out)} more, in the sums too; --json gives all")
        for note in _notes(pair):
            yield Text()
            yield paragraph(note, canvas)
        yield Text()
        yield from _losses(pair, canvas)
        yield Text()
        yield from _swapped(pair, canvas)


def _rows(pair: LossComparison) -> list[int]:
    """Return the classes to show: all, or the MAX_ROWS with the largest losses, in that order."""
    count = pair.target.size
    if count <= MAX_ROWS:
        return list(range(count))
    cost = -(pair.cross_entropy_terms + pair.squared_errors)
    rows: list[int] = cost.argsort(kind="stable")[:MAX_ROWS].tolist()
    return rows


def _terms(pair: LossComparison, rows: Sequence[int], canvas: Canvas) -> Iterator[Text]:
    """Yield the table of the terms: a row for each class, and the sums."""
    p, t, losses = pair.predicted, pair.target, pair.losses
    columns = [
        _inputs("target t", t, rows, canvas),
        _inputs("predicted p", p, rows, canvas),
        _computed("-t ln p", pair.cross_entropy_terms, rows, losses["cross-entropy"], canvas),
        _computed("t ln(t/p)", pair.kl_terms, rows, losses["kl-divergence"], canvas),
        _computed("(p-t)²", pair.squared_errors, rows, losses["sse"], canvas),
    ]
    columns[3] = replace(columns[3], rank=1)
    if pair.logits is not None:
        cells = [*(shortest(pair.logits[row]) for row in rows), ""]
        columns.insert(0, numbers("logit", cells, rank=2))
    columns = fit(columns, canvas.width - GAP - MIN_LABEL_COLUMNS)
    names = _names(pair, rows, canvas.resized(canvas.width - GAP - total_width(columns)))
    columns = [names, *columns]
    room = min(MAX_BAR_COLUMNS, canvas.width - total_width(columns) - GAP)
    if room >= MIN_BAR_COLUMNS:
        headings = [column.heading for column in columns]
        bars = [*(bar(p[row], room, canvas) for row in rows), ""]
        columns.insert(
            headings.index("predicted p") + 1,
            Column(f"0{' ' * (room - 2)}1", bars, left=True, style="cyan"),
        )
    styles = ["bold" if row == pair.true_class else "" for row in rows]
    head, *body, last = lines(columns, styles)
    rule = Text((canvas.symbol("─", "-")) * max(line.cell_len for line in (head, *body)), "dim")
    yield from (head, *body, rule, last)
    triangle, diamond = MARKS[canvas.ascii]
    legend = f"{triangle} largest p{' ' * GAP}{diamond} target"
    yield Text(legend if pair.true_class is not None else legend.partition(" " * GAP)[0], "dim")


def _inputs(heading: str, values: Vector, rows: Sequence[int], canvas: Canvas) -> Column:
    """Return a column of inputs, with as few decimals as represent all of them exactly."""
    shown = [float(value) for value in (*values[rows], values.sum())]
    decimals = next(
        (n for n in range(DECIMALS) if all(abs(round(v, n) - v) < ROUNDING_ERROR for v in shown)),
        DECIMALS,
    )
    return numbers(heading, [_fixed(value, canvas, decimals) for value in shown])


def _computed(
    heading: str, terms: Vector, rows: Sequence[int], total: float, canvas: Canvas
) -> Column:
    texts = [_fixed(float(value), canvas) for value in (*terms[rows], total)]
    return numbers(canvas.plain(heading), texts)


def _fixed(value: float, canvas: Canvas, decimals: int = DECIMALS) -> str:
    """Return a number with fixed decimals; an exact 0 has none, so that other terms stand out."""
    if math.isinf(value):
        return canvas.plain("∞")
    return "0" if value == 0 else fixed(value, decimals)


def _notes(pair: LossComparison) -> Iterator[str]:
    """Yield notes on sums other than 1, and on the terms that contribute to the losses."""
    wrong_sums = {
        name: total
        for name, total in (("prediction", pair.predicted_sum), ("target", pair.target_sum))
        if abs(total - 1) > SUM_TOLERANCE
    }
    for name, total in wrong_sums.items():
        consequence = (
            "each value was divided by the sum"
            if pair.renormalized
            else "it is used unchanged; --renormalize divides by the sum"
        )
        yield f"The {name} sums to {shortest(total)}, not to 1: {consequence}."
    if pair.impossible:
        yield _because(pair, pair.impossible, "t", "p")
    elif pair.true_class is not None:
        name = _named(pair, pair.true_class)
        yield (
            f"Only {name} counts: where the target is 0, the term of the cross-entropy is 0, "
            "for any prediction. Squared errors count every class."
        )


def _losses(pair: LossComparison, canvas: Canvas) -> Iterator[Text]:
    values = pair.losses | {"target entropy": pair.target_entropy}
    meanings = MEANINGS if pair.logits is None else MEANINGS | LOGIT_MEANINGS
    yield Text("Losses", style="bold")
    yield from _described({name: values[name] for name in meanings}, meanings, canvas)


def _swapped(pair: LossComparison, canvas: Canvas) -> Iterator[Text]:
    swapped = pair.swapped
    about = "p as the target, t as the prediction"
    yield titled("Swapped", about, canvas)
    yield from _described(
        {"cross-entropy": swapped.cross_entropy, "kl-divergence": swapped.kl_divergence},
        {"cross-entropy": "nats, -Σ p ln t", "kl-divergence": "nats, Σ p ln(p/t)"},
        canvas,
    )
    note = "Cross-entropy is not symmetric."
    if swapped.impossible:
        note = f"{_because(pair, swapped.impossible, 'p', 't')} {note}"
    yield paragraph(note, canvas)


def _described(
    values: dict[str, float], meanings: dict[str, str], canvas: Canvas
) -> Iterator[Text]:
    """Yield lines with name, value and meaning; the meaning wraps on a narrow canvas."""
    columns = [
        Column("", list(values), left=True),
        numbers("", [_fixed(value, canvas) for value in values.values()]),
    ]
    for name, line in zip(values, lines(columns)[1:], strict=True):
        label = line.plain.ljust(total_width(columns)) + " " * GAP
        yield paragraph(meanings[name], canvas, label, "dim")


def _because(pair: LossComparison, classes: Sequence[int], weight: str, other: str) -> str:
    """Return a sentence that names the class with an infinite term."""
    first, values = classes[0], (pair.target if weight == "t" else pair.predicted)
    more = f"; the same holds for {grouped(len(classes) - 1)} more" if len(classes) > 1 else ""
    return (
        f"Infinite, since {weight} = {shortest(values[first], 3)} for {_named(pair, first)} but "
        f"{other} = 0 there{more}: -ln 0 is infinite."
    )


def _mark(pair: LossComparison, row: int, canvas: Canvas) -> str:
    """Return the marks of the largest p and of the true class, in the same width for every row."""
    triangle, diamond = MARKS[canvas.ascii]
    return f"{triangle if row == pair.argmax else ' '}{diamond if row == pair.true_class else ' '} "


def _names(pair: LossComparison, rows: Sequence[int], canvas: Canvas) -> Column:
    """Return a column of marks and class names; a long name is cut and ends in ~."""
    width = min(canvas.width, MAX_LABEL_COLUMNS)
    cells = []
    for row in rows:
        name = str(row) if pair.labels is None else canvas.printable(pair.labels[row])
        cell = f"{_mark(pair, row, canvas)}{name}"
        cells.append(cut(cell, width))
    heading = "   class" if pair.labels is None else "   label"
    return Column(heading, [*cells, "   sum"], left=True)


def _named(pair: LossComparison, row: int) -> str:
    return f"class {row}" if pair.labels is None else pair.labels[row]
