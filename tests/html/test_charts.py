"""Charts: their colours, their pictures, and axes that do not lie."""

import io
import itertools
import math
import re

import numpy as np
import pytest
from PIL import Image

from actcli.html.charts import Chart, Curve
from actcli.html.colours import (
    BLUES,
    DARK,
    DARK_CURVES,
    DASHES,
    DIVERGING,
    LIGHT,
    LIGHT_CURVES,
    MAGMA,
    SHADES,
    VIRIDIS,
    between,
    hexadecimal,
    ink_on,
    luminance,
    palette,
)
from actcli.html.png import png
from actcli.html.scales import level, logarithmic, upright

# Colours as they look without one kind of cones (Machado, Oliveira, Fernandes, A Physiologically-
# based Model for Simulation of Color Vision Deficiency, 2009, table 1, severity 1.0).
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.95047, 1, 1.08883])


def rgb(text: str) -> tuple[int, int, int]:
    red, green, blue = (int(text[start : start + 2], 16) for start in (1, 3, 5))
    return red, green, blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(luminance(rgb(colour)) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def lab(colour: str, blindness: str) -> np.ndarray:
    """CIE L*a*b* of a colour as it looks with a kind of colour blindness."""
    shares = np.array(rgb(colour)) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    seen = (np.array(BLINDNESS[blindness]) @ linear).clip(0, 1)
    x, y, z = np.cbrt(TO_XYZ @ seen / WHITE)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("curves", [LIGHT_CURVES, DARK_CURVES])
def test_curves_are_distinct_for_every_kind_of_eyes(curves: list[str], blindness: str) -> None:
    """A difference of 2.3 is just noticeable; here it is 12 at least."""
    seen = [lab(colour, blindness) for colour in curves]
    distances = [np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)]
    assert min(distances) > 12
    assert len(set(DASHES)) == len(curves)


@pytest.mark.parametrize(("colours", "curves"), [(LIGHT, LIGHT_CURVES), (DARK, DARK_CURVES)])
def test_texts_have_a_contrast_of_4_5_and_curves_of_3(
    colours: dict[str, str], curves: list[str]
) -> None:
    papers = [colours["paper"], colours["panel"]]
    for name in ("ink", "dim", "link", "error", "warning", "good"):
        assert min(contrast(colours[name], paper) for paper in papers) >= 4.5, name
    assert min(contrast(colour, colours["paper"]) for colour in curves) >= 3


def test_numbers_on_coloured_cells_can_be_read() -> None:
    for ramp in (BLUES, VIRIDIS, MAGMA):
        for step in range(101):
            cell = between(ramp, step / 100)
            assert contrast(hexadecimal(cell), ink_on(cell)) >= 4.5
    levels = [luminance(between(VIRIDIS, step / SHADES)) for step in range(SHADES + 1)]
    assert levels == sorted(levels)


def test_a_picture_is_a_png_that_others_read() -> None:
    colours = palette(DIVERGING, 255)
    rows = [bytes([0, 127, 254]), bytes([254, 0, 127])]
    image = Image.open(io.BytesIO(png(rows, colours))).convert("RGB")
    assert image.size == (3, 2)
    assert [image.getpixel((x, 0)) for x in range(3)] == [colours[0], colours[127], colours[254]]
    assert image.getpixel((0, 1)) == colours[254]


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (0.031, 0.87), (-3.0, 5.0), (1e-9, 3e-9), (0.5, 0.5), (0, 0), (1e6, 3e9)],
)
def test_ticks_stand_where_their_texts_say(low: float, high: float) -> None:
    scale = upright("y", low, high, 150)
    assert scale.low <= low
    assert scale.high >= high
    for value, text in scale.ticks:
        assert math.isclose(float(text), value, rel_tol=0.01, abs_tol=1e-12)
    assert len(scale.ticks) >= 2


@pytest.mark.parametrize(
    ("low", "high"), [(1e-3, 5.0), (0.02, 0.09), (3e-30, 2e-3), (1.0, 1.0), (0.5, 0.6), (1e-300, 1)]
)
def test_a_logarithmic_axis_contains_its_values_and_says_that_it_is_one(
    low: float, high: float
) -> None:
    scale = logarithmic("δ norm", low, high)
    assert scale.low <= low * (1 + 1e-9)
    assert scale.high >= high * (1 - 1e-9)
    assert 2 <= len(scale.ticks) <= 8
    assert scale.title == "δ norm (log scale)"
    for value, text in scale.ticks:
        assert math.isclose(float(text), value, rel_tol=1e-9)
    assert not scale.holds(0.0)
    middle = math.sqrt(scale.low) * math.sqrt(scale.high)
    assert math.isclose(scale.share(middle), 0.5)


def test_points_and_bars_are_as_high_as_their_values() -> None:
    chart = Chart("x", level("epoch", 1, 3, 300, whole=True), upright("y", 0.0, 8.0, 150))
    drawn = chart.draw(
        chart.curve(Curve("a", [(1, 2.0), (2, None), (3, math.nan)])),
        chart.bar((1, 2), 4.0, "four", "bar"),
    )
    bottom, top = chart.down(0), chart.down(8)
    (height,) = map(float, re.findall(r'<circle[^>]* cy="([\d.]+)"', drawn))
    assert math.isclose((bottom - height) / (bottom - top), 2 / 8, abs_tol=1e-3)
    bar = re.search(r'<rect class="bar" y="([\d.]+)" height="([\d.]+)"', drawn)
    assert bar
    assert math.isclose(float(bar[2]) / (bottom - top), 4 / 8, abs_tol=1e-3)
    assert math.isclose(float(bar[1]) + float(bar[2]), bottom, abs_tol=0.02)
    assert drawn.count("L") == 0, "a missing value leaves a gap"
