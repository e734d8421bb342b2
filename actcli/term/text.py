"""Escaping of untrusted text: a label must control neither the terminal nor a page."""

import html


def printable(text: str, ascii_only: bool = False) -> str:
    r"""Return a text with escaped control characters: ESC becomes \x1b.

    Format characters, line separators and undecodable bytes are escaped too; with `ascii_only` also
    all characters outside ASCII.
    """
    if text.isprintable() and (text.isascii() or not ascii_only):
        return text  # most texts; a page has thousands of them
    return "".join(
        character
        if character.isprintable() and (character.isascii() or not ascii_only)
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def escaped(text: str) -> str:
    """Return a text for HTML or SVG, as content or as the value of an attribute in quotes."""
    return html.escape(printable(text))
