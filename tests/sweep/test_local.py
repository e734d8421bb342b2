"""Test sweeps on real processes of this machine: equal bits, interrupts, kills, resumption."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweep_commands import (
    actcli,
    finished,
    is_alive,
    same,
    started,
    strict,
    until,
    when_written,
    workers,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
Blobs = Callable[..., Path]
SWEEP = Path("runs/s")
SMALL = ("--hidden", "8", "--batch-size", "32")
JOBS = 6


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def long(blobs: Blobs) -> list[str]:
    """Return the arguments of a sweep: two processes, six jobs of about half a second."""
    path = os.path.relpath(blobs())
    vary = ("--vary", "optimizer.learning_rate=0.01,0.02,0.03", "--seeds", "2", "--name", "s")
    return ["sweep", *SMALL, "--dataset", path, "--epochs", "100", *vary, "--workers", "2"]


def is_group(number: int) -> bool:
    """Return whether a process group has a process."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


def table(*args: str) -> Any:
    """Return the JSON object of `sweep show`."""
    shown = actcli("sweep", "show", "s", "--json", *args)
    assert (shown.returncode, shown.stderr) == (0, "")
    return strict(shown.stdout)


def test_each_job_equals_a_training_of_its_configuration(blobs: Blobs) -> None:
    path = os.path.relpath(blobs())
    arguments = (*SMALL, "--dataset", path, "--epochs", "3", "--dropout", "0.1")
    vary = "--vary", "model.activation=relu,tanh", "--vary", "data.normalize=unit,standard"
    done = actcli("sweep", *arguments, *vary, "--seeds", "2", "--name", "s", "--json")
    assert done.returncode == 0, done.stderr
    runs = strict(done.stdout)["runs"]
    assert len(runs) == 8
    for position, record in enumerate(runs[1::3]):
        varied, seed = record["varied"], str(record["seed"])
        activation, normalize = varied["model.activation"], varied["data.normalize"]
        more = (
            "--activation",
            *activation,
            "--normalize",
            normalize,
            "--seed",
            seed,
            "--workers",
            "1",
        )
        trained = actcli(
            "train", *arguments, *more, "--name", str(position), "--runs-dir", "one", "-q"
        )
        assert trained.returncode == 0
        same(SWEEP / record["run"], Path("one") / str(position), "train")  # which no sweep shows
    diagnosed = actcli("diagnose", f"runs/s/{runs[0]['run']}", "--json")
    assert strict(diagnosed.stdout)["verdict"] == runs[0]["verdict"]


def test_finished_runs_are_not_trained_again_and_a_sweep_can_grow(blobs: Blobs) -> None:
    arguments = (*SMALL, "--dataset", str(blobs()), "--epochs", "1", "--name", "s")
    rates = "--vary", "optimizer.learning_rate=0.1,0.2"
    assert actcli("sweep", *arguments, *rates, "-q").returncode == 0
    before = when_written(SWEEP)
    again = actcli("sweep", *arguments, *rates)
    assert (again.returncode, again.stderr) == (0, "2 of 2 runs are finished already\n")
    assert when_written(SWEEP) == before
    grown = actcli("sweep", *arguments, *rates, "--seeds", "2")
    assert grown.stderr.splitlines()[0] == "2 of 4 runs are finished already"
    assert len(grown.stderr.splitlines()) == 3
    assert when_written(SWEEP).items() > before.items()
    assert [point["planned"] for point in table()["points"]] == [2, 2]


def test_a_signal_leaves_no_process_and_the_sweep_can_be_resumed(long: list[str]) -> None:
    with started(*long) as client:
        until(lambda: finished(SWEEP))
        children = workers(client.pid)
        client.send_signal(signal.SIGTERM)
        stdout, stderr = client.communicate(timeout=30)
        assert (client.returncode, stdout) == (143, "")
        assert len(children) == 2
        assert not any(map(is_alive, children))
    kept = when_written(SWEEP)
    assert 0 < len(kept) < JOBS
    assert stderr.splitlines()[-1] == (
        f"terminated: {len(kept)} of 6 runs are finished and kept in runs/s. "
        "The same command resumes the sweep"
    )
    assert "Traceback" not in stderr
    assert [path.name for path in SWEEP.glob(".*")] == []
    endings = [run["status"] for run in table()["runs"]]
    assert sorted(endings) == ["finished"] * len(kept) + ["missing"] * (JOBS - len(kept))
    again = actcli(*long)
    assert again.returncode == 0
    assert when_written(SWEEP).items() > kept.items()
    assert len(finished(SWEEP)) == JOBS


def test_ctrl_c_while_the_client_waits_for_processes(long: list[str]) -> None:
    with started(*long) as client:
        until((SWEEP / "sweep.json").exists)
        os.killpg(client.pid, signal.SIGINT)
        stdout, stderr = client.communicate(timeout=30)
        assert (client.returncode, stdout) == (130, "")
        until(lambda: not is_group(client.pid))
    assert stderr == (
        "interrupted: 0 of 6 runs are finished and kept in runs/s. "
        "The same command resumes the sweep\n"
    )


def test_ctrl_c_while_the_data_are_read_and_processes_start(long: list[str]) -> None:
    zeros = np.zeros((400_000, 784), np.uint8)  # which take a while to unpack
    labels = np.arange(len(zeros)) % 3
    parts = {"x_train": zeros, "y_train": labels, "x_test": zeros[:9], "y_test": labels[:9]}
    np.savez_compressed("large.npz", **parts)
    with started(*long, "--dataset", "large.npz") as client:
        until(lambda: workers(client.pid))
        os.killpg(client.pid, signal.SIGINT)
        stdout, stderr = client.communicate(timeout=30)
        assert (client.returncode, stdout) == (130, "")
        until(lambda: not is_group(client.pid))
    assert stderr.strip() == "Error: interrupted"
    assert not SWEEP.exists()


@pytest.mark.parametrize("gap", [0, 0.02, 0.05])
def test_a_second_ctrl_c_ends_all_at_once(long: list[str], gap: float) -> None:
    with started(*long) as client:
        until((SWEEP / "sweep.json").exists)
        for _ in range(2):
            os.killpg(client.pid, signal.SIGINT)
            time.sleep(gap)
        stdout, stderr = client.communicate(timeout=30)
        assert stdout == ""
        assert client.returncode in {130, -signal.SIGINT}  # the latter while Python ends
        until(lambda: not is_group(client.pid))
    assert "Traceback" not in stderr


@pytest.mark.parametrize("content", [None, b"{"])
def test_a_run_without_its_result_is_trained_again(blobs: Blobs, content: bytes | None) -> None:
    arguments = ("sweep", *SMALL, "--dataset", str(blobs()), "--epochs", "1", "--seeds", "2")
    assert actcli(*arguments, "--name", "s", "-q").returncode == 0
    path = min(SWEEP.glob("*/result.json"))
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    again = actcli(*arguments, "--name", "s")
    assert again.returncode == 0
    assert again.stderr.splitlines()[0] == "1 of 2 runs are finished already"
    assert [run["status"] for run in table()["runs"]] == ["finished"] * 2


def test_a_folder_with_other_files_is_not_removed(blobs: Blobs) -> None:
    arguments = ("sweep", *SMALL, "--dataset", str(blobs()), "--epochs", "1", "--seeds", "2")
    assert actcli(*arguments, "--name", "s", "-q").returncode == 0
    path = min(SWEEP.glob("*/result.json"))
    path.unlink()
    notes = path.with_name("notes.txt")
    notes.touch()
    again = actcli(*arguments, "--name", "s", "-q")
    assert again.returncode == 2
    assert again.stderr.startswith(
        f"Error: {path.parent} holds 'notes.txt', which is not a file of"
    )
    assert notes.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--dataset", "none.npz"), "there is no data set"), (("--name", "t"), "and is not a sweep")],
)
def test_a_mistake_found_while_processes_start_leaves_no_process(
    long: list[str], options: tuple[str, ...], message: str
) -> None:
    strange = Path("runs", "t")
    strange.mkdir(parents=True)
    (strange / "notes.txt").touch()
    with started(*long, *options) as client:
        stdout, stderr = client.communicate(timeout=30)
        assert (client.returncode, stdout) == (2, "")
        until(lambda: not is_group(client.pid))
    assert stderr.startswith("Error: ")
    assert stderr.count("\n") == 1
    assert message in stderr


def test_processes_that_cannot_be_started_are_reported(long: list[str]) -> None:
    with started(*long, files=14) as client:
        stdout, stderr = client.communicate(timeout=30)
        assert (client.returncode, stdout) == (1, "")
        until(lambda: not is_group(client.pid))
    assert stderr == "Error: cannot start a worker process: Too many open files\n"


def test_a_client_that_is_killed_leaves_no_process_and_the_sweep_can_be_resumed(
    long: list[str],
) -> None:
    with started(*long) as client:
        until(lambda: finished(SWEEP))
        children = workers(client.pid)
        assert len(children) == 2
        client.kill()
        client.wait()
        until(lambda: not any(map(is_alive, children)))
        assert client.stderr is not None
        # At the end of the stream the process has ended that removes the client's semaphores.
        assert "Warning" not in client.stderr.read()
    kept = when_written(SWEEP)
    half = SWEEP / ".0123456789ab.01234567.tmp"  # as if it had been killed while it wrote
    half.mkdir()
    again = actcli(*long, "-q")
    assert (again.returncode, again.stderr) == (0, "")
    assert when_written(SWEEP).items() > kept.items()
    assert len(finished(SWEEP)) == JOBS
    assert not half.exists()


def test_a_worker_that_is_killed_costs_no_job(long: list[str]) -> None:
    with started(*long) as client:
        until(lambda: finished(SWEEP))
        os.kill(workers(client.pid)[0], signal.SIGKILL)
        _, stderr = client.communicate(timeout=60)
        assert client.returncode == 0, stderr
    assert len(finished(SWEEP)) == JOBS
    assert [run["status"] for run in table()["runs"]] == ["finished"] * JOBS
    assert len(stderr.splitlines()) == JOBS
    assert "Traceback" not in stderr


def test_only_one_process_trains_a_sweep(long: list[str]) -> None:
    with started(*long) as client:
        until((SWEEP / "sweep.json").exists)
        second = actcli(*long)
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == (
            f"Error: runs/s is in use: process {client.pid} on {os.uname().nodename} trains in it\n"
        )


def test_failed_jobs_are_listed_and_the_others_are_trained(blobs: Blobs) -> None:
    one_class = blobs(y_test=np.arange(300) % 3)
    arguments = (*SMALL, "--dataset", str(one_class), "--epochs", "1", "--name", "s")
    vary = "--vary", "data.classes=[0,1],[0,7],[0,8],[1,2]", "--seeds", "2"
    done = actcli("sweep", *arguments, *vary)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-3:] == [
        "Error: 4 of 8 jobs could not be trained",
        "  classes 0,7  seed 0 and 1 more: there is no class '7'. Known: 0, 1, 2",
        "  classes 0,8  seed 0 and 1 more: there is no class '8'. Known: 0, 1, 2",
    ]
    assert "4 failed" in done.stdout.splitlines()[0]
    result = table()
    assert [run["status"] for run in result["runs"]] == [
        *(["finished"] * 2 + ["failed"] * 4 + ["finished"] * 2)
    ]
    assert result["runs"][2]["error"].startswith("there is no class '7'")
    assert [(point["verdict"], point["runs"]) for point in result["points"][2:]] == [
        ("failed", 0)
    ] * 2
    assert actcli("sweep", *arguments, *vary, "-q").returncode == 1


def test_keys_that_do_not_go_together_are_listed(blobs: Blobs) -> None:
    arguments = (*SMALL, "--dataset", str(blobs()), "--epochs", "1", "--output", "softmax")
    done = actcli("sweep", *arguments, "--vary", "loss.name=mse,binary-cross-entropy", "-q")
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first == "Error: 1 of 2 jobs could not be trained"
    assert second.startswith("  loss binary-cross-entropy  seed 0: loss 'binary-cross-entropy' d")


def test_a_run_that_diverges_is_a_result(blobs: Blobs) -> None:
    arguments = (*SMALL, "--dataset", str(blobs()), "--epochs", "2", "--name", "s")
    done = actcli("sweep", *arguments, "--vary", "optimizer.learning_rate=0.1,1e30")
    assert done.returncode == 0
    lines = [line.partition("  ")[2] for line in done.stderr.splitlines()]
    assert "lr 1e+30  seed 0  diverged" in lines
    assert "1 diverged" in done.stdout.splitlines()[0]
    finite, other = table()["runs"]
    assert (finite["status"], other["status"]) == ("finished", "diverged")
    assert other["test"] is None
    assert other["error"].startswith("the loss stopped being finite")
    again = actcli("sweep", *arguments, "--vary", "optimizer.learning_rate=0.1,1e30")
    assert again.stderr == "2 of 2 runs are finished already\n"


def test_each_process_uses_one_thread_unless_asked(blobs: Blobs) -> None:
    arguments = (*SMALL, "--dataset", str(blobs()), "--epochs", "1", "--seeds", "2", "-q")
    for options, variables, count in (
        ((), {}, "1"),
        ((), {"OPENBLAS_NUM_THREADS": "2"}, "1"),
        (("--workers-per-run", "2"), {}, "2"),
    ):
        name = f"t{count}{len(variables)}"
        assert actcli("sweep", *arguments, *options, "--name", name, **variables).returncode == 0
        for path in Path("runs", name).glob("*/environment.json"):
            assert set(json.loads(path.read_text())["threads"].values()) == {"1"}  # of the BLAS
            assert f"\nworkers = {count}\n" in path.with_name("config.toml").read_text()
