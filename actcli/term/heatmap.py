"""A heat map: a grid of percentages, on a brighter background for higher values.

With fewer than 256 colours, only the numbers are shown.
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

SHADED_SYSTEMS = {"truecolor", "256"}  # colour systems with enough shades
MIN_CELL_COLUMNS = 6
Shade = tuple[int, int, int]

# From low to high. The luminance rises evenly, so that the shades also differ in greyscale.
RAMPS: dict[str, tuple[Shade, ...]] = {
    "accuracy": ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)),
    "right": ((8, 48, 107), (33, 113, 181), (107, 174, 214)),
    "wrong": ((80, 35, 10), (153, 60, 0), (217, 95, 2), (253, 190, 133)),
    "dead": ((18, 13, 50), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)),
}


@dataclass(frozen=True)
class HeatMap:
    """A table of percentages with two axes.

    Args:
        title: the name of the numbers.
        keys: the names of the vertical and the horizontal axis.
        labels: of the rows, and of the columns.
        rows: shares from 0 to 1; None for an empty cell.
        ramp: a key of RAMPS.
    """

    title: str
    keys: tuple[str, str]
    labels: tuple[tuple[str, ...], ...]
    rows: Sequence[Sequence[float | None]]
    ramp: str

    def lines(self, console: Console) -> list[Text]:
        """Return the title, the headings and the rows."""
        canvas = Canvas.of(console.options)
        has_shades = can_shade(console)
        down, across = self.labels
        texts = [[_text(share, canvas) for share in row] for row in self.rows]
        cell_width = max(MIN_CELL_COLUMNS, *(len(text) + 2 for row in texts for text in row))
        cell_width = max(cell_width, *(cell_len(label) + 2 for label in across))
        label_width = max(map(cell_len, [self.keys[0], *down]))
        heading = Text(f"{self.title}  ", "bold")
        heading.append(f"{self.keys[0]} by {self.keys[1]}", "not bold dim")
        labels = "".join(f"{label} ".rjust(cell_width) for label in across)
        block = [heading, Text(f"{self.keys[0].ljust(label_width)} {labels}".rstrip(), "dim")]
        for label, row, shares in zip(down, texts, self.rows, strict=True):
            line = Text(f"{label.ljust(label_width)} ")
            for text, share in zip(row, shares, strict=True):
                style = self._style(share) if has_shades else None
                line.append(f"{text} ".rjust(cell_width), style)
            if not has_shades:
                line.rstrip()
            block.append(line)
        return block

    def _style(self, share: float | None) -> Style | None:
        if share is None:
            return None
        shares = [value for row in self.rows for value in row if value is not None]
        low, high = min(shares), max(shares)
        return shaded(
            between(RAMPS[self.ramp], (share - low) / (high - low) if high > low else 1.0)
        )


def can_shade(console: Console) -> bool:
    """Return whether a console has enough colours for shades."""
    return not console.no_color and console.color_system in SHADED_SYSTEMS


def shaded(shade: Shade) -> Style:
    """Return the style of a text on a shade: black or white, whichever has more contrast."""
    is_bright = 0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2] > 130
    foreground = (0, 0, 0) if is_bright else (255, 255, 255)
    return Style(color=Color.from_rgb(*foreground), bgcolor=Color.from_rgb(*shade))


def _text(share: float | None, canvas: Canvas) -> str:
    return canvas.plain("–") if share is None else percent(share).removesuffix(" %")


def between(ramp: Sequence[Shade], share: float) -> Shade:
    """Return the shade at a position on a ramp, from 0 (its start) to 1 (its end)."""
    position = share * (len(ramp) - 1)
    index = min(int(position), len(ramp) - 2)
    fraction = position - index
    red, green, blue = (
        round(start + fraction * (end - start))
        for start, end in zip(ramp[index], ramp[index + 1], strict=True)
    )
    return red, green, blue
