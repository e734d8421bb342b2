"""Formatting that every table shares: numbers, bars, foreign text; and the table of `softmax`."""

import io
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from actcli.explore.softmax import LogitAnalysis, analyse_logits
from actcli.jsonlines import dumps
from actcli.render.softmax import SoftmaxView
from actcli.term import numbers
from actcli.term.bars import bar
from actcli.term.canvas import Canvas
from actcli.term.sparklines import sparkline
from actcli.term.table import Column, cut_names, total_width
from actcli.term.text import printable

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0900306, "0.0900"),
        (0, "0.0000"),
        (-0.0, "0.0000"),
        (1, "1.0000"),
        (4.54e-5, "4.54e-05"),
        (-4.54e-5, "-4.54e-05"),
        (5.1e-5, "0.0001"),
        (-123456.789, "-123456.7890"),
        (1e6, "1.00e+06"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_fixed(value: float, text: str) -> None:
    assert numbers.fixed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.2988, "2.299"),
        (0.0712345, "0.07123"),
        (9.9996, "10.00"),
        (999999, "1.000e+06"),
        (123456, "123456"),
        (0.00012346, "0.0001235"),
        (0.00001, "1.000e-05"),
        (-0.0, "0"),
        (-math.inf, "-inf"),
    ],
)
def test_significant(value: float, text: str) -> None:
    assert numbers.significant(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (-0.5, "-0.5"), (-0.0, "0"), (12.3456789, "12.3457"), (1e30, "1e+30")],
)
def test_shortest(value: float, text: str) -> None:
    assert numbers.shortest(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.758, "75.8 %"),
        (0, "0.0 %"),
        (-0.0, "0.0 %"),
        (1, "100.0 %"),
        (0.0001, "<0.1 %"),
        (0.9999, ">99.9 %"),
        (math.nan, "nan"),
    ],
)
def test_percent_keeps_0_and_100_for_what_is_exactly_that(share: float, text: str) -> None:
    assert numbers.percent(share) == text


def test_grouped() -> None:
    assert numbers.grouped(99960) == "99,960"


def test_rounded() -> None:
    told = [numbers.rounded(value) for value in (123456.7, 99_960.0, 1234, 999.6, 12.3, 0)]
    assert told == ["123,000", "100,000", "1,230", "1,000", "12", "0"]


def test_align_points() -> None:
    aligned = numbers.align_points(["1", "-2.5", "1e+30", "", "-inf"])
    assert aligned == ["   1    ", "  -2.5  ", "   1e+30", "        ", "-inf    "]
    assert numbers.align_points([]) == []


@given(FINITE)
def test_a_number_never_shows_as_a_false_zero_and_never_as_minus_zero(value: float) -> None:
    for text in numbers.fixed(value), numbers.significant(value), numbers.shortest(value):
        assert (float(text) == 0) == (value == 0)
        assert value != 0 or not text.startswith("-")


@pytest.mark.parametrize(
    ("share", "blocks", "ascii_bar"),
    [
        (0, "    ", "    "),
        (1, "████", "####"),
        (0.5, "██  ", "##  "),
        (0.28125, "█▏  ", "#   "),
        (0.12, "▌   ", ".   "),  # less than half of a column
        (1e-9, "▏   ", ".   "),
        (1 - 1e-9, "███▉", "### "),  # only a whole fills the bar: it is one step short
        (-1, "    ", "    "),
        (7, "████", "####"),
        (math.nan, "    ", "    "),
    ],
)
def test_bar(share: float, blocks: str, ascii_bar: str) -> None:
    assert bar(share, 4, Canvas(80)) == blocks
    assert bar(share, 4, Canvas(80, ascii=True)) == ascii_bar


@given(st.floats(0, 1), st.floats(0, 1), st.integers(2, 60), st.booleans())
def test_a_bar_has_its_width_and_grows_with_the_share(
    first: float, second: float, width: int, ascii_only: bool
) -> None:
    shorter, longer = (
        bar(share, width, Canvas(80, ascii_only)) for share in sorted((first, second))
    )
    assert len(shorter) == len(longer) == cell_len(longer) == width
    assert len(shorter.rstrip()) <= len(longer.rstrip())


def test_printable_escapes_what_a_terminal_would_obey() -> None:
    assert printable("a\x1b[31mb\n\u202e\udcff") == r"a\x1b[31mb\n\u202e\udcff"
    assert printable("日本 é") == "日本 é"
    assert printable("日 é", ascii_only=True) == r"\u65e5 \xe9"


@given(st.text(st.characters(codec=None)))
def test_printable_text_is_printable(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(text, ascii_only=True).isascii()


def test_json_is_strict() -> None:
    line = dumps(
        {
            "float32": np.float32(0.5),
            "int": np.int64(3),
            "bool": np.bool_(True),
            "array": np.array([[1.0, np.nan], [np.inf, -np.inf]], dtype=np.float32),
            "nested": [math.nan, (np.float64(2), None, "é\n")],
        }
    )
    assert "\n" not in line
    assert line.isascii()
    assert json.loads(line, parse_constant=pytest.fail) == {
        "float32": 0.5,
        "int": 3,
        "bool": True,
        "array": [[1.0, None], [None, None]],
        "nested": [None, [2.0, None, "é\n"]],
    }


def test_json_refuses_what_it_does_not_know() -> None:
    with pytest.raises(TypeError):
        dumps({"when": object()})


def shown(scores: LogitAnalysis, width: int = 100, encoding: str = "utf-8") -> list[str]:
    """The lines of the table and of the summary, plain."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, height=50, color_system=None)
    console.print(SoftmaxView(scores))
    stream.seek(0)
    return [line.rstrip() for line in stream.read().splitlines()]


def test_scores_as_a_table() -> None:
    assert shown(analyse_logits([1, 2, 3])) == [
        "  index  logit  exp(z-max)  softmax  log-softmax  sigmoid  0       softmax        1",
        "───────────────────────────────────────────────────────────────────────────────────",
        "  0          1      0.1353   0.0900       -2.408   0.7311  ██▏",
        "  1          2      0.3679   0.2447       -1.408   0.8808  █████▉",
        "▶ 2          3      1.0000   0.6652       -0.408   0.9526  ████████████████",
        "───────────────────────────────────────────────────────────────────────────────────",
        "  sum               1.5032   1.0000                2.5644",
        "",
        "▶ winner      index 2, p = 0.6652, 0.4205 ahead of index 1",
        "  entropy     0.8324 nats, 75.8 % of the maximum, ln 3",
        "  perplexity  2.299",
        "  sums        softmax 1.0000 by definition, sigmoids 2.5644",
    ]


def test_scores_in_ascii_with_target_mask_and_temperature() -> None:
    scores = analyse_logits([-1, 2, 3, -math.inf], 2, ["cat", "dog", "日本", "c\x1bw"], 0)
    assert shown(scores, width=80, encoding="ascii") == [
        "temperature 2: z = logit / 2, for the sigmoids too",
        "   label         logit  exp(z-max)  softmax  log-softmax  y    p - y  sigmoid",
        "-----------------------------------------------------------------------------",
        " @ cat              -1      0.1353   0.0777       -2.555  1  -0.9223   0.3775",
        "   dog               2      0.6065   0.3482       -1.055  0   0.3482   0.7311",
        ">  \\u65e5\\u672c      3      1.0000   0.5741       -0.555  0   0.5741   0.8176",
        "   c\\x1bw         -inf      0.0000   0.0000     -inf      0   0.0000   0.0000",
        "-----------------------------------------------------------------------------",
        "   sum                      1.7419   1.0000               1            1.9262",
        "",
        ">  winner      \\u65e5\\u672c, p = 0.5741, 0.2259 ahead of dog",
        " @ target      cat, cross-entropy 2.555 nats",
        "   gradient    p - y, of the cross-entropy with respect to z",
        "   entropy     0.8845 nats, 80.5 % of the maximum, ln 3",
        "   perplexity  2.422",
        "   masked      1 of 4: a logit of -inf has probability 0",
        "   sums        softmax 1.0000 by definition, sigmoids 1.9262",
    ]


@pytest.mark.parametrize("width", [40, 50, 60, 66, 70, 80, 100, 200, 10_000])
@pytest.mark.parametrize("target", [None, 0])
@pytest.mark.parametrize("labels", [("a", "b", "c"), ("日本語" * 9, "b" * 50, "c")])
def test_no_number_is_wrapped_or_cut_at_any_width(
    width: int, target: int | None, labels: tuple[str, ...]
) -> None:
    lines = shown(analyse_logits([1, 2.25, -3], 1, labels, target), width)
    assert max(map(cell_len, lines)) <= width
    assert len(set(map(cell_len, (lines[1], lines[5])))) == 1  # the two rules
    # e^-1.25, 1 and e^-5.25 over their sum, 1.29175
    for row, softmax, sigmoid in zip(
        lines[2:5], ["0.2218", "0.7741", "0.0041"], ["0.7311", "0.9047", "0.0474"], strict=True
    ):
        numbers_shown = re.findall(r"(?<= )-?\d+(?:\.\d+)?(?= |$)", row)
        assert softmax in numbers_shown
        assert sigmoid in numbers_shown
    if width >= 100:
        assert all("█" in line or "▏" in line for line in lines[2:5])
    if width == 10_000:
        assert all(label in "".join(lines[2:5]) for label in labels)


def test_a_label_that_is_cut_says_so() -> None:
    scores = analyse_logits([1, 2], labels=["a" * 70, "b"])
    assert shown(scores, 60)[2].startswith("  aaaaaaa…  ")
    assert shown(scores, 60, "ascii")[2].startswith("  aaaaaaa~  ")


def test_wide_labels_stay_aligned() -> None:
    lines = shown(analyse_logits([1, 2], labels=["日本", "abcd"]))
    ends = {
        cell_len(line[: line.index("0.7311" if at == 0 else "0.8808")])
        for at, line in enumerate(lines[2:4])
    }
    assert len(ends) == 1


def test_of_many_scores_the_largest_and_the_target_are_shown() -> None:
    lines = shown(analyse_logits(np.arange(100_000), target=7))
    rows = lines[2:42]
    assert rows[0].split()[:3] == ["▶", "99999", "99999"]
    assert rows[38].split()[:2] == ["99961", "99961"]
    assert rows[39].split()[:3] == ["◆", "7", "7"]
    assert lines[44] == "… and 99,960 more, in the sums too; --json gives all"
    assert not any("more" in line for line in shown(analyse_logits(np.arange(40))))


@pytest.mark.parametrize(
    ("logits", "target", "line"),
    [
        ([5], None, "▶ winner      index 0, p = 1.0000, the only one possible"),
        ([2, 2, 1, 2], None, "▶ winner      index 0, p = 0.2969, tied with 2 more; the first of"),
        ([0, -math.inf], 1, " ◆ target      index 1, cross-entropy infinite: the target is masked"),
        ([1e308, -1e308], 1, " ◆ target      index 1, cross-entropy infinite: it is beyond the la"),
    ],
)
def test_special_cases_are_said(logits: list[float], target: int | None, line: str) -> None:
    assert any(text.startswith(line) for text in shown(analyse_logits(logits, target=target)))


def test_very_long_words_are_cut_at_once_and_evenly() -> None:
    columns = [
        Column("a", ["x" * 100_000], left=True),
        Column("b", ["y" * 99_999], left=True),
        Column("c", ["short"], left=True),
        Column("n", ["1"]),
    ]
    cut = cut_names(columns, 80)
    assert total_width(cut) == 80
    assert [column.width for column in cut] == [34, 34, 5, 1]
    assert cut[0].cells == ["x" * 33 + "~"]


def test_a_sparkline_of_numbers_farther_apart_than_the_largest_float() -> None:
    values = [-1.7e308, 0.0, 1.7e308]
    assert sparkline(values, -1.7e308, 1.7e308, Canvas(80, False)) == "▁▅█"
    assert sparkline(values, 0.0, 1e-10, Canvas(80, False)) == "▁▁█"
