"""One image of a user's own, from a file: an array (`.npy`) or a picture (`.png`).

It has to have the shape of the images that the network was trained on: nothing is scaled, since
MNIST's digits are centred by their mass and would not look like what a plain scaling makes. Nothing
is unpickled, and no more is read than an image of that shape holds: an array is mapped and not
loaded, the size of a picture is checked before it is unpacked.

A picture needs Pillow, which the extra `image` installs.
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

DAMAGE = (ValueError, SyntaxError, TypeError, EOFError, tokenize.TokenError, OverflowError)
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # of pictures with 8 bits or fewer
WHITE = 255


def read_image(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Pixels:
    """The pixels of an image, shape (D,).

    Args:
        path: of a `.npy` or a `.png`.
        shape: (H, W) or (D,), of the images of the data set.
        dtype: of the pixels of the data set. Where it holds bytes, an array may hold whole numbers
            from 0 to 255, or floats from 0 to 1, which are multiplied by 255.

    Raises:
        UsageError: it is no such file, or has another shape.
        DataError: it cannot be read, or does not hold what it should.
        ActcliError: Pillow is missing.
    """
    readers = {".npy": _read_npy, ".png": _read_png}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path} is no image that can be read", f"Known: {', '.join(readers)}")
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    try:
        return _converted(reader(path, shape), dtype, path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def inverted(pixels: Pixels) -> Pixels:
    """With black for white: bytes mirrored in 0 to 255, floats in the range that they have."""
    if pixels.dtype == np.uint8:
        return np.asarray(WHITE - pixels, np.uint8)
    return np.asarray(pixels.min() + pixels.max() - pixels, np.float32)


def _read_npy(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except DAMAGE as error:
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
            warnings.simplefilter("error")  # a picture that is far too large
            with PIL.Image.open(path, formats=["PNG"]) as picture:
                if picture.size[::-1] not in {shape, (1, *shape)}:
                    raise _wrong_shape(path, picture.size[::-1], shape)
                if picture.mode not in MODES:
                    raise DataError(f"{path} is of mode {picture.mode}", "Allowed: 8 bits a colour")
                return np.asarray(_grey(picture), np.uint8).reshape(-1)
    except PIL.UnidentifiedImageError:
        raise DataError(f"{path} is not a PNG picture") from None
    except (*DAMAGE, PIL.Image.DecompressionBombError, Warning) as error:
        raise DataError(f"{path} is damaged, or far too large: {error}") from error


def _grey(picture: "Image") -> "Image":
    """As grey levels; what is transparent lets paper through."""
    import PIL.Image

    if "A" not in picture.mode and "transparency" not in picture.info:
        return picture.convert("L")
    coloured = picture.convert("RGBA")
    paper = PIL.Image.new("RGBA", picture.size, (WHITE, WHITE, WHITE, WHITE))
    return PIL.Image.alpha_composite(paper, coloured).convert("L")


def _wrong_shape(path: Path, found: tuple[int, ...], shape: tuple[int, ...]) -> UsageError:
    allowed = " x ".join(map(str, shape))
    return UsageError(
        f"{path} has the shape {' x '.join(map(str, found)) or 'of a single number'}",
        f"The network takes {allowed}",
    )


def _converted(pixels: NDArray[Any], dtype: np.dtype[Any], path: Path) -> Pixels:
    """In the type of the data set.

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
