"""Plots: each point is where its axes say, nothing is cut, and curves differ without colour."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from actcli.term.canvas import Canvas
from actcli.term.plot import Plot
from actcli.term.plot_area import BLANK, DASHES, Curve, PlotArea
from actcli.term.plot_axes import LinearAxis, ValuesAxis, horizontal_axis, vertical_axis

NUMBERS = st.floats(-1e9, 1e9).map(lambda x: x if abs(x) > 1e-9 else 0.0)
POINTS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20).map(sorted)
RISING = [(0.0, 0.0), (4.0, 4.0)]


def drawn(plot: Plot, width: int, ascii_only: bool = False) -> list[str]:
    return [line.plain for line in plot.lines(Canvas(width, ascii_only))]


def test_a_line_in_ascii() -> None:
    # Nine columns stand for 0 to 4, so that x = 1 is two columns from x = 0.
    assert drawn(Plot([Curve("y", RISING)], 5, "t"), 14, True) == [
        "*** y",
        "4 +       **",
        "  |      *",
        "2 +   ***",
        "  |  *",
        "0 +**",
        "  ++---+---+ t",
        "   0   2   4",
    ]


def test_a_line_in_braille() -> None:
    # Nine columns of two dots by two rows of four: 18 dots across, and 4 up from the middle of the
    # row of one tick to that of the other.
    lines = drawn(Plot([Curve("y", [(0, 0), (1, 1)])], 2), 14)
    assert lines == [
        "⠤⠤⠤ y",
        "1 ┤     ⢀⣀⡠⠤",
        "0 ┤⠤⠔⠒⠊⠉⠁",
        "  └┬───┬───┬ x",
        "  0.0 0.5 1.0",
    ]


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_value_at_a_tick_is_drawn_at_the_height_of_the_tick(ascii_only: bool) -> None:
    flat = [Curve(f"at {y}", [(0, y), (4, y)]) for y in (0, 1, 2)]
    lines = drawn(Plot(flat, 5, "t"), 24, ascii_only)
    rows = {line[0]: line[3:] for line in lines if line[2:3] in {"┤", "+"} and line[0].isdigit()}
    assert set(rows) == {"0", "1", "2"}
    for row in rows.values():  # only one line of dots, one of the two beside the middle
        assert set(row) <= set("*o+ " if ascii_only else "⠤⠄⠠ ")


def test_a_logarithmic_axis_has_powers_equally_far_apart() -> None:
    values = (0.01, 0.1, 1.0)
    points = [(value, 0.0) for value in values]
    plot = Plot([Curve("y", points, points, "a")], 2, "x", x_axis=ValuesAxis.at(values, True))
    marks = [at for at, sign in enumerate(drawn(plot, 29)[2]) if sign == "a"]
    assert len(marks) == 3
    assert marks[1] - marks[0] == pytest.approx(marks[2] - marks[1], abs=1)
    assert [at for at, sign in enumerate(drawn(plot, 29)[-2]) if sign == "┬"] == marks


def test_where_y_is_not_finite_the_line_breaks() -> None:
    points = [(0, 0), (1, 0), (1, math.nan), (1, 1), (2, 1)]
    parted = drawn(Plot([Curve("step", points)], 3, "t"), 14, True)
    assert parted[1:4] == ["1 +    *****", "  |", "0 +*****"]
    kept = [point for point in points if math.isfinite(point[1])]
    assert drawn(Plot([Curve("step", kept)], 3, "t"), 14, True)[2] == "  |    *"


def test_a_point_between_two_breaks_is_there() -> None:
    points = [(0, 0), (1, math.inf), (2, 1), (3, math.nan), (4, 0)]
    text = drawn(Plot([Curve("y", points)], 5, "t"), 14, True)
    assert sum(line.count("*") for line in text[1:6]) == 3


def test_each_curve_has_its_own_dashes_and_its_own_sign() -> None:
    curves = [Curve(f"c{n}", [(0, n), (1, n)]) for n in range(4)]
    lines = drawn(Plot(curves, 4), 40)
    samples = [line[: line.index(" c")] for line in lines[0].split("  ")]
    assert len(set(samples)) == len(DASHES) == 4
    assert drawn(Plot(curves, 4), 40, True)[0] == "*** c0  ooo c1  +++ c2  xxx c3"


def test_marks_stand_on_their_curve_and_in_the_legend() -> None:
    curve = Curve("relu", [(1, 0), (3, 2)], [(1, 0), (2, 1), (3, 2)], "a")
    lines = drawn(Plot([curve], 3, "n", whole=True), 13)
    assert lines[0] == "⠤a⠤ relu"
    assert [line[3:].index("a") for line in lines[1:4]] == [7, 4, 0]


def test_a_legend_that_is_too_wide_goes_on_below() -> None:
    curves = [Curve("x" * 10, RISING), Curve("y" * 10, RISING)]
    assert [line[4:] for line in drawn(Plot(curves, 3), 24)[:2]] == ["x" * 10, "y" * 10]


def test_names_are_made_safe() -> None:
    text = "\n".join(drawn(Plot([Curve("a\x1b[2J", RISING)], 3, "σ"), 30, True))
    assert "a\\x1b[2J" in text
    assert text.isascii()
    assert "sigma" in text


@pytest.mark.parametrize(
    ("low", "high", "rows", "ticks"),
    [
        (0.0067, 0.9933, 10, [0, 0.2, 0.4, 0.6, 0.8, 1]),  # a sigmoid
        (-0.9999, 0.9999, 10, [-1, -0.5, 0, 0.5, 1]),  # tanh
        (0, 5, 10, [0, 1, 2, 3, 4, 5]),  # a ReLU
        (-0.17, 5, 10, [-1, 0, 1, 2, 3, 4, 5]),  # GELU
        (0.9, 0.98, 10, [0.9, 0.92, 0.94, 0.96, 0.98]),
        (7, 7, 10, [0, 2, 4, 6, 8]),  # a horizontal line, with 0
        (-7, -7, 4, [-10, -5, 0]),
        (0, 0, 4, [0, 0.5, 1]),
        (1, 1 + 1e-15, 4, [0, 0.5, 1]),  # alike to rounding
        (2e-8, 3e-8, 4, [2e-8, 2.5e-8, 3e-8]),
    ],
)
def test_the_vertical_axis_goes_from_tick_to_tick(
    low: float, high: float, rows: int, ticks: list[float]
) -> None:
    found = vertical_axis(low, high, rows)
    assert found.ticks == pytest.approx(ticks, rel=1e-12, abs=1e-15)
    assert (found.low, found.high) == (found.ticks[0], found.ticks[-1])


@pytest.mark.parametrize(
    ("low", "high", "columns", "whole", "ticks"),
    [
        (-5, 5, 36, False, [-4, -2, 0, 2, 4]),
        (1, 6, 60, True, [1, 2, 3, 4, 5, 6]),
        (1, 2, 60, True, [1, 2]),
        (1, 1000, 60, True, [200, 400, 600, 800, 1000]),
        (0.3, 0.7, 20, False, [0.4, 0.6]),
    ],
)
def test_the_horizontal_axis_reaches_no_further_than_the_curves(
    low: float, high: float, columns: int, whole: bool, ticks: list[float]
) -> None:
    found = horizontal_axis(low, high, columns, whole)
    assert (found.low, found.high) == (low, high)
    assert found.ticks == pytest.approx(ticks)


@given(POINTS, st.integers(3, 20), st.integers(20, 100), st.booleans())
def test_nothing_is_cut_and_the_labels_are_true(
    points: list[tuple[float, float]], rows: int, width: int, ascii_only: bool
) -> None:
    lines = drawn(Plot([Curve("y", points)], rows), width, ascii_only)
    assert abs(len(lines) - 3 - rows) <= rows / 2
    rows = len(lines) - 3  # between the legend and the axis
    assert all(line == line.rstrip() for line in lines[:-2])
    tick, bar = ("+", "|") if ascii_only else ("┤", "│")
    at = len(lines[rows + 1]) - len(lines[rows + 1].lstrip())  # the corner
    area = [line[at + 1 :] for line in lines[1 : rows + 1]]
    labels = {
        row: float(line[:at]) for row, line in enumerate(lines[1 : rows + 1]) if line[at] == tick
    }
    assert all(line[at] in {tick, bar} for line in lines[1 : rows + 1])
    low, high = labels[rows - 1], labels[0]  # both ends have a label
    slack = 0.6 * (high - low) / 10 + 1e-9 if high - low >= 1e6 else 1e-9  # of three digits
    ys = [y for _, y in points]
    assert low - slack <= min(ys)
    assert high + slack >= max(ys)
    top = next(row for row, line in enumerate(area) if line.strip())
    bottom = max(row for row, line in enumerate(area) if line.strip())
    step = (high - low) / (rows - 1)  # the ends are in the middle of their rows
    for extreme, row in ((max(ys), top), (min(ys), bottom)):
        shown = high - step * row
        assert abs(shown - extreme) <= step * 0.75 + slack


def test_negative_control_a_shifted_axis_is_seen() -> None:
    area = PlotArea(10, 4, LinearAxis(0, 1, (0, 1), 1), LinearAxis(0, 1, (0, 1), 1), Canvas(80))
    shifted = PlotArea(10, 4, LinearAxis(0, 1, (0, 1), 1), LinearAxis(0, 2, (0, 2), 1), Canvas(80))
    assert (area.row(1), shifted.row(1)) == (0, 2)


def test_a_blank_of_braille_is_a_space() -> None:
    lines = Plot([Curve("y", RISING)], 6).lines(Canvas(40))
    assert chr(BLANK) not in "".join(line.plain for line in lines[1:])


@pytest.mark.parametrize("width", [24, 38, 80, 200])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_it_is_as_wide_as_it_may_be(width: int, ascii_only: bool) -> None:
    lines = drawn(Plot([Curve("y", [(-5, -1e4), (5, 1e4)])], 8), width, ascii_only)
    assert max(map(cell_len, lines)) == width


# Where curves meet ------------------------------------------------------------------------------


def meeting(first: str = "a", second: str = "b") -> list[Curve]:
    """Two curves with marks at 1, 2 and 3, of which those at 1 and at 3 are the same."""
    left, right = [(1, 0), (2, 2), (3, 1)], [(1, 0), (2, 0), (3, 1)]
    return [Curve("left", left, left, first), Curve("right", right, right, second)]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_marks_of_one_place_stand_side_by_side(ascii_only: bool) -> None:
    lines = drawn(Plot(meeting(), 3, "n", whole=True), 40, ascii_only)
    assert "both" not in lines[0]
    top, middle, bottom = (line[3:] for line in lines[1:4])
    assert (bottom.startswith("ab"), middle.endswith("ab"), top.count("a")) == (True, True, 1)
    ticks = [at for at, sign in enumerate(lines[4][3:]) if sign == ("+" if ascii_only else "┬")]
    assert top.index("a") == bottom.rindex("b") == ticks[1]


@pytest.mark.parametrize("whole", [True, False])
def test_where_there_is_no_room_they_are_one_mark_that_the_legend_names(whole: bool) -> None:
    # Seven columns from 1 to 3: two letters would be as near to the next number as to their own.
    lines = drawn(Plot(meeting(), 3, "n" if whole else "z", whole=whole), 13 if whole else 40)
    assert lines[0 if not whole else 2].endswith("& both")
    area = [line[3:] for line in lines[-5:-2]]
    assert [line.count("&") for line in area] == [0, 1, 1]
    assert [line.count("a") + line.count("b") for line in area] == [1, 0, 1]


def test_of_three_curves_some_marks_are_of_several() -> None:
    curves = [Curve(name, RISING, RISING[:1], name) for name in "abc"]
    assert drawn(Plot(curves, 3), 40)[0].endswith("& several")
    assert drawn(Plot(curves, 3, together="?"), 40)[0].endswith("? several")


def test_lines_that_are_the_same_take_turns() -> None:
    curves = [Curve("one", RISING), Curve("two", RISING)]
    signs = "".join(drawn(Plot(curves, 5), 40, True)[1:6])
    assert signs.count("*") == pytest.approx(signs.count("o"), abs=2)
    spans = [span for line in Plot(curves, 5).lines(Canvas(40))[1:6] for span in line.spans]
    assert {str(span.style) for span in spans} >= {"cyan", "magenta"}


@given(st.lists(POINTS, min_size=1, max_size=4), st.integers(20, 60), st.booleans())
def test_no_mark_is_hidden(
    several: list[list[tuple[float, float]]], width: int, ascii_only: bool
) -> None:
    rounded = [sorted({(float(round(x % 20)), y) for x, y in points}) for points in several]
    curves = [Curve("", each, each, sign) for each, sign in zip(rounded, "abcd", strict=False)]
    lines = drawn(Plot(curves, 8, whole=True), width, ascii_only)
    corner = next(at for at, line in enumerate(lines) if line.lstrip()[:1] in {"└", "+"} and at > 3)
    area = "".join(lines[:corner])
    assert all(area.count(curve.sign) > 1 or "&" in area for curve in curves)
