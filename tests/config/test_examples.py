"""The example configurations."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from configurations import config

from actcli.config.schema import (
    KEYS,
    TABLES,
    Config,
    toml_value,
)
from actcli.config.sources import assemble, examples, find_config, read_toml

CONFIGS = Path(__file__).parents[2] / "configs"
BY_NAME = {str(key): key for key in KEYS}


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
def test_an_example_configuration_loads_and_opens_with_a_comment(path: Path) -> None:
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
