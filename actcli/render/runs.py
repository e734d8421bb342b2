"""The runs and the sweeps as tables, the newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.diagnostics import FAULTLESS
from actcli.store.catalog import Summary
from actcli.sweep.axes import option_of
from actcli.sweep.results import SweepSummary
from actcli.term.canvas import Canvas
from actcli.term.numbers import align_points, percent, significant
from actcli.term.table import (
    Column,
    cut_names,
    fit,
    lines,
    numbers,
    optional,
    paragraph,
    shorten,
    titled,
)

ABOUT = "dead: share of hidden units that no training row activates"
ABOUT_SWEEPS = "accuracy: of the best run. actcli sweep show SWEEP"
UNITS = ((60, "s", 1), (3600, "min", 60), (86_400, "h", 3600), (float("inf"), "days", 86_400))


@dataclass(frozen=True)
class RunsView:
    """The list of `actcli runs`.

    Args:
        runs: in the order in which they are shown.
        sweeps: in the order in which they are shown.
        now: the present time, in seconds since 1970.
    """

    runs: Sequence[Summary]
    sweeps: Sequence[SweepSummary]
    now: float

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        if self.runs:
            yield from self._runs(canvas)
        if self.runs and self.sweeps:
            yield Text()
        if self.sweeps:
            yield from self._sweeps(canvas)

    def _runs(self, canvas: Canvas) -> Iterator[Text]:
        intact = [run for run in self.runs if run.config]
        columns = _columns(intact, self.now, canvas) if intact else []
        has_dead = any(column.heading == "dead" for column in columns)
        yield titled("Runs", ABOUT if has_dead else "", canvas)
        if columns:
            styles = ["" if is_well(run.verdict, run.state) else "bold" for run in intact]
            yield from lines(columns, styles)
        for run in self.runs:
            if not run.config:
                text = f"{run.name} is damaged: {run.fault}"
                yield paragraph(text, canvas, style="bold")

    def _sweeps(self, canvas: Canvas) -> Iterator[Text]:
        intact = [sweep for sweep in self.sweeps if not sweep.fault]
        yield titled("Sweeps", ABOUT_SWEEPS, canvas)
        if intact:
            yield from lines(_sweep_columns(intact, self.now, canvas))
        for sweep in self.sweeps:
            if sweep.fault:
                text = f"{sweep.name} is damaged: {sweep.fault}"
                yield paragraph(text, canvas, style="bold")


def _sweep_columns(sweeps: Sequence[SweepSummary], now: float, canvas: Canvas) -> list[Column]:
    """Return the columns of the table of sweeps that fit the canvas."""
    best = [sweep.best for sweep in sweeps]
    scores = [
        optional(run.test if run else None, lambda share: percent(share, 2), canvas) for run in best
    ]
    varied = [canvas.plain(", ".join(map(option_of, sweep.axes)) or "seed") for sweep in sweeps]
    names = [optional(run, lambda run: canvas.plain(run.job), canvas) for run in best]
    columns = [
        Column("sweep", [canvas.plain(sweep.name) for sweep in sweeps], left=True),
        Column("finished", [f"{sweep.finished} of {sweep.planned}" for sweep in sweeps], rank=1),
        Column("varies", varied, rank=2, left=True),
        Column("accuracy", align_points(scores)),
        Column("age", [age(now - sweep.changed) for sweep in sweeps], rank=3),
        Column("best run", names, rank=4, left=True),
    ]
    return fit(shorten(columns, 0, canvas.width), canvas.width)


def _columns(runs: Sequence[Summary], now: float, canvas: Canvas) -> list[Column]:
    """Return the columns of the table that fit the canvas."""

    def shares(values: Iterator[float | None], decimals: int) -> list[str]:
        return [optional(value, lambda v: percent(v, decimals), canvas) for value in values]

    losses = [optional(run.test_loss, lambda loss: significant(loss, 4), canvas) for run in runs]
    configs = [run.config for run in runs if run.config]
    columns = [
        Column("run", [canvas.plain(run.name) for run in runs], left=True),
        Column(
            "activation",
            [_several(config.model.activation) for config in configs],
            rank=3,
            left=True,
        ),
        Column("loss", [config.loss.describe() for config in configs], rank=6, left=True),
        Column("data", [canvas.plain(config.data.name) for config in configs], rank=7, left=True),
        Column("epochs", [_epochs(run) for run in runs], rank=4),
        numbers("test loss", losses, rank=5),
        Column("accuracy", shares((run.test_accuracy for run in runs), 2)),
        Column("dead", shares((run.dead for run in runs), 1), rank=2),
        Column("age", [age(now - run.changed) for run in runs], rank=1),
        Column("verdict", [ended(run.verdict, run.state, canvas) for run in runs], left=True),
    ]
    return cut_names(fit(shorten(columns, 0, canvas.width), canvas.width), canvas.width)


def is_well(verdict: str | None, state: str) -> bool:
    """Return whether a run is finished and has no verdict other than healthy."""
    return state == "finished" and verdict in {None, *FAULTLESS}


def ended(verdict: str | None, state: str, canvas: Canvas) -> str:
    """Return the verdict of a run, and its state if it is not finished."""
    if state == "finished" or (state == "diverged" and verdict):
        return optional(verdict, canvas.plain, canvas)
    return f"{state}, {canvas.plain(verdict)}" if verdict else state


def _several(names: tuple[str, ...]) -> str:
    return names[0] if len(set(names)) == 1 else ",".join(names)


def _epochs(run: Summary) -> str:
    """Return the number of trained epochs, as 3/5 if it differs from the planned number."""
    planned = run.config.training.epochs if run.config else None
    return str(run.epochs) if run.epochs == planned else f"{run.epochs}/{planned}"


def age(seconds: float) -> str:
    """Return a time in the unit that fits: 5 s, 12 min, 3 h, 2 days."""
    _, unit, size = next(entry for entry in UNITS if seconds < entry[0])
    count = max(0, int(seconds // size))
    return f"{count} {'day' if (count, unit) == (1, 'days') else unit}"


def no_runs(folder: str) -> Text:
    """Return the message for a folder without runs."""
    return Text(f"There is no run in {folder}. Make one: actcli train")
