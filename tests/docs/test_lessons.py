"""The tour in docs/lessons.md: its commands write what it shows, and its text is true of that."""

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
    """docs/make_lessons.py, which is no part of any package."""
    path = ROOT / "docs" / "make_lessons.py"
    found = importlib.util.spec_from_file_location("make_lessons", path)
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # where dataclasses look for it
    found.loader.exec_module(module)
    return module


MAKE = script()
PAGE = MAKE.PAGE.read_text(encoding="utf-8")
LESSONS = {lesson.title: lesson for lesson in MAKE.lessons(PAGE)}


# What may differ --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tolerance:
    """How far the numbers of two machines may be apart.

    Args:
        points: of percentages; of those below 1 %, that part of themselves.
        relative: of other numbers.
        count: of whole numbers, unless they should be 0.
    """

    points: float
    relative: float
    count: int = 0


# Measured with four kernels of the BLAS, on one thread and on two: accuracies were at most 0.06
# points apart and losses 0.3 %. Where units die, a bit decides which: in the first epoch of
# dying-relu 108 to 135 of 384 did, between 13 and 38 of those of layer 2.
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
CURVES = re.compile(r"[│┤].*")  # of a plot: the labels beside them are compared
DRAWN = re.compile("[\u2500-\u259f\u2800-\u28ff·]")  # bars and lines
WHOLE = re.compile(r"\d[\d,]*")


def words(output: str) -> list[str]:
    """All that is written, but not what is drawn, nor where lines break."""
    return DRAWN.sub(" ", CURVES.sub(" ", output)).split()


def differences(shown: str, got: str, allowed: Tolerance | None) -> list[str]:
    """Where two outputs differ by more than is allowed; without a tolerance, at all."""
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
    """Whether two words are the same, or numbers that are near enough."""
    if first == second:
        return True
    numbers = [
        re.fullmatch(r"([<>(]?)(-?[\d.,e+-]*\d)([,.;:)]*)", each) for each in (first, second)
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


def test_ten_lessons_with_the_topics_of_the_tour() -> None:
    assert len(LESSONS) == PAGE.count("\n## ") == 10
    assert set(TOLERANCES) == {
        lesson.title
        for lesson in LESSONS.values()
        if re.search("actcli (train|diagnose)", lesson.commands)
    }


@pytest.mark.parametrize("title", LESSONS)
def test_the_commands_write_what_is_shown(title: str) -> None:
    lesson = LESSONS[title]
    assert differences(lesson.output, MAKE.run(lesson.commands), TOLERANCES.get(title)) == []


@pytest.mark.parametrize("title", LESSONS)
def test_negative_control_a_changed_word_or_number_is_a_difference(title: str) -> None:
    output, allowed = LESSONS[title].output, TOLERANCES.get(title)
    assert differences(output, output, allowed) == []
    # Marks of several runs that stand side by side on their curves are drawn, and are no word.
    drawn = [] if allowed is None else [range(*found.span()) for found in CURVES.finditer(output)]
    unseen = [
        f"{found[0]} at {found.start()}"
        for found in re.finditer(r"\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?|[A-Za-z]{2,}", output)
        if not any(found.start() in curve for curve in drawn)
        and not differences(output, replaced(output, found), allowed)
    ]
    assert unseen == []


def replaced(output: str, found: re.Match[str]) -> str:
    """An output with another word, or a number more than twice as large."""
    other = f"{found[0]}x"
    if found[0][0].isdigit():
        value = float(found[0].replace(",", ""))
        other = f"{int(2 * value + 50)}" if WHOLE.fullmatch(found[0]) else f"{3 * value + 1e-9:.6g}"
    return output[: found.start()] + other + output[found.end() :]


def test_the_script_puts_new_outputs_in_their_places_and_leaves_the_rest() -> None:
    same = iter(LESSONS.values())
    assert MAKE.renewed(PAGE, lambda _: next(same).output) == PAGE
    other = MAKE.renewed(PAGE, lambda commands: f"{commands.upper()}")
    assert [lesson.output for lesson in MAKE.lessons(other)] == [
        lesson.commands.upper() for lesson in LESSONS.values()
    ]
    assert [lesson.text for lesson in MAKE.lessons(other)] == [
        lesson.text for lesson in LESSONS.values()
    ]


def test_a_command_that_fails_is_not_written_down() -> None:
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
    """The numbers of a column in the lines that start with certain signs."""
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


def test_relu_is_at_the_goal_where_sigmoid_is_not() -> None:
    title = "ReLU learns faster"
    assert column(title, "[ab]", 3) == [3, 5]  # ">5"
    relu, sigmoid = column(title, "[ab]", 4)
    assert relu > 95 > sigmoid > 90


def test_the_learning_rate_kills_relus_and_no_leaky_ones() -> None:
    title = "A learning rate that kills units, and a leak that keeps them alive"
    dead = column(title, "[123]", 3)
    assert min(dead[:3]) > 10
    assert dead[3:] == [0, 0, 0]
    assert column(title, "[123]", 4) == [0] * 6  # born dead
    assert f"{sum(dead):g} of 384 units are dead" in LESSONS[title].output


def test_softmax_sums_to_1_and_temperature_keeps_the_order() -> None:
    assert sum(column("Softmax against sigmoid", "dog|bird", 3)) == pytest.approx(1 - 0.6897)
    for scores in LESSONS["Temperature"].output.split("temperature ")[1:]:
        shares = re.findall(r"^(?:▶| ) \d .*?\.\d{4}   (0\.\d{4})", scores, re.MULTILINE)
        assert len(shares) == 3
        assert shares == sorted(shares, reverse=True)


def test_cross_entropy_learns_faster_than_squared_error_from_the_same_start() -> None:
    squared, entropy = column("Why not squared error", "[ab]", 3)
    assert entropy > squared + 2


def test_one_unit_with_twice_the_learning_rate_learns_as_fast_as_two() -> None:
    one, two, faster = column("A binary question with one unit or two", "[abc]", 4)
    assert one < two <= faster


def test_a_divergence_is_what_is_above_the_entropy() -> None:
    (entropy,) = column("KL divergence", "target", 2)
    (cross_entropy, _), (divergence, swapped) = (
        column("KL divergence", name, 1) for name in ("cross-entropy", "kl-divergence")
    )
    assert cross_entropy - entropy == pytest.approx(divergence)
    assert swapped > divergence
