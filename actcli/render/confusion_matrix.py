"""The confusion matrix: shaded cells as long as they fit, and otherwise the worst pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.diagnostics.confusion import ClassScores, Confusion
from actcli.term.canvas import Canvas
from actcli.term.heatmap import RAMPS, between, can_shade, shaded
from actcli.term.numbers import grouped, percent
from actcli.term.table import (
    Column,
    beside,
    cut,
    fit,
    lines,
    numbers,
    optional,
    paragraph,
    titled,
    total_width,
)

MAX_MATRIX = 26  # classes: a larger matrix is not read cell by cell
MIN_SHADED = 0.2  # share of the largest error; smaller errors have no shade, as 0 has none
WORST_CLASSES = 10
MAX_LABEL = 14  # characters
TABLE_GAP = 3
ABOUT = "rows of each true class (down), by predicted class (across)"
ABOUT_PAIRS = "too many classes for a matrix here; it is in --csv confusion"


@dataclass(frozen=True)
class ConfusionView:
    """The confusion matrix, the scores of each class, and the worst pairs."""

    confusion: Confusion

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        confusion, canvas = self.confusion, Canvas.of(options)
        matrix = _matrix(confusion, console, canvas)
        yield titled("Confusion", ABOUT if matrix else ABOUT_PAIRS, canvas)
        if matrix:
            yield from matrix
            yield Text()
        scores = confusion.scores if matrix else _worst(confusion.scores)
        yield from _tables(_of_classes(scores, canvas), _of_pairs(confusion, canvas), canvas)
        if not confusion.worst_pairs(1):
            yield paragraph("No row is predicted as a wrong class.", canvas)
        if omitted := len(confusion.scores) - len(scores):
            noun = "class" if omitted == 1 else "classes"
            more = f"… and {grouped(omitted)} more {noun} with a higher F1; all: --json"
            yield paragraph(more, canvas)


def _tables(left: list[Column], right: list[Column], canvas: Canvas) -> list[Text]:
    """Return the two tables side by side, or one below the other if they do not fit."""
    if not right[0].cells:
        return lines(fit(left, canvas.width))
    room = canvas.width - TABLE_GAP - total_width(right)
    if total_width(kept := fit(left, room)) <= room:
        return beside(lines(kept), lines(right), TABLE_GAP)
    return [*lines(fit(left, canvas.width)), Text(), *lines(fit(right, canvas.width))]


def _matrix(confusion: Confusion, console: Console, canvas: Canvas) -> list[Text]:
    """Return the lines of the matrix; an empty list if it does not fit."""
    if len(confusion.classes) > MAX_MATRIX:
        return []
    labels = [_label(name, canvas) for name in confusion.classes]
    nothing = canvas.plain("·") if not canvas.ascii else "."
    texts = [[grouped(count) if count else nothing for count in row] for row in confusion.counts]
    width = 1 + max(cell_len(text) for row in (*texts, labels) for text in row)
    side = max(map(cell_len, labels))
    if side + 1 + width * len(labels) > canvas.width:
        return []
    is_shaded = can_shade(console) and not canvas.ascii
    largest_error = max(
        (
            count
            for at, row in enumerate(confusion.counts)
            for k, count in enumerate(row)
            if k != at
        ),
        default=0,
    )
    table = [Text(f"{' ' * side} {''.join(f'{label} '.rjust(width) for label in labels)}", "dim")]
    table[0].rstrip()
    for true, (label, row, counts) in enumerate(zip(labels, texts, confusion.counts, strict=True)):
        line = Text(f"{label.ljust(side)} ")
        rows = sum(counts)
        for predicted, (text, count) in enumerate(zip(row, counts, strict=True)):
            cell = f"{text} ".rjust(width)
            if not count:
                line.append(cell, "dim")
            elif predicted == true:
                shade = between(RAMPS["right"], count / rows)
                line.append(cell, shaded(shade) if is_shaded else "bold")
            else:
                share = count / largest_error
                shade = between(RAMPS["wrong"], share)
                line.append(cell, shaded(shade) if is_shaded and share > MIN_SHADED else None)
        if not is_shaded:
            line.rstrip()
        table.append(line)
    return table


def _worst(scores: Sequence[ClassScores]) -> list[ClassScores]:
    """Return the classes with the lowest F1; those without any row come last."""
    return sorted(scores, key=lambda entry: 2.0 if entry.f1 is None else entry.f1)[:WORST_CLASSES]


def _label(text: str, canvas: Canvas) -> str:
    return cut(canvas.plain(text), MAX_LABEL)


def _of_classes(scores: Sequence[ClassScores], canvas: Canvas) -> list[Column]:
    def shares(values: Sequence[float | None]) -> list[str]:
        return [optional(value, percent, canvas) for value in values]

    return [
        Column("class", [_label(entry.label, canvas) for entry in scores], left=True),
        numbers("rows", [grouped(entry.rows) for entry in scores], rank=1),
        numbers("predicted", [grouped(entry.predicted) for entry in scores], rank=2),
        numbers("precision", shares([entry.precision for entry in scores])),
        numbers("recall", shares([entry.recall for entry in scores])),
        numbers("F1", shares([entry.f1 for entry in scores])),
    ]


def _of_pairs(confusion: Confusion, canvas: Canvas) -> list[Column]:
    pairs = confusion.worst_pairs()
    names = [
        f"{_label(pair.true_class, canvas)} as {_label(pair.predicted, canvas)}" for pair in pairs
    ]
    return [
        Column("most confused", names, left=True),
        numbers("rows", [grouped(pair.rows) for pair in pairs]),
        numbers("of class", [percent(pair.share) for pair in pairs], rank=1),
    ]
