"""Activations: a table of properties, or one card per activation with the curves of f and f'."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.explore.activations import (
    ActivationCurve,
    ActivationFacts,
    ActivationOverview,
    ActivationStudy,
)
from actcli.term.canvas import Canvas
from actcli.term.numbers import fixed, shortest, significant
from actcli.term.plot import Plot
from actcli.term.plot_area import Curve
from actcli.term.table import (
    Column,
    beside,
    fit,
    lines,
    numbers,
    paragraph,
    titled,
    total_width,
)

MAX_COLUMNS = 132  # of a row of cards; the limit also holds in a pipe
MIN_CARD_COLUMNS, MAX_CARD_COLUMNS = 36, 60
CARD_GAP = 4  # columns between two cards
PLOT_ROWS = 11
SIGNS = ("●", "○", "◉")  # of points of f, of f', and of both on one character
ASCII_SIGNS = ("@", "#", "&")
LEGEND_LINES = 2  # a blank line and the legend, above a plot
ABOUT = "mean f: for z from a standard normal; zero-centred if the mean is 0"
HEADINGS = ("range", "sup|f'|", "mean f", "zero-centred", "can die", "initializer")
# On a narrow canvas these columns are left out, the last one first.
OPTIONAL_HEADINGS = ("initializer", "zero-centred")


@dataclass(frozen=True)
class ActivationsView:
    """The result of `actcli activations`: a table of properties, or a card per study."""

    result: ActivationOverview

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        studies = [entry for entry in self.result.entries if isinstance(entry, ActivationStudy)]
        facts = [entry for entry in self.result.entries if isinstance(entry, ActivationFacts)]
        yield StudiesView(studies) if studies else FactsView(facts)


@dataclass(frozen=True)
class FactsView:
    """All activations as one table; if it is too wide, formulas and sources are below it."""

    facts: Sequence[ActivationFacts]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        yield titled("Activations", ABOUT, canvas)
        columns = _columns(self.facts, canvas)
        formula = Column("f(z)", [canvas.plain(entry.formula) for entry in self.facts], left=True)
        source = Column("source", [canvas.plain(entry.source) for entry in self.facts], left=True)
        with_formula = [columns[0], formula, *columns[1:]]
        if total_width([*with_formula, source]) <= canvas.width:
            yield from lines([*with_formula, source])
            return
        fits = total_width(with_formula) <= canvas.width
        yield from lines(with_formula if fits else fit(columns, canvas.width))
        yield Text()
        yield Text("Sources" if fits else "Formulas and sources", style="bold")
        for entry in self.facts:
            label = entry.name.ljust(columns[0].width + 2)
            if not fits:
                yield paragraph(entry.formula, canvas, label)
                label = " " * len(label)
            yield paragraph(entry.source, canvas, label, "" if fits else "dim")


@dataclass(frozen=True)
class StudiesView:
    """A card for each activation, as many side by side as fit."""

    studies: Sequence[ActivationStudy]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, MAX_COLUMNS)
        abreast = max(
            1, min(len(self.studies), (width + CARD_GAP) // (MIN_CARD_COLUMNS + CARD_GAP))
        )
        card = min(MAX_CARD_COLUMNS, (width - CARD_GAP * (abreast - 1)) // abreast)
        canvas = Canvas.of(options).resized(card)
        for first in range(0, len(self.studies), abreast):
            row = self.studies[first : first + abreast]
            if first:
                yield Text("\n")
            for part in PARTS:
                blocks = [part(study, canvas) for study in row]
                yield from _side_by_side(_level(blocks) if part is _plot else blocks, card)


def _level(blocks: Sequence[list[Text]]) -> list[list[Text]]:
    """Return the plots with blank lines below the legends, so that their axes align."""
    height = max(map(len, blocks))
    return [
        [*block[:LEGEND_LINES], *[Text()] * (height - len(block)), *block[LEGEND_LINES:]]
        for block in blocks
    ]


def _side_by_side(blocks: Sequence[Sequence[Text]], width: int) -> Iterator[Text]:
    """Yield the lines of blocks that stand side by side in columns of equal width."""
    joined = list(blocks[-1])
    for block in blocks[-2::-1]:
        padded = [line.copy() for line in block] or [Text()]
        padded[0].pad_right(max(0, width - padded[0].cell_len))
        joined = beside(padded, joined, CARD_GAP)
    for line in joined:
        line.rstrip()
        yield line


def _head(study: ActivationStudy, canvas: Canvas) -> list[Text]:
    text = study.facts.summary
    return [
        Text(study.facts.name, style="bold"),
        *_split(paragraph(f"f(z) = {study.facts.formula}", canvas)),
        *_split(paragraph(text, canvas, style="dim")),
    ]


def _plot(study: ActivationStudy, canvas: Canvas) -> list[Text]:
    of_value, of_slope, together = ASCII_SIGNS if canvas.ascii else SIGNS
    curves = [
        Curve(name, _points(course), _marks(study, values), sign)
        for name, course, values, sign in (
            ("f(z)", study.value_course, study.values, of_value),
            ("f'(z)", study.slope_course, study.slopes, of_slope),
        )
    ]
    plot = Plot(curves, PLOT_ROWS, "z", together=together)
    return [Text(), *plot.lines(canvas)]


def _points(course: ActivationCurve) -> list[tuple[float, float]]:
    return list(zip(course.z, course.y, strict=True))


def _marks(study: ActivationStudy, values: Sequence[float]) -> list[tuple[float, float]]:
    """Return the points of the study within the range of the curves."""
    low, high = study.value_course.z[0], study.value_course.z[-1]
    return [(z, y) for z, y in zip(study.at, values, strict=True) if low <= z <= high]


def _table(study: ActivationStudy, canvas: Canvas) -> list[Text]:
    rows = lines(
        [
            numbers("z", [shortest(z) for z in study.at]),
            numbers("f(z)", [_number(value) for value in study.values]),
            numbers("f'(z)", [_number(value) for value in study.slopes]),
        ]
    )
    outside = len(study.at) - len(_marks(study, study.values))
    if outside:
        low, high = study.value_course.z[0], study.value_course.z[-1]
        note = f"The plot covers z = {low:g} to {high:g}; points beyond are only in the table."
        rows += _split(paragraph(note, canvas))
    return [Text(), *rows]


def _remark(study: ActivationStudy, canvas: Canvas) -> list[Text]:
    return [Text(), *_split(paragraph(study.remark, canvas, style="bold"))]


def _properties(study: ActivationStudy, canvas: Canvas) -> list[Text]:
    cells = [column.cells[0].strip() for column in _columns([study.facts], canvas)[1:]]
    entries = [*zip(HEADINGS, cells, strict=True), ("source", study.facts.source)]
    indent = max(len(heading) for heading, _ in entries) + 2
    return [
        Text(),
        *(
            line
            for heading, value in entries
            for line in _split(paragraph(value, canvas, heading.ljust(indent)))
        ),
    ]


PARTS: tuple[Callable[[ActivationStudy, Canvas], list[Text]], ...] = (
    _head,
    _plot,
    _table,
    _remark,
    _properties,
)


def _columns(facts: Sequence[ActivationFacts], canvas: Canvas) -> list[Column]:
    answers = ("no", "yes")
    cells = (
        [_range(entry.range, canvas) for entry in facts],
        [_bound(entry.bound) for entry in facts],
        [fixed(entry.mean, 3) for entry in facts],
        [answers[entry.zero_centred] for entry in facts],
        [answers[entry.can_die] for entry in facts],
        [entry.initializer for entry in facts],
    )
    columns = [Column("", [entry.name for entry in facts], left=True)]
    for heading, texts in zip(HEADINGS, cells, strict=True):
        numeric = heading in {"sup|f'|", "mean f"}
        rank = OPTIONAL_HEADINGS.index(heading) + 1 if heading in OPTIONAL_HEADINGS else 0
        columns.append(
            numbers(heading, texts) if numeric else Column(heading, texts, rank, left=True)
        )
    return columns


def _range(ends: tuple[float, float], canvas: Canvas) -> str:
    low, high = (
        canvas.plain(f"{end:+}".replace("inf", "∞")) if math.isinf(end) else shortest(round(end, 2))
        for end in ends
    )
    return f"{low} to {high.removeprefix('+')}".replace("+", "")


def _bound(value: float) -> str:
    """Return a bound with as few digits as represent it exactly, else with four: 0.25, 1.100."""
    text = shortest(value, 4)
    return text if float(text) == value else significant(value)


def _number(value: float) -> str:
    return shortest(value) if value == round(value) and abs(value) < 1e6 else significant(value)


def _split(text: Text) -> list[Text]:
    return list(text.split("\n"))
