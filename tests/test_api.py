"""The Python API: docs/api.md runs as written, and the commands give the same."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

import actcli
from actcli.cli import main

Blobs = Callable[..., Path]
PAGE = Path(__file__).parents[1] / "docs" / "api.md"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run_python(code: str) -> str:
    """Run code in a new process, where a warning is an error, and return its output."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_examples_of_the_page_run_in_order() -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    output = run_python("\n".join(examples))
    assert "healthy" in output
    assert "did you mean relu" in output


def test_every_public_name_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in actcli.__all__ if name not in text] == []
    assert set(actcli.__all__) <= set(dir(actcli))
    with pytest.raises(AttributeError, match="module 'actcli' has no attribute 'fti'"):
        actcli.fti  # noqa: B018 - the access is what is tested


def test_importing_the_package_loads_neither_numpy_nor_rich_nor_click() -> None:
    code = "import actcli, sys; print([m for m in ('numpy', 'rich', 'click') if m in sys.modules])"
    assert run_python(code) == "[]\n"


def test_fit_trains_as_the_command_does(blobs: Blobs) -> None:
    path = blobs()
    options = ["--dataset", str(path), "--hidden", "8", "--epochs", "3", "--workers", "1", "-q"]
    assert CliRunner().invoke(main, ["train", *options, "--name", "command"]).exit_code == 0
    result = actcli.train(
        actcli.Config().with_("dataset", str(path)), hidden=(8,), epochs=3, name="api"
    )
    assert (result.run, result.epochs) == ("api", 3)
    files = [Path("runs", name, "model.safetensors").read_bytes() for name in ("command", "api")]
    assert files[0] == files[1]
    training = actcli.fit(actcli.load_data(str(path)), hidden=(8,), epochs=3)
    assert [epoch.epoch for epoch in training] == [1, 2, 3]
    assert len(training.history) == 3
    training.model.save("fit.safetensors")
    kept = actcli.Model.load("runs/command").network.parameters
    np.testing.assert_array_equal(actcli.Model.load("fit.safetensors").network.parameters, kept)
    assert {run.name for run in actcli.runs()} == {"command", "api"}
    assert actcli.evaluate(training.model, actcli.load_data(str(path))) == result.test


def test_a_diagnosis_is_that_of_the_command_and_shows_itself(blobs: Blobs) -> None:
    path = blobs()
    options = ["--dataset", str(path), "--hidden", "8", "--epochs", "2", "--workers", "1", "-q"]
    assert CliRunner().invoke(main, ["train", *options]).exit_code == 0
    done = CliRunner().invoke(main, ["diagnose", "default", "--json"])
    data = actcli.load_data(str(path))
    training = actcli.fit(data, hidden=(8,), epochs=2).run()
    diagnosis = actcli.diagnose(training, data, name="default")
    fields = json.loads(done.stdout)
    for name, value in json.loads(json.dumps(diagnosis.to_dict())).items():
        if name == "gradients":  # the ratio of the last update is not that of a history of health
            assert [row["delta_norm"] for row in value] == pytest.approx(
                [row["delta_norm"] for row in fields[name]], rel=1e-12
            )
        elif name not in {"softmax", "history"}:
            assert value == fields[name], name
    html = diagnosis._repr_html_()
    assert "Gradient flow" in html
    assert "<pre" in html
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(diagnosis)
    assert "Gradient flow" in console.export_text()
    assert repr(diagnosis).startswith("<Diagnosis of default on ")
    assert actcli.diagnose(training.model, data, split="test").training is None


def test_fit_starts_no_process_and_limits_the_blas_even_after_numpy_is_imported() -> None:
    code = """
import numpy, os, threadpoolctl, actcli
from actcli.nn.network import MLP
os.fork = None  # would fail if it were called
seen = set()
forward = MLP.forward
def noted(self, *args):
    seen.update(pool["num_threads"] for pool in threadpoolctl.threadpool_info())
    return forward(self, *args)
MLP.forward = noted
x = numpy.random.default_rng(0).integers(0, 256, (60, 8)).astype(numpy.uint8)
y = numpy.arange(60) % 3
numpy.savez("set.npz", x_train=x, y_train=y, x_test=x, y_test=y)
before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
actcli.fit(actcli.load_data("set.npz"), epochs=1, hidden=(4,)).run()
assert seen == {1}, seen
assert before == [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
"""
    assert run_python(code) == ""


def test_a_mistake_is_an_error_of_the_library(blobs: Blobs) -> None:
    data = actcli.load_data(str(blobs()), validation=0)
    model = actcli.fit(data, hidden=(4,), epochs=0).model
    other = actcli.load_data(str(blobs(classes=2)))
    mistakes: list[tuple[Callable[[], object], str]] = [
        (lambda: actcli.evaluate(model, data, "tset"), "Did you mean 'test'"),
        (lambda: actcli.evaluate(model, data, "validation"), "has no validation rows"),
        (lambda: actcli.evaluate(model, other), "the model has 12 inputs and 3 classes"),
        (lambda: actcli.diagnose(model, other), "the model has 12 inputs and 3 classes"),
        (lambda: actcli.diagnose(model, data, rows=0), "a sample of 0 rows"),
        (lambda: actcli.fit(data, dataset="mnist"), "Give it to load_data"),
        (lambda: actcli.fit(data, epocs=3), "Did you mean 'epochs'"),
        (lambda: model.predict(np.zeros((2, 5))), "5 numbers for each row"),
    ]
    for call, message in mistakes:
        with pytest.raises(actcli.ActcliError, match=message):
            call()
    assert model.predict(np.zeros((0, 12))).shape == (0,)
    assert actcli.fit(data, hidden=(4,), epochs=2).run().model.epoch == 2
