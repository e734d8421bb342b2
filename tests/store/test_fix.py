"""Test the search for a cure: what is tried, what is kept, and what is left as it was."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blob_data import make_blobs
from click.testing import CliRunner, Result

from actcli.cli import main
from actcli.datasets.dataset import load_dataset
from actcli.model import Model
from actcli.store.condition import examine_run
from actcli.store.fix import Fix
from actcli.store.fix_result import BETTER, CURED, NO_BETTER, differences
from actcli.store.train import Run
from actcli.training.evaluation import evaluate

Blobs = Callable[..., Path]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder."""
    monkeypatch.chdir(tmp_path)


def call(*args: str) -> Result:
    return CliRunner().invoke(main, args, env={"COLUMNS": "120"})


def train(data: Path, name: str, *args: str) -> Path:
    options = (
        "--activation",
        "tanh",
        "--dataset",
        str(data),
        "--hidden",
        "16",
        "--batch-size",
        "32",
    )
    result = call("train", *options, "--name", name, "-q", *args)
    assert result.exit_code in {0, 1}, result.output
    return Path("runs", name)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def sick(blobs: Blobs) -> Path:
    """A run with a learning rate that is fifty times too high."""
    return train(blobs(), "sick", "--lr", "5", "--epochs", "4")


def test_a_sick_run_is_cured_and_stays_as_it_was(sick: Path) -> None:
    before = contents(sick)
    result = call("fix", "sick", "--write", "cured.toml", "--json")
    assert (result.exit_code, contents(sick)) == (0, before)
    record = json.loads(result.stdout)
    assert (record["healthy"], record["after"]["verdict"]) == (True, "healthy")
    assert record["before"]["verdict"] == "learning-rate-too-high"
    assert record["after"]["accuracy"] > record["before"]["accuracy"]
    assert record["changes"] == {"optimizer.learning_rate": 0.1}
    assert [each["outcome"] for each in record["tries"]] == [CURED]
    assert record["after"]["run"] == "sick-fix-1"
    # The cure is an ordinary run, and the written configuration is its own.
    assert Path("cured.toml").read_text() == Path("runs/sick-fix-1/config.toml").read_text()
    assert call("compare", "sick", "sick-fix-1").exit_code == 0


def test_a_try_that_exists_is_not_trained_again(sick: Path) -> None:
    first = call("fix", "sick", "--json")
    before = contents(Path("runs/sick-fix-1"))
    again = call("fix", "sick", "--json")
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert contents(Path("runs/sick-fix-1")) == before
    assert sorted(path.name for path in Path("runs").iterdir()) == ["sick", "sick-fix-1"]


def test_an_interrupted_fix_resumes_to_the_same_bits(sick: Path) -> None:
    def stop(run: Run, _number: int) -> None:
        events = run.train()
        for _ in range(13):  # in the middle of an epoch
            next(events)
        run.save()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Fix(sick, Path("runs"), train=stop).search()
    assert not Path("runs/sick-fix-1/result.json").exists()
    assert Fix(sick, Path("runs")).search().after.run == "sick-fix-1"
    assert Fix(sick, Path("whole")).search().after.run == "sick-fix-1"
    stopped, whole = (contents(Path(runs, "sick-fix-1")) for runs in ("runs", "whole"))
    assert stopped["model.safetensors"] == whole["model.safetensors"]


def test_small_classes_are_cured_by_class_weights(blobs: Blobs) -> None:
    arrays = make_blobs(3, 900, 12, 40)
    kept = (arrays["y_train"] == 0) | (np.arange(900) % 48 < 3)
    fewer = {name: arrays[name][kept] for name in ("x_train", "y_train")}
    # Enough updates that only the small classes are not learnt.
    options = ("--epochs", "20", "--hidden", "32", "--batch-size", "128")
    train(blobs(rows=900, noise=40, **fewer), "uneven", *options)
    before = json.loads(call("fix", "uneven", "--dry-run", "--json").stdout)
    assert (before["before"]["verdict"], before["measure"]) == ("class-imbalance", "class_accuracy")
    assert before["planned"][0]["changes"] == {"loss.class_weight": "balanced"}
    result = Fix(Path("runs/uneven"), Path("runs")).search()
    assert result.after.class_accuracy >= result.before.class_accuracy + 0.1
    assert result.changes["loss.class_weight"] == "balanced"
    assert "validation accuracy by class" in call("fix", "uneven").stdout
    assert "cross-entropy, balanced" in call("runs").stdout
    folder = result.after.folder
    assert json.loads((folder / "result.json").read_text())["class_weight"] == "balanced"
    assert len(Model.load(folder).class_weights) == 3
    assert "class-weighted cross-entropy" in call("diagnose", str(folder)).stdout


def test_a_run_is_calibrated_without_training_and_can_be_trained_further(blobs: Blobs) -> None:
    data = blobs(noise=70)
    options = ("--validation", "100", "--set", "optimizer.schedule=constant")
    folder = train(data, "sure", "--epochs", "20", *options)
    before = contents(folder)
    result = call("fix", "sure", "--calibrate", "--json")
    record = json.loads(result.stdout)
    assert (result.exit_code, contents(folder)) == (0, before)
    assert record["tries"][0]["outcome"] == "calibrated"
    assert record["after"]["accuracy"] == record["before"]["accuracy"]
    scaled = Path("runs/sure-fix-1")
    temperature = json.loads((scaled / "result.json").read_text())["temperature"]
    model, other = Model.load(folder), Model.load(scaled)
    assert other.temperature == temperature > 1
    held_out = load_dataset(str(data), validation=100).validation
    assert evaluate(other, held_out).loss < evaluate(model, held_out).loss
    logits = model.split_logits(held_out), other.split_logits(held_out)
    np.testing.assert_allclose(logits[1], logits[0] / temperature, rtol=1e-4, atol=1e-5)
    assert call("fix", "sure-fix-1", "--calibrate").exit_code == 2
    # A longer training continues from the parameters before the scaling.
    assert call("train", "--resume", "sure-fix-1", "--epochs", "23", "-q").exit_code == 0
    train(data, "whole", "--epochs", "23", *options, "--calibrate")
    models = [Path("runs", name, "model.safetensors") for name in ("sure-fix-1", "whole")]
    assert models[0].read_bytes() == models[1].read_bytes()


def test_a_healthy_run_is_left_alone(blobs: Blobs) -> None:
    train(blobs(), "well", "--epochs", "9", "--lr", "0.1")
    result = call("fix", "well")
    assert result.exit_code == 0
    assert "healthy: there is nothing to fix" in result.stdout
    assert [path.name for path in Path("runs").iterdir()] == ["well"]


def test_what_cannot_be_cured_exits_with_3_and_says_what_was_tried(blobs: Blobs) -> None:
    rng = np.random.default_rng(0)
    data = blobs(y_train=rng.integers(0, 3, 300))  # labels that nothing can learn
    train(data, "shuffled", "--epochs", "2", "--validation", "100")
    result = call("fix", "shuffled", "--tries", "2")
    assert result.exit_code == 3
    title = result.stdout.splitlines()[0]
    assert "not cured of " in title
    best = json.loads(call("fix", "shuffled", "--tries", "2", "--json").stdout)["after"]["run"]
    assert title.endswith("the run itself is still the best") == (best == "shuffled")
    assert len(result.stderr.splitlines()) <= 2
    assert all(line.startswith("try ") for line in result.stderr.splitlines())


def test_a_run_that_diverged_can_be_fixed(blobs: Blobs) -> None:
    folder = train(blobs(), "gone", "--activation", "relu", "--lr", "1e30", "--epochs", "4")
    assert json.loads((folder / "result.json").read_text())["status"] == "diverged"
    result = Fix(folder, Path("runs")).search()
    assert result.is_healthy
    assert result.after.accuracy > 0.9


def test_a_dry_run_shows_the_remedies_and_trains_nothing(sick: Path) -> None:
    result = call("fix", "--dry-run", "--json")
    planned = json.loads(result.stdout)["planned"]
    assert result.exit_code == 0
    assert planned[0]["changes"] == {"optimizer.learning_rate": 0.1}
    assert all(remedy["reason"].endswith(".") for remedy in planned)
    assert [path.name for path in Path("runs").iterdir()] == ["sick"]


def test_what_is_better_but_not_healthy_is_built_on(
    sick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten remedies in a row: the first makes it worse, the second better, a third cures."""
    from actcli.diagnostics.findings import Remedy
    from actcli.store import fix

    rates = iter([[50.0, 2.0], [0.1]])
    plans = {"sick": next(rates)}

    def remedies(condition: Any) -> list[tuple[Any, str, Remedy]]:
        planned = plans.setdefault(condition.run, next(rates, []))
        changes = [{"optimizer.learning_rate": rate} for rate in planned]
        return [(condition, "rule", Remedy("So.", change)) for change in changes]

    monkeypatch.setattr(fix, "_remedies", remedies)
    search = Fix(sick, Path("runs")).search()
    outcomes = [attempt.outcome for attempt in search.tries]
    assert outcomes[0] == NO_BETTER
    assert set(outcomes[1:]) <= {BETTER, CURED, NO_BETTER}
    assert [attempt.base for attempt in search.tries[:2]] == ["sick", "sick"]


def test_the_differences_of_two_configurations(sick: Path) -> None:
    config = examine_run(sick).config
    changed = config.with_values({"model.dropout": 0.5, "optimizer.name": "adam"})
    assert differences(config, changed) == {"model.dropout": 0.5, "optimizer.name": "adam"}
    assert differences(config, config) == {}


def test_the_next_command_has_the_folders_of_both_runs(sick: Path) -> None:
    sick.rename("elsewhere")
    result = call("fix", "./elsewhere", "--runs-dir", "tries")
    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith("actcli compare ./elsewhere tries/elsewhere-fix-1")
    assert call("compare", "./elsewhere", "tries/elsewhere-fix-1").exit_code == 0
