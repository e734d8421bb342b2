"""The view of a sweep's dry run: a table of the jobs, and one line that estimates their cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.render.sweep import KEY_RANK, MAX_ROWS, MAX_TEXT_WIDTH, left_out, varied_column
from actcli.render.sweep_progress import clock
from actcli.sweep.estimate import JobForecast, SweepForecast
from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped, significant
from actcli.term.table import Column, cut, cut_names, fit, lines, numbers, paragraph, titled

BYTES_PER_MB = 1e6


@dataclass(frozen=True)
class ForecastView:
    """The view of a dry run.

    Args:
        forecast: the result of `actcli sweep --dry-run`.
    """

    forecast: SweepForecast

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas, jobs = Canvas.of(options), self.forecast.jobs
        name = cut(canvas.printable(self.forecast.folder.name), canvas.width)
        yield titled(name, self._counts(), canvas)
        shown = jobs[:MAX_ROWS]
        styles = ["dim" if each.seconds is None else "" for each in shown]
        columns = cut_names(fit(self._columns(shown, canvas), canvas.width, 2), canvas.width)
        columns = fit(columns, canvas.width)
        yield from lines(columns, styles)
        yield from left_out(self.forecast.axes, columns)
        if hidden := len(jobs) - len(shown):
            yield Text(canvas.plain(f"… {grouped(hidden)} more: --json or --csv"), "dim")
        yield Text()
        for error in dict.fromkeys(each.error for each in jobs if each.error):
            yield paragraph(
                error, canvas.resized(min(canvas.width, MAX_TEXT_WIDTH)), label="illegal: "
            )
        yield paragraph(self._estimate(), canvas)

    def _counts(self) -> str:
        states = [each.state for each in self.forecast.jobs]
        return ", ".join(
            f"{grouped(states.count(state))} {state}" for state in dict.fromkeys(states)
        )

    def _columns(self, jobs: Sequence[JobForecast], canvas: Canvas) -> list[Column]:
        varied = [
            varied_column(
                axis,
                [each.job.varied[index] for each in jobs],
                canvas,
                rank=KEY_RANK if index else 0,
            )
            for index, axis in enumerate(self.forecast.axes)
        ]
        return [
            Column("run", [each.job.name for each in jobs], rank=2, left=True),
            *varied,
            numbers("seed", [str(each.job.seed) for each in jobs]),
            Column("state", [each.state for each in jobs], left=True),
        ]

    def _estimate(self) -> str:
        todo = sum(each.seconds is not None for each in self.forecast.jobs)
        if not todo:
            return "Nothing is left to do."
        workers, seconds = self.forecast.workers, self.forecast.seconds
        if workers is None or seconds is None:
            duration = f"{clock(self.forecast.core_seconds)} on one core"
        else:
            duration = f"{clock(seconds)} on {workers} process{'es' * (workers > 1)}"
        memory = f"{significant(self.forecast.bytes_per_worker / BYTES_PER_MB, 2)} MB"
        return f"{grouped(todo)} to do: about {duration}, {memory} of memory per worker."
