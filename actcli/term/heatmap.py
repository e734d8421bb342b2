"""A grid of percentages on a ground that is the brighter, the higher they are.

Without colours, or with few, the numbers stand alone: they say it all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from actcli.term.canvas import Canvas
from actcli.term.numbers import percent

SYSTEMS = {"truecolor", "256"}  # of colours that have enough shades
LEAST = 6  # columns of a field
Shade = tuple[int, int, int]

# From low to high; the luminance rises evenly, so that they can be told apart in greys, too.
RAMPS: dict[str, tuple[Shade, ...]] = {
    "accuracy": ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)),
    "dead": ((18, 13, 50), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)),
}


@dataclass(frozen=True)
class HeatMap:
    """A grid.

    Args:
        title: what the numbers are.
        keys: what varies downward, and what varies across.
        labels: of the rows, and of the columns.
        rows: shares of 1; None where there is none.
        ramp: a name of RAMPS.
    """

    title: str
    keys: tuple[str, str]
    labels: tuple[tuple[str, ...], ...]
    rows: Sequence[Sequence[float | None]]
    ramp: str

    def lines(self, console: Console) -> list[Text]:
        """All of it."""
        canvas = Canvas.of(console.options)
        shaded = not console.no_color and console.color_system in SYSTEMS
        down, across = self.labels
        texts = [[_text(share, canvas) for share in row] for row in self.rows]
        room = max(LEAST, *(len(text) + 2 for row in texts for text in row))
        room = max(room, *(cell_len(label) + 2 for label in across))
        left = max(map(cell_len, [self.keys[0], *down]))
        heading = Text(f"{self.title}  ", "bold")
        heading.append(f"{self.keys[0]} by {self.keys[1]}", "not bold dim")
        labels = "".join(f"{label} ".rjust(room) for label in across)
        found = [heading, Text(f"{self.keys[0].ljust(left)} {labels}".rstrip(), "dim")]
        for label, row, shares in zip(down, texts, self.rows, strict=True):
            line = Text(f"{label.ljust(left)} ")
            for text, share in zip(row, shares, strict=True):
                style = self._style(share) if shaded else None
                line.append(f"{text} ".rjust(room), style)
            if not shaded:
                line.rstrip()
            found.append(line)
        return found

    def _style(self, share: float | None) -> Style | None:
        known = [each for row in self.rows for each in row if each is not None]
        low, high = min(known), max(known)
        if share is None:
            return None
        shade = _between(RAMPS[self.ramp], (share - low) / (high - low) if high > low else 1.0)
        is_bright = 0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2] > 130
        front = (0, 0, 0) if is_bright else (255, 255, 255)
        return Style(color=Color.from_rgb(*front), bgcolor=Color.from_rgb(*shade))


def _text(share: float | None, canvas: Canvas) -> str:
    return canvas.plain("–") if share is None else percent(share).removesuffix(" %")


def _between(ramp: Sequence[Shade], share: float) -> Shade:
    """The shade at a share of the way along a ramp."""
    place = share * (len(ramp) - 1)
    index = min(int(place), len(ramp) - 2)
    rest = place - index
    red, green, blue = (
        round(start + rest * (end - start))
        for start, end in zip(ramp[index], ramp[index + 1], strict=True)
    )
    return red, green, blue
