"""The view of `actcli export`: the files that were written, and the lines that use them."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.machine import format_bytes
from actcli.store.export import Exported
from actcli.term.canvas import Canvas


@dataclass(frozen=True)
class ExportView:
    """The result of `actcli export`."""

    exported: Exported

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        for file in self.exported.files:
            line = Text("Wrote ", no_wrap=True, overflow="ignore")
            line.append(canvas.printable(str(file.path)), "bold")
            yield line.append(f"  {format_bytes(file.size)}", "dim")
        if self.exported.usage:
            yield Text()
            for text in self.exported.usage.splitlines():  # in one line each: they are copied
                yield Text(canvas.printable(text), no_wrap=True, overflow="ignore")
