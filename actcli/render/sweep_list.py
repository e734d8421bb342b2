"""The jobs of a sweep before the training: a row for each, and the estimated time and memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.render.sweep import MAX_ROWS, MAX_TEXT_WIDTH, varied_column
from actcli.render.sweep_progress import clock
from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped, significant
from actcli.term.table import Column, fit, lines, numbers, paragraph, titled

BYTES_PER_MB = 1e6


@dataclass(frozen=True)
class Row:
    """A job of the list.

    Args:
        name: of the run.
        varied: the values of the varied keys.
        seed: of the run.
        state: for example done, or illegal.
        error: why the configuration is illegal; None otherwise.
        seconds: estimated training time; None if nothing is left to do.
    """

    name: str
    varied: tuple[object, ...]
    seed: int
    state: str
    error: str | None
    seconds: float | None


@dataclass(frozen=True)
class ListView:
    """The result of `actcli sweep --dry-run`.

    Args:
        name: of the sweep.
        axes: the varied keys.
        rows: a row for each job.
        workers: number of worker processes on this machine; None for a cluster.
        memory: peak memory of one worker, in bytes.
    """

    name: str
    axes: Sequence[str]
    rows: Sequence[Row]
    workers: int | None
    memory: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        yield titled(canvas.printable(self.name), self._counts(), canvas)
        shown = self.rows[:MAX_ROWS]
        styles = ["dim" if row.seconds is None else "" for row in shown]
        yield from lines(fit(self._columns(shown, canvas), canvas.width), styles)
        if left_out := len(self.rows) - len(shown):
            yield Text(canvas.plain(f"… {grouped(left_out)} more: --json or --csv"), "dim")
        yield Text()
        for error in dict.fromkeys(row.error for row in self.rows if row.error):
            yield paragraph(
                error, canvas.resized(min(canvas.width, MAX_TEXT_WIDTH)), label="illegal: "
            )
        yield Text(canvas.plain(self._estimate()))

    def _counts(self) -> str:
        states = [row.state for row in self.rows]
        return ", ".join(
            f"{grouped(states.count(state))} {state}" for state in dict.fromkeys(states)
        )

    def _columns(self, rows: Sequence[Row], canvas: Canvas) -> list[Column]:
        varied = [
            varied_column(axis, [row.varied[index] for row in rows], canvas)
            for index, axis in enumerate(self.axes)
        ]
        times = ["" if row.seconds is None else f"{significant(row.seconds, 2)}" for row in rows]
        columns = [
            Column("run", [row.name for row in rows], rank=1, left=True),
            *varied,
            numbers("seed", [str(row.seed) for row in rows]),
            numbers(canvas.plain("≈ seconds"), times),
        ]
        return [*columns, Column("state", [row.state for row in rows], left=True)]

    def _estimate(self) -> str:
        times = [row.seconds for row in self.rows if row.seconds is not None]
        if not times:
            return "Nothing is left to do."
        memory = f"{significant(self.memory / BYTES_PER_MB, 2)} MB"
        if self.workers is None:
            estimate = f"about {clock(sum(times))} of one core, {memory} for each worker"
        else:
            # The longest job may be the last one to start.
            seconds = max(sum(times) / self.workers, *times)
            processes = f"{self.workers} process{'es' * (self.workers > 1)}"
            total_memory = f"{significant(self.workers * self.memory / BYTES_PER_MB, 2)} MB"
            estimate = f"about {clock(seconds)} on {processes}, with {total_memory} of memory"
        return f"{grouped(len(times))} to do: {estimate}."
