"""Notes on stderr, beside the result. Control characters in them are escaped."""

import click

from actcli.term.text import printable


def print_note(text: str) -> None:
    """Print a note on stderr: a message that is not about a mistake."""
    click.echo(escape_lines(text), err=True)


def escape_lines(text: str) -> str:
    """Return the text with its control characters escaped, except for line ends."""
    return "\n".join(map(printable, text.split("\n")))
