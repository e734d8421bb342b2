"""Doubted labels as a table, the most doubted row first."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.diagnostics.doubts import LabelDoubts
from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped, percent
from actcli.term.table import Column, fit, lines, numbers, titled

ABOUT = "rows whose label the network believes least"


@dataclass(frozen=True)
class DoubtsView:
    """The labels that the network doubts."""

    doubts: LabelDoubts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas, doubts = Canvas.of(options), self.doubts
        yield titled("Labels", ABOUT, canvas)
        if not doubts.doubted:
            yield Text("The network doubts no label.")
            return
        rows = doubts.doubted
        columns = [
            numbers("row", [grouped(row.index) for row in rows]),
            Column("label", [canvas.printable(row.label) for row in rows], left=True),
            Column("probability", [percent(row.probability) for row in rows]),
            Column("network", [canvas.printable(row.answer) for row in rows], left=True),
            Column("probability", [percent(row.confidence) for row in rows]),
        ]
        yield from lines(fit(columns, canvas.width))
        if doubts.estimated is not None:
            count, total = grouped(doubts.estimated), grouped(doubts.rows)
            yield Text(f"By confident learning, about {count} of {total} labels are wrong.")
