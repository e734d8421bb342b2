"""Drawings: a picture of any size and kind becomes an image like those of MNIST."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from click.testing import CliRunner

import actcli
from actcli.cli import main
from actcli.datasets.dataset import load_dataset
from actcli.datasets.drawings import read_drawing
from actcli.errors import ActcliError

DIGITS = Path(__file__).parents[1] / "oracles" / "digits"
SHAPE = (28, 28)


def seven(size: tuple[int, int] = (400, 300), width: int = 9) -> PIL.Image.Image:
    """A seven, black on white, left of the middle."""
    picture = PIL.Image.new("L", size, 255)
    x, y = size[0] // 6, size[1] // 6
    corners = [(x, y), (2 * x, y), (round(1.3 * x), 4 * y)]
    PIL.ImageDraw.Draw(picture).line(corners, fill=0, width=width)
    return picture


def saved(folder: Path, picture: PIL.Image.Image, name: str = "a.png", **options: Any) -> Path:
    picture.save(folder / name, **options)
    return folder / name


def centre(pixels: np.ndarray) -> tuple[float, float]:
    mass = pixels / pixels.sum()
    places = np.arange(28) + 0.5
    return float(mass.sum(axis=1) @ places), float(mass.sum(axis=0) @ places)


def test_each_step_is_said_and_done(tmp_path: Path) -> None:
    drawing = read_drawing(saved(tmp_path, seven()), SHAPE)
    assert drawing.steps[:2] == ("400 x 300 pixels", "inverted: its border is light")
    assert drawing.steps[2].startswith("cropped to ")
    assert drawing.steps[3].endswith(" x 20")
    assert drawing.steps[4] == "centred by its mass in 28 x 28"
    pixels = drawing.pixels
    rows = np.flatnonzero(pixels.any(axis=1))
    assert (len(rows), pixels.max(), pixels[0].max()) == (20, 255, 0)
    assert centre(pixels) == pytest.approx((14, 14), abs=0.6)
    assert np.count_nonzero((pixels > 0) & (pixels < 255)) > 0  # smooth edges


def as_seen(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Turned, so that a viewer that heeds the EXIF data turns it back."""
    return picture.transpose(PIL.Image.Transpose.ROTATE_90)


def transparent(ink: int) -> PIL.Image.Image:
    """Ink on nothing: the colour of a transparent pixel does not count."""
    opacity = PIL.Image.eval(seven(), lambda level: 255 - level)
    picture = PIL.Image.new("RGBA", opacity.size, (ink, ink, ink, 0))
    picture.putalpha(opacity)
    return picture


def deep() -> PIL.Image.Image:
    return PIL.Image.fromarray(np.asarray(seven()).astype(np.uint16) * 257)


TURNED = PIL.Image.Exif()
TURNED[0x0112] = 6
GRAIN = np.random.default_rng(0).normal(0, 6, (300, 400)) + np.linspace(-20, 20, 400)


@pytest.mark.parametrize(
    ("picture", "name", "options"),
    [
        (PIL.Image.eval(seven(), lambda level: 255 - level), "a.png", {}),
        (seven().convert("P"), "a.png", {}),
        (seven().convert("1"), "a.png", {}),
        (seven().convert("LA"), "a.png", {}),
        (transparent(0), "a.png", {}),
        (transparent(255), "a.png", {}),
        (deep(), "a.png", {}),
        (seven().convert("RGB"), "a.jpg", {"quality": 95}),
        (seven().convert("CMYK"), "a.jpeg", {"quality": 95}),
        (as_seen(seven()), "a.jpg", {"quality": 95, "exif": TURNED}),
        (seven((2000, 1500), 45), "a.png", {}),
        (PIL.Image.fromarray((np.asarray(seven()) * 0.6 + 60 + GRAIN).clip(0, 255).astype("u1")),
         "a.png", {}),
    ],
    ids=["white on black", "palette", "bilevel", "grey and opacity", "black on nothing",
         "white on nothing", "16 bits", "JPEG", "CMYK", "EXIF", "large", "a photograph"],
)  # fmt: skip
def test_the_same_digit_in_other_files(
    picture: PIL.Image.Image, name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    plain = read_drawing(saved(tmp_path, seven(), "plain.png"), SHAPE).pixels.astype(float)
    other = read_drawing(saved(tmp_path, picture, name, **options), SHAPE).pixels.astype(float)
    alike = [  # the middle may be rounded up or down
        np.corrcoef(plain.reshape(-1), np.roll(other, shift, axis=0).reshape(-1))[0, 1]
        for shift in (-1, 0, 1)
    ]
    assert max(alike) > 0.95


def test_an_image_of_mnist_is_used_as_it_is(tmp_path: Path) -> None:
    data = load_dataset("mnist")
    for row in data.test.rows[:3]:
        image = data.test.pixels[row].reshape(SHAPE)
        black_on_white = PIL.Image.fromarray(255 - image)
        for picture in (PIL.Image.fromarray(image), black_on_white):
            drawing = read_drawing(saved(tmp_path, picture), SHAPE)
            np.testing.assert_array_equal(drawing.pixels, image)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that announces many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bomb(60_000, 60_000), "far too large"),
        (bomb(9_000, 9_000), "has 9,000 x 9,000 pixels. At most 64,000,000 are read"),
        (bomb(200, 200), "is damaged"),
        (b"hello", "is not a PNG or a JPEG picture"),
    ],
)
def test_pictures_that_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ActcliError, match=message):
        read_drawing(tmp_path / "a.png", SHAPE)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture(level: int, tmp_path: Path) -> None:
    path = saved(tmp_path, PIL.Image.new("L", (50, 40), level))
    with pytest.raises(ActcliError, match=r"is empty: .* Draw a digit"):
        read_drawing(path, SHAPE)


def test_a_drawing_for_pixels_that_end_at_16(tmp_path: Path, monkeypatch) -> None:
    """As scikit-learn's digits do, in rows of 64 numbers."""
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).integers(0, 17, (60, 64)).astype(np.uint8)
    y = np.array(["seven", "other"] * 30)
    np.savez("d.npz", x_train=x, y_train=y, x_test=x[:9], y_test=y[:9])
    path = saved(tmp_path, seven())
    run = CliRunner().invoke(
        main, ["train", "--dataset", "d.npz", "--epochs", "1", "--hidden", "4"]
    )
    assert "The numbers end at 16: they are not divided by 255" in run.stderr
    result = CliRunner().invoke(main, ["predict", "--image", str(path), "--label", "seven"])
    assert result.exit_code == 0, result.stderr
    assert "scaled to 3 x 6; centred by its mass in 8 x 8" in " ".join(result.stdout.split())
    raw = CliRunner().invoke(main, ["predict", "--image", str(path), "--raw"])
    assert (raw.exit_code, "has the shape 300 x 400. The network takes" in raw.stderr) == (2, True)


@pytest.mark.slow
def test_the_default_run_answers_the_drawn_digits(tmp_path: Path) -> None:
    actcli.train(runs=tmp_path, name="default")
    model = actcli.Model.load(tmp_path / "default")
    right = {}
    for path in sorted(DIGITS.glob("*.png")):
        image = read_drawing(path, SHAPE).pixels
        right[path.stem] = str(model.predict(image[None])[0]) == path.stem[0]
    assert right.pop("7-paint")
    assert len(right) == 20
    assert sum(right.values()) >= 18, right
