"""How the pictures of a diagnosis look where they do not fit, or where a number is none."""

import io
import math

import numpy as np
from rich.console import Console

from actcli.diagnostics.confusion import Confusion
from actcli.diagnostics.first_layer import FirstLayer, UnitWeights
from actcli.render.confusion_matrix import ConfusionView
from actcli.render.weight_pictures import WeightsView
from actcli.term.canvas import Canvas
from actcli.term.signed_image import common_scale, signed_lines


def console(width: int, colour: str | None = None) -> Console:
    return Console(
        file=io.StringIO(), width=width, color_system=colour, force_terminal=bool(colour), height=50
    )


def shown(view: object, width: int) -> list[str]:
    screen = console(width)
    screen.print(view)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


def confusion(classes: int, rows: int, prefix: str = "") -> Confusion:
    counts = np.full((classes, classes), 3)
    np.fill_diagonal(counts, rows)
    counts[1, 0] = 17
    names = tuple(f"{prefix}{number}" for number in range(classes))
    return Confusion(names, tuple(map(tuple, counts.tolist())))


def test_ten_classes_of_thousands_of_rows_fit_80_columns() -> None:
    text = shown(ConfusionView(confusion(10, 6000)), 80)
    assert max(map(len, text)) <= 80
    assert text[2] == "0 6,000     3     3     3     3     3     3     3     3     3"


def test_a_matrix_that_does_not_fit_becomes_its_worst_pairs() -> None:
    for classes, width in ((40, 200), (10, 50)):
        text = shown(ConfusionView(confusion(classes, 6000)), width)
        assert max(map(len, text)) <= width
        assert not any(line.startswith("0 6,000     3") for line in text)
        assert any("1 as 0" in line and "17" in line for line in text)
    assert "… and 30 more classes with a higher F1; all: --json" in shown(
        ConfusionView(confusion(40, 6000)), 200
    )


def test_names_with_control_characters_are_escaped() -> None:
    text = shown(ConfusionView(confusion(3, 5, prefix="\x1b[31m")), 80)
    assert "\x1b" not in "".join(text)
    assert "\\x1b[31m0" in text[2]


def test_no_mistake_and_no_row() -> None:
    text = shown(ConfusionView(Confusion(("a", "b"), ((5, 0), (0, 0)))), 80)
    assert text[-1] == "No row is predicted as a wrong class."
    assert text[-2].split() == ["b", "0", "0", "–", "–", "–"]


def layer(weights: list[float], shape: tuple[int, int] | None) -> FirstLayer:
    unit = UnitWeights(7, None, "dead", 0.0, None, None, 0.0, np.array(weights))
    return FirstLayer("relu", 1, len(weights), shape, 1.0, (unit,))


def test_weights_that_are_not_numbers_are_blank() -> None:
    text = shown(WeightsView(layer([math.nan, 1.0, -1.0, math.inf], (2, 2))), 80)
    assert "7 DEAD" in text
    text = shown(WeightsView(layer([0.0] * 4, None)), 80)
    assert text[-1] == "7 DEAD"


def test_inputs_that_do_not_fit_are_means_of_neighbours() -> None:
    text = shown(WeightsView(layer([1.0, 1.0, -1.0, -1.0] * 50, None)), 60)
    assert "means of 4 neighbours" in " ".join(text)
    assert max(map(len, text)) <= 60


def test_the_two_colours_of_an_image() -> None:
    image = [[1.0, -1.0], [0.0, 0.0], [2.0, math.nan]]
    (first, second) = signed_lines(image, 1.0, console(80, "truecolor"), Canvas(80))
    styles = [str(span.style) for span in first.spans]
    assert styles == ["#ff9628 on #181818", "#3ca0ff on #181818"]
    assert str(second.spans[1].style) == "#181818 on #181818"
    plain = signed_lines(image, 1.0, console(80), Canvas(80, ascii=True))
    assert [line.plain for line in plain] == ["+-", "+ "]
    assert common_scale([image]) == 1.0
    assert common_scale([[[math.nan]]]) == 0.0
