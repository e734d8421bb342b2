"""Former names of options and keys: they work, a note gives the new name, and old runs are read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from actcli.cli import main
from actcli.formats.safetensors import read_safetensors, safetensors_parts
from actcli.store.checkpoint import _checksum

Blobs = Callable[..., Path]

FORMER = "training.workers is 2 by its name, but 1 by its former name. "


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, args, env=env)


def workers(result: Result) -> Any:
    """The value of the key in the output of a dry run."""
    return json.loads(result.stdout)["training"]["workers"]["value"]


@pytest.mark.parametrize(
    ("args", "env", "note"),
    [
        (["--threads", "1"], {}, "--threads is now --workers"),
        (["--threads", "1", "--workers", "1"], {}, "--threads is now --workers"),
        (
            ["--set", "training.threads=1"],
            {},
            "--set training.threads is now --set training.workers",
        ),
        ([], {"ACTCLI_THREADS": "1"}, "ACTCLI_THREADS is now ACTCLI_WORKERS"),
        (["old.toml"], {}, "old.toml: [training] threads is now workers"),
    ],
)
def test_a_former_name_works_and_one_note_gives_the_new_one(
    args: list[str], env: dict[str, str], note: str
) -> None:
    Path("old.toml").write_text("[training]\nthreads = 1\n")
    result = run("train", *args, "--dry-run", "--json", **env)
    assert (result.exit_code, result.stderr) == (0, f"{note}\n")
    assert workers(result) == 1


def test_a_sweep_knows_the_former_name_too() -> None:
    Path("old.toml").write_text("[training]\nthreads = 1\n")
    for args, note in (
        (["--threads", "1"], "--threads is now --workers-per-run"),
        (["old.toml"], "old.toml: [training] threads is now workers"),
    ):
        result = run("sweep", *args, "--seeds", "2", "--dry-run", "--csv")
        assert (result.exit_code, result.stderr) == (0, f"{note}\n")


@pytest.mark.parametrize(
    ("args", "env", "message"),
    [
        (["--threads", "1", "--workers", "2"], {}, FORMER + "--threads is now --workers: give one"),
        (["--set", "training.threads=1", "--workers", "2"], {}, FORMER + "--set training.threads"),
        ([], {"ACTCLI_THREADS": "1", "ACTCLI_WORKERS": "2"}, FORMER + "ACTCLI_THREADS is now ACTC"),
        (["both.toml"], {}, FORMER + "both.toml: [training] threads is now workers: give one of"),
        (["--threads", "0"], {}, 'Invalid value for --threads: must be "auto" or at least 1, not'),
        ([], {"ACTCLI_THREADS": "x"}, 'Invalid value for ACTCLI_THREADS: must be "auto" or a whol'),
    ],
)
def test_both_names_with_different_values_are_refused(
    args: list[str], env: dict[str, str], message: str
) -> None:
    Path("both.toml").write_text("[training]\nthreads = 1\nworkers = 2\n")
    result = run("train", *args, "--dry-run", **env)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {message}")


def test_an_option_overrides_the_former_variable() -> None:
    result = run("train", "--workers", "2", "--dry-run", "--json", ACTCLI_THREADS="1")
    assert (result.exit_code, workers(result)) == (0, 2)


def test_former_names_are_not_in_the_help() -> None:
    for command in ("train", "sweep"):
        assert "--threads" not in run(command, "--help").stdout


def test_a_run_of_the_former_names_is_read_without_a_note_and_resumed(blobs: Blobs) -> None:
    small = ("--hidden", "8", "--dataset", str(blobs()), "--epochs", "1", "-q")
    for name in ("a", "b"):
        assert run("train", *small, "--name", name).exit_code == 0
        config = Path("runs", name, "config.toml")
        former = config.read_text().replace("\nworkers =", "\nthreads =")
        config.write_text(former.replace("\ninit_scale = 1.0", ""))  # a key that was added later
        assert "\nthreads =" in config.read_text()
    for args in (["diagnose", "a"], ["compare", "a", "b"], ["runs"]):
        result = run(*args)
        assert (result.exit_code, result.stderr) == (0, "")
    path = Path("runs/a/checkpoint.safetensors")
    tensors, record = read_safetensors(path)
    del record["checksum"]
    record["config"]["training.threads"] = record["config"].pop("training.workers")
    del record["config"]["model.init_scale"]
    record["checksum"] = _checksum(tensors, record)
    path.write_bytes(b"".join(safetensors_parts(tensors, record)))
    result = run("train", "--resume", "a", "--epochs", "2", "-q")
    assert (result.exit_code, result.stderr) == (0, "")
