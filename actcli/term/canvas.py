"""The surface that a view draws on: its width, and the characters that it can show.

A stream whose encoding is ASCII shows no symbols. A canvas knows that, so that a view names a
symbol and its substitute once, and is not otherwise concerned with encodings.
"""

from dataclasses import dataclass, replace
from typing import Self

from rich.console import ConsoleOptions

from actcli.term.text import printable

DASH = "–"  # in place of a missing value
WORDS = str.maketrans(
    {
        "δ": "delta",
        "σ": "sigma",
        "λ": "lambda",
        "α": "alpha",
        "Φ": "Phi",
        "∞": "inf",
        "Δ": "d",
        "∂": "d",
        "∇": "grad ",
        "Σ": "sum",
        "√": "sqrt",
        "‖": "|",
        "×": "x",
        "·": "*",
        "±": "+-",
        "–": "-",
        "—": "-",
        "−": "-",
        "→": "->",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "…": "...",
        "’": "'",
        "²": "^2",
        "é": "e",
        "ü": "u",
        "ö": "o",
        "ä": "a",
        "ô": "o",
    }
)


@dataclass(frozen=True)
class Canvas:
    """A surface of some width, on which all characters can be shown, or only ASCII.

    Args:
        width: number of columns.
        ascii: whether the stream shows ASCII characters only.
    """

    width: int
    ascii: bool = False

    @classmethod
    def of(cls, options: ConsoleOptions) -> Self:
        """Return the canvas that rich offers to a renderable."""
        return cls(options.max_width, options.ascii_only)

    def resized(self, width: int) -> Self:
        """Return a canvas of another width that shows the same characters."""
        return replace(self, width=width)

    def symbol(self, symbol: str, substitute: str) -> str:
        """Return a symbol, or its substitute where only ASCII can be shown."""
        return substitute if self.ascii else symbol

    def plain(self, text: str) -> str:
        """Return a line of text that is safe to show; in ASCII, words replace the symbols."""
        return self.printable(text.translate(WORDS) if self.ascii else text)

    def printable(self, text: str) -> str:
        """Return a text with all characters escaped that must not or cannot be shown."""
        return printable(text, self.ascii)
