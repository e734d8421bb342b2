"""Test sweeps on a real Dask cluster: a scheduler and two worker processes on this machine."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

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

from actcli.errors import ActcliError
from actcli.sweep.axes import parse_axis
from actcli.sweep.plan import Plan
from actcli.sweep.work import WORKERS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
Blobs = Callable[..., Path]
SWEEP = Path("runs/s")
JOBS = 6


TOKEN = re.compile("[0-9a-f]{8}")
STARTED = re.compile(r"Starting Worker plugin [0-9a-f]{8}$", re.MULTILINE)
REMOVED = re.compile(r"Removing Worker plugin [0-9a-f]{8}$", re.MULTILINE)


class Cluster:
    """A scheduler and workers, each a process.

    Args:
        stack: ends all processes when it is closed.
        folder: the folder of the logs.
        threads: number of BLAS threads of each worker.
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
        """Start a process of Dask in another folder than the client's."""
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

    def add_worker(self, threads: int = 1) -> subprocess.Popen[bytes]:
        """Start a worker without a nanny, which would restart a worker that was killed."""
        return self.start("worker", self.address, "--nthreads", str(threads), "--no-nanny")

    def topics(self) -> list[str]:
        """Return the names of the topics that the scheduler keeps, without those of workers."""
        script = (
            "import sys; from distributed import Client\n"
            "def topics(dask_scheduler): return list(dask_scheduler._broker._topics)\n"
            "for topic in Client(sys.argv[1]).run_on_scheduler(topics): print(topic)"
        )
        command = [sys.executable, "-c", script, self.address]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return [name for name in done.stdout.splitlines() if TOKEN.fullmatch(name)]

    def count_in_log(self, pattern: re.Pattern[str]) -> int:
        """Return how often a pattern occurs in the log of the workers."""
        return len(pattern.findall((self.folder / "worker.log").read_text()))


@contextlib.contextmanager
def running(folder: Path, threads: int = 1) -> Iterator[Cluster]:
    """Yield a cluster with two connected workers."""
    with contextlib.ExitStack() as stack:
        cluster = Cluster(stack, folder, threads)
        until(lambda: cluster.count_in_log(re.compile("Starting established connection")) >= 2)
        yield cluster


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the client in another folder than the cluster."""
    (tmp_path / "client").mkdir()
    monkeypatch.chdir(tmp_path / "client")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster shared by all tests that do not change it."""
    with running(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def sweep(blobs: Blobs, cluster: Cluster) -> list[str]:
    """Return the arguments of a sweep of six jobs, about half a second each."""
    data = os.path.relpath(blobs())
    arguments = "--hidden", "8", "--batch-size", "32", "--dataset", data, "--epochs", "100"
    vary = "--vary", "optimizer.learning_rate=0.01,0.02,0.03", "--seeds", "2"
    return ["sweep", *arguments, *vary, "--name", "s", "--scheduler", cluster.address]


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
    before = cluster.count_in_log(STARTED)
    with started(*sweep) as client:
        until(lambda: finished(SWEEP))
        cluster.workers.pop().kill()
        cluster.workers.append(cluster.add_worker())
        _, stderr = client.communicate(timeout=60)
        assert client.returncode == 0, stderr
    assert len(finished(SWEEP)) == JOBS
    assert cluster.count_in_log(STARTED) == before + 3
    assert "Traceback" not in stderr


def test_if_all_workers_are_killed_new_workers_receive_the_data_again(
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
    assert own.count_in_log(STARTED) == 3


def test_a_client_that_is_killed_leaves_idle_workers_and_the_sweep_can_be_resumed(
    sweep: list[str], cluster: Cluster
) -> None:
    before = cluster.count_in_log(REMOVED)
    with started(*sweep) as client:
        until(lambda: finished(SWEEP))
        client.kill()
        client.wait()
    kept = when_written(SWEEP)
    until(lambda: cluster.count_in_log(REMOVED) == before + 2)
    again = actcli(*sweep, "-q")
    assert (again.returncode, again.stderr) == (0, "")
    assert len(finished(SWEEP)) == JOBS
    assert when_written(SWEEP).items() > kept.items()
    until(lambda: not cluster.topics())  # of the killed client, and of the one that ended


def test_a_lost_scheduler_is_reported_and_finished_runs_are_kept(
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
        many.add_worker(threads=4)
        until(lambda: many.count_in_log(re.compile("Starting established connection")) >= 3)
        refused = actcli(*sweep[:-1], many.address, "--epochs", "1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert re.fullmatch(
        r"Error: the Dask worker tcp://127.0.0.1:\d+ has 4 threads, which slow each other down. "
        rf"Start it with: OPENBLAS_NUM_THREADS=1 dask worker {many.address} --nthreads 1\n",
        refused.stderr,
    )
    assert done.returncode == 1
    first, second = done.stderr.splitlines()[-2:]
    assert first == "Error: 6 of 6 jobs could not be trained"
    assert second == (
        "  lr 0.01  seed 0 and 5 more: the worker's BLAS would use several threads, which "
        "changes the results. Start it with OPENBLAS_NUM_THREADS=1"
    )


def test_a_worker_with_several_threads_that_joins_later_trains_nothing() -> None:
    from actcli.sweep.cluster import SweepWorker  # Dask is installed for the slow tests alone

    loop = SimpleNamespace(add_callback=lambda *_: None)
    state = SimpleNamespace(nthreads=2)
    late = SimpleNamespace(address="tcp://a:1", state=state, loop=loop, log_event=None)
    SweepWorker("token", "tcp://b:2").setup(late)
    (job,) = Plan((), (parse_axis("model.dropout=0"),)).jobs()
    with pytest.raises(ActcliError, match=r"the Dask worker tcp://a:1 has 2 threads"):
        WORKERS.pop("token").train(job.name, job.config)


def test_a_scheduler_that_does_not_answer_is_reported(blobs: Blobs) -> None:
    arguments = "--dataset", str(blobs()), "--seeds", "2", "--scheduler", "tcp://127.0.0.1:9"
    done = actcli("sweep", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(
        "Error: no scheduler answers at tcp://127.0.0.1:9"
    )
    assert "Traceback" not in done.stderr
