"""A sweep as it goes: in a terminal a bar and a line for each job at work, elsewhere a line for
each that is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from actcli.sweep.work import Report
from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped, percent, significant
from actcli.term.table import Column, fit, lines
from actcli.term.text import printable

MOST_LINES = 16  # of jobs
WIDEST = 96


@dataclass(frozen=True)
class SweepProgress:
    """What is drawn, and drawn anew.

    Args:
        done: jobs.
        total: of them.
        failed: those of the done ones that have no run.
        seconds: that are left, as far as can be told.
        running: what varies in each job at work, and how far it is.
    """

    done: int
    total: int
    failed: int
    seconds: float | None
    running: Sequence[tuple[str, Report]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options).resized(min(options.max_width, WIDEST))
        yield self._bar(canvas.width)
        most = max(1, min(MOST_LINES, (options.height or console.height) - 4))
        shown = self.running if len(self.running) <= most else self.running[: most - 1]
        if shown:
            yield from lines(fit(_columns(shown, canvas), canvas.width, least=0))[1:]
        if left_out := len(self.running) - len(shown):
            yield Text(canvas.plain(f"  … {left_out} more"), "dim")

    def _bar(self, width: int) -> Table:
        told = [f"{len(self.running)} running"]
        if self.failed:
            told.append(f"{grouped(self.failed)} failed")
        if self.seconds is not None:
            told.append(f"{clock(self.seconds)} left")
        count = f"{grouped(self.done)}/{grouped(self.total)}"
        texts = (count, "  ".join(told))
        room = max(4, width - sum(map(cell_len, texts)) - 4)
        table = Table.grid(padding=(0, 2, 0, 0))
        drawn = ProgressBar(self.total, self.done, room, style="dim", complete_style="cyan")
        table.add_row(Text(count), drawn, Text(texts[1]))
        return table


def _columns(running: Sequence[tuple[str, Report]], canvas: Canvas) -> list[Column]:
    epochs = [f"epoch {report.epoch}/{report.epochs}" for _, report in running]
    shares = [
        "" if report.accuracy is None else f"accuracy {percent(report.accuracy, 2)}"
        for _, report in running
    ]
    return [
        Column("", [f"  {canvas.plain(label)}" for label, _ in running], left=True),
        Column("", epochs, rank=1),
        Column("", shares, rank=2),
    ]


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03, 0:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@dataclass(frozen=True)
class DoneLine:
    """A job that is done, in one line.

    Args:
        done: how many are, with this one.
        total: of them.
        label: what varies in it.
        result: its record; none if it failed.
        error: why it failed.
    """

    done: int
    total: int
    label: str
    result: dict[str, object]
    error: str | None

    def text(self) -> Text:
        """All of it."""
        count = f"{grouped(self.done)}/{grouped(self.total)}"
        parts = [count.rjust(2 * len(grouped(self.total)) + 1), printable(self.label)]
        if self.error is not None:
            return Text(printable("  ".join([*parts, f"failed: {self.error}"])))
        if self.result["status"] != "finished":
            return Text("  ".join([*parts, str(self.result["status"])]))
        test, dead = self.result["test"], self.result["dead"]
        if isinstance(test, dict):
            parts.append(f"test {percent(test['accuracy'], 2):>7}")
        if isinstance(dead, float):
            parts.append(f"dead {percent(dead):>6}")
        seconds = self.result["seconds"]
        if isinstance(seconds, float):
            parts.append(f"{significant(seconds, 3)} s".rjust(8))
        return Text("  ".join([*parts, str(self.result["verdict"])]))
