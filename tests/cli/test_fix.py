"""Test `actcli fix` as a process: a signal saves the try, and the same command resumes it."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from sweep_commands import actcli, started, until

from actcli.cli import main

pytestmark = pytest.mark.slow
Blobs = Callable[..., Path]


def test_a_signal_saves_the_try_and_the_same_command_resumes_it(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--dataset", str(blobs()), "--hidden", "8", "-q")
    sick = ("--init", "zeros", "--batch-size", "32", "--epochs", "400", "--name", "sick")
    assert CliRunner().invoke(main, ["train", *options, *sick]).exit_code == 0
    metrics = Path("runs/sick-fix-1/metrics.jsonl")
    with started("fix", "sick", "--tries", "4") as process:
        until(lambda: metrics.exists() and metrics.read_text().count("\n") >= 3)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1] == (
        "interrupted; the tries so far are saved. To resume: actcli fix runs/sick --tries 4"
    )
    assert metrics.read_text().count("\n") < 400
    again = actcli("fix", "sick", "--json")
    assert '"run": "sick-fix-1"' in again.stdout
    whole = actcli("fix", "runs/sick", "--runs-dir", "whole", "--json")
    assert whole.stdout == again.stdout
    models = [Path(runs, "sick-fix-1/model.safetensors").read_bytes() for runs in ("runs", "whole")]
    assert models[0] == models[1]
