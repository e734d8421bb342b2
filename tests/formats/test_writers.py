"""The writers of `actcli export`: every activation, output and normalization, and what is refused.

`benchmarks/check_exports.py` runs the files in their frameworks; here its stored outputs must be
those of today, and the files the ones that it checked.
"""

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exported_models import cases, digest, stored

import actcli
from actcli.datasets.batches import Normalization
from actcli.errors import DataError, UsageError
from actcli.formats.onnx_writer import ACTIVATION_NODES
from actcli.formats.scikit_learn_writer import ACTIVATION_NAMES
from actcli.formats.torch_writer import MODULES, torch_source
from actcli.model import read_model_file
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP
from actcli.store.export import network_parts

TOLERANCE = 1e-5
MODELS = {name: (model, rows) for name, model, rows in cases()}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def with_activation(name: str) -> actcli.Model:
    network = MLP((3, 4, 2), (name,))
    return actcli.Model(
        network, LOSSES["cross-entropy"]("auto", 0.0), Normalization("none", 0.0, 1.0), ("a", "b")
    )


def test_files_and_outputs_are_those_that_onnxruntime_checked() -> None:
    record = stored()
    assert set(record) == set(MODELS)
    for name, (model, rows) in MODELS.items():
        outputs = model.predict_proba(rows)
        np.testing.assert_allclose(outputs, record[name]["outputs"], atol=TOLERANCE, err_msg=name)
        assert digest(model) == record[name]["sha256"], name


def test_every_activation_has_its_form_in_onnx_and_pytorch() -> None:
    assert set(ACTIVATION_NODES) == set(MODULES) == set(ACTIVATIONS)
    assert set(ACTIVATION_NAMES) < set(ACTIVATIONS)
    assert {model.network.activation_names[0] for model, _ in MODELS.values()} == set(ACTIVATIONS)


def test_an_exported_file_is_read_back_as_the_same_model() -> None:
    for index, (name, (model, rows)) in enumerate(MODELS.items()):
        targets = {"onnx": "onnx"}
        if len(set(model.network.activation_names)) == 1:
            targets["npz"] = "npz"
        for target, suffix in targets.items():
            path = actcli.export(model, target, f"{index}.{suffix}").files[0].path
            file = read_model_file(path)
            again = file.model()
            assert file.framework == "", name
            assert again.classes == model.classes
            assert again.loss.output == model.loss.output
            assert again.normalization == model.normalization
            assert again.network.activation_names == model.network.activation_names
            outputs = again.predict_proba(rows)
            np.testing.assert_allclose(outputs, model.predict_proba(rows), atol=TOLERANCE)


def test_a_pytorch_module_is_python_whatever_the_classes_are_called() -> None:
    name = "column"
    model, _ = next(pair for case, pair in MODELS.items() if name in case)
    hostile = ('"""', "{braces}", "\\", "\n", "'); import os; ('", "é")
    parts = replace(network_parts(model, "x"), classes=hostile)
    tree = ast.parse(torch_source(parts))
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert ast.literal_eval(constants["CLASSES"]) == hostile
    shift = constants["SHIFT"]
    assert isinstance(shift, ast.Call)
    assert tuple(ast.literal_eval(shift.args[0])) == model.normalization.shift


def test_the_state_dict_has_the_names_of_the_modules() -> None:
    model, _ = MODELS["gelu+tanh, sigmoid of 1, none"]
    files = actcli.export(model, "torch", "m.py").files
    source = files[0].path.read_text(encoding="utf-8")
    modules = re.findall(r"^            (nn\..*),$", source, re.MULTILINE)
    assert modules == [
        *("nn.Linear(6, 5)", "nn.GELU()", "nn.Linear(5, 4)", "nn.Tanh()", "nn.Linear(4, 1)")
    ]
    assert files[1].path == Path("m.safetensors")
    again = read_model_file(files[1].path)
    assert again.sizes == (6, 5, 4, 1)
    assert again.model().normalization == model.normalization


@pytest.mark.parametrize(
    ("activations", "expected"),
    [
        (("gelu", "gelu"), "cannot hold the activation 'gelu'. It has one of identity, sigmoid"),
        (("relu", "tanh"), "cannot hold several activations, relu and tanh. It has one of"),
    ],
)
def test_what_scikit_learn_cannot_hold_is_named(
    activations: tuple[str, ...], expected: str
) -> None:
    model = with_activation("relu").with_network(MLP((3, 4, 4, 2), activations))
    with pytest.raises(UsageError, match=re.escape(f"scikit-learn's MLPClassifier {expected}")):
        actcli.export(model, "npz", "m.npz")
    assert not Path("m.npz").exists()


def test_an_activation_that_a_target_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cube(ACTIVATIONS["identity"]):  # type: ignore[misc]
        """An activation that only actcli has."""

    monkeypatch.setitem(ACTIVATIONS._entries, "cube", Cube)
    for target, title in (("onnx", "an ONNX file"), ("torch", "a PyTorch module")):
        with pytest.raises(UsageError, match=f"{title} cannot hold the activation 'cube'. Known: "):
            actcli.export(with_activation("cube"), target)
    assert list(Path().iterdir()) == []


def test_a_description_that_contradicts_the_graph_is_not_trusted() -> None:
    """Activations and normalization are those of the graph, in a file that somebody edited."""
    model = with_activation("sigmoid")
    path = actcli.export(model, "onnx", "m.onnx").files[0].path
    content = path.read_bytes()
    edited = content.replace(b'["sigmoid"]', b'["relu"]   ')
    edited = edited.replace(b'"scale": 1.0', b'"scale": 9.0')
    assert edited != content
    path.write_bytes(edited)
    again = read_model_file(path).model()
    assert again.network.activation_names == ("sigmoid",)
    assert again.normalization.scale == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("activation", np.array(3)),
        ("classes", np.array("a")),
        ("shift", np.array("a")),
        ("scale", np.zeros((1, 2))),
    ],
)
def test_an_npz_whose_extra_arrays_are_damaged(
    key: str, value: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"
) -> None:
    path = actcli.export(with_activation("relu"), "npz", "m.npz").files[0].path
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **(arrays | {key: value}))
    with pytest.raises(DataError, match=key):
        read_model_file(path)
