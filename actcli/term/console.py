"""Where output goes: the result to stdout, everything else to stderr, and how wide it may be.

A console is made when a command runs, never at import, so that it sees the streams and the
environment of that moment.
"""

import os
import sys
from typing import TextIO

from rich.console import Console

UNLIMITED = 10_000  # columns: a pipe has no edge at which a table should be cut


def stdout_console() -> Console:
    """For the result."""
    return _console(sys.stdout)


def stderr_console() -> Console:
    """For progress and messages."""
    return _console(sys.stderr)


def _console(stream: TextIO | None) -> Console:
    # Without a height rich ignores the width where TERM=dumb.
    width, height = _terminal_size(stream)
    return Console(
        file=stream,
        quiet=stream is None,  # closed, as by 2>&-: rich would take the other one
        width=width,
        height=height,
        markup=False,
        highlight=False,
        emoji=False,
    )


def size_now(console: Console) -> tuple[int, int]:
    """Columns and lines of the terminal at this moment; no more columns than the console has.

    A console keeps the width that it was made with, but a window is made wider and narrower.
    """
    asked = os.environ.get("COLUMNS", "").isdecimal()
    try:
        columns, lines = os.get_terminal_size(console.file.fileno())
    except (OSError, ValueError):  # no terminal any more
        return console.width, 25
    columns = columns or 80
    return (min(columns, console.width) if asked else columns), (lines or 25)


def _terminal_size(stream: TextIO | None) -> tuple[int, int]:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns), 25
    try:
        size = os.get_terminal_size(stream.fileno() if stream else -1)
    except (OSError, ValueError, AttributeError):  # not a terminal, or not a file at all
        return UNLIMITED, 25
    return (size.columns or 80), (size.lines or 25)
