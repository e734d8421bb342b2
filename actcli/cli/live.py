"""The live view of a training: rows of its epochs, and a block below that is drawn in place.

It is drawn at most ten times a second, and takes less than a hundredth of the processor's time.
Events between two drawings are collected.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.text import Text

from actcli.diagnostics.health import layer_health
from actcli.render.live import LiveBlock, Moment
from actcli.render.train import EpochTable
from actcli.term.canvas import Canvas
from actcli.term.console import size_now
from actcli.term.screen import Block, Signals
from actcli.term.sparklines import Thinning
from actcli.training.events import EpochDone

if TYPE_CHECKING:
    from actcli.store.train import Run
    from actcli.training.events import Event

MIN_SECONDS_BETWEEN_DRAWINGS = 0.1
MIN_TIMES_LAST_DRAWING = 150  # processor time between two drawings, over that of the last one
LINES_ABOVE, MIN_LINES_ABOVE = 8, 5  # headings and rows that stay visible above the block


class Pace:
    """The speed of a training, and the time that it will still take.

    Args:
        rows_before: rows that an earlier session has trained on.
    """

    def __init__(self, rows_before: int) -> None:
        self._rows_before, self._begun = rows_before, time.perf_counter()

    def without(self, wait: Callable[[], None]) -> None:
        """Call a function whose time does not count."""
        start = time.perf_counter()
        wait()
        self._begun += time.perf_counter() - start

    def moment(self, epoch: int, rows: int, total: int) -> Moment:
        """Return the progress in an epoch, after `rows` of `total` rows."""
        speed = (rows - self._rows_before) / (time.perf_counter() - self._begun)
        return Moment(epoch, rows / total, speed, (total - rows) / speed)


class LiveView:
    """The live view of a training in a terminal, drawn within `with`.

    Args:
        console: of the terminal.
        run: the training.
    """

    def __init__(self, console: Console, run: "Run") -> None:
        self._console, self._run = console, run
        self._history: Thinning[EpochDone] = Thinning()
        for epoch in run.history:
            self._history.add(epoch)
        self._rows: list[EpochDone] = []  # epochs whose row is not printed yet
        self._latest: EpochDone | None = None  # the last epoch, if it has no row of its own
        self._headings = ""  # the headings printed last
        self._block, self._signals = Block(console), Signals()
        self._state: list[str] | None = None  # the block without the progress; None: outdated
        self._lay_out(size_now(console))
        self._pace = Pace(self._seen)
        self._due, self._affordable = time.perf_counter() + MIN_SECONDS_BETWEEN_DRAWINGS, 0.0

    def __enter__(self) -> Self:
        self._signals.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the rows and the last state on the screen, however the training ended."""
        self._signals.__exit__()
        self._rows += [self._latest] if self._latest else []
        self._lay_out(size_now(self._console))
        self._block.settle([*self._table_lines(), *self._state_lines()])

    def show(self, event: "Event") -> None:
        """Note an event, and draw if it is time to."""
        if isinstance(event, EpochDone):
            self._take(event)
        if self._signals.stopped:
            self._block.settle()
            self._pace.without(self._signals.stand_still)
            self._size = (0, 0)
        # A terminal rewraps the block when its size changes: it is drawn again at once.
        if time.perf_counter() >= self._due and (
            self._signals.resized or time.thread_time() >= self._affordable
        ):
            self._signals.resized = False
            start = time.thread_time()
            self._draw()
            done = time.thread_time()
            self._affordable = done + MIN_TIMES_LAST_DRAWING * (done - start)
            self._due = time.perf_counter() + MIN_SECONDS_BETWEEN_DRAWINGS

    def _take(self, event: EpochDone) -> None:
        self._history.add(event)
        self._state = None
        is_first = not self._headings and not self._rows
        if is_first or event.epoch % self._table.every == 0:
            self._rows.append(event)
            self._latest = None
        else:
            self._latest = event

    def _draw(self) -> None:
        size = size_now(self._console)
        if afresh := size != self._size:
            self._lay_out(size)
        epoch, epochs = self._run.position.epoch + 1, self._table.epochs
        total = epochs * len(self._run.learner.dataset.train)
        moment = self._pace.moment(min(epoch, epochs), self._seen, total)
        state = self._state_lines()
        progress = self._block.written([self._layout.progress(moment)])
        block = [*state, "", *progress] if state else progress
        self._block.draw(self._table_lines(), block, afresh)

    def _lay_out(self, size: tuple[int, int]) -> None:
        """Fit the table and the block to a size of the terminal."""
        self._size, self._state = size, None
        learner, canvas = self._run.learner, Canvas.of(self._console.options)
        epochs, validated = learner.config.training.epochs, len(learner.dataset.validation) > 0
        self._table = EpochTable(epochs, validated, canvas.resized(size[0]))
        above = min(LINES_ABOVE, max(MIN_LINES_ABOVE, size[1] // 3))
        # Terminals differ in how a line that fills their last column affects the next line.
        self._layout = LiveBlock(
            epochs, canvas.resized(size[0] - 1), size[1] - above, len(self._run.health_rows)
        )

    def _table_lines(self) -> list[str]:
        """Return the rows that are not printed yet, with new headings if the last do not fit."""
        lines: list[Text] = []
        headings = self._table.headings()
        if self._rows and headings.plain != self._headings:
            self._headings = headings.plain
            lines += headings.split()
        lines += [self._table.row(event) for event in self._rows]
        self._rows = []
        return self._block.written(lines)

    def _state_lines(self) -> list[str]:
        """Return the lines of the block without the progress."""
        if self._state is None:
            history = self._history.kept
            units = self._run.learner.network.sizes[1:]
            last = history[-1:]
            layers = [layer_health(epoch.health, units) for epoch in last]
            self._state = self._block.written(self._layout.state(history, *layers))
        return self._state

    @property
    def _seen(self) -> int:
        """The number of rows trained on in all epochs so far."""
        position, batch = self._run.position, self._run.learner.config.training.batch_size
        rows = len(self._run.learner.dataset.train)
        return position.epoch * rows + min(position.step * batch, rows)
