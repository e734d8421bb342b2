"""What is told beside the result, on stderr. Text from outside cannot drive the terminal."""

import click

from actcli.term.text import printable


def print_note(text: str) -> None:
    """Tell something that is no mistake."""
    click.echo(escape_lines(text), err=True)


def escape_lines(text: str) -> str:
    """The text with control characters as escapes, but for the ends of its lines."""
    return "\n".join(map(printable, text.split("\n")))
