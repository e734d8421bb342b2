"""A digit of one's own: a drawing or a photograph, made like the images of MNIST.

The makers of MNIST scaled each digit to a box of 20 x 20 pixels, kept its proportions, smoothed its
edges, and placed its centre of mass in the middle of 28 x 28 pixels, white on black (LeCun, Cortes
and Burges, 1998). A network that was trained on such images answers at random to a picture that is
merely made smaller. Each step is reported in words.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.pictures import (
    WHITE,
    grey_levels,
    is_turned,
    open_picture,
    reduced,
    upright,
)
from actcli.errors import DataError, UsageError

BOX_SHARE = 20 / 28  # of the side of the image, for the longer side of a digit
BORDER_SHARE = 0.02  # of the picture: the pixels whose median is the colour of the paper
MIN_CONTRAST = 32  # grey levels between paper and ink; less is an empty picture
MAX_OFF_CENTRE = 1.0  # pixels, for an image that is centred already
MAX_WORK_SIDE = 1000  # pixels: larger pictures are made smaller first

Plane = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture as an image of MNIST.

    Args:
        pixels: shape (H, W), 0 for the background and 255 for full ink.
        steps: what was done to the picture, in order, for the user.
    """

    pixels: NDArray[np.uint8]
    steps: tuple[str, ...]


def read_drawing(path: Path, shape: tuple[int, int], invert: bool = False) -> Drawing:
    """Return the digit in a picture as an image of the network's shape.

    Args:
        path: a PNG or JPEG file.
        shape: (H, W), the shape of the images that the network was trained on.
        invert: whether to invert the picture, in place of inverting it if its border is light.

    Raises:
        UsageError: the file does not exist.
        DataError: it is damaged, is not a picture, or nothing is drawn on it.
        ActcliError: Pillow is missing.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    with open_picture(path) as picture:
        steps = [f"{picture.width:,} x {picture.height:,} pixels"]
        turned = upright(picture)
        if is_turned(picture):
            steps.append("turned as its EXIF data say")
        if max(turned.size) > MAX_WORK_SIDE:
            turned = reduced(turned, MAX_WORK_SIDE)
        if turned.mode not in {"L", "1"}:
            steps.append("made grey")
        grey = grey_levels(turned)
    paper = float(np.median(_border(grey)))
    if invert or paper > WHITE / 2:
        grey, paper = np.asarray(WHITE - grey, np.uint8), WHITE - paper
        steps.append("inverted, as requested" if invert else "inverted: its border is light")
    if grey.shape == shape and _is_ready(grey):
        steps.append("nothing else to do: it has the form of MNIST's images")
        return Drawing(grey, tuple(steps))
    ink = np.clip(grey.astype(np.float32) - np.float32(paper), 0, None)
    if ink.max() < MIN_CONTRAST:
        raise DataError(
            f"{path} is empty: all of its pixels have nearly the same colour",
            "Draw a digit, dark on light or light on dark",
        )
    return _like_mnist(ink, shape, steps)


def _border(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels near the edges of a picture."""
    depth = max(1, round(BORDER_SHARE * min(grey.shape)))
    sides = (grey[:depth], grey[-depth:], grey[:, :depth], grey[:, -depth:])
    return np.concatenate([side.reshape(-1) for side in sides])


def _is_ready(grey: NDArray[np.uint8]) -> bool:
    """Return whether a digit has the size of MNIST's, and its centre of mass in the middle."""
    rows, columns = (np.flatnonzero(grey.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return False
    side = max(np.ptp(rows), np.ptp(columns)) + 1
    box = round(BOX_SHARE * min(grey.shape))
    off = np.subtract(_centre_of_mass(grey.astype(np.float32)), np.divide(grey.shape, 2))
    return bool(abs(side - box) <= 1 and np.abs(off).max() <= MAX_OFF_CENTRE)


def _like_mnist(ink: Plane, shape: tuple[int, int], steps: list[str]) -> Drawing:
    """Crop, scale and centre a digit.

    Args:
        ink: shape (H, W), 0 for the paper.
        shape: of the image.
        steps: what was done so far.
    """
    threshold = _otsu(ink)
    is_ink = ink > threshold
    full = float(np.median(ink[is_ink]))
    # The half of the threshold keeps smooth edges, and removes the grain of a photograph.
    ink = np.clip((ink - threshold / 2) / (full - threshold / 2), 0, 1)
    rows, columns = (np.flatnonzero(is_ink.any(axis=axis)) for axis in (1, 0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    steps.append(f"cropped to {digit.shape[1]:,} x {digit.shape[0]:,}")
    digit = _scaled(digit, round(BOX_SHARE * min(shape)))
    steps.append(f"scaled to {digit.shape[1]} x {digit.shape[0]}")
    image = _centred(digit, shape)
    steps.append(f"centred by its mass in {shape[1]} x {shape[0]}")
    return Drawing(np.rint(image * WHITE).astype(np.uint8), tuple(steps))


def _otsu(ink: Plane) -> float:
    """Return the threshold that separates two groups of levels best.

    Otsu, A threshold selection method from gray-level histograms (1979).
    """
    counts = np.bincount(np.rint(ink).astype(np.intp).reshape(-1), minlength=WHITE + 1)
    levels = np.arange(len(counts))
    below = np.cumsum(counts).astype(np.float64)
    sums = np.cumsum(counts * levels).astype(np.float64)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * below - sums * below[-1]) ** 2 / (below * above)
    return float(np.nanargmax(np.where(above > 0, between, -1)))


def _scaled(digit: Plane, box: int) -> Plane:
    """Return a digit whose longer side has `box` pixels, with smooth edges and full ink."""
    import PIL.Image

    height, width = digit.shape
    factor = box / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = PIL.Image.Resampling.BOX if factor < 1 else PIL.Image.Resampling.BICUBIC
    scaled = np.asarray(PIL.Image.fromarray(digit).resize(size, way), np.float32)
    return np.asarray(np.clip(scaled / max(float(scaled.max()), 1e-6), 0, 1), np.float32)


def _centre_of_mass(image: Plane) -> tuple[float, float]:
    """Return the row and the column of the centre of mass; the first pixel's middle is 0.5."""
    mass = float(image.sum())
    row = float(image.sum(axis=1) @ (np.arange(image.shape[0]) + 0.5)) / mass
    column = float(image.sum(axis=0) @ (np.arange(image.shape[1]) + 0.5)) / mass
    return row, column


def _centred(digit: Plane, shape: tuple[int, int]) -> Plane:
    """Return an image with the centre of mass of a digit in its middle, as far as there is room."""
    image = np.zeros(shape, np.float32)
    starts = []
    for centre, size, room in zip(_centre_of_mass(digit), digit.shape, shape, strict=True):
        starts.append(min(max(0, round(room / 2 - centre)), room - size))
    top, left = starts
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image
