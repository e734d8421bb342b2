"""A training in sight: what is shown while it goes on, when it is stopped, and at its end."""

import shlex
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from actcli.cli.interrupts import WORD, Interrupts
from actcli.cli.messages import print_note

if TYPE_CHECKING:
    from rich.console import Console

    from actcli.runs.train import Run
    from actcli.training.events import Event


def until_stopped(run: "Run", interrupts: Interrupts) -> "Iterator[Event]":
    """Train, unless a signal asks to stop: then finish the step and save."""
    for event in run.train():
        yield event
        if interrupts.received:
            run.save()
            return


def as_argument(folder: Path) -> str:
    """A run's folder as a command takes it: one without a slash would be the name of a run."""
    path = str(folder)
    return shlex.quote(path if "/" in path else f"./{path}")


def tell_interrupted(run: "Run", received: signal.Signals) -> None:
    """Say where the training stands and how it goes on."""
    epochs = run.learner.config.training.epochs
    print_note(
        f"{WORD[received]} {run.position.describe(epochs)}; the run is saved. "
        f"To resume it: actcli train --resume {as_argument(run.folder)}"
    )


def watch(run: "Run", quiet: bool, interrupts: Interrupts) -> None:
    """Train: live in a terminal, a line for each epoch elsewhere, nothing if it is to be quiet."""
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
        tell_epochs(run, events, console)


def tell_epochs(run: "Run", events: "Iterable[Event]", console: "Console") -> None:
    """A sentence for each epoch, as a file or a pipe keeps them."""
    from actcli.render.train import EpochTable
    from actcli.term.console import UNLIMITED
    from actcli.training.events import EpochDone

    epochs, validated = run.learner.config.training.epochs, len(run.learner.dataset.validation) > 0
    # $COLUMNS is no reason to keep less in a file.
    width = console.width if console.is_dumb_terminal else UNLIMITED
    table = EpochTable(epochs, validated, width, console.options.ascii_only)
    for event in events:
        if isinstance(event, EpochDone):
            console.print(table.sentence(event), soft_wrap=True)


def watch_live(run: "Run", events: "Iterable[Event]", console: "Console") -> None:
    """A view that moves while the training goes on, and stands still at its end."""
    from actcli.cli.live import LiveView

    with LiveView(console, run) as view:
        for event in events:
            view.show(event)
    console.print()


def conclude(run: "Run", as_json: bool) -> None:
    """Evaluate and diagnose the model, and write the result to stdout."""
    result = run.finish()
    if as_json:
        from actcli.jsonlines import dumps

        click.echo(dumps({**result.to_dict(), "run": str(run.folder)}))
        return
    from actcli.render.train import summary
    from actcli.term.console import stdout_console

    data = run.learner.dataset
    rows = {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)}
    command = f"actcli diagnose {as_argument(run.folder)}"
    stdout_console().print(summary(result, run.folder, rows, command))
