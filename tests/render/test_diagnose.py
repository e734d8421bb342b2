"""How a diagnosis looks: at 100, 80 and 60 columns, in ASCII, and with numbers that are none."""

import io
import math
import re
from dataclasses import replace
from typing import Any

import pytest
from epochs import make_epoch
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from actcli.diagnostics.evidence import Evidence, Training
from actcli.diagnostics.findings import Finding, Remedy, Rule, Severity
from actcli.diagnostics.gradients import LayerGradient
from actcli.diagnostics.outputs import Bin, ClassOutputs, Outputs
from actcli.diagnostics.report import Diagnosis
from actcli.diagnostics.rules.wording import named_layers
from actcli.diagnostics.units import LayerUnits
from actcli.render.diagnose import DiagnoseView
from actcli.render.findings import RuleView, VerdictView
from actcli.render.gradients import GradientView, measures, reach, share
from actcli.render.history import HistoryView
from actcli.render.outputs import OutputsView
from actcli.render.units import UnitsView, dead
from actcli.term.canvas import Canvas
from actcli.term.sparklines import sparkline, strip, thinned
from actcli.term.table import Column, beside, fit, lines, paragraph
from actcli.training.events import EpochDone, Health, Score

PARTS = ("gradients", "units", "softmax", "verdict")
NAN, INF = math.nan, math.inf


def shown(view: Any, width: int = 100, encoding: str = "utf-8", terminal: bool = False) -> str:
    """What a view prints at a width."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(
        file=stream,
        width=width,
        height=50,
        markup=False,
        highlight=False,
        emoji=False,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
        legacy_windows=False,
    )
    console.print(view)
    stream.flush()
    return raw.getvalue().decode(encoding)


def gradient(layer: int, **changed: Any) -> LayerGradient:
    usual = LayerGradient(layer, 128, 0.5, 0.8, 0.5, 0.4, 1.0, 0.01, 0.002, 11.0, 0.001)
    return replace(usual, **changed)


def flow(*compounded: float) -> tuple[LayerGradient, ...]:
    """Layers to which so much of the error comes; the output is added."""
    hidden = [
        gradient(number, compounded=value, delta_norm=value)
        for number, value in enumerate(compounded, 1)
    ]
    return (
        *hidden,
        gradient(
            len(compounded) + 1,
            units=10,
            compounded=1.0,
            delta_norm=1.0,
            backprop_factor=None,
            derivative_mean=None,
            derivative_bound=None,
        ),
    )


def units(layer: int, **changed: Any) -> LayerUnits:
    usual = LayerUnits(
        layer, "relu", 128, 0, 0, 0, 0, 0.3, None, (10, 20, 40, 28, 16, 8, 4, 2, 0, 0)
    )
    return replace(usual, **changed)


def one_class(label: str, accuracy: float | None = 0.98, **changed: Any) -> ClassOutputs:
    return replace(ClassOutputs(label, 5923, 0.97, 0.98, 0.051, accuracy, "9"), **changed)


def outputs(count: int = 10, **changed: Any) -> Outputs:
    bins = tuple(
        Bin(i / 15, (i + 1) / 15, 10**i if i < 6 else 40_000 + i, (i + 0.5) / 15, (i + 0.2) / 15)
        if i > 1
        else Bin(i / 15, (i + 1) / 15, 0, None, None)
        for i in range(15)
    )
    usual = Outputs(
        0.98, 0.07, 0.97, 0.09, 0.005, 0.19, 1.08, bins,
        tuple(one_class(str(k), 0.9 + k / 1000) for k in range(count)), (1,) * count,
    )  # fmt: skip
    return replace(usual, **changed)


def epoch(number: int, **changed: Any) -> EpochDone:
    norms = tuple(0.5**k / number for k in (5, 4, 3, 2, 1, 0))
    silent = tuple(min(128, number * k) for k in range(5))
    usual = make_epoch(
        number,
        1 / number,
        1 - 0.5 / number,
        (2 / number, 0.9),
        health=Health(norms, (0.1,) * 6, silent),
        update_ratio=(0.001,) * 6,
    )
    return replace(usual, **changed)


def training(*epochs: EpochDone) -> Training:
    return Training("sgd", 0.1, 0.1, 0.9, 128, 5, "auto", epochs, len(epochs), False)


FINDINGS = (
    Finding(
        "vanishing-gradient",
        Severity.ERROR,
        (1, 2, 3, 4),
        ("0.1 % of the error reaches layer 1", "each layer passes on 0.23 of it"),
        "Each sigmoid multiplies the error by at most 0.25.",
        (Remedy("", {"model.activation": "relu", "optimizer.learning_rate": 0.1}),),
        "Hochreiter 1991; Glorot, Bengio, AISTATS 2010, section 4",
    ),
    Finding(
        "not-learning", Severity.WARNING, (), ("δ × 2",), "Because.", (Remedy("Look."),), "N, 1999"
    ),
)

EVIDENCE = Evidence(
    model="relu",
    dataset="mnist",
    split="train",
    rows=55_000,
    classes=10,
    loss="cross-entropy",
    output="softmax",
    loss_value=0.0741,
    input_mean=0.13,
    input_size=0.33,
    normalization="unit",
    gradients=flow(0.00123, 0.0051, 0.021, 0.092, 0.31),
    units=tuple(units(number) for number in range(1, 6)),
    outputs=outputs(),
    accuracy=0.9787,
    predicted=(5500,) * 10,
    class_rows=(5500,) * 10,
    non_finite=(),
    duplicates=(0.0,) * 6,
    initial_loss=2.31,
    training=training(*map(epoch, range(1, 51))),
)

ILL = replace(
    EVIDENCE,
    loss_value=NAN,
    gradients=tuple(
        gradient(
            number, delta_norm=value, backprop_factor=value, compounded=value,
            derivative_mean=value, derivative_bound=None, weight_grad_norm=value,
            bias_grad_norm=value, weight_norm=value, update_ratio=value,
        )
        for number, value in enumerate((NAN, INF, 0.0, 1e30, 1e-30, -0.0), 1)
    ),
    units=(
        units(1, dead=128, born_dead=None, active_fraction=0.0, distribution=(128, *[0] * 9)),
        units(2, active_fraction=NAN, saturated_fraction=NAN, distribution=(0,) * 10),
        *(units(number) for number in (3, 4)),
        units(5, units=1_000_000, dead=999_999, distribution=(999_999, *[0] * 8, 1)),
    ),
    outputs=outputs(
        nll=NAN, confidence=NAN, entropy=INF, ece=NAN, mce=INF, temperature=None,
        classes=(
            one_class("0", None, rows=0, probability_of_true=None, confidence=None, entropy=None,
                      confused_with=None),
            one_class("\x1b[31m boot", NAN, entropy=NAN, confused_with="T-shirt/top"),
        ),
    ),
    training=training(
        epoch(1, train=Score(INF, 0.5), validation=None),
        epoch(2, train=Score(NAN, 0.5), validation=None,
              health=Health((0.0, NAN, INF, 1.0, 1.0, 1.0), (), ())),
    ),
)  # fmt: skip


# All of it ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [100, 80, 60])
@pytest.mark.parametrize("evidence", [EVIDENCE, ILL], ids=["healthy", "ill"])
def test_it_fits_the_width_and_no_line_ends_in_spaces(
    evidence: Evidence, width: int, encoding: str
) -> None:
    view = DiagnoseView(Diagnosis(evidence, FINDINGS), (*PARTS, "history"))
    for line in shown(view, width, encoding).splitlines():
        assert cell_len(line) <= width, line
        assert line == line.rstrip()
        assert line.isprintable()


def test_five_layers_and_ten_classes_are_one_screen_of_100_columns() -> None:
    healthy = shown(DiagnoseView(Diagnosis(EVIDENCE, ())))
    assert len(healthy.splitlines()) <= 43
    ill = shown(DiagnoseView(Diagnosis(EVIDENCE, FINDINGS[:1])))
    assert len(ill.splitlines()) <= 51  # with a remedy of five lines


def test_no_number_is_wrapped_or_cut() -> None:
    """At any width what is shown of a row is one line that begins with the layer."""
    for width in (60, 80, 100, 10_000):
        text = shown(DiagnoseView(Diagnosis(EVIDENCE, ()), ("gradients",)), width)
        rows = [line for line in text.splitlines() if re.match(r"(\d|output) ", line)]
        assert [row.split()[0] for row in rows] == ["1", "2", "3", "4", "5", "output"]
        assert all("%" in row for row in rows)


def test_only_the_parts_that_are_asked_for() -> None:
    text = shown(DiagnoseView(Diagnosis(EVIDENCE, FINDINGS), ("units",)))
    assert text.startswith("relu on 55,000 rows of mnist, train: cross-entropy 0.07410, ")
    assert "\nUnits" in text
    for other in ("Gradient", "Softmax", "Verdict", "History"):
        assert other not in text


def test_a_pipe_gets_no_escape_codes_and_a_terminal_does() -> None:
    view = DiagnoseView(Diagnosis(EVIDENCE, FINDINGS))
    assert "\x1b" not in shown(view)
    assert "\x1b" in shown(view, terminal=True)


# Gradient flow --------------------------------------------------------------------------------


def test_gradient_flow_at_100_columns() -> None:
    text = shown(GradientView(flow(0.003, 0.05)))
    assert [line.split() for line in text.splitlines()[1:5]] == [
        ["layer", "units", "δ", "norm", "factor", "compounded", "mean", "|f'|", "bound",
         "‖∂L/∂W‖", "‖∂L/∂b‖", "ΔW/W", "1e-3", "1"],
        ["1", "128", "0.00300", "0.800", "0.30", "%", "0.400", "1", "0.0100", "0.00200", "0.0010",
         "█▉"],
        ["2", "128", "0.0500", "0.800", "5.00", "%", "0.400", "1", "0.0100", "0.00200", "0.0010",
         "██████▊"],
        ["output", "10", "1.00", "–", "100.00", "%", "–", "–", "0.0100", "0.00200", "0.0010",
         "████████████"],
    ]  # fmt: skip
    assert text.splitlines()[5].startswith("0.30 % of the error reaches layer 1: each layer passes")


def test_points_and_percent_signs_stand_below_each_other() -> None:
    rows = shown(GradientView(flow(0.003, 0.05))).splitlines()[2:5]
    assert len({row.index("%") for row in rows}) == 1
    assert len({row.index(".") for row in rows}) == 1


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (flow(0.0009, 0.03), "0.090 % of the error reaches layer 1: each layer passes on 0.030"),
        (
            flow(8.2e-7, 1e-3),
            "0.000082 % of the error reaches layer 1: each layer passes on 0.0009",
        ),
        (flow(8.2e-13, 1e-3), "8.2e-11 % of the error reaches layer 1"),
        (flow(2.25, 1.5), "225 % of the error reaches layer 1: each layer multiplies it by 1.5"),
        (flow(1e12, 1e6), "1.0e+12 times the error reaches layer 1: each layer multiplies it by"),
        (flow(0.5), "50 % of the error reaches layer 1."),
        (flow(0.0), "Nothing of the error reaches layer 1."),
        (flow(NAN), "The error is not finite."),
        (flow(INF), "The error is not finite."),
        (flow(), "Without a hidden layer, the whole error"),
        ((*flow(NAN)[:1], replace(flow()[0], delta_norm=0.0)), "The error at the output is 0"),
    ],
)
def test_the_sentence_on_the_first_layer(layers: tuple[LayerGradient, ...], words: str) -> None:
    assert reach(layers).startswith(words)


def test_tiny_numbers_give_all_of_a_column_exponents() -> None:
    assert measures([0.5, 2e-7, 0.0]) == ["5.0e-01", "2.0e-07", "0"]
    assert measures([0.5, 0.0002, 12]) == ["0.500", "0.000200", "12.0"]
    assert (share(0.5, 2), share(2e5, 1), share(INF, 1)) == ("50.00 %", "2.0e+07 %", "inf")


def test_tiny_shares_have_two_digits_in_the_table_and_in_the_sentence() -> None:
    text = shown(GradientView(flow(8.2e-7, 0.3)))
    assert text.count("0.000082 %") == 2
    assert "100.000000 %" in text


def test_without_update_ratios_their_column_is_left_out() -> None:
    layers = tuple(replace(layer, update_ratio=None) for layer in flow(0.5))
    assert "ΔW/W" not in shown(GradientView(layers))
    assert "ΔW/W" in shown(GradientView(flow(0.5)))


def test_narrow_terminals_lose_the_least_important_columns() -> None:
    layers = flow(0.003, 0.05)
    at_80, at_60 = (shown(GradientView(layers), width) for width in (80, 60))
    assert "∂L/∂b" not in at_80
    assert "ΔW/W" in at_80
    assert "█" in at_80
    for kept in ("δ norm", "factor", "compounded", "mean |f'|"):
        assert kept in at_60


# Units ----------------------------------------------------------------------------------------


def test_dead_and_born_dead_units_are_counted_apart() -> None:
    layers = (units(1, dead=30, born_dead=4), units(2, dead=20))
    assert dead(layers) == "50 of 256 units are dead (19.5 %); 4 were dead before the training."
    unknown = (units(1, dead=30, born_dead=None), units(2))
    assert dead(unknown) == "30 of 256 units are dead (11.7 %)."
    assert dead((units(1),)) == "None of the 128 units is dead."
    alone = units(1, units=1, dead=1, born_dead=1)
    assert dead((alone,)) == "1 of 1 unit is dead (100.0 %); 1 was dead before the training."


def test_units_leave_out_columns_that_say_nothing_of_any_layer() -> None:
    relu = shown(UnitsView((units(1), units(2))))
    assert "saturated" not in relu
    assert "▂▄█▆▄▂▁▁··" in relu
    mixed = shown(
        UnitsView((units(1, born_dead=None), units(2, born_dead=None, saturated_fraction=0.5)))
    )
    assert "born dead" not in mixed
    assert "50.0 %" in mixed
    assert "–" in mixed


def test_a_network_without_hidden_layers_has_no_units() -> None:
    assert shown(UnitsView(())).splitlines()[1:] == ["The network has no hidden layer."]


# Outputs --------------------------------------------------------------------------------------


def test_the_classes_stand_beside_the_reliability_table() -> None:
    text = shown(OutputsView(outputs(), "softmax"))
    overall = text.splitlines()[2].split()
    assert overall == [
        "98.00",
        "%",
        "97.00",
        "%",
        "0.0700",
        "0.0900",
        "0.50",
        "%",
        "19.0",
        "%",
        "1.08",
    ]
    row = next(line for line in text.splitlines() if line.startswith("3 "))
    cells = [
        "3",
        "5,923",
        "97.0",
        "%",
        "98.0",
        "%",
        "0.051",
        "90.3",
        "%",
        "as",
        "9",
        "33–40",
        "%",
        "34.7",
        "%",
        "100,000",
    ]
    assert row.split()[: len(cells)] == cells


def test_bins_without_rows_are_left_out() -> None:
    text = shown(OutputsView(outputs(), "softmax"))
    assert "13–20 %" in text
    assert " 7–13 %" not in text
    assert sum("–" in line and "%" in line for line in text.splitlines()) == 13


def test_where_it_is_narrow_the_tables_stand_one_below_the_other() -> None:
    text = shown(OutputsView(outputs(), "softmax"), 60).splitlines()
    classes, bins = (
        next(i for i, line in enumerate(text) if head in line) for head in ("class ", "mean")
    )
    assert bins > classes + 10


def test_of_many_classes_the_worst_are_shown() -> None:
    text = shown(OutputsView(outputs(26), "softmax"))
    labels = [line.split()[0] for line in text.splitlines() if " as 9" in line]
    assert labels == [str(k) for k in range(10)]
    assert "… and 16 more classes with higher accuracy" in text


def test_an_identity_output_is_explained_in_one_line() -> None:
    text = shown(OutputsView(None, "identity"))
    assert text.splitlines() == [
        "Identity",
        "The outputs are logits, not probabilities: they can be negative and need not sum to 1.",
    ]


def test_sigmoid_outputs_are_explained() -> None:
    assert "each output is a separate probability" in shown(OutputsView(outputs(), "sigmoid"))


def test_nothing_in_any_bin() -> None:
    empty = tuple(Bin(i / 15, (i + 1) / 15, 0, None, None) for i in range(15))
    assert "confidence" in shown(OutputsView(outputs(reliability=empty), "softmax"))


# Verdict --------------------------------------------------------------------------------------


def test_a_finding_has_its_evidence_cause_remedy_and_source() -> None:
    assert shown(VerdictView(FINDINGS, "")).splitlines() == [
        "Verdict  1 error, 1 warning",
        "ERROR     vanishing-gradient  layers 1 to 4",
        "evidence  0.1 % of the error reaches layer 1",
        "          each layer passes on 0.23 of it",
        "cause     Each sigmoid multiplies the error by at most 0.25.",
        "remedy    [model]",
        '          activation = "relu"',
        "",
        "          [optimizer]",
        "          learning_rate = 0.1",
        "source    Hochreiter 1991; Glorot, Bengio, AISTATS 2010, section 4",
        "",
        "WARNING   not-learning",
        "evidence  δ × 2",
        "cause     Because.",
        "remedy    # Look.",
        "source    N, 1999",
    ]
    assert "evidence  delta x 2\n" in shown(VerdictView(FINDINGS, ""), encoding="ascii")


def test_a_healthy_network_gets_one_line() -> None:
    assert shown(VerdictView((), "Healthy: it learns.")) == "Verdict\nHealthy: it learns.\n"
    note = replace(FINDINGS[1], severity=Severity.NOTE)
    assert shown(VerdictView((note,), "Healthy: it learns.")).splitlines()[:4] == [
        "Verdict  1 note",
        "Healthy: it learns.",
        "",
        "NOTE      not-learning",
    ]


@pytest.mark.parametrize(
    ("layers", "words"),
    [((2,), "layer 2"), ((1, 2), "layers 1 and 2"), ((1, 2, 3), "layers 1 to 3"),
     ((1, 3, 4), "layers 1, 3 and 4")],
)  # fmt: skip
def test_layers_in_words(layers: tuple[int, ...], words: str) -> None:
    assert named_layers(layers) == words


def test_a_rule_explains_itself() -> None:
    class Planted(Rule):
        meaning, harm, limits, threshold, source = "It is.", "It hurts.", "None.", "≥ 2", "Me"
        cure = "Less."

        def check(self, evidence: Evidence) -> None:
            return None

    assert shown(RuleView("planted", Planted.texts()), encoding="ascii").splitlines() == [
        "planted",
        "meaning   It is.",
        "harm      It hurts.",
        "threshold >= 2",
        "limits    None.",
        "remedies  Less.",
        "source    Me",
    ]


# History --------------------------------------------------------------------------------------


def test_history_has_first_course_and_last() -> None:
    view = HistoryView(training(*map(epoch, range(1, 9))), (128,) * 5)
    text = shown(view).splitlines()
    assert text[0] == "History  epoch 1 to 8: first value, course, last value"
    assert text[2].split() == [
        "training",
        "1.00",
        "▅▃▂▂▁▁▁▁",
        "0.125",
        "50.0",
        "%",
        "▁▅▇▇████",
        "93.8",
        "%",
    ]
    at = next(number for number, line in enumerate(text) if line.startswith("output"))
    assert text[at].split() == ["output", "1.00", "██▇▇▆▆▆▆", "0.125", "–", "–"]
    assert text[at - 1].split()[4:] == ["4", "▁▁▁▂▂▂▂▃", "32"]
    assert " ".join(text[at + 1 :]).startswith("A silent unit was inactive on a sample of the tr")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (None, "The training is unknown."),
        (training(), "No epoch was trained."),
        (training(epoch(1, health=None)), "The training recorded no measurements of the layers."),
    ],
)
def test_a_missing_history_is_explained(told: Training | None, words: str) -> None:
    assert words in shown(HistoryView(told, (128,) * 5))


# The pieces -----------------------------------------------------------------------------------


def test_sparklines() -> None:
    assert sparkline([0, 0.5, 1, None, NAN, INF], 0, 1, Canvas(80)) == "▁▅█   "
    assert sparkline([-5, 7], 0, 1, Canvas(80)) == "▁█"
    assert sparkline([3, 3], 3, 3, Canvas(80)) == "██"
    assert sparkline([0, 1], 0, 1, Canvas(80, ascii=True)) == ".@"
    assert thinned([0, 1, 2, 3, 4, 5, 6], 3) == [0, 3, 6]
    assert thinned([0, 1], 3) == [0, 1]


def test_a_strip_shows_none_and_few_differently() -> None:
    assert strip((0, 1, 1000), Canvas(80)) == "·▁█"
    assert strip((0, 1, 1000), Canvas(80, ascii=True)) == ".:@"
    assert strip((0, 0), Canvas(80)) == "··"


def test_columns_are_left_out_by_rank() -> None:
    columns = [Column("aa", ["1"]), Column("bb", ["2"], rank=1), Column("cc", ["3"], rank=2)]
    assert [column.heading for column in fit(columns, 10)] == ["aa", "bb", "cc"]
    assert [column.heading for column in fit(columns, 9)] == ["aa", "bb"]
    assert [column.heading for column in fit(columns, 1)] == ["aa"]
    assert [column.heading for column in fit(columns, 1, min_rank=2)] == ["aa", "bb"]
    assert [line.plain for line in lines(columns)] == ["aa  bb  cc", " 1   2   3"]


def test_blocks_side_by_side_may_differ_in_height() -> None:
    left, right = lines([Column("a", ["1"])]), lines([Column("bb", ["2", "3"])])
    assert [line.plain for line in beside(left, right, 3)] == ["a   bb", "1    2", "     3"]
    assert [line.plain for line in beside(right, left, 1)] == ["bb a", " 2 1", " 3"]
    both = beside([Text("labels", "dim")], [Text("curve", "cyan")], 2)[0]
    assert not both.style
    assert [str(span.style) for span in both.spans if span.end > len("labels  ")] == ["cyan"]


def test_text_from_outside_is_made_safe_and_symbols_become_words() -> None:
    assert Canvas(80, ascii=True).plain("δ ≤ 2\x1b") == "delta <= 2\\x1b"
    assert Canvas(80).plain("δ\x1b") == "δ\\x1b"
    assert paragraph("one two three\nfour", Canvas(20), "x  ").plain == "x  one two three\n   four"


def test_a_line_is_not_broken_between_a_number_and_its_unit() -> None:
    assert paragraph("an accuracy of 12.5 % it is", Canvas(20)).plain == (
        "an accuracy of\n12.5 % it is"
    )
    assert paragraph("by equation 15, α = 1", Canvas(20)).plain == "by equation 15,\nα = 1"
