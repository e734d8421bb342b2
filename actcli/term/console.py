"""The consoles of stdout and stderr, and their widths.

The result of a command goes to stdout, progress and messages to stderr. A console is created when a
command runs, never at import, so that it uses the streams and the environment of that moment.
"""

import os
import sys
from typing import TextIO

from rich.console import Console

from actcli.machine import positive_count

UNLIMITED = 10_000  # columns: in a pipe or a file, a table is never cut
PICTURE_COLUMNS = 100  # of a saved picture, if stdout is not a terminal


def stdout_console() -> Console:
    """Return the console for the result."""
    return _console(sys.stdout)


def stderr_console() -> Console:
    """Return the console for progress and messages."""
    return _console(sys.stderr)


def picture_columns() -> int:
    """Return the columns of a saved picture: those of the terminal or of COLUMNS, or else 100."""
    columns = stdout_console().width
    return PICTURE_COLUMNS if columns == UNLIMITED else columns


def _console(stream: TextIO | None) -> Console:
    # Without a height, rich ignores the width if TERM is dumb.
    width, height = _terminal_size(stream)
    return Console(
        file=stream,
        quiet=stream is None,  # a stream closed by 2>&-: rich would use the other one
        width=width,
        height=height,
        markup=False,
        highlight=False,
        emoji=False,
    )


def size_now(console: Console) -> tuple[int, int]:
    """Return the present columns and lines of the terminal.

    A console keeps its initial width when the window is resized. If COLUMNS is set, the width of
    the console is the maximum.
    """
    is_limited = positive_count(os.environ.get("COLUMNS", "")) is not None
    try:
        columns, lines = os.get_terminal_size(console.file.fileno())
    except (OSError, ValueError):  # not a terminal any more
        return console.width, 25
    columns = columns or 80
    return (min(columns, console.width) if is_limited else columns), (lines or 25)


def _terminal_size(stream: TextIO | None) -> tuple[int, int]:
    if columns := positive_count(os.environ.get("COLUMNS", "")):
        return min(columns, UNLIMITED), 25
    try:
        size = os.get_terminal_size(stream.fileno() if stream else -1)
    except (OSError, ValueError, AttributeError):  # not a terminal, or a stream without a file
        return UNLIMITED, 25
    return (size.columns or 80), (size.lines or 25)
