"""Notes on stderr, beside the result. Control characters in them are escaped."""

import click

from actcli.term.text import printable

MAX_LINE = 4000  # characters of a message; a path has up to 4,096 bytes


def print_note(text: str) -> None:
    """Print a note on stderr: a message that is not about a mistake."""
    click.echo(escape_lines(text), err=True)


def escape_lines(text: str) -> str:
    """Return a message with its control characters escaped, except for line ends.

    The middle of a very long line is left out: the end often says what is wrong.
    """
    return "\n".join(map(_shortened, map(printable, text.split("\n"))))


def _shortened(line: str) -> str:
    if len(line) <= MAX_LINE:
        return line
    half = MAX_LINE // 2
    return f"{line[:half]} … {line[-half:]}"
