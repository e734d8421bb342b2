"""Worker processes that go through the phases of one piece of work, with a barrier between phases.

Python threads would share one interpreter lock, and each of the hundred short calls of a step would
wait for it: two threads on two cores are a third slower than one. So workers are forks of this
process that exchange results through shared memory. The barrier is made of sockets. A socket also
reports when its worker ends, for any reason: no worker outlives the others by more than a phase.

The first worker at the barrier spins briefly before it blocks, because a sleeping core takes longer
to wake than most waits last. If spinning was in vain, as on a busy machine, the worker spins half
as long at the next barrier.
"""

import contextlib
import gc
import itertools
import math
import mmap
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from actcli.errors import ActcliError
from actcli.machine import FORK_IS_SAFE

# Called with the rank of the worker, from 0, and the result of the worker's previous phase, which
# is None in the first phase.
Phase = Callable[[int, Any], Any]

MAX_SPINS = 256  # reads of a socket before a worker blocks, some µs each
MIN_SPINS = 16

# The sockets between workers, by the rank of the worker that holds the socket and the rank of the
# worker at its other end.
Ends = dict[tuple[int, int], socket.socket]


class WorkerLostError(Exception):
    """Another worker has ended."""


def shared_zeros(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return zeros in memory that all workers share, if they are started later.

    Raises:
        MemoryError: the system has too little memory.
    """
    count, dtype = math.prod(shape), np.dtype(dtype)
    size = max(1, count * dtype.itemsize)
    try:
        memory = mmap.mmap(-1, size)
    except OSError as error:
        raise MemoryError(f"cannot reserve {size} bytes of shared memory") from error
    return np.frombuffer(memory, dtype, count).reshape(shape)


def run_on_workers(work: Callable[[int], None], size: int) -> None:
    """Run `work(rank)` once on each of `size` workers.

    Raises:
        ActcliError: a worker has died or cannot be started.
    """
    with contextlib.closing(WorkerGroup(size, (lambda rank, _: work(rank),))) as group:
        group.run()


class WorkerGroup:
    """Workers that go through the same phases again and again, until the group is closed.

    Where a fork is not safe, this process does the work of all ranks, one after another.

    Args:
        size: number of workers; the process that calls `run` is rank 0, and may be the only one.
        phases: the phases of one `run`. A worker sees data outside shared memory as they were when
            the group was made: later changes do not reach it.
        hint: hint of the error that is raised if a worker is lost.

    Raises:
        ActcliError: the workers cannot be started.
    """

    def __init__(self, size: int, phases: Sequence[Phase], hint: str | None = None) -> None:
        self.size = size
        self._hint = hint
        self._phases = phases
        self._pids: list[int] = []
        ends: Ends = {}
        failure = None
        try:
            for one, other in itertools.combinations(range(size if FORK_IS_SAFE else 1), 2):
                ends[one, other], ends[other, one] = socket.socketpair()
            self._fork(ends)
        except OSError as error:
            failure = error
        self._barrier = Barrier(ends, 0)
        if failure:
            self.close()
            raise ActcliError(f"cannot start a worker process: {failure.strerror}", hint)

    def run(self) -> None:
        """Go through the phases on every worker, with a barrier before and after each phase.

        Raises:
            ActcliError: a worker has died. The contents of the shared memory are then undefined.
        """
        ranks = range(1 if self._pids else self.size)
        results: list[Any] = [None] * len(ranks)
        try:
            self._barrier.wait()
            for phase in self._phases:
                for rank in ranks:
                    results[rank] = phase(rank, results[rank])
                self._barrier.wait()
        except WorkerLostError:
            raise ActcliError(f"a worker process {self._cause()}", self._hint) from None

    def close(self) -> None:
        """Kill the other workers; all results lie in shared memory."""
        self._barrier.close()
        self._phases = ()  # releases the arrays that they refer to
        while self._pids:
            pid = self._pids.pop()
            # Where SIGCHLD is ignored, the system reaps the process and `waitpid` fails.
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _fork(self, ends: Ends) -> None:
        """Start the other workers with all signals blocked: signals are for rank 0."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            for rank in sorted({owner for owner, _ in ends} - {0}):
                if pid := os.fork():
                    self._pids.append(pid)
                else:
                    _serve(rank, ends, self._phases)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _cause(self) -> str:
        """End the workers, and return how the lost one ended, in words."""
        self._barrier.close()
        codes = []
        while self._pids:
            with contextlib.suppress(ChildProcessError):
                codes.append(os.waitstatus_to_exitcode(os.waitpid(self._pids.pop(), 0)[1]))
        signals = [-code for code in codes if code < 0]
        return f"was killed by signal {signals[0]}" if signals else "has failed"


class Barrier:
    """One worker's side of the barrier: a socket to each other worker.

    Args:
        ends: the sockets of all workers; those of other workers are closed in this process.
        rank: the rank of this worker.
    """

    def __init__(self, ends: Ends, rank: int) -> None:
        self._sockets = [end for (owner, _), end in ends.items() if owner == rank]
        for (owner, _), end in ends.items():
            if owner == rank:
                end.setblocking(False)
            else:
                end.close()
        self.files = [end.fileno() for end in self._sockets]
        self._spins = MAX_SPINS

    def wait(self) -> None:
        """Wait until all workers have reached the barrier.

        Raises:
            WorkerLostError: another worker has ended.
        """
        try:
            for file in self.files:
                os.write(file, b"\0")
            for file in self.files:
                if not self._read(file):
                    raise WorkerLostError
        except ConnectionError:
            raise WorkerLostError from None

    def _read(self, file: int) -> bytes:
        """Return a byte from another worker, or b"" if that worker has ended."""
        for _ in range(self._spins):
            try:
                byte = os.read(file, 1)
            except BlockingIOError:
                continue
            self._spins = min(MAX_SPINS, 2 * self._spins)
            return byte
        self._spins = max(MIN_SPINS, self._spins // 2)
        poll = select.poll()
        poll.register(file, select.POLLIN)
        poll.poll()
        return os.read(file, 1)

    def close(self) -> None:
        """Close the sockets; the other workers notice and end."""
        for end in self._sockets:
            end.close()


def _serve(rank: int, ends: Ends, phases: Sequence[Phase]) -> NoReturn:
    """Go through the phases in a forked worker, until another worker ends."""
    status = 1
    try:
        gc.freeze()  # only the parent may finalize objects that it created
        barrier = Barrier(ends, rank)
        _close_other_files(barrier.files)
        while True:
            barrier.wait()
            result = None
            for phase in phases:
                result = phase(rank, result)
                barrier.wait()
    except WorkerLostError:
        status = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())  # sys.stderr may be a terminal's live view
    finally:
        os._exit(status)


def _close_other_files(kept: Sequence[int]) -> None:
    """Close all files except `kept` and stderr, and connect stdin and stdout to the null device.

    A lock or the end of a pipe is released only when every process that holds it has closed it.
    """
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    for file in {int(entry.name) for entry in Path("/proc/self/fd").iterdir()} - {0, 1, 2, *kept}:
        with contextlib.suppress(OSError):  # the descriptor that listed /proc is closed already
            os.close(file)
