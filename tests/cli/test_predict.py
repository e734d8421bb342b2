"""`actcli predict`: against a forward pass worked out from the files alone, and the command."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from safetensors.numpy import load_file
from screens import on_screen

from actcli import files
from actcli.cli import main
from actcli.term.canvas import Canvas
from actcli.term.image import RAMP, UPPER, image_lines

Blobs = Callable[..., Path]


def call(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, [*args], env={"COLUMNS": "80", **env})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a run on MNIST."""
    folder = str(tmp_path_factory.mktemp("runs"))
    done = call("train", "--hidden", "32", "--epochs", "1", "--runs-dir", folder, "-q")
    assert done.exit_code == 0, done.output
    return folder


def predict(runs: str, *args: str, **env: str) -> Result:
    return call("predict", "--runs-dir", runs, *args, **env)


def fields(runs: str, *args: str) -> dict[str, Any]:
    done = predict(runs, *args, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(done.stdout, parse_constant=pytest.fail)
    return found


def only(runs: str, *args: str) -> dict[str, Any]:
    (found,) = fields(runs, *args)["predictions"]
    return dict(found)


def mnist(name: str, header: int) -> Any:
    path = next(files.packaged_folder("data").glob(f"mnist/{name}*.gz"))
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


@pytest.fixture(scope="module")
def truth(runs: str) -> tuple[Any, Any]:
    """The softmax of every test image and its label, from the files, in float64."""
    tensors = load_file(Path(runs) / "default" / "model.safetensors")
    x = mnist("t10k-images", 16).reshape(-1, 784) / 255
    hidden = np.maximum(x @ tensors["0.weight"].T + tensors["0.bias"], 0)
    z = hidden @ tensors["2.weight"].T + tensors["2.bias"]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True), mnist("t10k-labels", 8)


# The numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 4, 9999])
def test_a_row(index: int, runs: str, truth: tuple[Any, Any]) -> None:
    p, labels = truth
    found = only(runs, "--index", str(index))
    order = np.argsort(-p[index])
    np.testing.assert_allclose(found["outputs"], p[index], rtol=2e-4, atol=1e-9)
    assert found["cross_entropy"] == pytest.approx(-np.log(p[index, labels[index]]), rel=1e-3)
    assert found["loss"] == pytest.approx(found["cross_entropy"], rel=1e-9)
    assert (found["answer"], found["second"]) == (str(order[0]), str(order[1]))
    assert (found["index"], found["true_class"]) == (index, str(labels[index]))
    assert found["right"] == (order[0] == labels[index])


def test_the_worst(runs: str, truth: tuple[Any, Any]) -> None:
    p, labels = truth
    wrong = np.flatnonzero(p.argmax(axis=1) != labels)
    surest = wrong[np.argsort(-p[wrong].max(axis=1))]
    found = fields(runs, "--worst", "20")
    assert (found["rows"], found["mistakes"]) == (10_000, len(wrong))
    assert [each["index"] for each in found["predictions"]] == surest[:20].tolist()
    assert not any(each["right"] for each in found["predictions"])
    fours = fields(runs, "--worst", "3", "--label", "4")
    assert fours["rows"] == (labels == 4).sum()
    expected = [index for index in surest if labels[index] == 4]
    assert [each["index"] for each in fours["predictions"]] == expected[:3]
    assert fours["mistakes"] == len(expected)


def test_the_first_of_a_class(runs: str) -> None:
    labels = mnist("t10k-labels", 8)
    for options in (["--label", "4"], ["--label", "4", "--first"]):
        assert only(runs, *options)["index"] == int(np.flatnonzero(labels == 4)[0])
    assert only(runs)["index"] == 0


def test_at_random(runs: str) -> None:
    one, same, other = (
        only(runs, "--random", "--seed", seed, "--label", "7") for seed in ("1", "1", "2")
    )
    assert one == same
    assert one["true_class"] == other["true_class"] == "7"
    assert len({only(runs, "--random")["index"] for _ in range(4)}) > 1


def test_rows_of_the_other_splits(runs: str) -> None:
    labels = mnist("train-labels", 8)
    for split, count in (("train", 55_000), ("validation", 5000)):
        found = fields(runs, "--split", split, "--worst", "1")
        assert (found["split"], found["rows"]) == (split, count)
    assert only(runs, "--split", "train")["true_class"] == str(labels[0])


# Outputs of other kinds -----------------------------------------------------------------------


def blob_run(path: Path, runs: Path, *options: str) -> str:
    arguments = ["--dataset", str(path), "--hidden", "8", "--epochs", "2", "--name", "run", "-q"]
    done = call("train", *arguments, "--runs-dir", str(runs), *options)
    assert done.exit_code == 0, done.output
    return str(runs)


def test_one_sigmoid_unit_for_two_classes(blobs: Blobs, tmp_path: Path) -> None:
    runs = blob_run(blobs(classes=2), tmp_path / "r", "--loss", "binary-cross-entropy")
    found = only(runs, "--index", "1")
    assert sum(found["outputs"]) == pytest.approx(1)
    p = found["outputs"][int(found["true_class"])]
    assert found["cross_entropy"] == pytest.approx(-np.log(p))
    assert found["loss"] == pytest.approx(found["cross_entropy"])


def test_a_sigmoid_for_each_class(blobs: Blobs, tmp_path: Path) -> None:
    runs = blob_run(blobs(), tmp_path / "r", "--loss", "binary-cross-entropy")
    found = only(runs)
    p, k = np.array(found["outputs"]), int(found["true_class"])
    assert p.sum() != pytest.approx(1, abs=1e-6)
    assert found["cross_entropy"] is None
    assert found["loss"] == pytest.approx(-np.log(np.where(np.arange(3) == k, p, 1 - p)).mean())
    text = predict(runs).stdout
    assert "loss, binary-cross-entropy" in text
    assert "   cross-entropy" not in text
    assert "sigmoid" in text


def test_scores_that_are_no_probabilities(blobs: Blobs, tmp_path: Path) -> None:
    runs = blob_run(blobs(), tmp_path / "r", "--loss", "mse", "--output", "identity")
    found = only(runs)
    target = np.arange(3) == int(found["true_class"])
    assert found["cross_entropy"] is None
    assert found["loss"] == pytest.approx(np.square(np.array(found["outputs"]) - target).mean())
    text = predict(runs).stdout
    assert "logit" in text
    assert "%" not in text
    assert "█" not in text


def test_inputs_that_are_no_image(blobs: Blobs, tmp_path: Path) -> None:
    runs = blob_run(blobs(inputs=12), tmp_path / "r")
    lines = predict(runs).stdout.splitlines()
    assert lines[3].startswith("   class  softmax")


def test_a_row_of_pixels_that_is_a_square(blobs: Blobs, tmp_path: Path) -> None:
    runs = blob_run(blobs(inputs=16), tmp_path / "r")
    lines = predict(runs).stdout.splitlines()
    assert re.match(r"[ .:=+*#%@-]{4}\s+class  softmax", lines[3])


def test_very_many_classes(blobs: Blobs, tmp_path: Path) -> None:
    runs = blob_run(blobs(classes=30, inputs=25), tmp_path / "r")
    text = predict(runs, "--index", "29").stdout
    assert "… and 20 smaller ones" in text
    assert "◆ 29" in text.replace("▶", "")


def test_no_mistake(blobs: Blobs, tmp_path: Path) -> None:
    runs = blob_run(blobs(), tmp_path / "r", "--epochs", "20")
    done = predict(runs, "--worst", "5")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "run on blobs, test: none of 300 rows is wrong\n"
    assert fields(runs, "--worst", "5")["predictions"] == []


# Images from files ----------------------------------------------------------------------------


def test_an_image_from_a_file(runs: str, tmp_path: Path) -> None:
    image = mnist("t10k-images", 16).reshape(-1, 28, 28)[4]
    np.save(tmp_path / "a.npy", image)
    np.save(tmp_path / "b.npy", 255 - image)
    row = only(runs, "--index", "4")
    for options in (["a.npy"], ["b.npy", "--invert"]):
        found = only(runs, "--image", str(tmp_path / options[0]), *options[1:])
        assert found["outputs"] == row["outputs"]
        assert (found["index"], found["true_class"], found["cross_entropy"]) == (None, None, None)
        assert found["right"] is None
    known = only(runs, "--image", str(tmp_path / "a.npy"), "--label", row["true_class"])
    assert known["cross_entropy"] == row["cross_entropy"]
    text = predict(runs, "--image", str(tmp_path / "a.npy")).stdout
    assert text.startswith("default on mnist: an image file  ▶ answer\n\nthe image: answered ")
    assert "WRONG" not in text


def test_an_image_where_a_run_should_be(runs: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((28, 28), np.uint8))
    done = predict(runs, str(tmp_path / "a.npy"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "is an image, not a network. To show it: --image" in done.stderr


def test_weights_from_a_file(runs: str) -> None:
    path = str(Path(runs) / "default" / "model.safetensors")
    assert only(runs, path, "--index", "4") == only(runs, "default", "--index", "4")


# What is shown --------------------------------------------------------------------------------


def test_what_is_shown(runs: str, truth: tuple[Any, Any]) -> None:
    p, labels = truth
    index = int(np.flatnonzero(p.argmax(axis=1) != labels)[0])
    done = predict(runs, "--index", str(index))
    assert (done.exit_code, done.stderr) == (0, "")
    answer, true = int(p[index].argmax()), int(labels[index])
    head, blank, title, *rest = done.stdout.splitlines()
    assert (head, blank) == ("default on mnist, test  ▶ answer  ◆ true class", "")
    assert title == f"row {index}: answered {answer}, WRONG: it is {true}"
    assert rest[0].endswith("class  softmax  0                        100 %")
    assert f"▶  {answer}  " in rest[1 + answer]
    assert f" ◆ {true}  " in rest[1 + true]
    assert re.search(r"second choice  \d, +\d", done.stdout)
    assert re.search(r"cross-entropy  [\d.]+ nats", done.stdout)
    assert len(rest) == 14


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_fits_the_screen(runs: str, columns: int, encoding: str) -> None:
    arguments = ("predict", "--runs-dir", runs, "--worst", "3")
    text = on_screen(*arguments, columns=columns, encoding=encoding)
    assert text.count("WRONG") == 3


def painted(color_system: Any, **options: Any) -> Console:
    return Console(color_system=color_system, force_terminal=True, **options)


def test_half_blocks_where_there_is_colour() -> None:
    image = [[0.0, 1.0], [1.0, 0.5], [0.2, 0.0]]
    lines = image_lines(image, painted("truecolor"), Canvas(80))
    assert [line.plain for line in lines] == [UPPER * 2] * 2
    colours = [
        (style.color.triplet.red, style.bgcolor.triplet.red)
        for line in lines
        for style in (span.style for span in line.spans)
    ]
    assert colours == [(0, 255), (255, 128), (51, 0), (0, 0)]


@pytest.mark.parametrize(
    ("console", "ascii_only"),
    [
        (painted("truecolor"), True),
        (painted("truecolor", no_color=True), False),
        (painted("standard"), False),
        (painted(None), False),
    ],
)
def test_denser_characters_where_there_is_none(console: Console, ascii_only: bool) -> None:
    image = [[0.0, 1.0, 0.03], [0.0, 1.0, 0.03], [0.0, 0.5, 0.0]]
    lines = image_lines(image, console, Canvas(80, ascii_only))
    assert [line.plain for line in lines] == [" @.", " :  "[:3]]
    assert not any(line.spans for line in lines)
    assert RAMP[0] == " "


def test_a_large_image_is_made_smaller() -> None:
    image = [[float(column < 60) for column in range(120)] for _ in range(60)]
    lines = image_lines(image, painted(None), Canvas(80, ascii=True))
    assert [line.plain for line in lines] == ["@" * 20 + " " * 20] * 10


# Mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--index", "1", "--worst", "2"], "--index and --worst exclude each other"),
        (["--index", "0", "--random"], "--index and --random exclude each other"),
        (["--index", "0", "--label", "4"], "--index and --label exclude each other"),
        (["--seed", "0"], "--seed requires --random"),
        (["--invert"], "--invert requires --image"),
        (["--index", "10000"], "--index: mnist has 10,000 test rows. Allowed: 0 to 9999"),
        (["--index", "-1"], "Invalid value for '--index': must be at least 0, not -1."),
        (["--worst", "0"], "Invalid value for '--worst': must be at least 1, not 0."),
        (["--label", "ten"], "there is no class 'ten'. Known: 0, 1, 2"),
        (["--split", "tests"], "--split: there is no split 'tests'. Did you mean 'test'?"),
        (["defualt"], "there is no run or file 'defualt'. Did you mean 'default'?"),
        (["--image", "a.gif"], "a.gif is not an image that can be read. Known: .npy, .png"),
        (["--image", "none.npy"], "there is no file none.npy"),
    ],
)
def test_a_mistake_is_one_clear_line(args: list[str], message: str, runs: str) -> None:
    done = predict(runs, *args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {message}")
    assert done.stderr.count("\n") == 1


def test_logits_that_overflow(blobs: Blobs, tmp_path: Path) -> None:
    weights = tmp_path / "large.npz"
    layers = [("0", (8, 12)), ("2", (3, 8))]
    named = {f"{name}.weight": np.full(shape, 3e38, np.float32) for name, shape in layers}
    biases = {f"{name}.bias": np.zeros(shape[0], np.float32) for name, shape in layers}
    np.savez(weights, **named, **biases)
    options = "--activation", "relu", "--dataset", str(blobs())
    for choice in ("--index", "--worst"):
        done = call("predict", str(weights), *options, choice, "2")
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == (
            "Error: the network's parameters are so large that its logits are not finite. "
            "To see where: actcli diagnose\n"
        )


def test_a_split_without_rows(blobs: Blobs, tmp_path: Path) -> None:
    runs = blob_run(blobs(), tmp_path / "r", "--validation", "0")
    done = predict(runs, "--split", "validation")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "Error: --split: blobs has no validation rows\n"
