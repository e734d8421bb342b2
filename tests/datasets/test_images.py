"""Images from files: what is taken, and that nothing else is, however it is made."""

import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from actcli.datasets.images import invert_colours, read_image
from actcli.errors import ActcliError, DataError, UsageError

SHAPE = (4, 3)
BYTES, FLOATS = np.dtype(np.uint8), np.dtype(np.float32)
PIXELS = np.arange(12, dtype=np.uint8).reshape(SHAPE) * 20


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


def pictured(path: Path, mode: str = "L", size: tuple[int, int] = (3, 4), **options: Any) -> Path:
    PIL.Image.fromarray(PIXELS).resize(size, 0).convert(mode).save(path, "PNG", **options)
    return path


@pytest.mark.parametrize(
    "array",
    [
        PIXELS,
        PIXELS.reshape(-1),
        np.asfortranarray(PIXELS),
        PIXELS.astype(np.int64),
        PIXELS.astype(">u2"),
        PIXELS / 255,
        (PIXELS / 255).astype(np.float32),
        (PIXELS / 255).astype(np.float16),
    ],
    ids=["bytes", "flat", "Fortran", "int64", "big-endian", "float64", "float32", "float16"],
)
def test_an_array_of_a_set_of_bytes(array: Any, tmp_path: Path) -> None:
    pixels = read_image(saved(tmp_path / "a.npy", array), SHAPE, BYTES)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (12,)
    assert pixels.tolist() == PIXELS.reshape(-1).tolist()


def test_an_array_of_a_set_of_floats_stays_as_it_is(tmp_path: Path) -> None:
    array = np.linspace(-3, 1e5, 12).reshape(SHAPE)
    pixels = read_image(saved(tmp_path / "a.npy", array), SHAPE, FLOATS)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, array.reshape(-1), rtol=1e-6)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_a_picture(mode: str, tmp_path: Path) -> None:
    pixels = read_image(pictured(tmp_path / "a.PNG", mode), SHAPE, BYTES)
    np.testing.assert_allclose(pixels, PIXELS.reshape(-1), atol=1)


def test_a_picture_in_black_and_white(tmp_path: Path) -> None:
    assert set(read_image(pictured(tmp_path / "a.png", "1"), SHAPE, BYTES)) <= {0, 255}


def test_what_is_transparent_is_white_paper(tmp_path: Path) -> None:
    PIL.Image.new("RGBA", (3, 4), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert set(read_image(tmp_path / "a.png", SHAPE, BYTES)) == {255}


def test_inverted() -> None:
    assert invert_colours(np.array([0, 1, 255], np.uint8)).tolist() == [255, 254, 0]
    assert invert_colours(np.array([-1, 0, 3], np.float32)).tolist() == [3, 2, -1]
    assert invert_colours(PIXELS).dtype == np.uint8


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (PIXELS.T, UsageError, "has the shape 3 x 4. The network takes 4 x 3"),
        (np.zeros(11), UsageError, "has the shape 11. The network takes 4 x 3"),
        (np.float64(3), UsageError, "has the shape of a single number"),
        (
            np.zeros(SHAPE, complex),
            DataError,
            "holds complex128. Allowed: whole numbers, or floats",
        ),
        (np.full(SHAPE, "x"), DataError, "holds <U1"),
        (
            PIXELS.astype(int) - 1,
            DataError,
            "holds whole numbers from -1 to 219. Allowed: 0 to 255",
        ),
        (PIXELS.astype(int) + 40, DataError, "holds whole numbers from 40 to 260"),
        (PIXELS / 200, DataError, "holds floats from 0 to 1.1. Allowed: 0 to 1"),
        (np.full(SHAPE, np.nan), DataError, "holds a value that is not a finite number"),
        (np.full(SHAPE, -np.inf), DataError, "holds a value that is not a finite number"),
    ],
)
def test_an_array_that_does_not_fit(
    array: Any, error: type[ActcliError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        read_image(saved(tmp_path / "a.npy", array), SHAPE, BYTES)
    assert message in str(caught.value)


def test_a_float_beyond_float32(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", np.full(SHAPE, 1e300))
    with pytest.raises(DataError, match="beyond float32"):
        read_image(path, SHAPE, FLOATS)


class Malicious:
    def __reduce__(self) -> Any:
        return pytest.fail, ("it was unpickled",)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([Malicious()] * 12, object), allow_pickle=True)
    with pytest.raises(DataError, match=r"is not an \.npy file"):
        read_image(tmp_path / "a.npy", SHAPE, BYTES)


def header(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04 an archive",
        header((4, 3)),
        header((4, 3)) + b"\0" * 11,
        header((10**12, 10**6)),
        header((-4, -3)) + b"\0" * 12,
        b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 70000,
        b"\x93NUMPY\x09\x00\x01\x00x",
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_damaged_array(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(ActcliError) as caught:
        read_image(path, SHAPE, BYTES)
    assert str(path) in str(caught.value)


def chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(width: int, height: int, data: bytes, bits: int = 8) -> bytes:
    """A grey picture, whatever its data."""
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a PNG or a JPEG picture"),
        (b"GIF89a", "is not a PNG or a JPEG picture"),
        (png(3, 5, bytes(20)), "has the shape 5 x 3. The network takes 4 x 3"),
        (png(3, 4, bytes(5)), "image file is truncated"),
        (png(3, 4, bytes(40))[:44], "a.png"),
        (png(60_000, 60_000, bytes(100)), "is damaged, or far too large"),  # a bomb
        (png(12_000, 12_000, bytes(100)), "is damaged, or far too large"),
        (
            png(9_000, 9_000, bytes(100)),
            "has 9,000 x 9,000 pixels. At most",
        ),  # and is never unpacked
        (png(0, 0, b""), "a.png"),
    ],
)
def test_a_picture_that_does_not_fit(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ActcliError) as caught:
        read_image(path, SHAPE, BYTES)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["a.gif", "a", "a.npz"])
def test_another_kind_of_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not an image that can be read. Known: .npy, .png"):
        read_image(tmp_path / name, SHAPE, BYTES)


def test_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.npy").mkdir()
    for name in ("none.npy", "none.png", "folder.npy"):
        with pytest.raises(UsageError, match="there is no file"):
            read_image(tmp_path / name, SHAPE, BYTES)


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pictured(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ActcliError) as caught:
        read_image(path, SHAPE, BYTES)
    assert str(caught.value).endswith(
        "pictures need Pillow. Install it: pip install 'actcli[image]'"
    )
