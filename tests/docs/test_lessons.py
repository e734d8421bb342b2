"""docs/lessons.md: the commands print the outputs of the page, and the text agrees with them."""

import importlib.util
import re
import sys
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import isclose, prod
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def script() -> ModuleType:
    """Import docs/make_lessons.py, which does not belong to a package."""
    path = ROOT / "docs" / "make_lessons.py"
    spec = importlib.util.spec_from_file_location("make_lessons", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


MAKE = script()
PAGE = MAKE.PAGE.read_text(encoding="utf-8")
LESSONS = {lesson.title: lesson for lesson in MAKE.lessons(PAGE)}


# Allowed differences ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Tolerance:
    """The largest difference that is allowed between the numbers of two machines.

    Args:
        points: difference of percentages; of a percentage below 1 %, that part of it.
        relative: relative difference of other numbers with decimals.
        count: difference of whole numbers; a 0 must stay 0.
    """

    points: float
    relative: float
    count: int = 0


# Measured with four BLAS kernels, on one thread and on two: accuracies differ by at most 0.06
# points and losses by 0.3 %. Which units die depends on the last bits: in the first epoch of
# dying-relu, 108 to 135 of 384 units died, among them 13 to 38 units of layer 2.
TRAINED = Tolerance(points=1.5, relative=0.1)
KILLED = Tolerance(points=8, relative=0.5, count=25)
AT_ITS_START = Tolerance(points=0.2, relative=0.02)
TOLERANCES = {
    "The error that shrinks through ten layers": AT_ITS_START,
    "ReLU learns faster": TRAINED,
    "A learning rate that kills units, and a leak that keeps them alive": KILLED,
    "Why not squared error": TRAINED,
    "A binary question with one unit or two": TRAINED,
}
CURVES = re.compile(r"[│┤].*")  # the inside of a plot; the labels beside it are compared
DRAWN = re.compile("[\u2500-\u259f\u2800-\u28ff·]")  # bars and lines
WHOLE = re.compile(r"\d[\d,]*")


def words(output: str) -> list[str]:
    """Return the words of an output, without curves, bars and line breaks."""
    return DRAWN.sub(" ", CURVES.sub(" ", output)).split()


def differences(shown: str, got: str, allowed: Tolerance | None) -> list[str]:
    """Return the differences beyond the tolerance; without a tolerance, all differences."""
    if allowed is None:
        return [] if shown == got else [f"{shown}\nis now\n{got}"]
    pairs = list(zip_longest(words(shown), words(got), fillvalue=""))
    units = [*(first for first, _ in pairs[1:]), ""]
    return [
        f"{first} is now {second}"
        for (first, second), unit in zip(pairs, units, strict=True)
        if not alike(first, second, unit, allowed)
    ]


def alike(first: str, second: str, unit: str, allowed: Tolerance) -> bool:
    """Return whether two words are equal, or are numbers within the tolerance."""
    if first == second:
        return True
    numbers = [
        re.fullmatch(r"([<>(]?)(-?[\d.,e+-]*\d)([,.;:)]*)", word) for word in (first, second)
    ]
    if not all(numbers) or numbers[0].group(1, 3) != numbers[1].group(1, 3):
        return False
    was, now = (float(number[2].replace(",", "")) for number in numbers)
    if unit.startswith("%"):
        return abs(now - was) <= allowed.points * min(1, was)
    if all(WHOLE.fullmatch(number[2]) for number in numbers):
        return abs(now - was) <= allowed.count * (was != 0)
    return isclose(was, now, rel_tol=allowed.relative)


# The outputs ------------------------------------------------------------------------------------


def test_there_are_ten_lessons_and_those_that_train_have_a_tolerance() -> None:
    assert len(LESSONS) == PAGE.count("\n## ") == 10
    assert set(TOLERANCES) == {
        lesson.title
        for lesson in LESSONS.values()
        if re.search("actcli (train|diagnose)", lesson.commands)
    }


@pytest.mark.slow
@pytest.mark.parametrize("title", LESSONS)
def test_the_commands_print_the_outputs_of_the_page(title: str) -> None:
    lesson = LESSONS[title]
    assert differences(lesson.output, MAKE.run(lesson.commands), TOLERANCES.get(title)) == []


@pytest.mark.parametrize("title", LESSONS)
def test_negative_control_a_changed_word_or_number_is_a_difference(title: str) -> None:
    output, allowed = LESSONS[title].output, TOLERANCES.get(title)
    assert differences(output, output, allowed) == []
    # Adjacent marks of several runs on their curves belong to the drawing and are not words.
    drawn = [] if allowed is None else [range(*match.span()) for match in CURVES.finditer(output)]
    missed = [
        f"{match[0]} at {match.start()}"
        for match in re.finditer(r"\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?|[A-Za-z]{2,}", output)
        if not any(match.start() in curve for curve in drawn)
        and not differences(output, replaced(output, match), allowed)
    ]
    assert missed == []


def replaced(output: str, match: re.Match[str]) -> str:
    """Return an output with one word changed, or one number made more than twice as large."""
    other = f"{match[0]}x"
    if match[0][0].isdigit():
        value = float(match[0].replace(",", ""))
        other = f"{int(2 * value + 50)}" if WHOLE.fullmatch(match[0]) else f"{3 * value + 1e-9:.6g}"
    return output[: match.start()] + other + output[match.end() :]


def test_the_script_replaces_the_outputs_and_nothing_else() -> None:
    same = iter(LESSONS.values())
    assert MAKE.renewed(PAGE, lambda _: next(same).output) == PAGE
    other = MAKE.renewed(PAGE, lambda commands: f"{commands.upper()}")
    assert [lesson.output for lesson in MAKE.lessons(other)] == [
        lesson.commands.upper() for lesson in LESSONS.values()
    ]
    assert [lesson.text for lesson in MAKE.lessons(other)] == [
        lesson.text for lesson in LESSONS.values()
    ]


def test_the_output_of_a_failing_command_is_not_written() -> None:
    with pytest.raises(RuntimeError, match="there is no activation 'sigmoidd'"):
        MAKE.run("actcli activations sigmoidd")


# The claims -------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", LESSONS)
def test_each_number_of_the_text_is_in_the_output(title: str) -> None:
    assert LESSONS[title].unfounded == []
    assert MAKE.NUMBER.search(LESSONS[title].text)


def test_negative_control_a_number_that_is_not_in_the_output_is_found() -> None:
    lesson = LESSONS["Temperature"]
    changed = replace(lesson, text=lesson.text.replace("0.8756", "0.8757"))
    assert changed.unfounded == ["0.8757"]


def column(title: str, first: str, index: int) -> list[float]:
    """Return the numbers of a column, in the lines whose first word matches `first`."""
    lines = [line.split() for line in LESSONS[title].output.splitlines()]
    cells = [row[index] for row in lines if len(row) > index and re.fullmatch(first, row[0])]
    return [float(cell.lstrip(">")) for cell in cells if re.fullmatch(r">?-?[\d.]+", cell)]


def test_the_compounded_factor_is_the_product_of_the_factors() -> None:
    title = "The error that shrinks through ten layers"
    factors, compounded = column(title, r"\d+", 3), column(title, r"\d+", 4)
    assert len(factors) == 10
    assert compounded[0] == pytest.approx(100 * prod(factors), rel=0.02)
    assert compounded[0] < 100 * 0.25**10
    assert max(factors[:9]) < 0.25 < factors[9]


def test_relu_reaches_95_percent_and_sigmoid_does_not() -> None:
    title = "ReLU learns faster"
    assert column(title, "[ab]", 3) == [3, 5]  # ">5"
    relu, sigmoid = column(title, "[ab]", 4)
    assert relu > 95 > sigmoid > 90


def test_the_learning_rate_kills_relus_but_not_leaky_relus() -> None:
    title = "A learning rate that kills units, and a leak that keeps them alive"
    dead = column(title, "[123]", 3)
    assert min(dead[:3]) > 10
    assert dead[3:] == [0, 0, 0]
    assert column(title, "[123]", 4) == [0] * 6  # born dead
    assert f"{sum(dead):g} of 384 units are dead" in LESSONS[title].output


def test_softmax_sums_to_1_and_temperature_keeps_the_order() -> None:
    assert sum(column("Softmax against sigmoid", "dog|bird", 3)) == pytest.approx(1 - 0.6897)
    for output in LESSONS["Temperature"].output.split("temperature ")[1:]:
        shares = re.findall(r"^(?:▶| ) \d .*?\.\d{4}   (0\.\d{4})", output, re.MULTILINE)
        assert len(shares) == 3
        assert shares == sorted(shares, reverse=True)


def test_cross_entropy_learns_faster_than_squared_error_from_the_same_start() -> None:
    squared, entropy = column("Why not squared error", "[ab]", 3)
    assert entropy > squared + 2


def test_one_unit_with_twice_the_learning_rate_learns_as_fast_as_two() -> None:
    one, two, faster = column("A binary question with one unit or two", "[abc]", 4)
    assert one < two <= faster


def test_kl_divergence_is_cross_entropy_minus_entropy() -> None:
    (entropy,) = column("KL divergence", "target", 2)
    (cross_entropy, _), (divergence, swapped) = (
        column("KL divergence", name, 1) for name in ("cross-entropy", "kl-divergence")
    )
    assert cross_entropy - entropy == pytest.approx(divergence)
    assert swapped > divergence
