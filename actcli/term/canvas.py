"""The surface that a view draws on: its width, and the characters that it can show.

A stream whose encoding is ASCII cannot show symbols. The canvas replaces them, so views need not
check the encoding.
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
    """A surface of a fixed width that shows all characters, or only ASCII.

    Args:
        width: number of columns.
        ascii: whether the stream shows ASCII characters only.
    """

    width: int
    ascii: bool = False

    @classmethod
    def of(cls, options: ConsoleOptions) -> Self:
        """Return a canvas with the width and the encoding of rich options."""
        return cls(options.max_width, options.ascii_only)

    def resized(self, width: int) -> Self:
        """Return a canvas of another width and the same characters."""
        return replace(self, width=width)

    def symbol(self, symbol: str, substitute: str) -> str:
        """Return a symbol, or its substitute on an ASCII canvas."""
        return substitute if self.ascii else symbol

    def plain(self, text: str) -> str:
        """Return a printable line of text; on an ASCII canvas, words replace the symbols."""
        return self.printable(text.translate(WORDS) if self.ascii else text)

    def printable(self, text: str) -> str:
        """Return a text with control characters and characters outside the encoding escaped."""
        return printable(text, self.ascii)
