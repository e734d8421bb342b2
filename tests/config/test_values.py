"""Kinds of values, and the parser of texts."""

import math
import re
from typing import Any

import pytest

from actcli.config.schema import (
    KEYS,
)
from actcli.config.values import (
    Auto,
    Integer,
    Label,
    Listed,
    Name,
    Number,
    Switch,
    Text,
    parse_text,
)
from actcli.datasets.batches import NORMALIZATIONS
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.initializers import BIAS_INITIALIZERS, INITIALIZERS
from actcli.nn.links import LINKS
from actcli.nn.losses import LOSSES
from actcli.nn.optimizers import OPTIMIZERS
from actcli.nn.schedules import SCHEDULES

BY_NAME = {str(key): key for key in KEYS}
SHAPE = Name("actcli.nn.activations", "ACTIVATIONS")


GOOD = [
    (Integer(0), [0, 7, 2**63 - 1], [("7", 7), (" 0 ", 0), ("007", 7)]),
    (Integer(1, 9), [1, 9], [("9", 9)]),
    (Number(0), [0, 0.0, 3, 1e-300, 1e308], [("1e-3", 0.001), (".5", 0.5), ("5.", 5.0), ("+2", 2)]),
    (Number(0, 1), [0, 0.999], [("0.5", 0.5)]),
    (Number(0, above=True), [5e-324], [("5e-324", 5e-324)]),
    (Auto(Integer(0)), ["auto", 3], [("auto", "auto"), (" auto ", "auto"), ("3", 3)]),
    (Switch(), [True, False], [("true", True), (" False ", False), ("TRUE", True)]),
    (Text(), ["a", "日本 \n\x1b"], [("a,b", "a,b")]),
    (Label(), ["3", "T-shirt"], [("3", "3"), (" 8 ", "8")]),
    (SHAPE, ["relu", "leaky-relu"], [(" relu", "relu")]),
    (Listed(Integer(1)), [(), (3, 4)], [("", ()), ("none", ()), ("3", (3,)), ("3, 4", (3, 4))]),
    (
        Listed(SHAPE, min_length=1, single=True),
        [("relu", "tanh")],
        [("relu,tanh", ("relu", "tanh"))],
    ),
    (Listed(Number(0, 1), 2, 2), [(0.5, 0.25)], [("0.5,0.25", (0.5, 0.25))]),
]


@pytest.mark.parametrize(("kind", "checked", "parsed"), GOOD)
def test_a_kind_accepts_its_values(
    kind: Any, checked: list[Any], parsed: list[tuple[str, Any]]
) -> None:
    for value in checked:
        assert kind.check(list(value) if isinstance(value, tuple) else value) == value
    for text, value in parsed:
        assert parse_text(kind, text) == value
        assert type(parse_text(kind, text)) is type(kind.check(value))


TOML_TEXTS = [
    (Integer(0), "1_000", 1000),
    (Integer(0), "0x10", 16),
    (Number(0), "1_0.5", 10.5),
    (Auto(Number(0)), '"auto"', "auto"),
    (SHAPE, '"relu"', "relu"),
    (Text(), "'a b'", "a b"),
    (Text(), "1", "1"),  # a number in TOML, but the name of a file
    (Text(), "1\nvalue = 2", "1\nvalue = 2"),  # not TOML for one value
    (Listed(Integer(1)), "[8, 8]", (8, 8)),
    (Listed(Integer(1)), "[]", ()),
    (Listed(SHAPE, min_length=1, single=True), "['relu', \"tanh\"]", ("relu", "tanh")),
    (Listed(SHAPE, min_length=1, single=True), " [relu, tanh] ", ("relu", "tanh")),
    (Listed(Label()), "[3, '8']", ("3", "8")),
    (Listed(Label()), "007", ("007",)),
    (Listed(Label()), "1_0", ("1_0",)),
]


@pytest.mark.parametrize(("kind", "text", "value"), TOML_TEXTS)
def test_a_text_may_be_toml(kind: Any, text: str, value: Any) -> None:
    assert parse_text(kind, text) == value
    assert type(parse_text(kind, text)) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (SHAPE, '"rleu"', "not 'rleu' (did you mean relu?)"),
        (SHAPE, "rleu", "not 'rleu' (did you mean relu?)"),
        (Listed(Integer(1)), "[0]", "at least 1, not 0"),
        (Integer(0), "1.5", "a whole number of at least 0, not '1.5'"),
        (Number(0), "1e400", "a finite number of at least 0, not '1e400'"),
        (Listed(Integer(1)), "[" * 9999, "a whole number of at least 1, not '[[[["),
    ],
)
def test_a_text_that_is_neither_toml_nor_plain_words(kind: Any, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_text(kind, text)


def test_values_of_a_file_are_converted() -> None:
    assert Label().check(3) == "3"
    assert Listed(Label()).check([3, "8"]) == ("3", "8")
    assert Listed(SHAPE, min_length=1, single=True).check("relu") == ("relu",)
    assert type(Number(0).check(1)) is float


WRONG_VALUES = [
    (Integer(0), True, "a whole number of at least 0, not true"),
    (Integer(0), 1.5, "a whole number of at least 0, not 1.5"),
    (Integer(0), 1.0, "a whole number of at least 0, not 1.0"),
    (Integer(0), "3", "a whole number of at least 0, not '3'"),
    (Integer(0), [3], "a whole number of at least 0, not [3]"),
    (Integer(1), 0, "at least 1, not 0"),
    (Integer(0), 2**63, "at most 9223372036854775807, not 9223372036854775808"),
    (Number(0), True, "a number of at least 0, not true"),
    (Number(0), "0.1", "a number of at least 0, not '0.1'"),
    (Number(0), math.nan, "a number of at least 0, not nan"),
    (Number(0), math.inf, "a number of at least 0, not inf"),
    (Number(0), -0.1, "a number of at least 0, not -0.1"),
    (Number(0), 10**400, "a number of at least 0, not a number of more than 60 digits"),
    (Number(0, 1), 1, "a number of at least 0 and below 1, not 1"),
    (Number(0, above=True), 0, "a number above 0, not 0"),
    (Auto(Integer(0)), "Auto", "\"auto\" or a whole number of at least 0, not 'Auto'"),
    (Switch(), 1, "true or false, not 1"),
    (Switch(), "true", "true or false, not 'true'"),
    (Text(), "", "a text that is not empty, not ''"),
    (Text(), " \n", "a text that is not empty, not ' \\n'"),
    (Text(), 3, "a text that is not empty, not 3"),
    (Text(), "\udcff.npz", "UTF-8 text, not '\\udcff.npz'"),
    (Label(), True, "a text that is not empty, not true"),
    (Label(), 1.0, "a text that is not empty, not 1.0"),
    (SHAPE, 3, "not 3"),
    (SHAPE, "rleu", "not 'rleu' (did you mean relu?)"),
    (SHAPE, "ReLU", "not 'ReLU' (did you mean relu?)"),
    (SHAPE, "leaky_relu", "not 'leaky_relu' (did you mean leaky-relu?)"),
    (SHAPE, "zzz", "softsign, relu6; not 'zzz'"),
    (SHAPE, ["relu"], "not ['relu']"),
    (Listed(Integer(1)), 100, "a list, not 100"),
    (Listed(Integer(1)), [1, True], "a whole number of at least 1, not true"),
    (Listed(SHAPE, min_length=1, single=True), [], "a list of 1 to 10000, not of 0"),
    (Listed(Number(0, 1), 2, 2), [0.9], "a list of 2, not of 1"),
    (Listed(Number(0, 1), 2, 2), [0.9] * 3, "a list of 2, not of 3"),
    (Integer(0), "x" * 100, "a whole number of at least 0, not '" + "x" * 56 + "…"),
]

WRONG_TEXTS = [
    *((Integer(0), text) for text in ("", "1.5", "1e3", "_1", "٣", "²", "0xg", "true", "+-1")),
    *((Integer(0), text) for text in ("-1", "9" * 19, "9" * 41, "9" * 10_000, "1\x00")),
    *(
        (Number(0), text)
        for text in ("", "nan", "inf", "-inf", "1e400", "-1e400", "1__000", "_1.5")
    ),
    *((Number(0), text) for text in ("١", "１.5", "0x1p3", "1,5", "-1", "\u22121", "true")),
    (Number(0), "\udcff"),
    *((Auto(Number(0)), text) for text in ("AUTO", "", "1e400", "-1")),
    *((Switch(), text) for text in ("", "yes", "1", "on")),
    *((SHAPE, text) for text in ("", "rleu", "auto")),
    *((Listed(Integer(1)), text) for text in ("1,", ",1", "1,,2", "1 2", "None", "1,x", "0")),
    *((Listed(SHAPE, min_length=1), text) for text in ("", "none", "relu,")),
    *((Listed(Number(0, 1), 2, 2), text) for text in ("", "0.5", "0.5,0.5,0.5")),
]


@pytest.mark.parametrize(("kind", "value", "message"), WRONG_VALUES)
def test_a_kind_refuses_wrong_values_of_a_file(kind: Any, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message) + r"\Z"):
        kind.check(value)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_that_python_refuses_to_write(sign: int) -> None:
    huge = sign * int("9" * 5000, 16)
    for kind in (Integer(0), Number(0), Switch(), Text(), Label(), SHAPE, Listed(Integer(1))):
        with pytest.raises(ValueError, match=r"not a number of more than 60 digits\Z"):
            kind.check(huge)


@pytest.mark.parametrize(("kind", "text"), WRONG_TEXTS)
def test_a_kind_refuses_wrong_texts(kind: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]{1,120}not (of [0-9]|.{1,60}\Z)") as caught:
        parse_text(kind, text)
    assert type(caught.value) is ValueError


@pytest.mark.parametrize(
    ("key", "table"),
    [
        ("model.activation", ACTIVATIONS),
        ("model.init", INITIALIZERS),
        ("model.bias_init", BIAS_INITIALIZERS),
        ("model.output", LINKS),
        ("loss.name", LOSSES),
        ("optimizer.name", OPTIMIZERS),
        ("optimizer.schedule", SCHEDULES),
        ("data.normalize", NORMALIZATIONS),
    ],
)
def test_the_names_of_a_key_are_those_of_its_registry(key: str, table: Any) -> None:
    names = [name for name in BY_NAME[key].kind.completions() if name != "auto"]
    assert names == list(table)
