"""The configuration: each kind of value, settings from files and texts, what goes together, and the
files that come with actcli."""

import copy
import math
import re
import string
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actcli import files
from actcli.config.clashes import unused_keys
from actcli.config.mistakes import ConfigError
from actcli.config.resolved import ResolvedConfig
from actcli.config.schema import (
    KEYS,
    TABLES,
    Config,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    Tables,
    TrainingConfig,
    toml_value,
    values,
)
from actcli.config.sources import (
    assemble,
    assemble_tables,
    examples,
    find_config,
    find_key,
    from_tables,
    parse_assignment,
    read_toml,
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
from actcli.errors import UsageError
from actcli.machine import worker_count
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.initializers import BIAS_INITIALIZERS, INITIALIZERS
from actcli.nn.links import LINKS
from actcli.nn.losses import LOSSES
from actcli.nn.optimizers import OPTIMIZERS
from actcli.nn.schedules import SCHEDULES
from actcli.training import build

CONFIGS = Path(__file__).parents[2] / "configs"
BY_NAME = {str(key): key for key in KEYS}
SHAPE = Name("actcli.nn.activations", "ACTIVATIONS")


def config(text: str = "") -> Config:
    """The configuration that a file of this text would give."""
    return assemble(from_tables(tomllib.loads(text), "file"))


def refused(*lines: str) -> str:
    """Why keys do not go together."""
    with pytest.raises(ConfigError) as caught:
        config("\n".join(lines))
    return str(caught.value)


# Kinds ----------------------------------------------------------------------------------------

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
def test_what_a_kind_takes(kind: Any, checked: list[Any], parsed: list[tuple[str, Any]]) -> None:
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


def test_what_a_file_may_write_otherwise() -> None:
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
def test_what_a_kind_refuses_of_a_file(kind: Any, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message) + r"\Z"):
        kind.check(value)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_that_python_refuses_to_write(sign: int) -> None:
    huge = sign * int("9" * 5000, 16)
    for kind in (Integer(0), Number(0), Switch(), Text(), Label(), SHAPE, Listed(Integer(1))):
        with pytest.raises(ValueError, match=r"not a number of more than 60 digits\Z"):
            kind.check(huge)


@pytest.mark.parametrize(("kind", "text"), WRONG_TEXTS)
def test_what_a_kind_refuses_of_a_text(kind: Any, text: str) -> None:
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


def legal(kind: Any) -> st.SearchStrategy[Any]:
    """Values that a kind allows."""
    if isinstance(kind, Auto):
        return st.just("auto") | legal(kind.kind)
    if isinstance(kind, Listed):
        most = min(kind.max_length, 5)
        return st.lists(legal(kind.kind), min_size=kind.min_length, max_size=most).map(tuple)
    text = st.text(min_size=1).filter(lambda text: text.strip() != "")
    bounds = {"min_value": getattr(kind, "low", 0), "max_value": getattr(kind, "high", 0)}
    of_kind = {
        Integer: st.integers(**bounds),
        Number: st.floats(**bounds, allow_infinity=False).filter(
            lambda number: number < kind.high and (number > kind.low or not kind.above)
        ),
        Switch: st.booleans(),
        Text: text,
        Label: text.map(str.strip),
        Name: st.sampled_from(kind.completions() or ["-"]),
    }
    return of_kind[type(kind)]


@given(st.fixed_dictionaries({name: legal(key.kind) for name, key in BY_NAME.items()}))
def test_a_configuration_reads_back_as_it_was_written(chosen: dict[str, Any]) -> None:
    tables: dict[str, dict[str, Any]] = {}
    for name, value in chosen.items():
        table, key = name.split(".")
        tables.setdefault(table, {})[key] = value
    before = assemble_tables(from_tables(tables, "given"))
    assert {str(key): value for key, value in values(before)} == chosen
    text = before.to_toml()
    assert text.encode().decode() == text
    assert assemble_tables(from_tables(tomllib.loads(text), "file")) == before


@given(st.sampled_from(KEYS), st.text())
def test_any_text_is_a_value_or_a_clear_mistake(key: Any, text: str) -> None:
    value = message = None
    try:
        value = parse_text(key.kind, text)
    except ValueError as error:
        message = str(error)
    if message is None:
        read = config(f"[{key.table}]\n{key.name} = {toml_value(value)}")
        assert {str(each): it for each, it in values(read)}[str(key)] == value
    else:
        assert " not " in message
        assert "\n" not in message


# Settings -------------------------------------------------------------------------------------


def reading(tmp_path: Path, content: bytes | str) -> str:
    """The message about a file of this content, without its path."""
    path = tmp_path / "net.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    return str(caught.value).replace(str(path), "net.toml")


KNOWN_TABLES = "Known: data, model, loss, optimizer, training"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[optimiser]\nname='sgd'",
            f"net.toml: there is no table [optimiser]. Did you mean [optimizer]? {KNOWN_TABLES}",
        ),
        ("epochs = 3", f"net.toml: there is no table [epochs]. {KNOWN_TABLES}"),
        ("model = 3", "net.toml: [model] must be a table"),
        ("[[model]]\nhidden=[3]", "net.toml: [model] must be a table"),
        (
            "[loss]\nlabel-smothing = 0.1",
            "net.toml: [loss] has no key label-smothing. Did you mean label_smoothing? "
            "Known: name, label_smoothing",
        ),
        ('[loss]\n"\\u001b[2J" = 1', "net.toml: [loss] has no key \\x1b[2J. Known: name, label_"),
        ("[training]\nepochs = true", "net.toml: [training] epochs must be a whole number of at"),
        ("[training]\nepochs = 1.5", "net.toml: [training] epochs must be a whole number of at l"),
        ("[training]\nepochs = 1979-05-27", "net.toml: [training] epochs must be a whole number"),
        ("[model]\nhidden = 100", "net.toml: [model] hidden must be a list, not 100"),
        ("[model]\nhidden = [0]", "net.toml: [model] hidden must be at least 1, not 0"),
        (f"[model]\nhidden = [{2**64}]", "net.toml: [model] hidden must be at most 922337203685"),
        ("[optimizer]\nlearning_rate = 1e400", 'net.toml: [optimizer] learning_rate must be "aut'),
        ("[optimizer]\nlearning_rate = nan", 'net.toml: [optimizer] learning_rate must be "auto"'),
        (f"[optimizer]\nlearning_rate = 1{'0' * 400}", "net.toml: [optimizer] learning_rate must"),
        (f"[training]\nseed = 0x{'f' * 5000}", "net.toml: [training] seed must be at most 922337"),
        (
            f"[training]\nseed = {'9' * 5000}",
            "net.toml holds a number with too many digits: l",
        ),
        ("[data]\nclasses = '3,8'", "net.toml: [data] classes must be a list, not '3,8'"),
        ("[model]\nhidden = [1", "net.toml is not TOML: Unclosed array (at end of document)"),
        ("[data]\nname = mnist\n", "net.toml is not TOML: Invalid value (at line 2, column 8)"),
        ("[data]\n[data]\n", "net.toml is not TOML: Cannot declare ('data',) twice (at line 2, c"),
        ("a = " + "[" * 9999, "net.toml is not TOML: its values are nested too deeply"),
        (b"[data]\nname = '\xff'", "net.toml is not UTF-8 text: byte 15, in line 2"),
        (b"\xff\xfe[\x00", "net.toml is not UTF-8 text: byte 0"),
    ],
)
def test_a_mistake_in_a_file(tmp_path: Path, text: bytes | str, message: str) -> None:
    assert reading(tmp_path, text).startswith(message)


def test_all_mistakes_of_a_file_at_once(tmp_path: Path) -> None:
    text = "[training]\nepochs = 1.5\nseed = 1\nbatch_size = 0\n[modle]\n[loss]\nsmoothing = 1\n"
    first, *others = reading(tmp_path, text).splitlines()
    assert first == "4 mistakes"
    assert [line[: line.index(" ", 15)] for line in others] == [
        "  net.toml: [training]",
        "  net.toml: [training]",
        "  net.toml: there",
        "  net.toml: [loss]",
    ]
    assert "epochs must be a whole number of at least 0, not 1.5" in others[0]
    assert "batch_size must be at least 1, not 0" in others[1]
    assert "no table [modle]. Did you mean [model]?" in others[2]
    assert "no key smoothing. Did you mean label_smoothing?" in others[3]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path, "Is a directory"),
        (tmp_path / "none.toml", "No such file or directory"),
    ):
        with pytest.raises(UsageError) as caught:
            read_toml(path)
        assert str(caught.value) == f"cannot read the configuration {path}: {reason}"


def test_where_values_come_from(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text("[model]\nhidden = []\nactivation = 'tanh'\n[data]\nclasses = [3, '8']\n")
    found = [(str(each.key), each.value, each.origin) for each in read_toml(path)]
    assert found == [
        ("model.hidden", (), str(path)),
        ("model.activation", ("tanh",), str(path)),
        ("data.classes", ("3", "8"), str(path)),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary()
    | st.text(alphabet=string.printable).map(str.encode)
    | st.lists(
        st.sampled_from(
            [
                *("[data]\n", "[model]\n", "[training]\n", "epochs", "hidden", "name", " = "),
                *("[", "]", "1", "-", "1.5", "true", "'relu'", '"', "\n", "#", ",", "nan"),
                *("9" * 5000, "é", "\0"),
            ]
        )
    ).map(lambda words: "".join(words).encode())
)
def test_any_file_gives_a_configuration_or_a_usage_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(content)
    message = str(path)
    try:
        chosen = assemble(read_toml(path))
    except UsageError as error:
        message = str(error)
    else:
        assert config(chosen.to_toml()) == chosen
    assert str(path) in message


def test_an_example_configuration_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("relu") == files.packaged_folder("configs") / "relu.toml"
    (tmp_path / "relu").mkdir()  # as in a folder of runs
    assert find_config("relu") == files.packaged_folder("configs") / "relu.toml"
    (tmp_path / "sigmoid").write_text("")
    assert find_config("sigmoid") == Path("sigmoid")
    assert find_config("sigmoid.toml") == Path("sigmoid.toml")
    (tmp_path / "mine").mkdir()
    assert find_config("mine") == Path("mine")  # to be told that it is a folder
    with pytest.raises(UsageError) as caught:
        find_config("sigmiod")
    assert str(caught.value) == (
        "there is no configuration file or example configuration 'sigmiod'. "
        f"Did you mean 'sigmoid'? Known: {', '.join(examples())}"
    )


def test_an_assignment() -> None:
    setting = parse_assignment("model.dropout=0.2")
    assert (str(setting.key), setting.value, setting.origin) == ("model.dropout", 0.2, "--set")
    assert parse_assignment(" data.name = a=b").value == " a=b"
    assert parse_assignment("model.hidden=").value == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dropout=0.2", "--set dropout=0.2: expected table.key=value. Example: model.dropout=0.2"),
        ("model.dropout", "--set model.dropout: expected table.key=value. Example: model.dropout"),
        ("modl.dropout=1", f"there is no table [modl]. Did you mean [model]? {KNOWN_TABLES}"),
        ("model.drop=1", "[model] has no key drop. Did you mean dropout? Known: hidden, activatio"),
        ("model.dropout=1", "--set model.dropout: must be a number of at least 0 and below 1, not"),
        ("model.dropout=", "--set model.dropout: must be a number of at least 0 and below 1, not "),
        ("model.hidden=a", "--set model.hidden: must be a whole number of at least 1, not 'a'"),
    ],
)
def test_an_assignment_that_is_none(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_assignment(text)
    assert str(caught.value).startswith(message)


def test_the_last_setting_of_a_key_holds() -> None:
    given_twice = [parse_assignment("training.epochs=3"), parse_assignment("training.epochs=4")]
    assert assemble(given_twice).training.epochs == 4
    assert assemble(given_twice[::-1]).training.epochs == 3
    assert replace(assemble(given_twice), training=Config().training) == Config()
    assert assemble([]) == Config()


# What goes together ---------------------------------------------------------------------------


def test_auto_becomes_what_it_stands_for() -> None:
    resolved = Config().resolve()
    assert resolved.model.output == "softmax"
    assert resolved.optimizer.learning_rate == 0.1
    assert resolved.optimizer.weight_decay == 0
    assert resolved.training.workers == worker_count()
    assert resolved.model.init == "auto"  # differs from layer to layer
    assert resolved.data.validation is None  # depends on the data
    assert config(resolved.to_toml()).resolve() == resolved


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_learning_rate_and_the_decay_are_the_optimizers_own(name: str) -> None:
    chosen = config(f"[optimizer]\nname = '{name}'").resolve().optimizer
    assert chosen.learning_rate == OPTIMIZERS[name].default_learning_rate
    assert chosen.weight_decay == (0.01 if name == "adamw" else 0)
    given_both = f"[optimizer]\nname = '{name}'\nlearning_rate = 0.5\nweight_decay = 0.25"
    chosen = config(given_both).resolve().optimizer
    assert (chosen.learning_rate, chosen.weight_decay) == (0.5, 0.25)
    rule = build.make_optimizer(config(given_both).resolve())
    assert rule.weight_decay == 0.25


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("output", LINKS)
def test_a_loss_and_an_output(loss: str, output: str) -> None:
    text = f"[loss]\nname = '{loss}'\n[model]\noutput = '{output}'"
    if output in LOSSES[loss].outputs:
        assert config(text).resolve().model.output == output
    else:
        with pytest.raises(ConfigError) as caught:
            config(text)
        assert str(caught.value) == (
            f"file: loss '{loss}' does not go with output '{output}'. "
            f"Its outputs: {', '.join(LOSSES[loss].outputs)}, or auto"
        )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["[model]", "activation = ['relu', 'tanh', 'relu']"], "[model] activation names 3 for 2 "),
        (["[optimizer]", "nesterov = true", "momentum = 0"], "[optimizer] nesterov needs a moment"),
        (["[optimizer]", "warmup = 6.5"], "[optimizer] warmup of 6.5 epochs is longer than the tr"),
        (["[training]", "patience = 1", "[data]", "validation = 0"], "[training] patience waits f"),
        (["[loss]", "name = 'sse'", "label_smoothing = 0.1"], "label_smoothing has no meaning for"),
    ],
)
def test_keys_that_do_not_go_together(lines: list[str], message: str) -> None:
    assert refused(*lines).startswith(f"file: {message}")


def test_all_that_does_not_go_together_at_once() -> None:
    message = refused(
        *("[model]", "activation = ['relu', 'tanh', 'relu']", "output = 'sigmoid'"),
        *("[optimizer]", "warmup = 7", "[training]", "patience = 1", "[data]", "validation = 0"),
    )
    lines = message.splitlines()
    assert lines[0] == "4 mistakes"
    for line, word in zip(
        lines[1:], ["activation names 3", "cross-entropy", "warmup", "patience"], strict=True
    ):
        assert word in line


@pytest.mark.parametrize(
    "text",
    [
        "[optimizer]\nwarmup = 6",
        "[optimizer]\nwarmup = 7\n[training]\nepochs = 0",
        "[optimizer]\nname = 'adam'\nnesterov = true\nmomentum = 0",  # adam uses neither
        "[model]\nhidden = []\nactivation = ['tanh']",
        "[model]\nactivation = ['tanh', 'relu']",
        "[training]\npatience = 1",
    ],
)
def test_keys_that_do_go_together(text: str) -> None:
    assert config(text).resolve().training.workers == worker_count()


# The type -------------------------------------------------------------------------------------


def test_a_wrong_value_cannot_be_made() -> None:
    with pytest.raises(ConfigError) as caught:
        ModelConfig(dropout=2, activation=("rleu",), hidden=(8,))
    assert str(caught.value).splitlines()[0] == "2 mistakes"
    assert "[model] activation must be one of" in str(caught.value)
    assert "[model] dropout must be a number of at least 0 and below 1, not 2" in str(caught.value)
    with pytest.raises(ConfigError, match="batch_size must be at least 1"):
        replace(TrainingConfig(), batch_size=0)


def test_a_clash_cannot_be_made() -> None:
    with pytest.raises(ConfigError, match=r"\Aloss 'mse' does not go with output 'x'|one of"):
        ModelConfig(output="x")
    with pytest.raises(ConfigError, match="label_smoothing has no meaning for loss 'mse'"):
        Config(loss=LossConfig("mse", 0.1))
    with pytest.raises(ConfigError, match="activation names 3 for 2 hidden layers"):
        Config(model=ModelConfig(activation=("relu", "tanh", "relu")))
    assert Tables(loss=LossConfig("mse", 0.1)).loss.name == "mse"  # each by itself is valid


def test_values_have_the_types_of_their_keys() -> None:
    model = ModelConfig(hidden=[8, 8], activation="tanh", dropout=0)  # type: ignore[arg-type]  # as in TOML
    assert (model.hidden, model.activation, model.dropout) == ((8, 8), ("tanh",), 0.0)
    assert type(model.dropout) is float
    assert model.layer_activations == ("tanh", "tanh")


def test_loading_and_changing_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Config.load() == Config()
    assert Config.load("relu").model.activation == ("relu",)
    Path("net.toml").write_text("[training]\nthreads = 1\n")
    assert Config.load("net.toml") == Config.load(Path("net.toml").absolute())
    assert Config.load("net.toml").training.workers == 1
    assert Config().with_("learning_rate", 1) == Config().with_("lr", 1)
    changed = Config().with_("lr", 0.5).with_("model.hidden", [8]).with_("batch_size", 16)
    assert changed.optimizer == OptimizerConfig(learning_rate=0.5)
    assert (changed.model.hidden, changed.training.batch_size) == ((8,), 16)
    assert changed.with_("threads", 2).training.workers == 2
    assert config(changed.to_toml()) == changed
    both = Config().with_values({"loss": "mse", "model.output": "sigmoid"})
    assert (both.loss.name, both.model.output) == ("mse", "sigmoid")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("lr", 0, '[optimizer] learning_rate must be "auto" or a number above 0, not 0'),
        ("model.output", "sigmoid", "loss 'cross-entropy' does not go with output 'sigmoid'"),
        ("name", "mse", "there is no key 'name'. "),  # three tables have one
        ("lrr", 1, "there is no key 'lrr'. Did you mean 'lr'? Known: dataset, validation,"),
        ("model.hiden", 1, "[model] has no key hiden. Did you mean hidden?"),
        ("modl.hidden", 1, "there is no table [modl]. Did you mean [model]?"),
    ],
)
def test_a_change_that_is_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Config().with_(key, value)
    assert str(caught.value).startswith(message)


def test_a_resolved_configuration_has_no_auto() -> None:
    resolved = Config.load("deep-sigmoid").with_("optimizer", "adamw").resolve()
    assert isinstance(resolved, ResolvedConfig)
    assert type(resolved.optimizer.learning_rate) is type(resolved.optimizer.weight_decay) is float
    assert type(resolved.training.workers) is int
    open_keys = {str(key) for key, value in values(resolved) if value == "auto"}
    assert open_keys == {"data.validation", "model.init"}
    with pytest.raises(TypeError, match="is not resolved"):
        replace(resolved.model, output="auto")
    assert copy.deepcopy(resolved) == resolved


def test_which_keys_have_no_effect() -> None:
    assert set(unused_keys(Config())) == {"optimizer.betas"}
    adam = config("[optimizer]\nname = 'adam'\n[model]\nhidden = []")
    assert set(unused_keys(adam)) == {
        *("optimizer.momentum", "optimizer.nesterov", "model.activation", "model.dropout")
    }


# The files that come with actcli --------------------------------------------------------------


def test_the_default_file_has_every_key_with_its_default_and_a_comment() -> None:
    text = (CONFIGS / "default.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    assert list(tables) == list(TABLES)
    assert [f"{table}.{key}" for table in tables for key in tables[table]] == list(BY_NAME)
    assert config(text) == Config()
    lines = [line for line in text.splitlines() if " = " in line and not line.startswith("#")]
    assert [line.partition("  #")[2].strip() for line in lines] == [key.help for key in KEYS]
    # As it would be written, but for the alignment.
    assert [line.partition("#")[0].strip() for line in lines] == [
        f"{key.name} = {toml_value(key.default)}" for key in KEYS
    ]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_an_example_configuration_loads_and_opens_with_what_it_shows(path: Path) -> None:
    chosen = assemble(read_toml(path)).resolve()
    assert chosen.data.name == "mnist"
    head = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    assert all(line.startswith("# ") and len(line) <= 105 for line in head)
    assert len(" ".join(head)) > 120
    assert path.stem in examples()


def test_the_example_configurations_are_those_of_the_course() -> None:
    assert set(examples()) >= {
        *("default", "sigmoid", "relu", "deep-sigmoid", "dying-relu", "quadratic-cost"),
        "three-or-eight",
    }
    sigmoid, relu = (assemble(read_toml(find_config(name))) for name in ("sigmoid", "relu"))
    as_relu = replace(sigmoid.model, activation=("relu",))
    assert replace(sigmoid, model=as_relu) == relu  # so that the two compare


def test_keys_have_options_and_variables_of_their_own() -> None:
    assert len({key.option for key in KEYS}) == len({key.variable for key in KEYS}) == len(KEYS)
    assert find_key("optimizer", "learning_rate").variable == "ACTCLI_LR"
    assert find_key("loss", "label_smoothing").variable == "ACTCLI_LABEL_SMOOTHING"
