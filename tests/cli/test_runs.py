"""`actcli runs` and `actcli runs rm`: what is listed, and that nothing else is ever removed."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blob_data import make_blobs
from click.testing import CliRunner, Result
from rich.cells import cell_len

from actcli.cli import main
from actcli.render.runs import age
from actcli.store import record
from actcli.store.catalog import summarize


def call(*args: str, stdin: str | None = None, **env: str) -> Result:
    return CliRunner().invoke(main, [*args], input=stdin, env={"COLUMNS": "80", **env})


def trained(blobs: Path, folder: Path, name: str, *options: str) -> Path:
    """A small run, with a file time that tells its place among the others."""
    done = call(
        *["train", "--dataset", str(blobs), "--hidden", "8,4", "--epochs", "2", "-q"],
        *["--runs-dir", str(folder), "--name", name, *options],
    )
    assert done.exit_code in {0, 1}, done.output
    order = len(list(folder.iterdir()))
    os.utime(folder / name / "config.toml", (1e9 + order, 1e9 + order))
    return folder / name


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs that `folder` copies for each test."""
    place = tmp_path_factory.mktemp("templates")
    runs, data = place / "runs", place / "blobs.npz"
    np.savez(data, **make_blobs(classes=3, rows=300, inputs=12, noise=16))
    trained(data, runs, "plain")
    trained(data, runs, "mixed", "--activation", "tanh,relu", "--patience", "2", "--epochs", "9")
    trained(data, runs, "boom", "--lr", "1e9", "--loss", "mse", "--output", "identity")
    (trained(data, runs, "stopped") / "result.json").unlink()
    (trained(data, runs, "bad") / "config.toml").write_text("[model]\nhiden = [1]\n")
    (runs / ".made.tmp").mkdir()
    (runs / ".made.tmp" / "config.toml").touch()
    (runs / "notes").mkdir()
    return runs


@pytest.fixture
def folder(templates: Path, tmp_path: Path) -> Path:
    """Runs: finished, diverged, unfinished, damaged, and folders that are not runs."""
    return Path(shutil.copytree(templates, tmp_path / "runs"))  # with the times of the files


def listed(folder: Path) -> dict[str, dict[str, Any]]:
    done = call("runs", "--runs-dir", str(folder), "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout, parse_constant=pytest.fail)["runs"]
    return {each["name"]: each for each in found}


def result(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name / "result.json").read_text())
    return found


# Listing --------------------------------------------------------------------------------------


def test_all_runs_the_newest_first(folder: Path) -> None:
    found = listed(folder)
    assert list(found)[1:] == ["stopped", "boom", "mixed", "plain"]  # `bad` was written to last
    assert {name: each["state"] for name, each in found.items()} == {
        "bad": "damaged",
        "stopped": "unfinished",
        "boom": "diverged",
        "mixed": "finished",
        "plain": "finished",
    }
    plain = found["plain"]
    assert plain["test_accuracy"] == result(folder, "plain")["test"]["accuracy"]
    assert plain["test_loss"] == result(folder, "plain")["test"]["loss"]
    last = json.loads((folder / "plain" / "metrics.jsonl").read_text().splitlines()[-1])
    assert plain["validation_loss"] == last["validation"]["loss"]
    assert plain["silent"] == pytest.approx(sum(last["health"]["silent"]) / 12)
    assert plain["config"]["model"]["hidden"] == [8, 4]
    assert plain["epochs"] == 2
    assert found["stopped"]["test_accuracy"] is None
    assert found["bad"]["config"] is None
    assert found["bad"]["fault"].startswith("config.toml: [model] has no key hiden. Did you mean")


def test_the_table(folder: Path) -> None:
    done = call("runs", "--runs-dir", str(folder))
    assert (done.exit_code, done.stderr) == (0, "")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert " finished" not in done.stdout
    assert lines["stopped"].endswith("unfinished")
    assert lines["boom"].endswith("diverged")
    assert "tanh,relu" in lines["mixed"]
    assert "bad is damaged: config.toml: [model] has no key hiden" in done.stdout
    assert "notes" not in done.stdout
    assert "made" not in done.stdout


def test_a_long_name_is_cut_before_what_matters_is_left_out(folder: Path) -> None:
    name = "a-name-that-leaves-no-room-for-anything-else-in-eighty-columns"
    (folder / "plain").rename(folder / name)
    narrow = call("runs", "--runs-dir", str(folder), COLUMNS="80").stdout.splitlines()
    assert narrow[1].split() == ["run", "accuracy", "dead", "age", "verdict"]
    assert max(map(len, narrow[:6])) <= 80
    (row,) = [line for line in narrow if line.startswith("a-name-that-leaves-no-room-")]
    assert row.split()[0].endswith("~")
    assert name in call("runs", "--runs-dir", str(folder), COLUMNS="200").stdout


EPOCH = b'{"epoch": 1, "train": {"loss": 1, "accuracy": 1}, "validation": null'


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_fits_the_screen(folder: Path, columns: int, encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "actcli", "runs", "--runs-dir", str(folder)],
        env={**os.environ, "COLUMNS": str(columns), "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    text = done.stdout.decode(encoding)
    assert not done.stderr
    assert "\x1b" not in text
    assert "\\u" not in text
    for line in text.splitlines():
        assert cell_len(line) <= columns
        assert line == line.rstrip()


def test_no_run(tmp_path: Path) -> None:
    done = call("runs", "--runs-dir", str(tmp_path / "none"))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Make one: actcli train" in " ".join(done.stdout.split())
    assert listed(tmp_path / "none") == {}


def test_a_run_that_is_trained_right_now(folder: Path) -> None:
    lock = folder / "stopped" / ".lock"
    host = os.uname().nodename
    lock.write_text(f"process {os.getpid()} on {host}")
    assert listed(folder)["stopped"]["state"] == "training"
    for other in (f"process 999999999 on {host}", "process 1 on elsewhere", "", "process x on y"):
        lock.write_text(other)
        assert listed(folder)["stopped"]["state"] == "unfinished"
    lock.unlink()
    lock.symlink_to("/dev/zero")  # reading it would not end
    assert listed(folder)["stopped"]["state"] == "unfinished"


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("config.toml", b"\xff", "config.toml is not UTF-8 text: byte 0"),
        ("config.toml", b"= 1", "config.toml is not TOML"),
        ("config.toml", None, "config.toml is missing"),
        ("model.safetensors", None, "model.safetensors is missing"),
        ("metrics.jsonl", None, "metrics.jsonl is missing"),
        ("metrics.jsonl", b"{\n", "metrics.jsonl, last line is not JSON"),
        ("metrics.jsonl", b"[1]\n", "metrics.jsonl, last line is not a JSON object"),
        ("metrics.jsonl", b'{"epoch": "x"}\n', "metrics.jsonl, last line: 'epoch' is not a whole"),
        (
            "metrics.jsonl",
            b'{"epoch": 1, "validation": 3}\n',
            "metrics.jsonl, last line: 'train' is not an o",
        ),
        ("metrics.jsonl", EPOCH + b', "health": {"silent": 3}}\n', "metrics.jsonl, last line: 'he"),
        ("metrics.jsonl", b"[" * 100_000 + b"\n", "metrics.jsonl, last line is not JSON"),
        ("result.json", b"", "result.json is not JSON"),
        ("result.json", b"{}", "result.json: 'status' is not a text"),
        ("result.json", b'{"status": "training"}', "result.json: 'status' is not 'finished' or"),
        (
            "result.json",
            b'{"status": "finished", "test": 3}',
            "result.json: 'test' is not an object",
        ),
    ],
)
def test_a_damaged_folder_is_named_and_keeps_no_other_from_being_listed(
    name: str, content: bytes | None, fault: str, folder: Path
) -> None:
    path = folder / "plain" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    found = listed(folder)
    assert found["plain"]["state"] == "damaged"
    assert found["plain"]["fault"].startswith(fault)
    assert found["mixed"]["state"] == "finished"
    assert f"plain is damaged: {fault[:20]}" in call("runs", "--runs-dir", str(folder)).stdout


def test_of_the_metrics_only_the_last_complete_line_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = folder / "plain" / "metrics.jsonl"
    expected = summarize(folder / "plain")
    with metrics.open("ab") as file:
        file.write(b'{"epoch": 99')  # is being written
    assert summarize(folder / "plain") == expected
    monkeypatch.setattr(record, "TAIL_BYTES", 7)  # lines that are longer than what is read at first
    assert summarize(folder / "plain") == expected
    metrics.write_bytes(b"")
    assert summarize(folder / "plain").epochs == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86_399, "23 h"),
        (86_400, "1 day"),
        (200_000, "2 days"),
    ],
)
def test_age(seconds: float, text: str) -> None:
    assert age(seconds) == text


# Removing -------------------------------------------------------------------------------------


def remove(folder: Path, *names: str, stdin: str | None = None) -> Result:
    return call("runs", "rm", *names, "--runs-dir", str(folder), stdin=stdin)


def test_runs_are_removed_by_name_and_by_folder(folder: Path) -> None:
    done = remove(folder, "plain", str(folder / "boom"), "plain", "--yes")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"removed {folder / 'plain'}\nremoved {folder / 'boom'}\n"
    assert not (folder / "plain").exists()
    assert not (folder / "boom").exists()
    assert (folder / "mixed" / "model.safetensors").exists()


def test_the_folder_of_the_runs_may_be_given_before_rm(folder: Path) -> None:
    assert call("runs", "--runs-dir", str(folder), "rm", "plain", "-y").exit_code == 0
    assert not (folder / "plain").exists()


def test_what_is_damaged_or_was_killed_can_be_removed(folder: Path) -> None:
    (folder / "bad" / ".model.safetensors.1a2b.tmp").touch()
    (folder / "stopped" / ".lock").write_text("process 1 on elsewhere")  # nobody holds it
    (folder / "stopped" / "model.safetensors").unlink()
    assert remove(folder, "bad", "stopped", "-y").exit_code == 0
    assert not (folder / "bad").exists()
    assert not (folder / "stopped").exists()


@pytest.mark.parametrize(("answer", "removed"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_it_asks(answer: str, removed: bool, folder: Path) -> None:
    done = remove(folder, "plain", stdin=answer)
    assert f"Remove this run: {folder / 'plain'}? [y/N]:" in done.stderr
    assert done.exit_code == (0 if removed else 1)
    assert (folder / "plain").exists() != removed
    assert ("nothing was removed" in done.stderr) != removed


def test_with_nobody_to_ask_nothing_is_removed(folder: Path) -> None:
    done = remove(folder, "plain", stdin="")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: stdin is not a terminal. Pass --yes to remove without a question" in done.stderr
    assert (folder / "plain").exists()


def test_what_is_no_run_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (folder / "notes" / "a").touch()
    outside = folder.parent / "precious"
    outside.mkdir()
    (outside / "config.toml").touch()
    (folder / "link").symlink_to(outside)
    (folder / "extra").mkdir()
    (folder / "extra" / "config.toml").touch()
    (folder / "extra" / "thesis.tex").touch()
    (folder / "deep" / "checkpoint.safetensors").mkdir(parents=True)
    (folder / "deep" / "config.toml").touch()
    (tmp_path / "blobs.npz").touch()
    for name, message in (
        (
            "notes",
            f"{folder / 'notes'} is not a run: it has neither config.toml nor model.safetensors",
        ),
        ("link", f"{folder / 'link'} is a link, not the folder of a run"),
        (
            "extra",
            f"{folder / 'extra'} holds 'thesis.tex', which is not a file of a run. Move it away",
        ),
        ("deep", f"{folder / 'deep'} holds 'checkpoint.safetensors', which is not a file of a run"),
        (str(tmp_path / "blobs.npz"), f"{tmp_path / 'blobs.npz'} is not a folder"),
        (str(folder), f"{folder} is not a run"),
        ("..", "there is no run '..'. Runs in"),
        ("", "there is no run ''. Runs in"),
        ("plian", "there is no run 'plian'. Did you mean 'plain'? Runs in"),
    ):
        done = remove(folder, "plain", name, "--yes")
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith(f"Error: {message}")
    assert (outside / "config.toml").exists()
    assert (folder / "extra" / "thesis.tex").exists()
    assert (folder / "plain" / "model.safetensors").exists()  # all of them are checked first


def test_a_link_inside_is_removed_and_not_followed(folder: Path) -> None:
    outside = folder.parent / "model"
    outside.write_text("precious")
    inside = folder / "plain" / "checkpoint.safetensors"
    inside.unlink()
    inside.symlink_to(outside)
    assert remove(folder, "plain", "-y").exit_code == 0
    assert outside.read_text() == "precious"


def test_a_run_that_a_training_writes_to_is_left_alone(folder: Path) -> None:
    lock = folder / "plain" / ".lock"
    with lock.open("w") as file:
        file.write("process 7 on here")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        done = remove(folder, "plain", "-y")
    assert done.exit_code == 1
    assert "plain is in use: process 7 on here trains in it" in done.stderr
    assert (folder / "plain" / "model.safetensors").exists()


def test_names_are_completed(folder: Path) -> None:
    environment = os.environ | {
        "_ACTCLI_COMPLETE": "bash_complete",
        "COMP_WORDS": f"actcli runs rm --runs-dir {folder} pl",
        "COMP_CWORD": "5",
    }
    code = "from actcli.cli import main; main(prog_name='actcli')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "plain,plain" in done.stdout.splitlines()


def test_listing_needs_no_numpy(folder: Path) -> None:
    code = (
        "import sys; from actcli.cli import main; "
        f"main(['runs', '--runs-dir', {str(folder)!r}], standalone_mode=False); "
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
