"""One vector of scores as a table, softmax and sigmoids side by side, and a summary below it.

The table fits itself to the width: where that is short, the bar shrinks and goes, then the columns
that follow from the others. Numbers are never wrapped or cut. Of very many scores only the largest
are shown, and the target.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE, Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from actcli.explore.softmax import LogitAnalysis, TargetAnalysis, Vector
from actcli.term.bars import bar
from actcli.term.canvas import Canvas
from actcli.term.numbers import align_points, fixed, grouped, percent, shortest, significant

MOST_ROWS = 40
GAP = 2  # columns of space between the columns of the table
WIDEST_BAR, NARROWEST_BAR = 24, 6
NARROWEST_LABEL = 10  # for which a column of numbers is left out
USUAL_LABEL = 30  # for which the bar is left out
ASCII_SIMPLE = Box("    \n    \n -- \n    \n    \n -- \n    \n    \n", ascii=True)


@dataclass(frozen=True)
class _Column:
    """Numbers under a heading, aligned at the point; the last one is the sum, or blank.

    A rank above 0 may be left out, the highest first.
    """

    heading: str
    cells: Sequence[str]
    rank: int = 0

    @property
    def width(self) -> int:
        return max(len(self.heading), len(self.cells[0]))


@dataclass(frozen=True)
class SoftmaxView:
    """The result of `actcli softmax` for one vector.

    Args:
        scores: what to show.
        title: which vector it is, where there can be several.
    """

    scores: LogitAnalysis
    title: str | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        scores, canvas = self.scores, Canvas.of(options)
        if self.title:
            yield Text(self.title, style="bold")
        if scores.temperature != 1:
            temperature = shortest(scores.temperature)
            yield Text(
                f"temperature {temperature}: z = logit / {temperature}, for the sigmoids too"
            )
        rows = _rows(scores)
        yield from _unpadded(_table(scores, rows, canvas), console, options)
        left_out = scores.logits.size - len(rows)
        if left_out:
            dots = canvas.symbol("…", "...")
            yield Text(f"{dots} and {grouped(left_out)} more, in the sums too; --json gives all")
        yield Text()
        yield from _unpadded(_summary(scores, canvas), console, options)


def _unpadded(table: Table, console: Console, options: ConsoleOptions) -> Iterator[Text]:
    """The lines of a table without the spaces at their ends, which a pipe would hand on."""
    for segments in console.render_lines(table, options, pad=False):
        line = Text(no_wrap=True)
        for segment in segments:
            line.append(segment.text, segment.style)
        line.rstrip()
        yield line


def _rows(scores: LogitAnalysis) -> list[int]:
    """Which scores to show: all in their order or, where they are too many, the largest first."""
    if scores.logits.size <= MOST_ROWS:
        return list(range(scores.logits.size))
    rows: list[int] = (-scores.logits).argsort(kind="stable")[:MOST_ROWS].tolist()
    if scores.target and scores.target.index not in rows:
        rows[-1] = scores.target.index
    return rows


def _table(scores: LogitAnalysis, rows: list[int], canvas: Canvas) -> Table:
    names = [f"{_mark(scores, row, canvas)}{_name(scores, row, canvas)}" for row in rows]
    indent = " " * len(_mark(scores, None, canvas))
    heading = indent + ("index" if scores.labels is None else "label")
    columns = _columns(scores, rows)
    name_width, bar_width = _fit(max(map(cell_len, [heading, *names])), columns, canvas.width)

    table = Table(
        box=ASCII_SIMPLE if canvas.ascii else SIMPLE,
        show_edge=False,
        show_footer=True,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),  # beside the box's own blank
        header_style="bold",
        footer_style="",
        border_style="dim",
    )
    table.add_column(heading, f"{indent}sum", width=name_width, no_wrap=True)
    for column in columns:
        table.add_column(
            column.heading.rjust(column.width), column.cells[-1].rjust(column.width), no_wrap=True
        )
    if bar_width:
        scale = "softmax".center(bar_width - 2) if bar_width >= 11 else ""
        table.add_column(f"0{scale.ljust(bar_width - 2)}1", no_wrap=True)
    for position, row in enumerate(rows):
        cells = [_cut(names[position], canvas.resized(name_width))]
        cells += [Text(column.cells[position].rjust(column.width)) for column in columns]
        if bar_width:
            cells.append(Text(bar(scores.softmax[row], bar_width, canvas), style="cyan"))
        masked = scores.logits[row] == float("-inf")
        table.add_row(*cells, style="bold" if row == scores.argmax else "dim" if masked else "")
    return table


def _columns(scores: LogitAnalysis, rows: list[int]) -> list[_Column]:
    def numbers(values: Vector, decimals: int, total: float | None = None) -> list[str]:
        texts = [fixed(values[row], decimals) for row in rows]
        return align_points([*texts, "" if total is None else fixed(total, decimals)])

    logits = align_points([*(shortest(scores.logits[row]) for row in rows), ""])
    columns = [
        _Column("logit", logits),
        _Column("exp(z-max)", numbers(scores.exponentials, 4, scores.exponential_sum), rank=3),
        _Column("softmax", numbers(scores.softmax, 4, scores.softmax_sum)),
        _Column("log-softmax", numbers(scores.log_softmax, 3), rank=2),
    ]
    if scores.target:
        columns.append(_Column("y", numbers(scores.target.one_hot, 0, 1), rank=1))
        columns.append(_Column("p - y", numbers(scores.target.gradient, 4)))
    columns.append(_Column("sigmoid", numbers(scores.sigmoid, 4, scores.sigmoid_sum)))
    return columns


def _fit(name_width: int, columns: list[_Column], width: int) -> tuple[int, int]:
    """How wide the names and the bar may be; takes columns out where even the names get too few."""

    def room() -> int:
        return width - sum(GAP + column.width for column in columns)

    while room() < min(name_width, NARROWEST_LABEL) and any(column.rank for column in columns):
        columns.remove(max(columns, key=lambda column: column.rank))
    beside_bar = max(USUAL_LABEL, room() - GAP - NARROWEST_BAR)
    bar_width = min(WIDEST_BAR, room() - GAP - min(name_width, beside_bar))
    if bar_width < NARROWEST_BAR:
        return min(name_width, max(1, room())), 0
    return min(name_width, beside_bar), bar_width


def _cut(name: str, canvas: Canvas) -> Text:
    text = Text(name)
    text.truncate(canvas.width, overflow="ellipsis")
    return Text(text.plain.replace("…", "~")) if canvas.ascii else text


def _summary(scores: LogitAnalysis, canvas: Canvas) -> Table:
    lines = Table.grid(padding=(0, GAP, 0, 0))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    blank = _mark(scores, None, canvas)
    winner = _mark(scores, scores.argmax, canvas, target=False)
    lines.add_row(f"{winner}winner", _winner(scores, canvas), style="bold")
    if scores.target:
        target = _mark(scores, scores.target.index, canvas, winner=False)
        lines.add_row(f"{target}target", _target(scores, scores.target, canvas))
        lines.add_row(f"{blank}gradient", "p - y, of the cross-entropy with respect to z")
    lines.add_row(f"{blank}entropy", _entropy(scores))
    lines.add_row(f"{blank}perplexity", significant(scores.perplexity))
    if scores.masked:
        lines.add_row(
            f"{blank}masked",
            f"{grouped(scores.masked)} of {grouped(scores.logits.size)}: "
            "a logit of -inf has probability 0",
        )
    lines.add_row(
        f"{blank}sums",
        f"softmax {fixed(scores.softmax_sum)} by definition, sigmoids {fixed(scores.sigmoid_sum)}",
    )
    return lines


def _winner(scores: LogitAnalysis, canvas: Canvas) -> str:
    text = f"{_named(scores, scores.argmax, canvas)}, p = {fixed(scores.softmax[scores.argmax])}"
    if scores.runner_up is None or scores.margin is None:
        return f"{text}, the only one possible"
    if scores.tied:
        return f"{text}, tied with {grouped(scores.tied)} more, of which it is the first"
    return f"{text}, {fixed(scores.margin)} ahead of {_named(scores, scores.runner_up, canvas)}"


def _target(scores: LogitAnalysis, target: TargetAnalysis, canvas: Canvas) -> str:
    name = _named(scores, target.index, canvas)
    if target.masked:
        return f"{name}, cross-entropy infinite: the target is masked, its probability is 0"
    if target.cross_entropy == float("inf"):
        return f"{name}, cross-entropy infinite: it is beyond the largest float64, 1.8e+308"
    return f"{name}, cross-entropy {significant(target.cross_entropy)} nats"


def _entropy(scores: LogitAnalysis) -> str:
    text = f"{significant(scores.entropy)} nats"
    if scores.entropy_share is None:
        return text
    possible = grouped(scores.logits.size - scores.masked)
    return f"{text}, {percent(scores.entropy_share)} of the maximum, ln {possible}"


def _mark(
    scores: LogitAnalysis,
    row: int | None,
    canvas: Canvas,
    *,
    winner: bool = True,
    target: bool = True,
) -> str:
    """What stands before the winner and the target; the same width for every row."""
    triangle, diamond = (">", "@") if canvas.ascii else ("▶", "◆")
    text = triangle if winner and row == scores.argmax else " "
    if scores.target:
        text += diamond if target and row == scores.target.index else " "
    return f"{text} "


def _name(scores: LogitAnalysis, row: int, canvas: Canvas) -> str:
    return str(row) if scores.labels is None else canvas.printable(scores.labels[row])


def _named(scores: LogitAnalysis, row: int, canvas: Canvas) -> str:
    """The name in a sentence, where a bare index would look like one of the values."""
    return f"{'' if scores.labels else 'index '}{_name(scores, row, canvas)}"
