"""A bar as text: a share of a fixed width, exact to an eighth of a column.

Eighth-blocks where the stream can show them, `#` where it is ASCII. A share above 0 always leaves
a trace, in ASCII a point where it is less than half of a column; only a share of 1 fills the bar.
"""

from actcli.term.canvas import Canvas

EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int, canvas: Canvas) -> str:
    """A bar that fills `share` (0 to 1; others are cut off there) of `width` columns.

    The text is `width` columns wide, padded with spaces. A share that is NaN gives a blank.
    """
    steps = 1 if canvas.ascii else 8  # to a column
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
