"""A user's own images: one array (`.npy`) or one picture (`.png`) per file.

An image must have the shape of the images that the network was trained on. It is never resized:
MNIST's digits are centred by their mass, and a plainly resized picture would not resemble them.
Nothing is unpickled. The shape is checked before the content is read: an array is memory-mapped,
and a picture is unpacked only after its size is known.

Reading a picture needs Pillow, which the extra `image` installs.
"""

import math
import tokenize
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.npz import Pixels
from actcli.errors import ActcliError, DataError, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

DAMAGE_ERRORS = (ValueError, SyntaxError, TypeError, EOFError, tokenize.TokenError, OverflowError)
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # Pillow's modes with at most 8 bits a channel
WHITE = 255


def read_image(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Pixels:
    """Return the pixels of an image, shape (D,).

    Args:
        path: a `.npy` or `.png` file.
        shape: the shape of the data set's images, (H, W) or (D,).
        dtype: the dtype of the data set's pixels. If it is uint8, an array may hold whole numbers
            from 0 to 255, or floats from 0 to 1, which are multiplied by 255.

    Raises:
        UsageError: the file does not exist, has another format, or the image has another shape.
        DataError: the file cannot be read, is damaged, or holds a value out of range.
        ActcliError: Pillow is missing.
    """
    readers = {".npy": _read_npy, ".png": _read_png}
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


def _read_png(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        import PIL.Image
    except ImportError:
        raise ActcliError(
            f"{path}: pictures need Pillow", "Install it: pip install 'actcli[image]'"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of a picture that is far too large
            with PIL.Image.open(path, formats=["PNG"]) as picture:
                if picture.size[::-1] not in {shape, (1, *shape)}:
                    raise _wrong_shape(path, picture.size[::-1], shape)
                if picture.mode not in PNG_MODES:
                    raise DataError(
                        f"{path} is of mode {picture.mode}", "Allowed: 8 bits per channel"
                    )
                return np.asarray(_as_grey(picture), np.uint8).reshape(-1)
    except PIL.UnidentifiedImageError:
        raise DataError(f"{path} is not a PNG picture") from None
    except (*DAMAGE_ERRORS, PIL.Image.DecompressionBombError, Warning) as error:
        raise DataError(f"{path} is damaged, or far too large: {error}") from error


def _as_grey(picture: "Image") -> "Image":
    """Return the picture in grey levels; transparent pixels become white."""
    import PIL.Image

    if "A" not in picture.mode and "transparency" not in picture.info:
        return picture.convert("L")
    coloured = picture.convert("RGBA")
    paper = PIL.Image.new("RGBA", picture.size, (WHITE, WHITE, WHITE, WHITE))
    return PIL.Image.alpha_composite(paper, coloured).convert("L")


def _wrong_shape(path: Path, actual: tuple[int, ...], shape: tuple[int, ...]) -> UsageError:
    allowed = " x ".join(map(str, shape))
    return UsageError(
        f"{path} has the shape {' x '.join(map(str, actual)) or 'of a single number'}",
        f"The network takes {allowed}",
    )


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
