"""What is told beside the result, on stderr. Text from outside cannot drive the terminal."""

import click

from actcli.render.text import printable


def note(text: str) -> None:
    """Tell something that is no mistake."""
    click.echo(harmless(text), err=True)


def harmless(text: str) -> str:
    """The text with control characters as escapes, but for the ends of its lines."""
    return "\n".join(map(printable, text.split("\n")))
