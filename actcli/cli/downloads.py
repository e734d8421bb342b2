"""Progress of downloads on stderr: a bar in a terminal, elsewhere one line per file."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import TaskID

    from actcli.datasets.download import Progress


@contextmanager
def downloads(quiet: bool) -> "Iterator[Progress]":
    """Yield a function that shows the progress of downloads. Without a download, nothing is drawn.

    Args:
        quiet: whether to show nothing.
    """
    with ExitStack() as stack:
        if quiet:
            yield lambda _name, _count, _total: None
        elif sys.stderr is not None and sys.stderr.isatty():
            yield _bars(stack)
        else:
            yield _lines()


def _lines() -> "Progress":
    announced: set[str] = set()

    def announce(name: str, _count: int, _total: int | None) -> None:
        if name not in announced:
            announced.add(name)
            click.echo(f"downloading {name}", err=True)

    return announce


def _bars(stack: ExitStack) -> "Progress":
    from actcli.render.train import download_progress
    from actcli.term.console import stderr_console

    progress = download_progress(stderr_console())
    tasks: dict[str, TaskID] = {}

    def draw(name: str, count: int, total: int | None) -> None:
        if not tasks:
            stack.enter_context(progress)
        if name not in tasks:
            tasks[name] = progress.add_task(name)
        progress.update(tasks[name], completed=count, total=total)

    return draw
