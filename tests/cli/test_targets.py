"""What `actcli diagnose` examines: runs, files, networks before their training."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from actcli.cli import main
from actcli.cli.targets import Overrides, Target, find_target
from actcli.errors import DataError, UsageError
from actcli.formats import read_network

ROWS, INPUTS, CLASSES = 120, 6, 3
RUNS = Path("runs")
CHOSEN = ("--hidden", "5,4", "--batch-size", "20", "-q")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> str:
    return make_data(tmp_path / "set.npz")


def make_data(path: Path, inputs: int = INPUTS, rows: int = ROWS, seed: int = 0) -> str:
    """Points that are easy to tell apart; returns the path."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % CLASSES
    x = (rng.normal(size=(rows, inputs)) + 2 * y[:, None]).astype(np.float32)
    np.savez(path, x_train=x, y_train=y, x_test=x[:30], y_test=y[:30])
    return str(path)


def train(data: str, *args: str, epochs: int = 2) -> Path:
    """The folder of a new run."""
    chosen = ["train", *args, "--dataset", data, "--epochs", str(epochs), *CHOSEN, "--json"]
    done = CliRunner().invoke(main, chosen)
    assert done.exit_code == 0, done.output
    return Path(json.loads(done.stdout)["run"])


def find(target: str | None = None, at_init: bool = False, **overrides: Any) -> Target:
    return find_target(target, RUNS, Overrides(**overrides), at_init, lambda *_: None)


def refused(kind: type[Exception], target: str | None = None, **overrides: Any) -> str:
    with pytest.raises(kind) as caught:
        find(target, **overrides)
    return str(caught.value)


def parameters(path: Path) -> list[np.ndarray[Any, Any]]:
    return [each for layer in read_network(path).layers for each in layer]


def assert_network(result: Target, path: Path) -> None:
    """The network that is examined is that of the file."""
    layers = result.model.network.layers
    ours = [each for layer in layers for each in (layer.weights, layer.biases)]
    for one, other in zip(ours, parameters(path), strict=True):
        np.testing.assert_array_equal(one, other)


# Runs -----------------------------------------------------------------------------------------


def test_the_newest_run_if_none_is_named(data: str) -> None:
    older, newer = train(data, "--name", "older"), train(data, "--name", "newer", "--seed", "5")
    for age, folder in enumerate((newer, older)):
        os.utime(folder / "config.toml", (1000 - age, 1000 - age))
    result = find()
    assert result.name == "newer"
    assert_network(result, newer / "model.safetensors")
    os.utime(older / "config.toml", (2000, 2000))
    assert find().name == "older"


def test_a_folder_without_a_configuration_is_not_the_newest_run(data: str) -> None:
    folder = train(data, "--name", "whole")
    (RUNS / "part").mkdir()
    shutil.copy(folder / "model.safetensors", RUNS / "part")
    assert find().name == "whole"
    assert "cannot read the configuration runs/part/config.toml" in refused(UsageError, "part")


def test_a_run_by_its_name_and_by_its_folder(data: str, tmp_path: Path) -> None:
    folder = train(data, "--name", "mine", "--loss", "sse", "--optimizer", "adam")
    shutil.copytree(folder, "moved")
    for target, name in (
        *(("mine", "mine"), ("runs/mine", "mine"), ("runs/mine/", "mine"), ("moved", "moved")),
        (str(tmp_path / "moved"), "moved"),
    ):
        result = find(target)
        assert (result.name, result.model.loss_name) == (name, "sse")
        assert_network(result, folder / "model.safetensors")
        assert result.model.network.activation_names == (
            "relu",
            "relu",
        )
        assert result.dataset.name == "set"
        assert result.model.classes == ("0", "1", "2")
        assert result.training is not None
        assert result.training.optimizer == "adam"
        assert [epoch.epoch for epoch in result.training.history] == [1, 2]
        assert (result.training.kept_epoch, result.training.diverged) == (2, False)


def test_the_numbers_of_a_history_are_those_of_the_file(data: str) -> None:
    for validation in ("20", "0"):
        folder = train(data, "--validation", validation)
        records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        training = find(folder.name).training
        assert training is not None
        for epoch, record in zip(training.history, records, strict=True):
            assert epoch.train.loss == record["train"]["loss"]
            assert epoch.train.accuracy == record["train"]["accuracy"]
            held_out = epoch.validation and vars(epoch.validation)
            assert held_out == record["validation"]
            assert epoch.health is not None
            assert list(epoch.health.delta_norm) == record["health"]["delta_norm"]
            assert list(epoch.health.silent) == record["health"]["silent"]
            assert list(epoch.update_ratio) == record["update_ratio"]


def test_an_unknown_name_is_refused_with_the_nearest(data: str) -> None:
    for name in ("first", "second"):
        train(data, "--name", name, epochs=0)
    assert refused(UsageError, "secnod") == (
        "there is no run or file 'secnod'. Did you mean 'second'? Runs in runs: first, second"
    )
    assert refused(UsageError, "x\x1by") == (
        "there is no run or file 'x\\x1by'. Runs in runs: first, second"
    )


def test_without_runs() -> None:
    assert refused(UsageError) == "there is no run in runs. Make one: actcli train"
    assert refused(UsageError, "any") == "there is no run or file 'any'. Runs in runs: none"


def test_a_folder_that_is_not_a_run() -> None:
    Path("folder").mkdir()
    assert refused(UsageError, "folder") == "folder is not a run: it has no model.safetensors"


def test_a_model_that_is_not_that_of_its_configuration(data: str) -> None:
    folder, other = train(data), train(data, "--name", "other", "--activation", "tanh")
    text = (other / "config.toml").read_text()
    assert "hidden = [5, 4]" in text
    (folder / "config.toml").write_text(text.replace("hidden = [5, 4]", "hidden = [7, 4]"))
    assert refused(DataError, "default") == (
        "runs/default/model.safetensors has layers of sizes (6, 5, 4, 3), but its config.toml and "
        "data set set require (6, 7, 4, 3)"
    )


def test_options_override_the_properties_of_a_run(data: str, tmp_path: Path) -> None:
    train(data, "--normalize", "standard", "--label-smoothing", "0.1")
    other = make_data(tmp_path / "other.npz", rows=40, seed=1)
    result = find("default", dataset=other, normalize="none")
    assert (result.dataset.name, result.model.normalization.method) == ("other", "none")
    assert result.model.loss.label_smoothing == 0.1
    result = find("default", activation=("tanh",))
    assert result.model.network.activation_names == (
        "tanh",
        "tanh",
    )
    assert (result.model.loss_name, result.model.normalization.method) == (
        "cross-entropy",
        "standard",
    )
    train(data, "--name", "sse", "--loss", "sse")
    for overrides, loss, output in (
        ({}, "sse", "sigmoid"),
        ({"output": "softmax"}, "sse", "softmax"),
        ({"loss": "cross-entropy"}, "cross-entropy", "softmax"),
        ({"loss": "binary-cross-entropy"}, "binary-cross-entropy", "sigmoid"),
        ({"loss": "mse", "output": "identity"}, "mse", "identity"),
    ):
        result = find("sse", **overrides)
        assert (result.model.loss_name, result.model.loss.output) == (loss, output)


def test_a_data_set_that_does_not_go_with_a_run(data: str, tmp_path: Path) -> None:
    train(data)
    wider = make_data(tmp_path / "wider.npz", inputs=9)
    assert refused(DataError, "default", dataset=wider) == (
        "runs/default/model.safetensors has layers of sizes (6, 5, 4, 3), but its config.toml and "
        "data set wider require (9, 5, 4, 3)"
    )


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"epoch": 2, "train": {"lo',
        b"[]",
        b"3",
        b"\xff\xfe",
        b'{"epoch": 2}',
        b'{"epoch": 2, "train": null, "validation": null}',
        b'{"epoch": 2, "train": {"accuracy": 1}, "validation": null}',
        b'{"epoch": 2, "train": {"loss": "low", "accuracy": 1}, "validation": null}',
        b'{"epoch": 2, "train": {"loss": 1, "accuracy": 1}, "validation": {"loss": 1}}',
        b'{"epoch": 2, "train": {"loss": 1, "accuracy": 1}, "validation": null, "health": 3}',
        b"[" * 100_000,
    ],
    ids=range(12),
)
def test_the_damaged_line_of_a_history_is_named(data: str, line: bytes) -> None:
    path = train(data, epochs=3) / "metrics.jsonl"
    first, _, third = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, line, third]) + b"\n")
    message = refused(DataError, "default")
    assert re.fullmatch(
        r"runs/default/metrics.jsonl, line 2"
        r"( is not (JSON|a JSON object)|: '[\w.]+' is not an? .+)",
        message,
    )


def test_a_history_that_is_not_there(data: str) -> None:
    (train(data) / "metrics.jsonl").unlink()
    told = "cannot read runs/default/metrics.jsonl: No such file or directory"
    assert refused(DataError, "default") == told


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"status": ', b"\xff", b"null"])
def test_a_damaged_result(data: str, content: bytes) -> None:
    (train(data) / "result.json").write_bytes(content)
    message = refused(DataError, "default")
    faults = r"( is not (JSON|a JSON object)|: 'status' is not a text)"
    assert re.fullmatch(rf"runs/default/result.json{faults}", message)


def test_a_run_that_did_not_end_and_one_that_diverged(data: str) -> None:
    (train(data) / "result.json").unlink()
    unfinished = find("default").training
    assert unfinished is not None
    assert not unfinished.diverged
    chosen = ["train", "--dataset", data, "--lr", "1e30", "--epochs", "2", *CHOSEN, "--name", "bad"]
    assert CliRunner().invoke(main, chosen).exit_code == 1
    result = find()
    assert (result.name, result.training and result.training.diverged) == ("bad", True)
    assert find("bad", at_init=True).training != result.training
    done = CliRunner().invoke(main, ["diagnose", "bad", "--json"])
    assert "learning-rate-too-high" in [
        finding["rule"] for finding in json.loads(done.stdout)["findings"]
    ]


# Files of weights -----------------------------------------------------------------------------


def test_our_own_file_says_all_but_where_its_data_are(data: str) -> None:
    chosen = ("--activation", "tanh,elu", "--normalize", "standard", "--label-smoothing", "0.2")
    folder = train(data, *chosen, "--validation", "50")
    shutil.copy(folder / "model.safetensors", "alone.safetensors")
    told = refused(UsageError, "alone.safetensors")
    assert told == (
        "alone.safetensors was trained on 'set', which is not the name of a known data set. "
        "Give its path with --dataset"
    )
    alone, run = find("alone.safetensors", dataset=data), find("default")
    assert alone.name == "alone.safetensors"
    assert (alone.initial, alone.training) == (None, None)
    assert alone.model.loss_name == run.model.loss_name
    assert alone.model.network.activation_names == (
        "tanh",
        "elu",
    )
    assert alone.model.classes == run.model.classes
    for name in ("output", "label_smoothing"):
        assert getattr(alone.model.loss, name) == getattr(run.model.loss, name)
    assert alone.model.loss.label_smoothing == 0.2
    # That of the rows that it learnt from, whatever is held out now.
    assert alone.model.normalization == run.model.normalization
    assert alone.model.normalization != alone.dataset.normalization
    assert_network(alone, folder / "model.safetensors")
    other = find("alone.safetensors", dataset=data, normalize="none", loss="sse", output="sigmoid")
    assert (other.model.loss_name, other.model.loss.output) == ("sse", "sigmoid")
    assert other.model.loss.label_smoothing == 0
    assert other.model.normalization.method == "none"


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_a_file_from_elsewhere_is_read_under_assumptions(data: str, suffix: str) -> None:
    folder = train(data)
    tensors, path = load_file(folder / "model.safetensors"), Path(f"theirs.{suffix}")
    if suffix == "npz":
        np.savez(path, **tensors)
    else:
        save_file(tensors, path)
    chosen = find(str(path), dataset=data).foreign
    assert chosen
    assert chosen.choice.startswith("The file does not name its activation. ")
    result = find(str(path), dataset=data, activation=("silu",))
    assert result.foreign
    assert not result.foreign.choice
    assert result.model.network.activation_names == (
        "silu",
        "silu",
    )
    assert (result.model.loss_name, result.model.loss.output) == ("cross-entropy", "softmax")
    assert result.model.normalization.method == "column"
    assert_network(result, folder / "model.safetensors")
    assert refused(UsageError, str(path), dataset=data, activation=("relu",) * 3) == (
        "3 activations for 2 hidden layers. Give one for all, or one for each"
    )
    assert refused(DataError, str(path), activation=("relu",)) == (
        f"{path} has 6 inputs and 3 logits, but the data set mnist has 784 pixels and 10 classes. "
        "Give its data set with --dataset"
    )
    assert refused(UsageError, str(path), at_init=True) == (
        f"{path} does not hold the initial network. Give a run or a configuration"
    )


def test_a_file_without_hidden_layers_needs_no_activation(data: str) -> None:
    save_file({"weight": np.ones((CLASSES, INPUTS), np.float32)}, "linear.safetensors")
    assert find("linear.safetensors", dataset=data).model.network.activation_names == ()


def test_a_run_goes_before_a_file_of_its_name_but_not_before_a_path(data: str) -> None:
    folder = train(data, "--name", "same.safetensors")
    save_file({"weight": np.ones((CLASSES, INPUTS), np.float32)}, "same.safetensors")
    assert find("same.safetensors").training is not None
    assert find("./same.safetensors", dataset=data).training is None
    # Seen from the folder of the runs, ../same would be the folder of that name here.
    shutil.copytree(folder, "same")
    assert "there is no run or file '../same'" in refused(UsageError, "../same")
    assert "there is no run or file '../same'" in refused(UsageError, "../same", at_init=True)


# Before any training --------------------------------------------------------------------------


def test_the_initial_network_of_a_run_is_the_one_it_started_from(data: str) -> None:
    chosen = ("--seed", "7", "--bias-init", "normal", "--init", "orthogonal")
    run = train(data, *chosen, "--name", "trained")
    start = train(data, *chosen, "--name", "start", epochs=0)
    result = find("trained", at_init=True)
    assert_network(result, start / "model.safetensors")
    assert result.initial is result.model
    assert result.training is not None
    assert (result.training.history, result.training.diverged) == ((), False)
    trained = find("trained")
    assert_network(trained, run / "model.safetensors")
    assert trained.initial is not None
    np.testing.assert_array_equal(
        trained.initial.network.parameters, result.model.network.parameters
    )
    assert not np.array_equal(trained.initial.network.parameters, trained.model.network.parameters)


def test_the_initial_network_of_an_example_configuration_and_of_a_file(data: str) -> None:
    result = find("dying-relu", at_init=True)
    assert result.name == "dying-relu at its start"
    assert result.model.network.sizes == (784, 128, 128, 128, 10)
    assert result.dataset.name == "mnist"
    text = f"[data]\nname = '{data}'\n[model]\nhidden = [5, 4]\n[training]\nseed = 3\n"
    Path("my.toml").write_text(text)
    result = find("my.toml", at_init=True)
    assert (result.name, result.model.network.sizes) == ("my.toml at its start", (6, 5, 4, 3))
    start = train(data, "my.toml", epochs=0)
    assert_network(result, start / "model.safetensors")
    changed = find("my.toml", at_init=True, activation=("tanh",), loss="sse", normalize="none")
    assert changed.model.network.activation_names == ("tanh", "tanh")
    assert (changed.model.loss_name, changed.model.normalization.method) == ("sse", "none")


def test_a_run_goes_before_the_example_configuration_of_its_name(data: str) -> None:
    train(data, "--name", "dying-relu")
    assert find("dying-relu", at_init=True).model.network.sizes == (6, 5, 4, 3)
    assert find(None, at_init=True).name == "dying-relu"


def test_mistakes_before_any_training() -> None:
    assert find(None, at_init=True).name == "default at its start"
    told = "cannot read the configuration absent.toml: No such file or directory"
    assert refused(UsageError, "absent.toml", at_init=True) == told
    assert refused(UsageError, "dyingrelu", at_init=True).startswith(
        "there is no run or file 'dyingrelu'"
    )
