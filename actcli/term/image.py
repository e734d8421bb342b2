"""A grey image in a terminal: half blocks where there is colour, denser characters where not.

A character is about twice as high as it is wide, and so it holds two pixels, one above the other:
as the colours of `▀` and of what is behind it, or as their mean.
"""

from collections.abc import Sequence

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from actcli.term.canvas import Canvas

RAMP = " .:-=+*#%@"
UPPER = "▀"
GREY_SYSTEMS = {"truecolor", "256"}  # of colours that have enough greys
WIDEST = 56

Rows = Sequence[Sequence[float]]


def digit(image: Rows, console: Console, canvas: Canvas) -> list[Text]:
    """The lines of an image, which is white on black, as in the files.

    Args:
        image: its rows, from 0 to 1; a large one is made smaller by whole factors.
        console: whose colours decide.
        canvas: the characters that can be shown.
    """
    rows = _reduced(image)
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
    # Faint ink is shown, too: only what is blank is a space.
    return Text("".join(RAMP[max(round(ink * last), int(ink > 0.02))] for ink in inks))


def _reduced(image: Rows) -> Rows:
    """Means of square pieces, as many as there is room for."""
    size = -(-len(image[0]) // WIDEST)
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
