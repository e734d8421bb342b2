"""Sweeps on a real Dask cluster: a scheduler and two worker processes on this machine."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sweep_commands import (
    ENVIRONMENT,
    actcli,
    finished,
    same,
    started,
    until,
    when_written,
)

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
Blobs = Callable[..., Path]
SWEEP = Path("runs/s")
JOBS = 12


STARTED = re.compile(r"Starting Worker plugin [0-9a-f]{8}$", re.MULTILINE)
REMOVED = re.compile(r"Removing Worker plugin [0-9a-f]{8}$", re.MULTILINE)


class Cluster:
    """A scheduler and workers, each a process.

    Args:
        stack: where all of it ends.
        folder: of its logs.
        threads: of the BLAS of the workers.
    """

    def __init__(self, stack: contextlib.ExitStack, folder: Path, threads: int = 1) -> None:
        self.stack = stack
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        self.threads = threads
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", port)
        self.workers = [self.add_worker(), self.add_worker()]

    def start(self, name: str, *args: str) -> subprocess.Popen[bytes]:
        """A process of Dask, elsewhere: it does not see the files of the client."""
        log = self.stack.enter_context((self.folder / f"{name}.log").open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", name, *args, "--no-dashboard"],
            env=ENVIRONMENT | {"OPENBLAS_NUM_THREADS": str(self.threads)},
            cwd=self.folder,
            stdout=log,
            stderr=log,
        )
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def add_worker(self) -> subprocess.Popen[bytes]:
        """A worker without a nanny, which would start it anew."""
        return self.start("worker", self.address, "--nthreads", "1", "--no-nanny")

    def told(self, pattern: re.Pattern[str]) -> int:
        """How often workers have told something."""
        return len(pattern.findall((self.folder / "worker.log").read_text()))


@contextlib.contextmanager
def running(folder: Path, threads: int = 1) -> Iterator[Cluster]:
    """A cluster that is ready."""
    with contextlib.ExitStack() as stack:
        made = Cluster(stack, folder, threads)
        until(lambda: made.told(re.compile("Starting established connection")) >= 2)
        yield made


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that the cluster is not in."""
    (tmp_path / "client").mkdir()
    monkeypatch.chdir(tmp_path / "client")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all tests that leave it as it is."""
    with running(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def sweep(blobs: Blobs, cluster: Cluster) -> list[str]:
    """A sweep of twelve jobs of half a second or so each."""
    data = os.path.relpath(blobs())
    chosen = "--hidden", "8", "--batch-size", "32", "--dataset", data, "--epochs", "200"
    vary = "--vary", "optimizer.learning_rate=0.01,0.02,0.03", "--seeds", "4"
    return ["sweep", *chosen, *vary, "--name", "s", "--scheduler", cluster.address]


def test_results_are_those_of_this_machine_bit_for_bit(sweep: list[str]) -> None:
    done = actcli(*sweep)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == JOBS
    assert all(" test " in line for line in lines)
    local = actcli(*sweep[:-2], "--runs-dir", "local", "-q")
    assert local.returncode == 0
    names = finished(SWEEP)
    assert len(names) == JOBS
    for name in names:
        same(SWEEP / name, Path("local/s") / name)


def test_a_worker_that_is_killed_costs_no_job_and_one_that_joins_works_too(
    sweep: list[str], cluster: Cluster
) -> None:
    before = cluster.told(STARTED)
    with started(*sweep) as client:
        until(lambda: finished(SWEEP))
        cluster.workers.pop().kill()
        cluster.workers.append(cluster.add_worker())
        _, stderr = client.communicate(timeout=60)
        assert client.returncode == 0, stderr
    assert len(finished(SWEEP)) == JOBS
    assert cluster.told(STARTED) == before + 3
    assert "Traceback" not in stderr


def test_if_all_workers_are_killed_those_that_join_get_the_data_anew(
    sweep: list[str], tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    with running(tmp_path / "own") as own, started(*sweep[:-1], own.address) as client:
        until(lambda: finished(SWEEP))
        for worker in own.workers:
            worker.kill()
        own.add_worker()
        _, stderr = client.communicate(timeout=60)
        assert client.returncode == 0, stderr
    assert len(finished(SWEEP)) == JOBS
    assert own.told(STARTED) == 3


def test_a_client_that_is_killed_leaves_nothing_at_work_and_a_sweep_that_goes_on(
    sweep: list[str], cluster: Cluster
) -> None:
    before = cluster.told(REMOVED)
    with started(*sweep) as client:
        until(lambda: finished(SWEEP))
        client.kill()
        client.wait()
    kept = when_written(SWEEP)
    until(lambda: cluster.told(REMOVED) == before + 2)
    again = actcli(*sweep, "-q")
    assert (again.returncode, again.stderr) == (0, "")
    assert len(finished(SWEEP)) == JOBS
    assert when_written(SWEEP).items() > kept.items()


def test_a_scheduler_that_is_lost_is_told_and_what_is_finished_is_kept(
    sweep: list[str], tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    with running(tmp_path / "own") as own, started(*sweep[:-1], own.address) as client:
        until(lambda: finished(SWEEP))
        own.scheduler.kill()
        stdout, stderr = client.communicate(timeout=60)
    assert (client.returncode, stdout) == (1, "")
    assert stderr.splitlines()[-1] == (
        "Error: the workers are lost. Finished runs are kept; the same command resumes the sweep"
    )
    assert "Traceback" not in stderr
    kept = when_written(SWEEP)
    assert 0 < len(kept) < JOBS
    again = actcli(*sweep[:-2], "-q")  # on this machine
    assert (again.returncode, again.stderr) == (0, "")
    assert len(finished(SWEEP)) == JOBS
    assert when_written(SWEEP).items() > kept.items()


def test_a_worker_whose_blas_has_many_threads_is_refused(sweep: list[str], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with running(tmp_path / "other", threads=2) as many:
        done = actcli(*sweep[:-1], many.address, "--epochs", "1")
    assert done.returncode == 1
    first, second = done.stderr.splitlines()[-2:]
    assert first == "Error: 12 of 12 jobs could not be trained"
    assert second == (
        "  lr 0.01  seed 0 and 11 more: the worker's BLAS would use several threads, which "
        "changes the results. Start it with OPENBLAS_NUM_THREADS=1"
    )


def test_a_scheduler_that_is_not_there_is_told(blobs: Blobs) -> None:
    chosen = "--dataset", str(blobs()), "--seeds", "2", "--scheduler", "tcp://127.0.0.1:9"
    done = actcli("sweep", *chosen)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(
        "Error: no scheduler answers at tcp://127.0.0.1:9"
    )
    assert "Traceback" not in done.stderr
