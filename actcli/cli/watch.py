"""The output of a training: while it runs, when it is interrupted, and at its end."""

import shlex
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actcli.cli.interrupts import WORD, Interrupts
from actcli.cli.messages import print_note
from actcli.cli.output import emit
from actcli.diagnostics import SPLITS

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from actcli.store.record import RunResult
    from actcli.store.train import Run
    from actcli.training.events import Event, Score


def until_stopped(run: "Run", interrupts: Interrupts) -> "Iterator[Event]":
    """Yield the events of a training; after a signal, finish the step, save and stop."""
    for event in run.train():
        yield event
        if interrupts.received:
            run.save()
            return


def as_argument(folder: Path) -> str:
    """Return a run's folder as an argument: without a slash it would be the name of a run."""
    path = str(folder)
    return shlex.quote(path if "/" in path else f"./{path}")


def print_interrupted(run: "Run", received: signal.Signals) -> None:
    """Print where the training stands and how to resume it."""
    epochs = run.learner.config.training.epochs
    print_note(
        f"{WORD[received]} {run.position.describe(epochs)}; the run is saved. "
        f"To resume it: actcli train --resume {as_argument(run.folder)}"
    )


def watch(run: "Run", quiet: bool, interrupts: Interrupts) -> None:
    """Train: with a live view in a terminal, elsewhere with a line for each epoch."""
    from actcli.term.console import stderr_console

    console = stderr_console()
    watched = sys.stderr is not None and sys.stderr.isatty() and not console.is_dumb_terminal
    events = until_stopped(run, interrupts)
    if quiet:
        for _ in events:
            pass
    elif watched and run.learner.config.training.epochs:
        watch_live(run, events, console)
    else:
        print_epochs(run, events, console)


def print_epochs(run: "Run", events: "Iterable[Event]", console: "Console") -> None:
    """Print a sentence for each epoch, for a file or a pipe."""
    from actcli.render.train import EpochTable
    from actcli.term.canvas import Canvas
    from actcli.term.console import UNLIMITED
    from actcli.training.events import EpochDone

    epochs, validated = run.learner.config.training.epochs, len(run.learner.dataset.validation) > 0
    # $COLUMNS limits a terminal, not a file.
    width = console.width if console.is_dumb_terminal else UNLIMITED
    table = EpochTable(epochs, validated, Canvas.of(console.options).resized(width))
    for event in events:
        if isinstance(event, EpochDone):
            console.print(table.sentence(event), soft_wrap=True)


def watch_live(run: "Run", events: "Iterable[Event]", console: "Console") -> None:
    """Draw a live view until the training ends."""
    from actcli.cli.live import LiveView

    with LiveView(console, run) as view:
        for event in events:
            view.show(event)
    console.print()


@dataclass(frozen=True)
class TrainingResult:
    """The result of `actcli train`.

    Args:
        result: the result of the run.
        folder: of the run.
        rows: the number of rows of each split; empty if they were not read.
    """

    result: "RunResult"
    folder: Path
    rows: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the result, with the folder as `run`."""
        return {**self.result.to_dict(), "run": str(self.folder)}

    def csv_rows(self) -> Iterator[list[Any]]:
        """Yield the header of the CSV, and a row for each split."""
        yield ["split", "rows", "loss", "accuracy"]
        for name in SPLITS:
            score: Score | None = getattr(self.result, name)
            if score:
                yield [name, self.rows.get(name), score.loss, score.accuracy]


def write_result(run: "Run", as_json: bool, as_csv: bool) -> None:
    """Evaluate and diagnose the model, and write the result to stdout."""
    result = run.finish()
    data = run.learner.dataset
    rows = {name: len(getattr(data, name)) for name in SPLITS}
    emit(TrainingResult(result, run.folder, rows), summary_view, as_json, as_csv)


def summary_view(training: TrainingResult) -> "RenderableType":
    """Return the view of a result, with the command that diagnoses the run."""
    from actcli.render.train import summary

    command = f"actcli diagnose {as_argument(training.folder)}"
    return summary(training.result, training.folder, training.rows, command)
