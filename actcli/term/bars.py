"""A bar as text: a share of a fixed width, exact to an eighth of a column.

The bar consists of eighth-blocks, or of `#` if the stream is ASCII. A share above 0 is always
visible; in ASCII, less than half of a column is a point. Only a share of 1 fills the bar.
"""

from actcli.term.canvas import Canvas

EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int, canvas: Canvas) -> str:
    """Return a bar that fills a share of its width, padded with spaces to `width` columns.

    Args:
        share: from 0 to 1; a value outside is clipped, and NaN gives a blank.
        width: number of columns.
        canvas: the characters that can be shown.
    """
    steps = 1 if canvas.ascii else 8  # per column
    full = width * steps
    if not share > 0:
        filled = 0
    elif share >= 1:
        filled = full
    else:
        filled = min(max(round(share * full), 1), full - 1)
    whole, rest = divmod(filled, steps)
    if canvas.ascii and 0 < share * full < 0.5:
        return ".".ljust(width)
    text = "#" * whole if canvas.ascii else EIGHTHS[-1] * whole + EIGHTHS[rest] * (rest > 0)
    return text.ljust(width)
