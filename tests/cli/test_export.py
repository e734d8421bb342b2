"""`actcli export`: its files, its lines, its JSON, and what it refuses."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import actcli
from actcli.cli import main

Blobs = Callable[..., Path]


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args, env={"COLUMNS": "80"})


@pytest.fixture
def trained(blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> actcli.Model:
    monkeypatch.chdir(tmp_path)
    changes = {"dataset": str(blobs()), "hidden": (8,), "epochs": 2}
    actcli.train(name="my-run", **changes)
    return actcli.Model.load("runs/my-run")


def test_each_format_is_written_with_the_lines_that_use_it(trained: actcli.Model) -> None:
    expected = {
        "onnx": (["my-run.onnx"], "import onnxruntime"),
        "torch": (["my_run.py", "my_run.safetensors"], "import runpy, torch"),
        "npz": (["my-run.npz"], "from sklearn.neural_network import MLPClassifier"),
        "csv": (["my-run.csv"], ""),
    }
    for target, (names, line) in expected.items():
        result = run("export", "--to", target)
        assert (result.exit_code, result.stderr) == (0, "")
        lines = result.stdout.splitlines()
        assert [each.split()[1] for each in lines if each.startswith("Wrote ")] == names
        assert line in lines or not line
        assert all(Path(name).stat().st_size for name in names)
    rows = trained_rows()
    again = actcli.Model.load("my-run.onnx")
    assert again.classes == trained.classes
    np.testing.assert_allclose(
        again.predict_proba(rows), trained.predict_proba(rows), rtol=0, atol=1e-6
    )
    # A file is a source, too, and is named after itself.
    assert run("export", "my-run.onnx", "--to", "npz", "-o", "again").exit_code == 0
    assert Path("again.npz").exists()


def trained_rows() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    with np.load("blobs.npz") as file:
        return np.asarray(file["x_test"])


def test_the_table_has_a_row_for_each_epoch(trained: actcli.Model) -> None:
    record = json.loads(run("export", "my-run", "--to", "csv", "-o", "m.csv", "--json").stdout)
    size = Path("m.csv").stat().st_size
    assert record == {
        "source": "my-run", "to": "csv", "files": [{"path": "m.csv", "bytes": size}], "usage": "",
    }  # fmt: skip
    table = list(csv.DictReader(Path("m.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["epoch"] for row in table] == ["1", "2"]
    lines = Path("runs/my-run/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    assert float(table[1]["validation_accuracy"]) == last["validation"]["accuracy"]
    assert float(table[1]["delta_norm_2"]) == last["health"]["delta_norm"][1]


def test_the_api_writes_what_the_command_writes(trained: actcli.Model) -> None:
    exported = actcli.export("my-run", "onnx", "api.onnx")
    record = json.loads(run("export", "--to", "onnx", "-o", "command.onnx", "--json").stdout)
    assert Path("api.onnx").read_bytes() == Path("command.onnx").read_bytes()
    assert record["usage"] == exported.usage.replace("api.onnx", "command.onnx")
    assert exported.to_dict()["files"] == [{"path": "api.onnx", "bytes": exported.files[0].size}]


def test_what_is_refused_leaves_files_as_they_are(trained: actcli.Model) -> None:
    Path("my_run.safetensors").write_text("mine", encoding="utf-8")
    Path("folder.onnx").mkdir()
    for args, status, message in (
        (["--to", "torch"], 2, "my_run.safetensors exists already. To replace it: --force"),
        (["--to", "onx"], 2, "--to: there is no export format 'onx'. Did you mean 'onnx'? Known: "),
        (["--to", "onnx", "-o", "m.pt"], 2, "m.pt does not end in .onnx, as an ONNX file does. "),
        (["--to", "onnx", "-o", "folder.onnx"], 1, "cannot write folder.onnx: it is not a regular"),
        (["--to", "onnx", "-o", "no/m.onnx"], 1, "cannot write no/m.onnx: No such file or direct"),
        (["my-rn", "--to", "onnx"], 2, "there is no run or file 'my-rn'. Did you mean 'my-run'?"),
        (["--to", "onnx", "--activation", "relu"], 2, "--activation: the run my-run has its activ"),
        (["runs/my-run/model.safetensors", "--to", "csv"], 2, "model has no metrics. Only a run"),
    ):
        result = run("export", *args)
        assert (result.exit_code, result.stdout) == (status, ""), args
        assert result.stderr.startswith(f"Error: {message}"), result.stderr
    assert Path("my_run.safetensors").read_text(encoding="utf-8") == "mine"
    assert {path.name for path in Path().iterdir()} == {
        *("blobs.npz", "runs", "my_run.safetensors", "folder.onnx")
    }
    assert run("export", "--to", "pytorch", "--force").exit_code == 0
    assert Path("my_run.safetensors").read_bytes() != b"mine"


def test_a_model_file_without_activations_gets_them_from_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = [np.ones((3, 4), np.float32), np.ones((2, 3), np.float32)]
    np.savez("m.npz", **{f"{i}.weight": w for i, w in enumerate(weights)})
    refused = run("export", "m.npz", "--to", "onnx")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "does not say its activation. Give it: --activation relu" in refused.stderr
    assert run("export", "m.npz", "--to", "onnx", "--activation", "tanh").exit_code == 0
    assert actcli.Model.load("m.onnx").network.activation_names == ("tanh",)
