"""A grey image in a terminal: half blocks with colour, denser characters without.

A character is about twice as high as it is wide, so it holds two pixels, one above the other. With
colour, they are the foreground and the background of `▀`; without, their mean selects a character.
"""

from collections.abc import Sequence

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from actcli.term.canvas import Canvas

RAMP = " .:-=+*#%@"
UPPER = "▀"
GREY_SYSTEMS = {"truecolor", "256"}  # colour systems with enough greys
MAX_COLUMNS = 56

Rows = Sequence[Sequence[float]]


def image_lines(image: Rows, console: Console, canvas: Canvas) -> list[Text]:
    """Return the lines of an image.

    Args:
        image: rows of pixels from 0 (black) to 1 (white); an image wider than MAX_COLUMNS is
            reduced by a whole factor.
        console: the console whose colours are used.
        canvas: the characters that can be shown.
    """
    rows = reduced(image)
    pairs = [
        (rows[top], rows[top + 1] if top + 1 < len(rows) else [0.0] * len(rows[top]))
        for top in range(0, len(rows), 2)
    ]
    if canvas.ascii or console.no_color or console.color_system not in GREY_SYSTEMS:
        return [_ramp(*pair) for pair in pairs]
    return [_blocks(*pair) for pair in pairs]


def _blocks(top: Sequence[float], bottom: Sequence[float]) -> Text:
    line = Text()
    for above, below in zip(top, bottom, strict=True):
        line.append(UPPER, Style(color=_grey(above), bgcolor=_grey(below)))
    return line


def _grey(ink: float) -> Color:
    level = round(255 * ink)
    return Color.from_rgb(level, level, level)


def _ramp(top: Sequence[float], bottom: Sequence[float]) -> Text:
    last = len(RAMP) - 1
    inks = ((above + below) / 2 for above, below in zip(top, bottom, strict=True))
    # Faint ink is visible, too: only blank pixels are a space.
    return Text("".join(RAMP[max(round(ink * last), int(ink > 0.02))] for ink in inks))


def reduced(image: Rows, columns: int = MAX_COLUMNS) -> Rows:
    """Return an image of at most so many columns; each pixel is the mean of a square."""
    size = -(-len(image[0]) // columns)
    if size == 1:
        return image
    return [
        [
            sum(sum(row[left : left + size]) for row in image[top : top + size])
            / sum(len(row[left : left + size]) for row in image[top : top + size])
            for left in range(0, len(image[0]), size)
        ]
        for top in range(0, len(image), size)
    ]
