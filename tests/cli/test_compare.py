"""`actcli compare`: runs side by side, with numbers that their own files have."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from epochs import make_epoch
from screens import on_screen

from actcli.cli import main
from actcli.explore.compare import ComparedRun, compare_runs
from actcli.render.compare import written

GIVEN = {"dead", "verdict"}  # what a run ends with
Blobs = Callable[..., Path]


def call(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, [*args], env={"COLUMNS": "80", **env})


@pytest.fixture
def folder(blobs: Blobs, tmp_path: Path) -> Path:
    """Runs that differ: one learns at once, one slowly, one has diverged before its first epoch."""
    runs = tmp_path / "runs"
    common = ["--dataset", str(blobs()), "--hidden", "8", "-q", "--runs-dir", str(runs)]
    for name, options in (
        ("fast", ["--epochs", "4"]),
        ("slow", ["--epochs", "3", "--activation", "sigmoid", "--lr", "0.0001"]),
        ("boom", ["--lr", "1e9", "--loss", "mse", "--output", "identity", "--epochs", "2"]),
    ):
        call("train", *common, "--name", name, *options)
    return runs


def compare(folder: Path, *args: str, **env: str) -> Result:
    return call("compare", "--runs-dir", str(folder), *args, **env)


def fields(folder: Path, *args: str) -> dict[str, Any]:
    done = compare(folder, *args, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(done.stdout, parse_constant=pytest.fail)
    return found


def accuracies(folder: Path, name: str, rows: str = "validation") -> list[float]:
    lines = (folder / name / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)[rows]["accuracy"] for line in lines]


# The numbers ----------------------------------------------------------------------------------


def contender(name: str, shares: list[float | None], **settings: str) -> ComparedRun:
    history = tuple(
        make_epoch(epoch, 1.0, 0.5, None if share is None else (1.0, share))
        for epoch, share in enumerate(shares, 1)
    )
    return ComparedRun(name, "finished", settings, history, 0.1, 0.9, 0.0, 0.0, "healthy")


def test_epochs_to_a_goal() -> None:
    runs = [contender("a", [0.5, 0.95, 0.9]), contender("b", [0.949]), contender("c", [])]
    found = compare_runs(runs, 0.95)
    assert found.reached == (2, None, None)
    assert found.curves == ((0.5, 0.95, 0.9), (0.949,), ())
    assert found.rows == "validation"


def test_without_validation_rows_in_one_of_them_those_of_the_training_count() -> None:
    found = compare_runs([contender("a", [0.9]), contender("b", [None])], 0.5)
    assert (found.rows, found.curves) == ("train", ((0.5,), (0.5,)))


def test_what_differs() -> None:
    runs = [contender("a", [], x="1", y="2"), contender("b", [], x="1", y="3", z="4")]
    assert compare_runs(runs, 0.95).differences == {"y": ("2", "3"), "z": ("", "4")}


# The command ----------------------------------------------------------------------------------


def test_json(folder: Path) -> None:
    found = fields(folder, "fast", "slow")
    assert (found["goal"], found["rows"]) == (0.95, "validation")
    assert found["differences"] == {
        "model.activation": ['["relu"]', '["sigmoid"]'],
        "optimizer.learning_rate": ["0.1", "0.0001"],
        "training.epochs": ["4", "3"],
    }
    fast, slow = found["runs"]
    assert fast["curve"] == accuracies(folder, "fast")
    assert slow["curve"] == accuracies(folder, "slow")
    for run in (fast, slow):
        first = [epoch for epoch, share in enumerate(run["curve"], 1) if share >= 0.95]
        assert run["reached"] == (first[0] if first else None)
        result = json.loads((folder / run["name"] / "result.json").read_text())
        assert run["test_accuracy"] == result["test"]["accuracy"]
        assert run["test_loss"] == result["test"]["loss"]
        assert (run["dead"], run["verdict"]) == (result["dead"], result["verdict"])


def test_the_verdict_and_the_dead_units_are_those_of_the_list_of_runs(folder: Path) -> None:
    path = folder / "fast" / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dead": 0.25, "verdict": "known"}))
    text = compare(folder, "fast", "slow", "--no-verdict").stdout
    (row,) = [line for line in text.splitlines() if line.startswith("a  fast")]
    listed = call("runs", "--runs-dir", str(folder)).stdout
    (same,) = [line for line in listed.splitlines() if line.startswith("fast")]
    for line in (row, same):
        assert "25.0 %" in line
        assert line.endswith("known")
    assert "silent" not in text


def forget(folder: Path, *names: str) -> None:
    """Make runs as they were before a run ended with a verdict."""
    for name in names:
        path = folder / name / "result.json"
        kept = {k: v for k, v in json.loads(path.read_text()).items() if k not in GIVEN}
        path.write_text(json.dumps(kept))


def test_a_run_from_before_there_were_verdicts_is_examined(folder: Path) -> None:
    forget(folder, "fast")
    told = json.loads(call("diagnose", str(folder / "fast"), "--json").stdout)
    found = fields(folder, "fast", "slow")["runs"][0]
    layers = told["units"]
    dead = sum(layer["dead"] for layer in layers) / sum(layer["units"] for layer in layers)
    assert (found["verdict"], found["dead"]) == (told["verdict"], dead)


def test_where_only_the_silent_units_are_known_they_are_named_so(folder: Path) -> None:
    forget(folder, "fast")
    found = fields(folder, "fast", "slow", "--no-verdict")["runs"][0]
    assert (found["verdict"], found["dead"]) == (None, None)
    lines = compare(folder, "fast", "slow", "--no-verdict").stdout.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("Results")]
    assert lines[at].endswith("silent: no row of a sample")
    assert lines[at + 1].split()[-3:] == ["dead", "silent", "verdict"]
    assert re.search(r" –  +\d+\.\d %  –$", lines[at + 2])


def test_the_tables(folder: Path) -> None:
    done = compare(folder, "fast", "slow", "--no-verdict")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "What differs"
    assert lines[1].split() == ["a", "fast", "b", "slow"]
    assert ["training.epochs", "4", "3"] in [line.split() for line in lines]
    assert "Learning curves  accuracy in %, validation rows, after each epoch" in lines
    assert "⠤a⠤ fast  ⠄b⠀ slow" in lines
    assert any(line.startswith("a  fast") for line in lines)
    last = " ".join(lines[-2:])
    assert "To 95 % of the validation rows: fast " in last
    assert last.endswith(", slow not within 3 epochs.")


def test_where_it_is_narrow_runs_with_one_value_share_a_line(folder: Path) -> None:
    text = compare(folder, "fast", "slow", "boom", "--no-verdict", COLUMNS="50").stdout
    found = text.partition("Learning")[0].splitlines()
    at = found.index("model.activation")
    assert found[at + 1 : at + 3] == ["  a c  relu", "  b    sigmoid"]


def test_values_are_written_as_options_take_them(folder: Path) -> None:
    text = compare(folder, "fast", "boom", "--no-verdict").stdout
    found = {line.split()[0]: line.split()[1:] for line in text.split("\n\n")[0].splitlines()[2:]}
    assert found["model.output"] == ["softmax", "identity"]
    assert found["optimizer.learning_rate"] == ["0.1", "1e+09"]
    assert written("0.12345678") == "0.12345678"
    assert [written(text) for text in ('["tanh", "relu"]', "[300, 100]", "[]", "false", "")] == [
        "tanh,relu",
        "300,100",
        "[]",
        "false",
        "",
    ]


def test_a_long_name_leaves_the_columns_that_differ(folder: Path) -> None:
    name = "a-name-that-leaves-no-room-for-anything-else"
    (folder / "slow").rename(folder / name)
    lines = compare(folder, "fast", name, "boom", COLUMNS="70").stdout.splitlines()
    head = lines[1].split()
    assert (head[:3], head[4:], head[3][-1]) == (["a", "fast", "b"], ["c", "boom"], "~")
    (row,) = [line for line in lines if line.startswith("b  ")]
    assert row.split()[1].endswith("~")
    assert row.endswith(json.loads((folder / name / "result.json").read_text())["verdict"])


def test_a_goal(folder: Path) -> None:
    found = fields(folder, "fast", "slow", "--goal", "0", "--no-verdict")
    assert [run["reached"] for run in found["runs"]] == [1, 1]
    text = compare(folder, "fast", "slow", "--goal", "0.5", "--no-verdict").stdout
    assert "to 50 %" in text


def test_a_run_that_has_diverged(folder: Path) -> None:
    done = compare(folder, "fast", "boom", "--no-verdict")
    assert (done.exit_code, done.stderr) == (0, "")
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("b  boom")]
    assert row.endswith("diverged")
    assert "boom not: it finished no epoch." in " ".join(done.stdout.split())


def test_a_run_is_not_compared_with_itself(folder: Path) -> None:
    done = compare(folder, "boom", f"{folder}/../runs/boom/", "--no-verdict")
    assert (done.exit_code, done.stdout) == (2, "")


def test_the_same_configuration(folder: Path, blobs: Blobs) -> None:
    options = ["--dataset", str(blobs()), "--hidden", "8", "--epochs", "4", "-q", "--name", "again"]
    call("train", *options, "--runs-dir", str(folder))
    text = compare(folder, "fast", "again", "--no-verdict").stdout
    assert "Nothing: the configurations are the same." in text


def test_data_that_are_gone_leave_the_rest(folder: Path) -> None:
    (folder.parent / "blobs.npz").unlink()
    forget(folder, "fast", "slow")
    done = compare(folder, "fast", "slow")
    assert done.exit_code == 0
    assert done.stderr.count("has no verdict: ") == 2
    assert "To 95 %" in done.stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_fits_the_screen(folder: Path, columns: int, encoding: str) -> None:
    arguments = ["fast", "slow", "boom", "--runs-dir", str(folder)]
    on_screen("compare", *arguments, columns=columns, encoding=encoding)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["fast"], "one run is not enough to compare. Allowed: 2 to 26"),
        (["fast", "fast"], "one run is not enough to compare"),
        (["fast", "slwo"], "there is no run or file 'slwo'. Did you mean 'slow'? Runs in"),
        (["fast", "slow", "--goal", "95"], "Invalid value for '--goal': must be a number"),
        ([], "Missing argument 'RUN RUN...'."),
    ],
)
def test_a_mistake_is_one_clear_line(args: list[str], message: str, folder: Path) -> None:
    done = compare(folder, *args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {message}")
    assert done.stderr.count("\n") == 1


def test_a_damaged_run(folder: Path) -> None:
    (folder / "slow" / "config.toml").write_text("x")
    done = compare(folder, "fast", "slow")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {folder / 'slow'} is damaged: config.toml is not TOML")


def test_configurations_that_leave_the_learning_rate_open(folder: Path) -> None:
    for name, line in (("fast", ""), ("slow", 'learning_rate = "auto"')):
        path = folder / name / "config.toml"
        path.write_text(re.sub("learning_rate = .*", line, path.read_text()))
    done = compare(folder, "fast", "slow")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "model.activation" in done.stdout
