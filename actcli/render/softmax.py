"""One vector of logits as a table, softmax beside sigmoids, with a summary below.

The table adapts to the width. On a narrow canvas, the bar shrinks and disappears, then the columns
that can be derived from other columns. Numbers are never wrapped or cut. If there are more than
MAX_ROWS logits, only the largest and the target are shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.box import SIMPLE, Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from actcli.explore.softmax import LogitAnalysis, TargetAnalysis, Vector
from actcli.term.bars import bar
from actcli.term.canvas import Canvas
from actcli.term.numbers import fixed, grouped, percent, shortest, significant
from actcli.term.table import GAP, Column, fit, numbers, total_width

MAX_ROWS = 40
MAX_BAR_COLUMNS, MIN_BAR_COLUMNS = 24, 6
MIN_LABEL_COLUMNS = 10  # below this width, columns of numbers are left out
FULL_LABEL_COLUMNS = 30  # below this width of a long label, the bar is left out
ASCII_SIMPLE = Box("    \n    \n -- \n    \n    \n -- \n    \n    \n", ascii=True)


@dataclass(frozen=True)
class SoftmaxView:
    """The result of `actcli softmax` for one vector.

    Args:
        analysis: of the vector.
        title: position of the vector in its input; None for a single vector.
    """

    analysis: LogitAnalysis
    title: str | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        analysis, canvas = self.analysis, Canvas.of(options)
        if self.title:
            yield Text(self.title, style="bold")
        if analysis.temperature != 1:
            temperature = shortest(analysis.temperature)
            yield Text(
                f"temperature {temperature}: z = logit / {temperature}, for the sigmoids too"
            )
        rows = _rows(analysis)
        yield from _unpadded(_table(analysis, rows, canvas), console, options)
        left_out = analysis.logits.size - len(rows)
        if left_out:
            dots = canvas.symbol("…", "...")
            yield Text(f"{dots} and {grouped(left_out)} more, in the sums too; --json gives all")
        yield Text()
        yield from _unpadded(_summary(analysis, canvas), console, options)


def _unpadded(table: Table, console: Console, options: ConsoleOptions) -> Iterator[Text]:
    """Yield the lines of a table without trailing spaces, which would end up in a file."""
    for segments in console.render_lines(table, options, pad=False):
        line = Text(no_wrap=True)
        for segment in segments:
            line.append(segment.text, segment.style)
        line.rstrip()
        yield line


def _rows(analysis: LogitAnalysis) -> list[int]:
    """Return the indices to show: all in order, or the largest logits first, with the target."""
    if analysis.logits.size <= MAX_ROWS:
        return list(range(analysis.logits.size))
    rows: list[int] = (-analysis.logits).argsort(kind="stable")[:MAX_ROWS].tolist()
    if analysis.target and analysis.target.index not in rows:
        rows[-1] = analysis.target.index
    return rows


def _table(analysis: LogitAnalysis, rows: list[int], canvas: Canvas) -> Table:
    names = [f"{_mark(analysis, row, canvas)}{_name(analysis, row, canvas)}" for row in rows]
    indent = " " * len(_mark(analysis, None, canvas))
    heading = indent + ("index" if analysis.labels is None else "label")
    longest = max(map(cell_len, [heading, *names]))
    numbers_width = canvas.width - GAP - min(longest, MIN_LABEL_COLUMNS)
    columns = fit(_columns(analysis, rows), numbers_width)
    name_width, bar_width = _widths(longest, canvas.width - GAP - total_width(columns))

    table = Table(
        box=ASCII_SIMPLE if canvas.ascii else SIMPLE,
        show_edge=False,
        show_footer=True,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),  # the box adds one more space
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
            cells.append(Text(bar(analysis.softmax[row], bar_width, canvas), style="cyan"))
        masked = analysis.logits[row] == float("-inf")
        table.add_row(*cells, style="bold" if row == analysis.argmax else "dim" if masked else "")
    return table


def _columns(analysis: LogitAnalysis, rows: list[int]) -> list[Column]:
    """Return the columns of numbers; their last cells are the sums, or blank."""

    def column(
        heading: str, values: Vector, decimals: int, total: float | None = None, rank: int = 0
    ) -> Column:
        texts = [fixed(values[row], decimals) for row in rows]
        return numbers(heading, [*texts, "" if total is None else fixed(total, decimals)], rank)

    columns = [
        numbers("logit", [*(shortest(analysis.logits[row]) for row in rows), ""]),
        column("exp(z-max)", analysis.exponentials, 4, analysis.exponential_sum, rank=3),
        column("softmax", analysis.softmax, 4, analysis.softmax_sum),
        column("log-softmax", analysis.log_softmax, 3, rank=2),
    ]
    if analysis.target:
        columns.append(column("y", analysis.target.one_hot, 0, 1, rank=1))
        columns.append(column("p - y", analysis.target.gradient, 4))
    columns.append(column("sigmoid", analysis.sigmoid, 4, analysis.sigmoid_sum))
    return columns


def _widths(name_width: int, room: int) -> tuple[int, int]:
    """Return the widths of the names and of the bar; the bar has 0 if it does not fit."""
    beside_bar = max(FULL_LABEL_COLUMNS, room - GAP - MIN_BAR_COLUMNS)
    bar_width = min(MAX_BAR_COLUMNS, room - GAP - min(name_width, beside_bar))
    if bar_width < MIN_BAR_COLUMNS:
        return min(name_width, max(1, room)), 0
    return min(name_width, beside_bar), bar_width


def _cut(name: str, canvas: Canvas) -> Text:
    text = Text(name)
    text.truncate(canvas.width, overflow="ellipsis")
    return Text(text.plain.replace("…", "~")) if canvas.ascii else text


def _summary(analysis: LogitAnalysis, canvas: Canvas) -> Table:
    lines = Table.grid(padding=(0, GAP, 0, 0))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    blank = _mark(analysis, None, canvas)
    winner = _mark(analysis, analysis.argmax, canvas, target=False)
    lines.add_row(f"{winner}winner", _winner(analysis, canvas), style="bold")
    if analysis.target:
        target = _mark(analysis, analysis.target.index, canvas, winner=False)
        lines.add_row(f"{target}target", _target(analysis, analysis.target, canvas))
        lines.add_row(f"{blank}gradient", "p - y, of the cross-entropy with respect to z")
    lines.add_row(f"{blank}entropy", _entropy(analysis))
    lines.add_row(f"{blank}perplexity", significant(analysis.perplexity))
    if analysis.masked:
        lines.add_row(
            f"{blank}masked",
            f"{grouped(analysis.masked)} of {grouped(analysis.logits.size)}: "
            "a logit of -inf has probability 0",
        )
    lines.add_row(
        f"{blank}sums",
        f"softmax {fixed(analysis.softmax_sum)} by definition, "
        f"sigmoids {fixed(analysis.sigmoid_sum)}",
    )
    return lines


def _winner(analysis: LogitAnalysis, canvas: Canvas) -> str:
    probability = fixed(analysis.softmax[analysis.argmax])
    text = f"{_named(analysis, analysis.argmax, canvas)}, p = {probability}"
    if analysis.runner_up is None or analysis.margin is None:
        return f"{text}, the only one possible"
    if analysis.tied:
        return f"{text}, tied with {grouped(analysis.tied)} more; the first of them is shown"
    return (
        f"{text}, {fixed(analysis.margin)} ahead of {_named(analysis, analysis.runner_up, canvas)}"
    )


def _target(analysis: LogitAnalysis, target: TargetAnalysis, canvas: Canvas) -> str:
    name = _named(analysis, target.index, canvas)
    if target.masked:
        return f"{name}, cross-entropy infinite: the target is masked, its probability is 0"
    if target.cross_entropy == float("inf"):
        return f"{name}, cross-entropy infinite: it is beyond the largest float64, 1.8e+308"
    return f"{name}, cross-entropy {significant(target.cross_entropy)} nats"


def _entropy(analysis: LogitAnalysis) -> str:
    text = f"{significant(analysis.entropy)} nats"
    if analysis.entropy_share is None:
        return text
    possible = grouped(analysis.logits.size - analysis.masked)
    return f"{text}, {percent(analysis.entropy_share)} of the maximum, ln {possible}"


def _mark(
    analysis: LogitAnalysis,
    row: int | None,
    canvas: Canvas,
    *,
    winner: bool = True,
    target: bool = True,
) -> str:
    """Return the marks of the winner and of the target, in the same width for every row."""
    triangle, diamond = (">", "@") if canvas.ascii else ("▶", "◆")
    text = triangle if winner and row == analysis.argmax else " "
    if analysis.target:
        text += diamond if target and row == analysis.target.index else " "
    return f"{text} "


def _name(analysis: LogitAnalysis, row: int, canvas: Canvas) -> str:
    return str(row) if analysis.labels is None else canvas.printable(analysis.labels[row])


def _named(analysis: LogitAnalysis, row: int, canvas: Canvas) -> str:
    """Return the name for a sentence, in which a bare index would look like a value."""
    return f"{'' if analysis.labels else 'index '}{_name(analysis, row, canvas)}"
