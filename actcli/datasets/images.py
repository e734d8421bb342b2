"""A user's own images as they are: one array (`.npy`) or one picture (`.png`, `.jpg`) per file.

An image must have the shape of the images that the network was trained on, and is not changed;
`drawings` makes a picture of any size like the images of MNIST. Nothing is unpickled. The shape is
checked before the content is read: an array is memory-mapped, and a picture is unpacked only after
its size is known.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Split
from actcli.datasets.pictures import DAMAGE_ERRORS, WHITE, grey_levels, open_picture
from actcli.datasets.raw import Pixels
from actcli.datasets.tables import uses_bytes
from actcli.errors import DataError, UsageError

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg")


def read_image(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Pixels:
    """Return the pixels of an image, shape (D,).

    Args:
        path: a `.npy`, `.png` or `.jpg` file.
        shape: the shape of the data set's images, (H, W) or (D,).
        dtype: the dtype of the data set's pixels. If it is uint8, an array may hold whole numbers
            from 0 to 255, or floats from 0 to 1, which are multiplied by 255.

    Raises:
        UsageError: the file does not exist, has another format, or the image has another shape.
        DataError: the file cannot be read, is damaged, or holds a value out of range.
        ActcliError: Pillow is missing.
    """
    readers = {".npy": _read_npy} | dict.fromkeys(PICTURE_ENDINGS, _read_picture)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path} is not an image that can be read", f"Known: {', '.join(readers)}")
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    try:
        return _as_pixels(reader(path, shape), dtype, path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def invert_colours(pixels: Pixels) -> Pixels:
    """Swap black and white: mirror bytes within 0 to 255, floats within the image's range."""
    if pixels.dtype == np.uint8:
        return np.asarray(WHITE - pixels, np.uint8)
    return np.asarray(pixels.min() + pixels.max() - pixels, np.float32)


def _read_npy(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except DAMAGE_ERRORS as error:
        raise DataError(f"{path} is not an .npy file, or is damaged: {error}") from error
    if array.shape not in {shape, (math.prod(shape),)}:
        raise _wrong_shape(path, array.shape, shape)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path} holds {array.dtype}", "Allowed: whole numbers, or floats")
    return np.array(array).reshape(-1)


def _read_picture(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    with open_picture(path) as picture:
        if picture.size[::-1] not in {shape, (1, *shape)}:
            raise _wrong_shape(path, picture.size[::-1], shape)
        return grey_levels(picture).reshape(-1)


def _wrong_shape(path: Path, actual: tuple[int, ...], shape: tuple[int, ...]) -> UsageError:
    allowed = " x ".join(map(str, shape))
    return UsageError(
        f"{path} has the shape {' x '.join(map(str, actual)) or 'of a single number'}",
        f"The network takes {allowed}",
    )


def as_levels(drawing: NDArray[np.uint8], train: Split) -> Pixels:
    """Return a drawing in the numbers that a data set uses for its background and for full ink.

    Args:
        drawing: 0 for the background and 255 for full ink.
        train: the training rows of the data set.
    """
    low, high = 0.0, float(WHITE)
    if train.pixels.dtype != np.uint8 or not uses_bytes(train):
        low, high = float(train.pixels.min()), float(train.pixels.max())
    levels = low + drawing.reshape(-1) * ((high - low) / WHITE)
    if train.pixels.dtype == np.uint8:
        return np.asarray(np.rint(levels), np.uint8)
    single: NDArray[np.float32] = levels.astype(np.float32)
    return single


def _as_pixels(pixels: NDArray[Any], dtype: np.dtype[Any], path: Path) -> Pixels:
    """Return the pixels in the type of the data set.

    Raises:
        DataError: a value is not finite, or out of range.
    """
    low, high = pixels.min(), pixels.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{path} holds a value that is not a finite number")
    if dtype != np.uint8:
        with np.errstate(over="ignore"):
            single = pixels.astype(np.float32)
        if not np.isfinite(single).all():
            raise DataError(f"{path} holds a value that is beyond float32")
        return single
    largest = 1 if pixels.dtype.kind == "f" else 255
    if low < 0 or high > largest:
        kind = "floats" if largest == 1 else "whole numbers"
        raise DataError(f"{path} holds {kind} from {low:g} to {high:g}", f"Allowed: 0 to {largest}")
    return np.rint(pixels.astype(np.float64) * (255 / largest)).astype(np.uint8)
