"""Text that came from outside, made safe to show: a label must not drive the terminal."""


def printable(text: str, ascii_only: bool = False) -> str:
    r"""Escape what a terminal would obey or could not show: ESC becomes \x1b.

    That is control and format characters, line separators, bytes that were no text, and where the
    stream is ASCII all that is not.
    """
    return "".join(
        character
        if character.isprintable() and (character.isascii() or not ascii_only)
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )
