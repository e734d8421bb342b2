"""The progress of a sweep: a live view in a terminal, one line per finished job elsewhere."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.cells import cell_len, set_cell_size

from actcli.store.folder import RESULT
from actcli.sweep.axes import option_of, written
from actcli.term.console import size_now, stderr_console
from actcli.term.screen import Block

if TYPE_CHECKING:
    from actcli.sweep.engine import JobDone
    from actcli.sweep.plan import Job
    from actcli.sweep.work import JobProgress

REFRESH_SECONDS = 0.1


class Watch:
    """Shows the progress of a sweep on stderr.

    Args:
        axes: the keys that vary.
        jobs: all jobs of the sweep.
        done: number of jobs that were done before.
        quiet: whether to show nothing.
    """

    def __init__(self, axes: Sequence[str], jobs: Sequence["Job"], done: int, quiet: bool) -> None:
        self.labels = aligned(axes, jobs)
        self.before, self.total = done, len(jobs)
        self.done, self.failed = done, 0
        self.quiet = quiet
        self.console = stderr_console()
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self.is_live = is_terminal and not self.console.is_dumb_terminal and not quiet
        self.running: dict[str, JobProgress] = {}
        self._block, self._size = Block(self.console), size_now(self.console)
        self._start = self._drawn = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.is_live:
            self._block.settle()

    def report(self, report: "JobProgress") -> None:
        """Show the progress of a job."""
        self.running[report.job] = report
        self._draw()

    def finish(self, done: "JobDone") -> None:
        """Show the end of a job."""
        from actcli.render.sweep_progress import DoneLine

        self.running.pop(done.job.name, None)
        self.done += 1
        self.failed += done.error is not None
        if self.is_live:
            self._draw()
        elif not self.quiet:
            result = json.loads((done.files or {}).get(RESULT, b"{}"))
            name = self.labels[done.job.name]
            line = DoneLine(self.done, self.total, name, result, done.error)
            self.console.print(line.text(), soft_wrap=True)

    def _draw(self) -> None:
        now = time.monotonic()
        if not self.is_live or now - self._drawn < REFRESH_SECONDS:
            return
        from actcli.render.sweep_progress import SweepProgress

        self._drawn = now
        running = [(self.labels[name], report) for name, report in self.running.items()]
        shown = SweepProgress(
            self.done, self.total, self.failed, self._remaining_seconds(now), running
        )
        size, before = size_now(self.console), self._size
        self._size = size
        self._block.draw((), self._block.rendered(shown, size), afresh=size != before)

    def _remaining_seconds(self, now: float) -> float | None:
        """Return the estimated remaining seconds, at the average speed so far."""
        parts = sum(
            report.epoch / report.epochs for report in self.running.values() if report.epochs
        )
        trained = self.done - self.before + parts
        rest = self.total - self.done - parts
        return (now - self._start) / trained * rest if trained else None


def aligned(axes: Sequence[str], jobs: Sequence["Job"]) -> dict[str, str]:
    """Return labels of all jobs by the jobs' names, padded so that values align in columns."""
    labels = [(job.name, label_parts(axes, job.varied, job.seed)) for job in jobs]
    widths = [
        max(map(cell_len, column)) for column in zip(*(parts for _, parts in labels), strict=True)
    ]
    return {name: "  ".join(map(set_cell_size, parts, widths)).rstrip() for name, parts in labels}


def label(axes: Sequence[str], varied: Sequence[object], seed: int) -> str:
    """Return the label of a job: lr 0.01  activation relu  seed 0."""
    return "  ".join(label_parts(axes, varied, seed))


def label_parts(axes: Sequence[str], varied: Sequence[object], seed: int) -> list[str]:
    """Return the parts of the label of a job."""
    values: Mapping[str, object] = dict(zip(map(option_of, axes), varied, strict=True))
    return [f"{name} {written(value)}" for name, value in ({**values, "seed": seed}).items()]
