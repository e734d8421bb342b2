"""Characters that are drawn as shapes: blocks, lines, and the dots of braille.

In a terminal these characters fill their cells, so that bars, axes and curves are continuous. The
glyphs of a browser's fonts leave gaps between cells, or are wider or narrower than a cell. In a
saved picture they are therefore boxes, which look the same with every font.
"""

from collections.abc import Iterator
from itertools import groupby

CELL_WIDTH, CELL_HEIGHT = 9, 18  # of a character, in units of the picture

Box = tuple[float, float, float, float]  # left, top, right, bottom, as shares of a cell

STROKE = 0.055  # half of the width of a line, in widths of a cell
HEAVY = 2 * STROKE
BETWEEN = 0.08  # of the height of a cell: the gap from one bar to the next
DOT = 0.13  # half of the width of a dot of braille, in widths of a cell
SQUARE = CELL_WIDTH / CELL_HEIGHT  # turns a share of the width into the same share of the height


def _upright(top: float = 0.0, bottom: float = 1.0) -> Box:
    return (0.5 - STROKE, top, 0.5 + STROKE, bottom)


def _level(left: float = 0.0, right: float = 1.0, stroke: float = STROKE) -> Box:
    return (left, 0.5 - stroke * SQUARE, right, 0.5 + stroke * SQUARE)


_BOXES: dict[str, list[Box]] = {
    "│": [_upright()],
    "─": [_level()],
    "━": [_level(stroke=HEAVY)],
    "┤": [_upright(), _level(right=0.5)],
    "┬": [_level(), _upright(top=0.5)],
    "└": [_level(left=0.5), _upright(bottom=0.5 + STROKE * SQUARE)],
    "▀": [(0.0, 0.0, 1.0, 0.5)],
    **{chr(0x2580 + n): [(0.0, max(BETWEEN, 1 - n / 8), 1.0, 1.0)] for n in range(1, 9)},
    **{chr(0x2590 - n): [(0.0, BETWEEN, n / 8, 1.0)] for n in range(1, 8)},
}
BLANK_BRAILLE = 0x2800  # the codes after it have one bit per dot
_DOTS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]  # by bit: column, row


def boxes(character: str) -> list[Box]:
    """Return the boxes that draw a character; an empty list for blank braille and other texts."""
    if not is_braille(character):
        return _BOXES.get(character, [])
    dots = ord(character) - BLANK_BRAILLE
    centres = [
        (column / 2 + 0.25, row / 4 + 0.125)
        for bit, (column, row) in enumerate(_DOTS)
        if dots >> bit & 1
    ]
    return [(x - DOT, y - DOT * SQUARE, x + DOT, y + DOT * SQUARE) for x, y in centres]


def is_drawn(character: str) -> bool:
    """Return whether a character is drawn as boxes and not as text."""
    return is_braille(character) or character in _BOXES


def is_braille(character: str) -> bool:
    """Return whether a character is a pattern of braille dots, or blank braille."""
    return 0 <= ord(character) - BLANK_BRAILLE < 0x100


def path(text: str, left: float = 0, top: float = 0) -> str:
    """Return the SVG path of adjacent drawn characters.

    Neighbouring equal characters that fill the width of their cells become one shape without seams.

    Args:
        text: the characters, one cell each.
        left: of the first cell, in units of the picture.
        top: of the cells.
    """
    return "".join(_rectangles(text, left, top))


def _rectangles(text: str, left: float, top: float) -> Iterator[str]:
    at = 0
    for character, group in groupby(text):
        count = len(list(group))
        shape = boxes(character)
        is_wide = all(box[0] == 0 and box[2] == 1 for box in shape)
        for first in [at] if is_wide else range(at, at + count):
            for x, y, right, bottom in shape:
                width = (count if is_wide else right - x) * CELL_WIDTH
                height = (bottom - y) * CELL_HEIGHT
                start = left + (first + x) * CELL_WIDTH, top + y * CELL_HEIGHT
                corner = " ".join(map(_number, start))
                yield f"M{corner}h{_number(width)}v{_number(height)}h{_number(-width)}z"
        at += count


def _number(value: float) -> str:
    return f"{round(value, 2):.10g}"
