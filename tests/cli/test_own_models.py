"""Models of other frameworks in the commands, as the README shows them."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from actcli.cli import main
from actcli.cli.targets import Overrides, find_target
from actcli.datasets.dataset import load_dataset
from actcli.errors import UsageError
from actcli.formats.onnx_writer import onnx_constant, onnx_model, onnx_node, onnx_value
from actcli.model import read_model_file

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "tests" / "oracles" / "readme_models"
TORCH = Path(__file__).parents[1] / "oracles" / "torch_models"
MEAN, DEVIATION = 0.1307, 0.3081

Refused = Callable[..., str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in MODELS.glob("digits.*"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def logits(name: str, **overrides: Any) -> Any:
    """The logits of the first 20 test rows of MNIST."""
    target = find_target(name, Path("runs"), Overrides(**overrides), False, lambda *_: None)
    return target.model.split_logits(target.dataset.test.subset(slice(20)))


def test_the_commands_of_the_readme_diagnose_stored_models() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Diagnose your own model")[2].partition("\n## ")[0]
    lines = re.findall(r"^actcli (diagnose digits.*)$", section, re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        result = run(*line.split(), "--rows", "1000")
        assert result["softmax"]["accuracy"] > 0.85
        said = " ".join(result["assumptions"]["sentences"])
        assert "The inputs of the network are " in said


def test_outputs_are_those_of_the_framework_after_its_own_normalization() -> None:
    with np.load(MODELS / "outputs.npz") as file:
        outputs = dict(file)
    found = logits("digits.pt", activation=("relu",), scale=255, normalize=(MEAN, DEVIATION))
    np.testing.assert_allclose(found, outputs["digits.pt"], atol=1e-5)
    found = logits("digits.onnx", scale=255, normalize=(MEAN, DEVIATION))
    np.testing.assert_allclose(found, outputs["digits.onnx"], atol=1e-5)
    for name, overrides in (("digits.keras", {}), ("digits.npz", {"activation": ("relu",)})):
        z = logits(name, scale=255, **overrides).astype(float)
        found = np.exp(z - z.max(axis=1, keepdims=True))
        found /= found.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found, outputs[name], atol=1e-5)


def test_bytes_are_divided_by_255_before_a_small_mean_and_it_is_said() -> None:
    given = {"activation": ("relu",), "normalize": (MEAN, DEVIATION)}
    np.testing.assert_array_equal(
        logits("digits.pt", **given), logits("digits.pt", **given, scale=255)
    )
    raw = logits("digits.pt", activation=("relu",), normalize=(255 * MEAN, 255 * DEVIATION))
    np.testing.assert_allclose(raw, logits("digits.pt", **given), atol=1e-5)
    options = ["--activation", "relu", "--normalize", "0.1307,0.3081"]
    done = CliRunner().invoke(main, ["predict", "digits.pt", *options])
    assert done.stderr == (
        "The inputs of the network are (x / 255 - 0.1307) / 0.3081: bytes are divided by 255 "
        "first; --scale 1 does not.\n"
    )


def test_a_normalization_inside_a_network_follows_what_happens_to_the_inputs() -> None:
    with np.load(MODELS / "outputs.npz") as file:
        expected = file["digits.onnx"]
    tensors = parameters_of("digits.onnx")
    nodes = [
        *onnx_node("Sub", ["x", "mean"], ["x1"]),
        *onnx_node("Div", ["x1", "deviation"], ["x2"]),
        *onnx_node("Gemm", ["x2", "w", "b"], ["h"], transB=1),
        *onnx_node("Relu", ["h"], ["a"]),
        *onnx_node("Gemm", ["a", "v", "c"], ["z"], transB=1),
    ]
    constants = {"mean": MEAN, "deviation": DEVIATION, **tensors}
    graph = [*nodes, *onnx_value(11, "x", ["n", 784]), *onnx_value(12, "z", ["n", 10])]
    for name, values in constants.items():
        graph += onnx_constant(name, values)
    Path("inside.onnx").write_bytes(b"".join(onnx_model(graph, {}, producer="pytorch")))
    for overrides in ({}, {"scale": 255.0}, {"normalize": "unit"}):
        np.testing.assert_allclose(logits("inside.onnx", **overrides), expected, atol=1e-5)
    raw = logits("inside.onnx", scale=1.0)
    assert np.abs(raw - expected).max() > 1
    done = CliRunner().invoke(main, ["predict", "inside.onnx"])
    assert done.stderr == (
        "The inputs of the network are x / 255, which it normalizes itself: bytes are divided by "
        "255 first; --scale 1 does not.\n"
    )


def parameters_of(name: str) -> dict[str, Any]:
    """The weights and biases of a network with one hidden layer."""
    (w, b), (v, c) = read_model_file(Path(name)).layers
    return {"w": w, "b": b, "v": v, "c": c}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--normalize", "0.1,0"), "must be a mean and a deviation above 0, not 0.1,0"),
        (("--normalize", "0.1"), "must be one of standard, unit, column, none; not '0.1'"),
        (("--normalize", "0.1,x"), "must be a number of at least -1e+30 and below 1e+30, not 'x'"),
        (("--normalize", "1,2,3"), "must be a list of 2, not of 3"),
        (("--scale", "0"), "must be a number of at least 1e-30 and below 1e+30, not 0"),
        (
            ("--scale", "255", "--normalize", "unit"),
            "--scale does not go with --normalize unit. Giv",
        ),
    ],
)
def test_normalizations_that_are_refused(
    refused: Refused, options: tuple[str, ...], expected: str
) -> None:
    assert expected in refused("diagnose", "digits.pt", *options, status=2)


def test_numbers_are_for_files_and_not_for_runs() -> None:
    with pytest.raises(
        UsageError, match=r"--scale and --normalize MEAN,STD are for files of other"
    ):
        find_target(None, Path("runs"), Overrides(scale=255), True, lambda *_: None)


def test_files_are_compared_with_a_run(blobs: Callable[..., Path]) -> None:
    data = load_dataset("mnist").train
    inputs, labels = data.pixels[data.rows[:300]].reshape(-1, 28, 28), data.labels[:300]
    np.savez("set.npz", x_train=inputs, y_train=labels, x_test=inputs, y_test=labels)
    options = ["--dataset", "set.npz", "--hidden", "8", "--epochs", "1", "--workers", "1", "-q"]
    assert CliRunner().invoke(main, ["train", *options, "--name", "mine"]).exit_code == 0
    names = ["mine", "digits.npz", "digits.keras"]
    files = ["--dataset", "set.npz", "--scale", "255", "--activation", "relu"]
    compared = run("compare", *names, *files)
    assert [each["state"] for each in compared["runs"]] == ["finished", "file", "file"]
    assert [each["test_accuracy"] > 0.8 for each in compared["runs"]] == [False, True, True]
    assert all(each["verdict"] for each in compared["runs"])
    assert compared["differences"]["model.hidden"] == ["[8]", "[16]", "[16]"]
    assert "training.epochs" not in compared["differences"]
    shown = CliRunner().invoke(main, ["compare", *names, *files])
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "digits.npz unknown: a file has no history" in " ".join(shown.stdout.split())


def test_a_model_that_is_a_folder_is_named(refused: Refused) -> None:
    Path("saved").mkdir()
    Path("saved/saved_model.pb").touch()
    assert refused("diagnose", "saved", status=2) == (
        "saved is a SavedModel of TensorFlow, a folder. Save it as a file: "
        "tf.keras.models.load_model('saved').save('model.keras')"
    )


def test_an_option_of_files_needs_a_file(refused: Refused) -> None:
    message = refused("compare", "a", "b", "--scale", "255", status=2)
    assert "there is no run or file 'a'" in message


def test_what_was_folded_is_said_by_each_command() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 6)).astype("f4"), np.arange(60) % 3
    np.savez("set.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    path = str(TORCH / "norms_before.pt")
    options = ["--dataset", "set.npz", "--normalize", "none", "--activation", "relu"]
    said = " ".join(run("diagnose", path, *options)["assumptions"]["sentences"])
    assert "The batch normalization '1' is folded into the linear layer before it, layer 1" in said
    done = CliRunner().invoke(main, ["predict", path, *options])
    assert "The batch normalization '5' is folded into the linear layer before it" in done.stderr
