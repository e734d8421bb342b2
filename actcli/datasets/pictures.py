"""Pictures: PNG and JPEG files in grey levels, whatever their size, depth or colours.

Pillow reads them, which the extra `image` installs. The size of a picture is checked before it is
unpacked, so that a small file cannot fill the memory.
"""

import contextlib
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from actcli.errors import ActcliError, DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 64_000_000  # more than the cameras of phones have
DAMAGE_ERRORS = (ValueError, SyntaxError, TypeError, EOFError, tokenize.TokenError, OverflowError)
WHITE = 255
ORIENTATION = 0x0112  # the tag of EXIF


@contextlib.contextmanager
def open_picture(path: Path) -> Iterator["Image"]:
    """Yield a picture whose size has been checked; its pixels are not unpacked yet.

    Raises:
        ActcliError: Pillow is missing.
        DataError: the file is not a PNG or a JPEG picture, is damaged, or is far too large.
    """
    try:
        import PIL.Image
    except ImportError:
        raise ActcliError(
            f"{path}: pictures need Pillow", "Install it: pip install 'actcli[image]'"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of a picture that is far too large
            with PIL.Image.open(path, formats=["PNG", "JPEG"]) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise DataError(
                        f"{path} has {picture.width:,} x {picture.height:,} pixels",
                        f"At most {MAX_PIXELS:,} are read",
                    )
                yield picture
    except PIL.UnidentifiedImageError:
        raise DataError(f"{path} is not a PNG or a JPEG picture") from None
    except (*DAMAGE_ERRORS, PIL.Image.DecompressionBombError, Warning) as error:
        raise DataError(f"{path} is damaged, or far too large: {error}") from error
    except MemoryError:
        raise DataError(f"{path} is damaged, or does not fit into memory") from None
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path} is damaged, or cannot be read: {reason}") from error


def upright(picture: "Image") -> "Image":
    """Return a picture as a viewer shows it: turned or mirrored as its EXIF data say."""
    import PIL.ImageOps

    return PIL.ImageOps.exif_transpose(picture)


def is_turned(picture: "Image") -> bool:
    """Return whether the EXIF data of a picture say that it is to be turned or mirrored."""
    return picture.getexif().get(ORIENTATION, 1) not in {0, 1}


def reduced(picture: "Image", side: int) -> "Image":
    """Return a picture whose longer side has `side` pixels."""
    import PIL.Image

    factor = side / max(picture.size)
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    if "transparency" in picture.info:
        picture = picture.convert("RGBA")
    elif picture.mode not in {"L", "LA", "RGB", "RGBA"}:
        picture = PIL.Image.fromarray(grey_levels(picture))
    # A pixel is the mean of those that fall into it.
    return picture.resize(size, PIL.Image.Resampling.BOX)


def grey_levels(picture: "Image") -> NDArray[np.uint8]:
    """Return the grey levels (H, W) of a picture, 255 for white. Transparent pixels are paper.

    The paper is white, unless what is drawn on it is light.
    """
    if picture.mode.startswith("I"):  # 16 bits
        return np.asarray(np.asarray(picture).clip(0, 65535) >> 8, np.uint8)
    if "A" not in picture.mode and "transparency" not in picture.info:
        return np.asarray(picture.convert("L"), np.uint8)
    coloured = picture.convert("LA")
    grey, opacity = (np.asarray(band, np.float32) for band in coloured.split())
    weight = float(opacity.sum())
    is_light = weight > 0 and float((grey * opacity).sum()) / weight > WHITE / 2
    paper = 0 if is_light and opacity.min() < WHITE / 2 else WHITE
    share = opacity / WHITE
    return np.asarray(np.rint(grey * share + paper * (1 - share)), np.uint8)
