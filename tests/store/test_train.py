"""A run's folder: what is in it, that it suffices to do the run again, that it is always whole."""

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file

from actcli import __version__, files
from actcli.config.sources import assemble, parse_assignment, read_toml
from actcli.errors import ActcliError, DivergedError, UsageError
from actcli.formats.safetensors import safetensors_parts
from actcli.nn.network import MLP
from actcli.store.folder import new_folder
from actcli.store.record import RunResult
from actcli.store.start import create
from actcli.store.train import Run
from actcli.training import build
from actcli.training.evaluation import evaluate
from actcli.training.events import EpochDone
from actcli.training.learner import Learner

Blobs = Callable[..., Path]
ROOT = Path(__file__).parents[2]
FILES = [
    *(".lock", "checkpoint.safetensors", "config.toml", "environment.json", "metrics.jsonl"),
    "model.safetensors",
]


def make(path: Path, *assignments: str) -> Run:
    """A run that has not begun, in the folder `run` beside the data."""
    texts = (f"data.name={path}", "model.hidden=8,6", "training.batch_size=32", *assignments)
    config = assemble([parse_assignment(text) for text in texts]).resolve()
    learner = Learner(*build.prepare_dataset(config, lambda *_: None))
    return create(learner, path.parent / "runs", "run")


def folder(runs: Path, name: str) -> Path:
    """A new folder, which nobody writes to any more."""
    with new_folder(runs, name) as made:
        pass
    made.close()
    return made.path


def train(path: Path, *assignments: str) -> tuple[Run, list[EpochDone]]:
    run = make(path, *assignments)
    return run, [event for event in run.train() if isinstance(event, EpochDone)]


def model(run: Run) -> dict[str, NDArray[Any]]:
    """The tensors of the file."""
    return load_file(run.folder / "model.safetensors")


def flat(arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Weights and biases as in the network's vector."""
    names = [*(name for name in arrays if "weight" in name), *(n for n in arrays if "bias" in n)]
    order = sorted(names, key=lambda name: ("bias" in name, int(name.split(".")[0])))
    return np.concatenate([arrays[name].ravel(order="F") for name in order])


def memorising(blobs: Blobs) -> tuple[Any, ...]:
    """A training whose validation loss soon rises: labels at random."""
    noise = np.random.default_rng(0).integers(0, 3, 300)
    return (
        *(blobs(y_train=noise), "data.validation=100", "training.epochs=20", "model.hidden=64"),
        *("optimizer.name=adam", "optimizer.learning_rate=0.02", "optimizer.schedule=constant"),
    )


# The folder -----------------------------------------------------------------------------------


def test_what_a_run_leaves(blobs: Blobs) -> None:
    run, epochs = train(blobs(), "training.epochs=3")
    assert sorted(path.name for path in run.folder.iterdir()) == FILES
    assert len(epochs) == 3
    np.testing.assert_array_equal(flat(model(run)), run.learner.network.parameters)


def test_the_folder_is_complete_before_the_first_step(blobs: Blobs) -> None:
    run = make(blobs())
    initial = run.learner.network.parameters.copy()
    next(run.train())
    assert sorted(path.name for path in run.folder.iterdir()) == FILES
    assert (run.folder / "metrics.jsonl").read_text() == ""
    np.testing.assert_array_equal(flat(model(run)), initial)


def test_the_configuration_of_a_run_does_it_again(blobs: Blobs) -> None:
    first, _ = train(
        *(blobs(), "training.epochs=2", "data.classes=2,0", "model.dropout=0.1"),
        *("optimizer.name=adamw", "model.activation=gelu,tanh", "optimizer.warmup=0.5"),
    )
    config = assemble(read_toml(first.folder / "config.toml")).resolve()
    assert config == first.learner.config
    assert config.data.validation == len(first.learner.dataset.validation) == 33
    assert config.optimizer.weight_decay == 0.01
    assert Path(config.data.name).is_absolute()
    known, dataset = build.prepare_dataset(config, lambda *_: None)
    assert known == config
    again = create(Learner(known, dataset), first.folder.parent, "run")
    assert again.folder.name == "run-2"
    list(again.train())
    first_model, second_model = (
        (run.folder / "model.safetensors").read_bytes() for run in (first, again)
    )
    assert first_model == second_model


def test_a_line_of_strict_json_for_each_epoch(blobs: Blobs) -> None:
    run = make(blobs(), "training.epochs=3")
    path, told = run.folder / "metrics.jsonl", []
    for event in run.train():
        if isinstance(event, EpochDone):
            told.append(json.loads(json.dumps(asdict(event))))
        if told:  # written as soon as it is told
            text = path.read_text()
            assert text.endswith("\n")
            lines = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
            assert lines == told
    assert len(told) == 3
    assert list(told[0]) == [
        *("epoch", "learning_rate", "train", "validation", "seconds", "examples_per_second"),
        *("update_ratio", "best", "health", "histograms"),
    ]
    assert set(told[0]["train"]) == {"loss", "accuracy"}


def test_without_validation_there_is_no_score_of_it(blobs: Blobs) -> None:
    run, _ = train(blobs(), "training.epochs=1", "data.validation=0")
    line = json.loads((run.folder / "metrics.jsonl").read_text())
    assert line["validation"] is None
    assert run.finish().validation is None


def test_the_environment_of_a_run(blobs: Blobs) -> None:
    run, _ = train(blobs(), "training.epochs=0")
    told = json.loads((run.folder / "environment.json").read_text(), parse_constant=pytest.fail)
    assert list(told) == [
        *("actcli", "python", "numpy", "blas", "threads", "cores", "platform", "machine"),
        "started",
    ]
    assert told["actcli"] == __version__
    assert told["numpy"] == np.__version__
    assert told["cores"] >= 1


def test_names_count_up(tmp_path: Path) -> None:
    runs = tmp_path / "a" / "runs"
    names = [folder(runs, "relu").name for _ in range(3)]
    assert names == ["relu", "relu-2", "relu-3"]
    assert folder(runs, "relu-2").name == "relu-2-2"
    (runs / "file").write_text("")
    assert folder(runs, "file").name == "file-2"
    (runs / "link").symlink_to("nowhere")
    assert folder(runs, "link").name == "link-2"
    assert folder(runs, "ünï.c+o_de-1").is_dir()
    assert not list(runs.glob(".*"))


def test_what_was_abandoned_is_removed_after_a_day(tmp_path: Path) -> None:
    day = 24 * 3600
    for name, age in ((".old.0a.tmp", day + 60), (".new.0a.tmp", day - 60), (".mine", day + 60)):
        path = tmp_path / name
        path.mkdir()
        (path / "model.safetensors").write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    folder(tmp_path, "relu")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine", ".new.0a.tmp", "relu"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".hidden",
        ".",
        "..",
        "...",
        "a/b",
        "/a",
        "a\\b",
        "a b",
        "a\n",
        "\x1b[2J",
        "a:b",
        "~",
        "a\0",
    ],
)
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        folder(tmp_path / "runs", name)
    assert (
        str(caught.value)
        == f"a run cannot be named {name!a}. Allowed: letters, digits and . + - _, no . first"
    )
    assert list(tmp_path.iterdir()) == []


def test_where_no_folder_can_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for runs in (file, file / "runs"):
        with pytest.raises(ActcliError) as caught:
            folder(runs, "relu")
        assert str(caught.value) == f"cannot make a run folder in {runs}: Not a directory"
    with pytest.raises(ActcliError, match="File name too long"):
        folder(tmp_path, "x" * 300)
    assert not isinstance(caught.value, UsageError)


# Which network is kept ------------------------------------------------------------------------


def test_no_epoch_keeps_the_initial_network(blobs: Blobs) -> None:
    run = make(blobs(), "training.epochs=0")
    initial = run.learner.network.parameters.copy()
    assert list(run.train()) == []
    np.testing.assert_array_equal(flat(model(run)), initial)
    result = run.finish()
    assert (result.epochs, result.best_epoch, result.kept_epoch) == (0, 0, 0)
    assert (result.seconds, result.examples_per_second) == (0, None)
    assert initial.any()


def test_with_patience_the_best_epoch_is_kept(blobs: Blobs) -> None:
    run = make(*memorising(blobs), "training.patience=3")
    after, losses = {}, []
    for event in run.train():
        if isinstance(event, EpochDone):
            losses.append(event.validation.loss)
            after[event.epoch] = run.learner.network.parameters.copy()
    result = run.finish()
    assert len(after) == result.epochs == result.best_epoch + 3 < 20
    assert result.kept_epoch == result.best_epoch >= 1
    for parameters in (flat(model(run)), run.learner.network.parameters):
        np.testing.assert_array_equal(parameters, after[result.best_epoch])
    assert result.validation == evaluate(run.learner.model, run.learner.dataset.validation)
    assert result.validation.loss == min(losses)


def test_with_patience_that_lasts_the_best_epoch_is_kept(blobs: Blobs) -> None:
    run, epochs = train(*memorising(blobs), "training.patience=19")
    assert len(epochs) == run.finish().epochs == 20
    assert run.finish().kept_epoch == run.finish().best_epoch < 20
    np.testing.assert_array_equal(flat(model(run)), run.learner.network.parameters)


def test_without_patience_the_last_epoch_is_kept(blobs: Blobs) -> None:
    run = make(*memorising(blobs))
    for event in run.train():
        if isinstance(event, EpochDone):
            last = run.learner.network.parameters.copy()
    result = run.finish()
    np.testing.assert_array_equal(flat(model(run)), last)
    assert result.best_epoch < result.epochs == result.kept_epoch == 20
    np.testing.assert_array_equal(run.learner.network.parameters, last)


def test_divergence_keeps_the_last_good_network(blobs: Blobs) -> None:
    run = make(blobs(), "training.epochs=3", "data.validation=0")
    events = run.train()
    while not isinstance(next(events), EpochDone):
        pass
    good = run.learner.network.parameters.copy()
    run.learner.network.layers[1].weights[0, 0] = np.inf
    with pytest.raises(DivergedError) as caught:
        list(events)
    np.testing.assert_array_equal(flat(model(run)), good)
    assert str(caught.value) == (
        "the loss stopped being finite in epoch 2, step 1 of 10, first in layer 2 of 3. "
        "Try --lr 0.01 or --clip-norm 1. "
        f"{run.folder / 'model.safetensors'} is the network after epoch 1"
    )
    assert len((run.folder / "metrics.jsonl").read_text().splitlines()) == 1


def test_divergence_at_once_keeps_the_initial_network(blobs: Blobs) -> None:
    run = make(blobs(), "optimizer.learning_rate=1e30")
    initial = run.learner.network.parameters.copy()
    with pytest.raises(DivergedError, match="is the network before the first step"):
        list(run.train())
    np.testing.assert_array_equal(flat(model(run)), initial)
    assert sorted(path.name for path in run.folder.iterdir()) == sorted([*FILES, "result.json"])
    ended = json.loads((run.folder / "result.json").read_text())
    assert ended["status"] == "diverged"
    assert ended["message"].startswith("the loss stopped being finite in epoch 1")


def test_a_run_that_is_left_half_way_is_whole(blobs: Blobs) -> None:
    run = make(blobs(), "training.epochs=5")
    for event in run.train():
        if isinstance(event, EpochDone):
            kept = run.learner.network.parameters.copy()
        elif event.epoch == 3 and event.step == 2:
            run.save()
            break
    assert sorted(path.name for path in run.folder.iterdir()) == FILES
    np.testing.assert_array_equal(flat(model(run)), kept)
    assert len((run.folder / "metrics.jsonl").read_text().splitlines()) == 2


def test_the_result_is_that_of_the_kept_network(blobs: Blobs) -> None:
    run, epochs = train(blobs(), "training.epochs=2", "optimizer.learning_rate=0.4")
    learner = run.learner
    result = run.finish()
    assert result == RunResult(
        status="finished",
        run="run",
        parameters=12 * 8 + 8 + 8 * 6 + 6 + 6 * 3 + 3,
        epochs=2,
        best_epoch=2,
        kept_epoch=2,
        train=evaluate(learner.model, learner.dataset.train),
        validation=epochs[-1].validation,
        test=evaluate(learner.model, learner.dataset.test),
        seconds=epochs[0].seconds + epochs[1].seconds,
        examples_per_second=500 / (epochs[0].seconds + epochs[1].seconds),
        dead=result.dead,
        verdict=result.verdict,
    )
    assert RunResult.read(run.folder / "result.json") == result


# model.safetensors ----------------------------------------------------------------------------


def test_the_tensors_have_the_names_and_shapes_of_pytorch(blobs: Blobs) -> None:
    run, _ = train(blobs(), "training.epochs=1")
    arrays = model(run)
    assert {name: array.shape for name, array in arrays.items()} == {
        "0.weight": (8, 12),
        "0.bias": (8,),
        "2.weight": (6, 8),
        "2.bias": (6,),
        "4.weight": (3, 6),
        "4.bias": (3,),
    }
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    for index, layer in enumerate(run.learner.network.layers):
        np.testing.assert_array_equal(arrays[f"{2 * index}.weight"], layer.weights)
        np.testing.assert_array_equal(arrays[f"{2 * index}.bias"], layer.biases)


def test_the_rest_is_one_text_of_json_in_the_header(blobs: Blobs) -> None:
    run, _ = train(
        *(blobs(), "training.epochs=1", "data.classes=2,0", "data.normalize=standard"),
        *("model.activation=gelu,tanh", "loss.name=binary-cross-entropy"),
        "loss.label_smoothing=0.1",
    )
    path = run.folder / "model.safetensors"
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert list(metadata) == ["actcli"]
    told = json.loads(metadata["actcli"], parse_constant=pytest.fail)
    x = np.load(run.learner.config.data.name)["x_train"]
    rows = run.learner.dataset.train.rows
    assert told["normalization"].pop("shift") == pytest.approx(x[rows].mean(dtype=np.float64))
    assert told["normalization"].pop("scale") == pytest.approx(1 / x[rows].std(dtype=np.float64))
    assert told == {
        "format": 1,
        "activations": ["gelu", "tanh"],
        "output": "sigmoid",
        "loss": "binary-cross-entropy",
        "label_smoothing": 0.1,
        "dataset": "blobs",
        "shape": [12],
        "classes": ["2", "0"],
        "normalization": {"method": "standard"},
        "epoch": 1,
    }
    with path.open("rb") as raw:  # the header as any other reader of the format sees it
        (length,) = struct.unpack("<Q", raw.read(8))
        header = json.loads(raw.read(length))
    assert list(header["__metadata__"]) == ["actcli"]


def test_a_transposed_matrix_is_written_as_it_is(tmp_path: Path) -> None:
    wide = np.arange(6, dtype=np.float32).reshape(2, 3)
    network = MLP((2, 3, 2), ["relu"])
    object.__setattr__(network.layers[0], "weights", wide.T)
    object.__setattr__(network.layers[1], "weights", np.arange(12, dtype=np.float32)[::2])
    path = tmp_path / "model.safetensors"
    tensors = {f"{2 * i}.weight": layer.weights for i, layer in enumerate(network.layers)}
    files.write(path, *safetensors_parts(tensors, {}))
    arrays = load_file(path)
    np.testing.assert_array_equal(arrays["0.weight"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(arrays["2.weight"], [0, 2, 4, 6, 8, 10])


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = train(blobs(), "training.epochs=1")
    path = run.folder / "model.safetensors"
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    run.learner.network.parameters += 1
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ActcliError) as caught:
        run.save()
    assert str(caught.value) == f"cannot write {path}: No space left on device"
    assert path.read_bytes() == before
    assert sorted(each.name for each in run.folder.iterdir()) == FILES


def test_a_folder_that_vanishes_is_told(blobs: Blobs) -> None:
    run = make(blobs(), "training.epochs=2")
    events = run.train()
    next(events)
    shutil.rmtree(run.folder)
    with pytest.raises(ActcliError, match=r"cannot write .*: No such file or directory"):
        list(events)


# In processes of their own --------------------------------------------------------------------


def command(folder: Path, *arguments: str) -> bytes:
    """The model that `actcli train` writes in another process."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "actcli", "train", "--name", "run", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "random"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    newest = max((folder / "runs").iterdir(), key=lambda path: len(path.name))
    return (newest / "model.safetensors").read_bytes()


def test_the_same_command_twice_writes_the_same_bytes(blobs: Blobs) -> None:
    path = blobs()
    chosen = (
        *("--dataset", str(path), "--epochs", "2", "--hidden", "16,8", "--dropout", "0.2"),
        *("--optimizer", "adam", "--bias-init", "normal", "--quiet"),
    )
    first = command(path.parent, *chosen)
    assert first == command(path.parent, *chosen)
    assert first != command(path.parent, *chosen, "--seed", "1")
    config = str(path.parent / "runs" / "run" / "config.toml")
    assert command(path.parent / "runs", config) == first
