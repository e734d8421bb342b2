"""Groups of worker processes, and that a training is the same on any number of them."""

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actcli import machine
from actcli.config.sources import assemble, parse_assignment
from actcli.errors import ActcliError
from actcli.training import build
from actcli.training.events import EpochDone
from actcli.training.learner import Learner
from actcli.training.loop import fit
from actcli.training.parallel import parallel_step, workers
from actcli.training.parallel.workers import MAX_SPINS, MIN_SPINS, WorkerGroup, shared_zeros

Blobs = Callable[..., Path]
SIZES = pytest.mark.parametrize("size", [1, 2, 3])
FORKED = pytest.mark.parametrize("size", [2, 3])


def children() -> set[str]:
    """The processes that this one has started, dead ones too."""
    lists = Path("/proc/self/task").glob("*/children")
    return {pid for each in lists for pid in each.read_text().split()}


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """No process outlives its test."""
    before = children()
    yield
    assert children() <= before


@SIZES
@pytest.mark.parametrize("forks", [True, False])
def test_a_phase_starts_after_all_workers_have_ended_the_last_and_gets_its_result(
    size: int, forks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "FORK_IS_SAFE", forks)
    done, pids = shared_zeros((size,), np.int64), shared_zeros((size,), np.int64)
    wrong = shared_zeros((size,), np.int64)

    def count(rank: int, _: None) -> int:
        done[rank] += 1
        pids[rank] = os.getpid()
        return rank

    def check(rank: int, result: int) -> None:
        wrong[rank] += len(set(done.tolist())) != 1 or result != rank

    with closing(WorkerGroup(size, (count, check))) as group:
        for _ in range(500):
            group.run()
    assert done.tolist() == [500] * size
    assert wrong.tolist() == [0] * size
    assert pids[0] == os.getpid()
    assert len(set(pids.tolist())) == (size if forks else 1)


def test_a_worker_that_waits_long_blocks() -> None:
    spent = shared_zeros((1,), np.float64)

    def work(rank: int, _: None) -> None:
        if rank == 0:
            time.sleep(0.2)
        else:
            spent[0] = time.process_time()

    with closing(WorkerGroup(2, (work,))) as group:
        group.run()
        before = float(spent[0])
        for _ in range(3):
            group.run()
        assert spent[0] - before < 0.1  # of 0.6 seconds


def test_a_worker_spins_longer_where_that_has_paid() -> None:
    """And for less time where it was in vain."""
    first, second = socket.socketpair()
    there = second.dup()
    here = workers.Barrier({(0, 1): first, (1, 0): second}, 0)
    there.send(b"\0")
    here.wait()
    assert here._spins == MAX_SPINS
    script = (
        f"import os, time\nfor _ in range(9): time.sleep(0.05); os.write({there.fileno()}, b'0')"
    )
    with subprocess.Popen([sys.executable, "-c", script], pass_fds=[there.fileno()]):
        for _ in range(9):
            here.wait()
    assert here._spins == MIN_SPINS
    there.send(b"\0")
    here.wait()
    assert here._spins == 2 * MIN_SPINS
    here.close()
    there.close()


@FORKED
def test_an_error_of_rank_0_is_raised_and_no_worker_is_left(size: int) -> None:
    def fail(rank: int, _: None) -> None:
        if rank == 0:
            raise ValueError("no")

    with closing(WorkerGroup(size, (fail,))) as group, pytest.raises(ValueError, match="no"):
        group.run()


@FORKED
def test_an_error_of_another_worker_is_printed_and_ends_all(
    size: int, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(rank: int, _: None) -> None:
        if rank == size - 1:
            raise ValueError("not in my shift")

    with (
        closing(WorkerGroup(size, (fail, fail), "Try again")) as group,
        pytest.raises(ActcliError) as caught,
    ):
        group.run()
    assert caught.value.message == "a worker process has failed"
    assert caught.value.hint == "Try again"
    assert "ValueError: not in my shift" in capfd.readouterr().err


@FORKED
def test_a_killed_worker_is_reported(size: int) -> None:
    def die(rank: int, _: None) -> None:
        if rank == size - 1:
            os.kill(os.getpid(), signal.SIGKILL)

    told = "a worker process was killed by signal 9"
    with (
        closing(WorkerGroup(size, (die, print))) as group,
        pytest.raises(ActcliError, match=told),
    ):
        group.run()


@FORKED
def test_the_signals_of_a_terminal_reach_rank_0_alone(size: int) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    pids = shared_zeros((size,), np.int64)

    def note_pid(rank: int, _: None) -> None:
        pids[rank] = os.getpid()

    with closing(WorkerGroup(size, (note_pid,))) as group:
        group.run()
        for pid in pids[1:].tolist():
            for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
                os.kill(pid, each)
        group.run()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


HOLDER = """
import fcntl, os, sys, time
from actcli.training.parallel.workers import WorkerGroup, shared_zeros
lock = open("lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
pids = shared_zeros((3,), int)
def note_pid(rank, _):
    pids[rank] = os.getpid()
group = WorkerGroup(3, (note_pid,))
group.run()
print(*pids.tolist(), flush=True)
time.sleep({seconds})
"""


def holder(folder: Path, seconds: int) -> tuple[subprocess.Popen[str], list[int]]:
    """A process that has a lock and workers, and the pids of these."""
    command = [sys.executable, "-c", HOLDER.format(seconds=seconds)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, list(map(int, process.stdout.readline().split()))


@pytest.mark.parametrize("killed", [True, False])
def test_workers_end_with_rank_0_and_keep_no_file_of_it_open(tmp_path: Path, killed: bool) -> None:
    process, pids = holder(tmp_path, 60 if killed else 0)
    with process:
        if killed:
            process.kill()
        assert process.stdout
        assert process.stdout.read() == ""  # no worker holds the other end
        assert process.wait() == (-signal.SIGKILL if killed else 0)
    subprocess.run(["flock", "--nonblock", "lock", "true"], cwd=tmp_path, check=True)
    give_up = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_failing_fork_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    fork, calls = os.fork, []

    def second() -> int:
        calls.append(fork)
        if len(calls) == 2:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    monkeypatch.setattr(os, "fork", second)
    told = "cannot start a worker process: Resource temporarily unavailable"
    with pytest.raises(ActcliError, match=told):
        WorkerGroup(3, (print,))


def test_too_many_open_files_are_reported() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, before[1]))
    try:
        with pytest.raises(ActcliError, match="cannot start a worker process: Too many open files"):
            WorkerGroup(20, (print,))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_shared_memory_is_of_the_shape_and_kind_that_is_asked_for() -> None:
    for shape in ((), (3,), (2, 5), (0,), (4, 0)):
        array = shared_zeros(shape, np.float32)
        assert array.shape == shape
        assert array.dtype == np.float32
        assert not array.any()
        array[...] = 1


def test_no_memory_to_share_is_a_memory_error() -> None:
    with pytest.raises(MemoryError, match="no 4000000000000000 bytes to share"):
        shared_zeros((10**15,), np.float32)


def train(path: Path, count: int, *assignments: str) -> tuple[Any, EpochDone]:
    """The parameters that two epochs come to, and what is told of the last."""
    texts = (f"data.name={path}", "model.hidden=16,8", "training.batch_size=32", *assignments)
    texts = (*texts, "training.epochs=2", f"training.workers={count}")
    config = assemble([parse_assignment(text) for text in texts]).resolve()
    learner = Learner(*build.prepare_dataset(config, lambda *_: None))
    events = [event for event in fit(learner) if isinstance(event, EpochDone)]
    return learner.network.parameters, events[-1]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    "chosen",
    [
        (),
        ("optimizer.name=adam",),
        ("optimizer.clip_norm=0.1",),
        ("optimizer.name=adamw", "optimizer.weight_decay=0.3"),
        ("model.dropout=0.3",),
        ("loss.name=mse", "model.activation=sigmoid"),
        ("model.hidden=none",),
    ],
)
def test_workers_change_a_training_by_rounding_alone(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, chosen: tuple[str, ...], count: int
) -> None:
    path = blobs(rows=310)  # so that the last batch is smaller
    alone, told_alone = train(path, 1, *chosen)
    monkeypatch.setattr(parallel_step, "MIN_WORK_PER_WORKER", 1)
    together, told = train(path, count, *chosen)
    assert np.abs(alone).max() > 0.1
    np.testing.assert_allclose(together, alone, atol=2e-5)
    assert told.train.loss == pytest.approx(told_alone.train.loss, abs=1e-5)
    again, _ = train(path, count, *chosen)
    np.testing.assert_array_equal(again, together)
    monkeypatch.setattr(workers, "FORK_IS_SAFE", False)
    in_turns, _ = train(path, count, *chosen)
    np.testing.assert_array_equal(in_turns, together)


def test_a_small_step_is_taken_by_one_process(blobs: Blobs) -> None:
    alone, _ = train(blobs(), 1)
    many, _ = train(blobs(), 8)
    np.testing.assert_array_equal(many, alone)


@pytest.mark.parametrize(
    ("given", "cores", "forks", "count"),
    [
        ({}, 8, True, 2),
        ({}, 8, False, 1),
        ({}, 1, True, 1),
        ({"OMP_NUM_THREADS": "1"}, 8, True, 1),
        ({"OMP_NUM_THREADS": "x"}, 8, True, 2),
    ],
)
def test_auto_is_two_where_there_are_two_to_have(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], cores: int, forks: bool, count: int
) -> None:
    monkeypatch.setattr(machine, "INHERITED_BLAS_THREADS", given)
    monkeypatch.setattr(machine, "core_count", lambda: cores)
    monkeypatch.setattr(machine, "FORK_IS_SAFE", forks)
    assert machine.worker_count("auto") == count
    assert machine.worker_count(5) == 5
