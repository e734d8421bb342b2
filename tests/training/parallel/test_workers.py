"""Groups of worker processes: their barriers, their errors, their end, and shared memory."""

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from actcli.errors import ActcliError
from actcli.training.parallel import workers
from actcli.training.parallel.workers import MAX_SPINS, MIN_SPINS, WorkerGroup, shared_zeros

SIZES = pytest.mark.parametrize("size", [1, 2, 3])
FORKED = pytest.mark.parametrize("size", [2, 3])


def children() -> set[str]:
    """Return the ids of the processes that this one has started, dead ones included."""
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
        for _ in range(200):
            group.run()
    assert done.tolist() == [200] * size
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


def test_a_worker_spins_longer_after_success_and_blocks_sooner_after_failure() -> None:
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

    message = "a worker process was killed by signal 9"
    with (
        closing(WorkerGroup(size, (die, print))) as group,
        pytest.raises(ActcliError, match=message),
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
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
                os.kill(pid, number)
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
    """Start a process that holds a lock and has workers; return it and the ids of its workers."""
    command = [sys.executable, "-c", HOLDER.format(seconds=seconds)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, list(map(int, process.stdout.readline().split()))


@pytest.mark.slow
@pytest.mark.parametrize("killed", [True, False])
def test_workers_end_with_rank_0_and_close_its_files(tmp_path: Path, killed: bool) -> None:
    process, pids = holder(tmp_path, 60 if killed else 0)
    with process:
        if killed:
            process.kill()
        assert process.stdout
        assert process.stdout.read() == ""  # no worker holds the other end
        assert process.wait() == (-signal.SIGKILL if killed else 0)
    subprocess.run(["flock", "--nonblock", "lock", "true"], cwd=tmp_path, check=True)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_failing_fork_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    fork, calls = os.fork, []

    def second() -> int:
        calls.append(fork)
        if len(calls) == 2:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    monkeypatch.setattr(os, "fork", second)
    message = "cannot start a worker process: Resource temporarily unavailable"
    with pytest.raises(ActcliError, match=message):
        WorkerGroup(3, (print,))


def test_too_many_open_files_are_reported() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, before[1]))
    try:
        with pytest.raises(ActcliError, match="cannot start a worker process: Too many open files"):
            WorkerGroup(20, (print,))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_shared_memory_has_the_requested_shape_and_dtype() -> None:
    for shape in ((), (3,), (2, 5), (0,), (4, 0)):
        array = shared_zeros(shape, np.float32)
        assert array.shape == shape
        assert array.dtype == np.float32
        assert not array.any()
        array[...] = 1


def test_too_little_shared_memory_raises_a_memory_error() -> None:
    with pytest.raises(MemoryError, match="cannot reserve 4000000000000000 bytes"):
        shared_zeros((10**15,), np.float32)
