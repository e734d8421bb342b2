"""Saved pictures: cells, shapes and colours."""

import re
from pathlib import Path

import pytest
from rich.color_triplet import ColorTriplet
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

import actcli
from actcli.term.palette import DARK, LIGHT, colours
from actcli.term.picture import WRITERS, svg
from actcli.term.shapes import CELL_HEIGHT, CELL_WIDTH, boxes, is_drawn, path

SOURCES = sorted(Path(actcli.__file__).parent.rglob("*.py"))


def test_every_line_and_block_in_the_sources_is_drawn() -> None:
    characters = {sign for source in SOURCES for sign in source.read_text(encoding="utf-8")}
    lines_and_blocks = {sign for sign in characters if "\u2500" <= sign < "\u25a0"}
    assert {"─", "│", "█"} < lines_and_blocks
    assert {sign for sign in lines_and_blocks if not is_drawn(sign)} == set()


def test_the_dots_of_braille_are_where_unicode_puts_them() -> None:
    assert boxes("⠀") == []
    places = [
        (round(2 * left + right - left - 0.5), round(4 * top + 2 * (bottom - top) - 0.5))
        for left, top, right, bottom in boxes("⣿")
    ]
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    lower_right = boxes("⢀")  # dot 8
    assert [box[0] > 0.5 and box[1] > 0.75 for box in lower_right] == [True]


def test_wide_neighbours_are_one_shape_and_narrow_ones_are_not() -> None:
    assert path("───").count("M") == 1
    assert f"h{3 * CELL_WIDTH}" in path("███", left=CELL_WIDTH, top=CELL_HEIGHT)
    assert path("││").count("M") == 2
    assert path("⠀⠀") == ""


def test_wide_and_combining_characters_have_their_own_cells() -> None:
    picture = svg(Text("おe\u0301x"), 80, "")
    cells = re.findall(r'class="s0[^"]*" x="([^"]*)"[^>]*>([^<]*)<', picture)
    assert cells == [("9", "お"), ("22.5", "e\u0301"), ("27", "x")]


def test_a_colour_of_light_pages_does_not_stay_on_dark_ones() -> None:
    """White text is grey on a light page; on a dark page it has the colour of plain text."""
    light, _, dark = svg(Text("x", "white"), 80, "").partition("prefers-color-scheme:dark")
    grey = colours(Style.parse("white"), LIGHT)[0].hex
    white = colours(Style.parse("white"), DARK)[0].hex
    assert f".s0{{color:{grey};fill:{grey}}}" in light
    assert f".s0{{color:{white};fill:{white}}}" in dark


def test_an_empty_view_is_a_picture() -> None:
    for write in WRITERS.values():
        assert write(Text(), 80, "nothing")


def luminance(colour: ColorTriplet) -> float:
    """The relative luminance by WCAG 2."""
    shares = [part / 255 for part in colour]
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_are_readable(theme: TerminalTheme) -> None:
    names = ["red", "green", "yellow", "blue", "magenta", "cyan"]
    paper = luminance(theme.background_color)
    for style in ("", "dim", *names):
        text = luminance(colours(Style.parse(style), theme)[0])
        darker, lighter = sorted([text, paper])
        assert (lighter + 0.05) / (darker + 0.05) > 4.5, style
