"""Outputs as tables: overall, for each class, and by confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.diagnostics.outputs import Bin, ClassOutputs, Outputs
from actcli.term.bars import bar
from actcli.term.canvas import Canvas
from actcli.term.numbers import fixed, grouped, percent, significant
from actcli.term.table import (
    GAP,
    Column,
    beside,
    fit,
    lines,
    optional,
    paragraph,
    titled,
    total_width,
)

MAX_CLASSES = 12
WORST_CLASSES = 10  # number of shown classes if there are more than MAX_CLASSES
MAX_BAR_COLUMNS, MIN_BAR_COLUMNS = 16, 6
TABLE_GAP = 3  # columns between the two tables
MAX_LABEL = 14  # characters
NO_PROBABILITIES = (
    "The outputs are logits, not probabilities: they can be negative and need not sum to 1."
)
ABOUT = {
    "softmax": "confidence is the largest probability; NLL and entropy in nats",
    "sigmoid": "each output is a separate probability; NLL and entropy: sums over outputs, in nats",
}


@dataclass(frozen=True)
class OutputsView:
    """The outputs of a network on a split.

    Args:
        outputs: the measurements; None for an identity output, which is not a probability.
        output: name of the output activation.
    """

    outputs: Outputs | None
    output: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        title = self.output.capitalize()
        if self.outputs is None:
            yield Text(title, style="bold")
            yield paragraph(NO_PROBABILITIES, canvas)
            return
        yield titled(title, ABOUT[self.output], canvas)
        yield from lines(fit(_overall(self.outputs, canvas), canvas.width))
        yield Text()
        classes = _shown_classes(self.outputs.classes)
        yield from _tables(classes, self.outputs.reliability, canvas)
        omitted = len(self.outputs.classes) - len(classes)
        if omitted:
            dots, noun = canvas.plain("…"), "class" if omitted == 1 else "classes"
            yield Text(
                f"{dots} and {grouped(omitted)} more {noun} with higher accuracy; all: --json"
            )


def _overall(outputs: Outputs, canvas: Canvas) -> list[Column]:
    def temperature(value: float) -> str:
        return fixed(value, 2)

    return [
        Column("accuracy", [percent(outputs.accuracy, 2)]),
        Column("confidence", [percent(outputs.confidence, 2)]),
        Column("NLL", [significant(outputs.nll, 3)]),
        Column("entropy", [significant(outputs.entropy, 3)]),
        Column("ECE", [percent(outputs.ece, 2)]),
        Column("MCE", [percent(outputs.mce)], rank=1),
        Column("best temperature", [optional(outputs.temperature, temperature, canvas)], rank=2),
    ]


def _shown_classes(classes: Sequence[ClassOutputs]) -> list[ClassOutputs]:
    """Return all classes in order, or the least accurate if there are more than MAX_CLASSES."""
    if len(classes) <= MAX_CLASSES:
        return list(classes)

    def accuracy(outputs: ClassOutputs) -> float:
        return 2.0 if outputs.accuracy is None else outputs.accuracy

    return sorted(classes, key=accuracy)[:WORST_CLASSES]


def _tables(classes: Sequence[ClassOutputs], bins: Sequence[Bin], canvas: Canvas) -> list[Text]:
    """Return two tables side by side, or one below the other if the bar does not fit."""
    left = _of_classes(classes, canvas)
    right = _of_bins([group for group in bins if group.count], canvas)
    available = canvas.width - TABLE_GAP - GAP - MIN_BAR_COLUMNS
    while total_width(left) + total_width(right) > available:
        ranked = [column for column in (*left, *right) if column.rank > 1]
        if not ranked:
            left = fit(_of_classes(classes, canvas), canvas.width)
            right = fit(_of_bins([group for group in bins if group.count], canvas), canvas.width)
            right = _with_bar(right, bins, canvas)
            return [*lines(left), Text(), *lines(right)]
        worst = max(ranked, key=lambda column: column.rank)
        left = [column for column in left if column is not worst]
        right = [column for column in right if column is not worst]
    rest = canvas.width - total_width(left) - TABLE_GAP
    return beside(lines(left), lines(_with_bar(right, bins, canvas.resized(rest))), TABLE_GAP)


def _of_classes(classes: Sequence[ClassOutputs], canvas: Canvas) -> list[Column]:
    def decimals(value: float) -> str:
        return fixed(value, 3)

    def label(text: str) -> str:
        text = canvas.plain(text)
        return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 1]}~"

    def shares(values: Sequence[float | None]) -> list[str]:
        return [optional(value, percent, canvas) for value in values]

    wrong = [
        "-" if entry.confused_with is None else f"as {label(entry.confused_with)}"
        for entry in classes
    ]
    return [
        Column("class", [label(entry.label) for entry in classes], left=True),
        Column("rows", [grouped(entry.rows) for entry in classes], rank=2),
        Column("p(true)", shares([entry.probability_of_true for entry in classes])),
        Column("confidence", shares([entry.confidence for entry in classes]), rank=1),
        Column("entropy", [optional(entry.entropy, decimals, canvas) for entry in classes], rank=3),
        Column("accuracy", shares([entry.accuracy for entry in classes])),
        Column("wrong", wrong, left=True),
    ]


def _of_bins(bins: Sequence[Bin], canvas: Canvas) -> list[Column]:
    between = canvas.plain("–")
    ranges = [f"{100 * group.low:.0f}{between}{100 * group.high:.0f} %" for group in bins]
    return [
        Column("confidence", ranges),
        Column("mean", [optional(group.confidence, percent, canvas) for group in bins], rank=4),
        Column("accuracy", [optional(group.accuracy, percent, canvas) for group in bins]),
        Column("rows", [grouped(group.count) for group in bins]),
    ]


def _with_bar(columns: list[Column], bins: Sequence[Bin], canvas: Canvas) -> list[Column]:
    """Return the columns with a histogram of the counts on a log scale, if there is room."""
    room = min(MAX_BAR_COLUMNS, canvas.width - total_width(columns) - GAP)
    if room < MIN_BAR_COLUMNS:
        return columns
    largest = math.log1p(max((group.count for group in bins), default=0))
    shares = [math.log1p(group.count) / largest for group in bins if group.count]
    cells = [bar(share, room, canvas) for share in shares]
    return [*columns, Column("log scale" if room > 8 else "log", cells, left=True, style="cyan")]
