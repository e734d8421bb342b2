"""Registries: their entries, the names read from their text, and messages about unknown names."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import actcli
from actcli.errors import UsageError
from actcli.registry import Registry, declared_aliases, declared_names, nearest, unknown_name

ROOT = Path(actcli.__file__).parent


def tables():
    """Every (module, name) at whose top a registry is made."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            value = getattr(node, "value", None)
            if isinstance(value, ast.Call) and ast.unparse(value.func) == "Registry":
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                module = ".".join(["actcli", *path.relative_to(ROOT).with_suffix("").parts])
                found.append((module.removesuffix(".__init__"), ast.unparse(target)))
    return found


TABLES = tables()


def test_the_tables_of_the_mathematics_are_found():
    assert set(TABLES) >= {
        ("actcli.nn.activations", "ACTIVATIONS"),
        ("actcli.nn.initializers", "INITIALIZERS"),
        ("actcli.nn.initializers", "BIAS_INITIALIZERS"),
        ("actcli.nn.links", "LINKS"),
        ("actcli.nn.losses", "LOSSES"),
        ("actcli.nn.optimizers", "OPTIMIZERS"),
        ("actcli.nn.schedules", "SCHEDULES"),
    }


def test_a_table_of_a_package_is_found_there():
    assert ("actcli.diagnostics.rules", "RULES") in TABLES


@pytest.mark.parametrize(("module", "table"), TABLES)
def test_declared_names_are_those_of_the_table(module, table):
    entries = getattr(importlib.import_module(module), table)
    assert isinstance(entries, Registry)
    assert declared_names(module, table) == tuple(entries)
    assert declared_aliases(module, table) == entries.aliases
    assert not entries.aliases.keys() & entries.keys()
    assert len(entries) > 0


@pytest.mark.parametrize(("module", "table"), TABLES)
def test_names_are_written_alike(module, table):
    for name in declared_names(module, table):
        assert name == name.lower()
        assert name.removeprefix(".").replace("-", "").isalnum()  # endings of files have a dot


def test_declared_names_import_no_numpy():
    # Help and completion list names: NumPy would take longer than all the rest.
    program = (
        "import json, sys\n"
        "from actcli.registry import declared_names\n"
        f"names = [declared_names(*table) for table in {TABLES!r}]\n"
        "print(json.dumps([names, sorted(sys.modules)]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT.parent,
    )
    names, modules = json.loads(run.stdout)
    assert [tuple(each) for each in names] == [declared_names(*table) for table in TABLES]
    assert not {"numpy", "rich", "click", "safetensors"} & set(modules)


def test_declared_names_of_a_module_that_does_not_exist():
    with pytest.raises(ModuleNotFoundError):
        declared_names("actcli.no_such_module", "TABLE")
    assert declared_names("actcli.nn.activations", "NO_SUCH_TABLE") == ()


@pytest.fixture
def animals():
    registry = Registry("animal")
    registry.register("cat")(1)
    registry.register("dog")(2)
    registry.register("guinea-pig")(3)
    return registry


def test_a_table_is_a_mapping_in_the_order_of_definition(animals):
    assert list(animals) == ["cat", "dog", "guinea-pig"]
    assert len(animals) == 3
    assert animals["dog"] == 2
    assert dict(animals.items()) == {"cat": 1, "dog": 2, "guinea-pig": 3}
    assert "cat" in animals
    assert "cow" not in animals


def test_registering_leaves_the_definition_as_it_is(animals):
    @animals.register("cow")
    def cow():
        return "moo"

    assert cow() == "moo"
    assert animals["cow"] is cow


def test_a_name_cannot_be_taken_twice(animals):
    with pytest.raises(ValueError, match="two entries for animal 'cat'"):
        animals.register("cat")(4)
    assert animals["cat"] == 1


@pytest.mark.parametrize(
    ("name", "meant"),
    [("dgo", "dog"), ("Cat", "cat"), ("guinea_pig", "guinea-pig"), ("guineapig", "guinea-pig")],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_all(animals, name, meant):
    with pytest.raises(UsageError) as caught:
        animals[name]
    assert caught.value.message == f"there is no animal {name!r}"
    assert caught.value.hint == f"Did you mean {meant!r}? Known: cat, dog, guinea-pig"
    assert caught.value.__cause__ is None  # one mistake, not two
    assert caught.value.__suppress_context__


def test_a_name_without_a_similar_one_is_answered_with_all(animals):
    with pytest.raises(UsageError) as caught:
        animals["elephant"]
    assert caught.value.hint == "Known: cat, dog, guinea-pig"


@pytest.mark.parametrize(("module", "table"), TABLES)
def test_every_table_suggests_the_nearest_name(module, table):
    entries = getattr(importlib.import_module(module), table)
    for name in entries:
        with pytest.raises(UsageError) as caught:
            entries[f"{name}x"]
        assert f"Did you mean {name!r}?" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("relo", ["tanh", "relu"], "relu"),
        ("RELU", ["tanh", "relu"], "relu"),
        ("leaky_relu", ["relu", "leaky-relu"], "leaky-relu"),
        ("learning-rate", ["learning_rate", "momentum"], "learning_rate"),
        ("learnig_rate", ["learning_rate", "momentum"], "learning_rate"),
        ("zzz", ["tanh", "relu"], None),
        ("", ["tanh", "relu"], None),
        ("relu", [], None),
    ],
)
def test_nearest(name, names, expected):
    assert nearest(name, names) == expected


def test_unknown_name_reads_an_iterator_once():
    error = unknown_name("animal", "ct", iter(["cat", "dog"]))
    assert str(error) == "there is no animal 'ct'. Did you mean 'cat'? Known: cat, dog"
