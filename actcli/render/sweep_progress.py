"""Views of a sweep's progress: a bar with the running jobs, and a line for a finished job."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from actcli.sweep.work import JobProgress
from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped, percent, significant
from actcli.term.table import Column, fit, lines
from actcli.term.text import printable

MAX_JOB_LINES = 16
MAX_WIDTH = 96


@dataclass(frozen=True)
class SweepProgress:
    """The live view of a sweep.

    Args:
        done: number of finished and failed jobs.
        total: number of all jobs.
        failed: number of failed jobs.
        seconds: estimated remaining seconds; None if unknown.
        running: the label and the progress of each running job.
    """

    done: int
    total: int
    failed: int
    seconds: float | None
    running: Sequence[tuple[str, JobProgress]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options).resized(min(options.max_width, MAX_WIDTH))
        yield self._bar(canvas.width)
        max_lines = max(1, min(MAX_JOB_LINES, (options.height or console.height) - 4))
        shown = self.running if len(self.running) <= max_lines else self.running[: max_lines - 1]
        if shown:
            yield from lines(fit(_columns(shown, canvas), canvas.width, min_rank=0))[1:]
        if hidden := len(self.running) - len(shown):
            yield Text(canvas.plain(f"  … {hidden} more"), "dim")

    def _bar(self, width: int) -> Table:
        counts = [f"{len(self.running)} running"]
        if self.failed:
            counts.append(f"{grouped(self.failed)} failed")
        if self.seconds is not None:
            counts.append(f"{clock(self.seconds)} left")
        count = f"{grouped(self.done)}/{grouped(self.total)}"
        texts = (count, "  ".join(counts))
        room = max(4, width - sum(map(cell_len, texts)) - 4)
        table = Table.grid(padding=(0, 2, 0, 0))
        drawn = ProgressBar(self.total, self.done, room, style="dim", complete_style="cyan")
        table.add_row(Text(count), drawn, Text(texts[1]))
        return table


def _columns(running: Sequence[tuple[str, JobProgress]], canvas: Canvas) -> list[Column]:
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
    """Return a duration as hours, minutes and seconds: 1:02:03, 0:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@dataclass(frozen=True)
class DoneLine:
    """The line of a finished or failed job.

    Args:
        done: number of finished jobs, including this one.
        total: number of all jobs.
        label: the label of the job.
        result: the content of its result.json; empty if the job failed.
        error: why the job failed.
    """

    done: int
    total: int
    label: str
    result: dict[str, object]
    error: str | None

    def text(self) -> Text:
        """Return the line as rich text."""
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
