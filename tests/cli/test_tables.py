"""Tables and words from the command line: a CSV file in each command that takes a data set."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import actcli
from actcli.cli import main
from actcli.config.schema import Config
from actcli.training import automatic

SMALL = ("--hidden", "4", "--workers", "1")


@pytest.fixture
def csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Flowers of three kinds, which differ in one of two columns."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    kinds = ["daisy", "rose", "tulip"] * 20
    heights = {"daisy": 0, "rose": 1000, "tulip": 2000}
    lines = [f"{kind},{heights[kind] + rng.normal(0, 99):.1f},{rng.random():.3f}" for kind in kinds]
    Path("flowers.csv").write_text("\n".join(["kind,height,width", *lines, ""]))
    return "flowers.csv"


def run(*args: str) -> Result:
    result = CliRunner().invoke(main, args)
    assert result.exit_code in {0, 2}, (result.stdout, result.stderr, result.exception)
    return result


def test_a_table_from_training_to_resuming(csv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic, "MIN_UPDATES", 80)  # 500 take a second
    trained = run("train", "--dataset", csv, "--target", "kind", "--name", "a", *SMALL)
    notes = trained.stderr.splitlines()
    assert notes[0] == (
        "flowers.csv: 60 rows of 2 numbers, line 1 names the columns; classes in column 'kind'"
    )
    assert notes[1].startswith("Split: 12 test rows, a fifth of each class")
    assert notes[2] == (
        "Chosen for this table: data.normalize = column, optimizer.weight_decay = 0.01, "
        "training.batch_size = 32, training.epochs = 40"
    )
    stored = Config.load("runs/a/config.toml")
    assert (stored.data.target, stored.data.normalize) == ("kind", "column")
    assert (stored.training.epochs, stored.training.batch_size) == (40, 32)
    assert stored.data.name == str(Path(csv).absolute())
    assert json.loads(run("train", "--resume", "a", "--epochs", "auto", "--json").stdout)["status"]
    again = run("train", "--resume", "a", "--epochs", "41", "--json", "-q")
    assert json.loads(again.stdout)["test"]["accuracy"] > 0.9

    predicted = json.loads(run("predict", "a", "--label", "rose", "--json").stdout)
    assert predicted["classes"] == ["daisy", "rose", "tulip"]
    assert predicted["predictions"][0]["true_class"] == "rose"
    assert "tulip" in run("diagnose", "a").stdout
    model = actcli.Model.load("runs/a/model.safetensors")
    assert model.classes == ("daisy", "rose", "tulip")
    assert model.normalization.method == "column"
    file = ("diagnose", "runs/a/model.safetensors", "--dataset", csv, "--json")
    assert json.loads(run(*file, "--target", "1").stdout)["verdict"]
    assert run(*file, "--target", "sort").exit_code == 2
    image = run("predict", "a", "--image", "x.png")
    assert "the rows of flowers are not images: they have 2 numbers" in image.stderr


def test_a_range_test_and_a_dry_run(csv: str) -> None:
    data = ("--dataset", csv, "--target", "kind", "--hidden", "4")
    assert json.loads(run("lr-find", *data, "--json", "-q").stdout)["batch_size"] == 32
    dry = json.loads(run("train", *data, "--dry-run", "--json").stdout)
    assert dry["training"]["epochs"]["value"] == "auto"
    # The API takes the settings from the data set that it is given.
    training = actcli.fit(actcli.load_data(csv, target="kind"), hidden=(4,), epochs=1)
    assert training.run().training.batch_size == 32


def test_labels_that_are_words_in_an_npz(blobs, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = np.array(["cat", "ünï \x1b[31m", "dog"])
    y = names[np.arange(300) % 3]
    path = str(blobs(y_train=y, y_test=y.astype("S") if y[1].isascii() else y))
    result = run("train", "--dataset", path, "--epochs", "1", *SMALL)
    assert "Chosen" not in result.stderr
    assert Config.load("runs/default/config.toml").training.epochs == 1
    assert actcli.Model.load("runs/default").classes == ("cat", "dog", "ünï \x1b[31m")
    for args in (("predict",), ("predict", "--worst", "2"), ("diagnose",), ("diagnose", "--json")):
        text = run(*args).stdout
        assert "\x1b" not in text
    data = actcli.load_data(path, classes=("dog", "cat"))
    assert data.classes == ("dog", "cat")
    wrong = np.where(np.arange(300) == 7, "cow", y)
    bad = CliRunner().invoke(main, ["train", "--dataset", str(blobs(y_train=y, y_test=wrong))])
    assert "y_test: the label cow at row 7 is not a class" in bad.stderr
