"""Is a data set a table or a set of images? Its normalization depends on this.

The columns of a table are measured in units of their own, so each is brought to mean 0 and
deviation 1. The pixels of images share one scale. Rows of bytes that use the range of a byte are
images, also without a height and a width; so are many numbers from 0 up that form a square.
"""

import numpy as np

from actcli.datasets.batches import Split
from actcli.datasets.layout import square_side

MAX_SMALL_BYTE = 127  # bytes up to here do not use their range: scikit-learn's digits end at 16
MIN_FLAT_SIDE = 16  # pixels: floats that form a smaller square are a table


def is_table(shape: tuple[int, ...], split: Split) -> bool:
    """Return whether rows are those of a table.

    Args:
        shape: the shape of one row, (H, W) or (D,).
        split: the training rows.
    """
    if len(shape) > 1:
        return False
    if split.pixels.dtype == np.uint8:
        return not uses_bytes(split)
    return square_side(shape[0]) < MIN_FLAT_SIDE or bool(split.pixels.min() < 0)


def uses_bytes(split: Split) -> bool:
    """Return whether bytes use the upper half of their range, as those of pictures do."""
    return bool(split.pixels.max() > MAX_SMALL_BYTE)


def automatic_normalization(shape: tuple[int, ...], split: Split) -> str:
    """Return the name of the normalization that suits rows; the arguments are those of `is_table`.

    Images whose bytes end below 128 are not divided by 255, but brought to mean 0 and deviation 1.
    """
    if is_table(shape, split):
        return "column"
    is_dark = split.pixels.dtype == np.uint8 and not uses_bytes(split)
    return "standard" if is_dark else "unit"


def describe_small_bytes(method: str, split: Split) -> str:
    """Return how bytes are scaled that do not use their range, for the user; "" for other numbers.

    Args:
        method: the name of the normalization.
        split: the training rows.
    """
    if split.pixels.dtype != np.uint8 or uses_bytes(split):
        return ""
    largest = split.pixels.max()
    if method == "unit":
        return (
            f"The numbers end at {largest}, but unit divides them by 255: "
            "--normalize auto uses their own range"
        )
    return f"The numbers end at {largest}: they are not divided by 255, as bytes of images are"
