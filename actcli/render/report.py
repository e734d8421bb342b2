"""The result of `actcli report` in a terminal: what was examined, and where the page is."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped
from actcli.term.table import paragraph

LABEL_COLUMNS = 10


@dataclass(frozen=True)
class ReportView:
    """A report that was written.

    Args:
        path: of its page.
        size: of the page in bytes.
        summary: what it is about, in one line.
    """

    path: str
    size: int
    summary: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        yield paragraph(self.summary, canvas)
        line = Text(f"{'page':{LABEL_COLUMNS}}")
        line.append(canvas.printable(self.path), "bold")
        line.append(f"  {grouped(round(self.size / 1000))} kB", "dim")
        line.no_wrap, line.overflow = True, "ignore"
        yield line
