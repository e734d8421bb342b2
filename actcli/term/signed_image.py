"""Images of numbers with a sign: orange for positive ones, blue for negative ones, dark for 0.

Half blocks hold two pixels, one above the other, as in `image`. Without colour, each character
stands for the mean of its two pixels: `-` and `=` are negative, `+` and `#` positive, `.` is weak.
"""

import math
from collections.abc import Sequence

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from actcli.term.canvas import Canvas
from actcli.term.heatmap import Shade, between, can_shade
from actcli.term.image import UPPER, Rows, reduced

# The two ends differ in hue and are equally bright, also for people who do not see red or green.
NEGATIVE: tuple[Shade, ...] = ((24, 24, 24), (20, 70, 130), (60, 160, 255))
POSITIVE: tuple[Shade, ...] = ((24, 24, 24), (130, 65, 5), (255, 150, 40))
SIGNS = {False: " .-=", True: " .+#"}  # by whether the number is positive, from weak to strong
TYPICAL_SHARE = 0.99  # of the numbers lie within the scale; the others have its strongest colours


def common_scale(images: Sequence[Rows]) -> float:
    """Return the absolute value that 99 % of the finite numbers of some images do not exceed."""
    sizes = sorted(abs(v) for image in images for row in image for v in row if abs(v) < 1e300)
    return sizes[int(TYPICAL_SHARE * (len(sizes) - 1))] if sizes else 0.0


def small_images(images: Sequence[Rows], columns: int) -> list[Rows]:
    """Return images of at most so many columns; each pixel is the mean of a square."""
    return [reduced(image, columns) for image in images]


def signed_lines(image: Rows, scale: float, console: Console, canvas: Canvas) -> list[Text]:
    """Return the lines of an image.

    Args:
        image: rows of numbers.
        scale: the number with the strongest colour.
        console: the console whose colours are used.
        canvas: the characters that can be shown.
    """
    shares = [[_share(value, scale) for value in row] for row in image]
    if len(shares) % 2:
        shares.append([0.0] * len(shares[0]))
    pairs = zip(shares[::2], shares[1::2], strict=True)
    if canvas.ascii or not can_shade(console):
        return [
            Text("".join(_sign((a + b) / 2) for a, b in zip(*pair, strict=True))) for pair in pairs
        ]
    lines = []
    for pair in pairs:
        line = Text()
        for above, below in zip(*pair, strict=True):
            line.append(UPPER, Style(color=_colour(above), bgcolor=_colour(below)))
        lines.append(line)
    return lines


def signed_row(
    values: Sequence[float], width: int, scale: float, console: Console, canvas: Canvas
) -> Text:
    """Return one line with `width` columns for each number."""
    is_shaded = can_shade(console) and not canvas.ascii
    line = Text()
    for value in values:
        share = _share(value, scale)
        if is_shaded:
            colour = _colour(share)
            line.append(UPPER * width, Style(color=colour, bgcolor=colour))
        else:
            line.append(_sign(share) * width)
    return line


def _share(value: float, scale: float) -> float:
    """Return a number on a scale from -1 to 1; 0 for NaN."""
    if math.isnan(value) or not scale:
        return 0.0
    return min(max(value / scale, -1.0), 1.0)


def _colour(share: float) -> Color:
    return Color.from_rgb(*between(POSITIVE if share > 0 else NEGATIVE, abs(share)))


def _sign(share: float) -> str:
    return SIGNS[share > 0][min(int(abs(share) * 4), 3)]
