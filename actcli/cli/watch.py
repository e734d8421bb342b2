"""A training in sight: what is shown while it goes on, when it is stopped, and at its end."""

import shlex
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from actcli.cli.interrupts import WORD, Interrupts

if TYPE_CHECKING:
    from actcli.training.loop import Event
    from actcli.training.run import Run

REFRESH = 0.1  # seconds between two looks at a step: drawing each would cost more than computing it


def until_stopped(run: "Run", interrupts: Interrupts) -> "Iterator[Event]":
    """Train, unless a signal asks to stop: then finish the step and save."""
    for event in run.train():
        yield event
        if interrupts.received:
            run.save()
            return


def tell_interrupted(run: "Run", received: signal.Signals) -> None:
    """Say where the training stands and how it goes on."""
    epochs = run.learner.config.training.epochs
    click.echo(
        f"{WORD[received]} {run.position.told(epochs)}, all is saved. "
        f"To go on: actcli train --resume {shlex.quote(str(run.folder))}",
        err=True,
    )


def watch(run: "Run", quiet: bool, interrupts: Interrupts) -> None:
    """Train: live in a terminal, a line for each epoch elsewhere, nothing if it is to be quiet."""
    from actcli.cli.console import stderr_console
    from actcli.render.training import EpochTable, LiveProgress
    from actcli.training.loop import EpochDone

    console = stderr_console()
    table = EpochTable(
        epochs=run.learner.config.training.epochs,
        validated=len(run.learner.dataset.validation) > 0,
        width=console.width,
        ascii_only=console.options.ascii_only,
    )
    watched = sys.stderr is not None and sys.stderr.isatty() and not console.is_dumb_terminal
    if quiet or not (table.epochs and watched):
        for event in until_stopped(run, interrupts):
            if isinstance(event, EpochDone) and not quiet:
                console.print(table.sentence(event), soft_wrap=True)
        return
    console.print(table.headings())
    rows = len(run.learner.dataset.train)
    before = run.position.epoch * rows + run.position.step * run.learner.config.training.batch_size
    drawn = start = time.perf_counter()
    live = LiveProgress(console, table.epochs, rows)
    with live.progress:
        for event in until_stopped(run, interrupts):
            now = time.perf_counter()
            if isinstance(event, EpochDone):
                console.print(table.row(event))
            elif now - drawn > REFRESH:
                drawn = now
                seen = (event.epoch - 1) * rows + event.rows
                speed = (seen - before) / (now - start)
                live.update(event.epoch, event.rows, speed, (rows * table.epochs - seen) / speed)
    console.print()


def conclude(run: "Run", as_json: bool) -> None:
    """Judge the network and write the result to stdout."""
    from actcli.runs.assess import finish

    result, assessment = finish(run)
    if as_json:
        from actcli.jsonlines import dumps

        click.echo(dumps({**asdict(result), **asdict(assessment), "run": str(result.run)}))
        return
    from actcli.cli.console import stdout_console
    from actcli.render.training import summary

    data = run.learner.dataset
    rows = {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)}
    command = f"actcli diagnose {shlex.quote(str(run.folder))}"
    stdout_console().print(summary(result, assessment, rows, command))
