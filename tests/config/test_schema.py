"""The declarations of the keys, and the type `Config`."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from configurations import config
from hypothesis import given
from hypothesis import strategies as st

from actcli.config.keys import find_key
from actcli.config.mistakes import ConfigError
from actcli.config.schema import (
    KEYS,
    Config,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    Tables,
    TrainingConfig,
    toml_value,
    values,
)
from actcli.config.sources import assemble_tables, from_tables
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
from actcli.errors import UsageError

BY_NAME = {str(key): key for key in KEYS}


def test_keys_have_options_and_variables_of_their_own() -> None:
    assert len({key.option for key in KEYS}) == len({key.variable for key in KEYS}) == len(KEYS)
    assert find_key("optimizer", "learning_rate").variable == "ACTCLI_LR"
    assert find_key("loss", "label_smoothing").variable == "ACTCLI_LABEL_SMOOTHING"


def test_a_wrong_value_cannot_be_made() -> None:
    with pytest.raises(ConfigError) as caught:
        ModelConfig(dropout=2, activation=("rleu",), hidden=(8,))
    assert str(caught.value).splitlines()[0] == "2 mistakes"
    assert "[model] activation must be one of" in str(caught.value)
    assert "[model] dropout must be a number of at least 0 and below 1, not 2" in str(caught.value)
    with pytest.raises(ConfigError, match='batch_size must be "auto" or at least 1'):
        replace(TrainingConfig(), batch_size=0)


def test_a_clash_cannot_be_made() -> None:
    with pytest.raises(ConfigError, match="loss 'cross-entropy' does not go with output 'sigmoid'"):
        Config(model=ModelConfig(output="sigmoid"))
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
        ("lrr", 1, "there is no key 'lrr'. Did you mean 'lr'? Known: dataset, target,"),
        ("model.hiden", 1, "[model] has no key hiden. Did you mean hidden?"),
        ("modl.hidden", 1, "there is no table [modl]. Did you mean [model]?"),
    ],
)
def test_a_change_that_is_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Config().with_(key, value)
    assert str(caught.value).startswith(message)


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
