"""What the outputs say, as tables: overall, for each class, and by how sure the network is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.diagnostics.outputs import Bin, ClassOutputs, Outputs
from actcli.term.bars import bar
from actcli.term.numbers import fixed, grouped, percent, significant
from actcli.term.table import (
    GAP,
    Column,
    beside,
    fit,
    lines,
    needed,
    optional,
    paragraph,
    plain,
    titled,
)

MOST_CLASSES = 12
WORST = 10  # classes that are shown where there are more
WIDEST_BAR, NARROWEST_BAR = 16, 6
BETWEEN = 3  # columns between the two tables
LABEL = 14  # characters of a label
NO_PROBABILITIES = (
    "The outputs are scores, and no probabilities: they may be negative and need not sum to 1."
)
ABOUT = {
    "softmax": "confidence is the largest probability; NLL and entropy in nats",
    "sigmoid": "each output is a yes or no of its own; NLL and entropy are sums over them, in nats",
}


@dataclass(frozen=True)
class OutputsView:
    """The outputs of a network on a split.

    Args:
        outputs: None for an identity output, which makes no probabilities.
        output: by name.
    """

    outputs: Outputs | None
    output: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ascii_only, width = options.ascii_only, options.max_width
        title = self.output.capitalize()
        if self.outputs is None:
            yield Text(title, style="bold")
            yield paragraph(NO_PROBABILITIES, width, ascii_only)
            return
        yield titled(title, ABOUT[self.output], width, ascii_only)
        yield from lines(fit(_overall(self.outputs, ascii_only), width))
        yield Text()
        chosen = _chosen(self.outputs.classes)
        yield from _tables(chosen, self.outputs.reliability, width, ascii_only)
        left_out = len(self.outputs.classes) - len(chosen)
        if left_out:
            dots = plain("…", ascii_only)
            yield Text(f"{dots} and {grouped(left_out)} classes more, all of them better; --json")


def _overall(outputs: Outputs, ascii_only: bool) -> list[Column]:
    def temperature(value: float) -> str:
        return fixed(value, 2)

    return [
        Column("accuracy", [percent(outputs.accuracy, 2)]),
        Column("confidence", [percent(outputs.confidence, 2)]),
        Column("NLL", [significant(outputs.nll, 3)]),
        Column("entropy", [significant(outputs.entropy, 3)]),
        Column("ECE", [percent(outputs.ece, 2)]),
        Column("MCE", [percent(outputs.mce)], rank=1),
        Column(
            "best temperature", [optional(outputs.temperature, temperature, ascii_only)], rank=2
        ),
    ]


def _chosen(classes: Sequence[ClassOutputs]) -> list[ClassOutputs]:
    """All classes in their order; of very many only the worst, the worst first."""
    if len(classes) <= MOST_CLASSES:
        return list(classes)

    def how_good(each: ClassOutputs) -> float:
        return 2.0 if each.accuracy is None else each.accuracy

    return sorted(classes, key=how_good)[:WORST]


def _tables(
    classes: Sequence[ClassOutputs], bins: Sequence[Bin], width: int, ascii_only: bool
) -> list[Text]:
    """Side by side; one below the other where that would leave no room for the bar."""
    left = _of_classes(classes, ascii_only)
    right = _of_bins([each for each in bins if each.count], ascii_only)
    for_both = width - BETWEEN - GAP - NARROWEST_BAR
    while needed(left) + needed(right) > for_both:
        ranked = [column for column in (*left, *right) if column.rank > 1]
        if not ranked:
            left = fit(_of_classes(classes, ascii_only), width)
            right = fit(_of_bins([each for each in bins if each.count], ascii_only), width)
            right = _with_bar(right, bins, width, ascii_only)
            return [*lines(left), Text(), *lines(right)]
        worst = max(ranked, key=lambda column: column.rank)
        left = [column for column in left if column is not worst]
        right = [column for column in right if column is not worst]
    rest = width - needed(left) - BETWEEN
    return beside(lines(left), lines(_with_bar(right, bins, rest, ascii_only)), BETWEEN)


def _of_classes(classes: Sequence[ClassOutputs], ascii_only: bool) -> list[Column]:
    def decimals(value: float) -> str:
        return fixed(value, 3)

    def label(text: str) -> str:
        text = plain(text, ascii_only)
        return text if len(text) <= LABEL else f"{text[: LABEL - 1]}~"

    def shares(values: Sequence[float | None]) -> list[str]:
        return [optional(value, percent, ascii_only) for value in values]

    wrong = [
        optional(each.confused_with, lambda name: f"as {label(name)}", True) for each in classes
    ]
    return [
        Column("class", [label(each.label) for each in classes], left=True),
        Column("rows", [grouped(each.rows) for each in classes], rank=2),
        Column("p(true)", shares([each.probability_of_true for each in classes])),
        Column("confidence", shares([each.confidence for each in classes]), rank=1),
        Column(
            "entropy", [optional(each.entropy, decimals, ascii_only) for each in classes], rank=3
        ),
        Column("accuracy", shares([each.accuracy for each in classes])),
        Column("wrong", wrong, left=True),
    ]


def _of_bins(bins: Sequence[Bin], ascii_only: bool) -> list[Column]:
    between = plain("–", ascii_only)
    ranges = [f"{100 * each.low:.0f}{between}{100 * each.high:.0f} %" for each in bins]
    return [
        Column("confidence", ranges),
        Column("mean", [optional(each.confidence, percent, ascii_only) for each in bins], rank=4),
        Column("accuracy", [optional(each.accuracy, percent, ascii_only) for each in bins]),
        Column("rows", [grouped(each.count) for each in bins]),
    ]


def _with_bar(
    columns: list[Column], bins: Sequence[Bin], width: int, ascii_only: bool
) -> list[Column]:
    """The histogram beside its counts, on a log scale, as far as there is room."""
    room = min(WIDEST_BAR, width - needed(columns) - GAP)
    if room < NARROWEST_BAR:
        return columns
    largest = math.log1p(max((each.count for each in bins), default=0))
    shares = [math.log1p(each.count) / largest for each in bins if each.count]
    cells = [bar(share, room, ascii_only) for share in shares]
    return [*columns, Column("log scale" if room > 8 else "log", cells, left=True, style="cyan")]
