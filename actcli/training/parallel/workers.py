"""A team: processes that take their parts of one piece of work, and meet after each of its phases.

Threads would share one interpreter, and each of the hundred short calls of a step would have to
wait for it: of two cores they get a third less. So the members are forks of this process, and what
they change for each other lies in `shared` memory. They talk over sockets, which also tell when
somebody has ended, however that came: no member outlives the others by more than a phase.

Who arrives first asks for a while whether the others are there: a core that sleeps takes longer to
wake than most waits last. Where asking has not paid, as on a busy machine, it is given up sooner.
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

Phase = Callable[[int], None]  # takes the number of the member, from 0

MAX_SPINS = 256  # times to ask before sleeping, of some µs each
MIN_SPINS = 16

# Of the sockets between members, by who has the end and who is at the other.
Ends = dict[tuple[int, int], socket.socket]


class WorkerLostError(Exception):
    """Another member has ended."""


def shared_zeros(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros, of which all members of a team that is made later see what any of them writes.

    Raises:
        MemoryError: as NumPy does, where there is no room.
    """
    count, dtype = math.prod(shape), np.dtype(dtype)
    size = max(1, count * dtype.itemsize)
    try:
        memory = mmap.mmap(-1, size)
    except OSError as error:
        raise MemoryError(f"no {size} bytes to share") from error
    return np.frombuffer(memory, dtype, count).reshape(shape)


def run_on_workers(work: Phase, size: int) -> None:
    """Have so many members do their part of some work, once.

    Raises:
        ActcliError: a process has died, or cannot be started.
    """
    with contextlib.closing(WorkerGroup(size, (work,))) as team:
        team.run()


class WorkerGroup:
    """Members that go through the same phases again and again, until it is closed.

    Where a fork is not safe there is one member, who does the parts of all, one after another.

    Args:
        size: how many; the process that calls `run` is the first, and may be the only one.
        phases: of `run`. What they read must not have changed since, but in `shared` memory.
        hint: of the error if a process is lost.

    Raises:
        ActcliError: the processes cannot be started.
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
        self._meeting = Barrier(ends, 0)
        if failure:
            self.close()
            raise ActcliError(f"no process can be started: {failure.strerror}", hint)

    def run(self) -> None:
        """Have each member go through the phases; none begins one before all have done the last.

        Raises:
            ActcliError: a process has died. What the phases change is then anything.
        """
        try:
            self._meeting.attend()
            for phase in self._phases:
                for number in range(self.size if not self._pids else 1):
                    phase(number)
                self._meeting.attend()
        except WorkerLostError:
            raise ActcliError(
                f"a process that shares this work {self._cause()}", self._hint
            ) from None

    def close(self) -> None:
        """End the other members, wherever they are: nothing is theirs alone."""
        self._meeting.close()
        self._phases = ()  # what they refer to may end
        while self._pids:
            pid = self._pids.pop()
            # Where SIGCHLD is ignored there is nothing to wait for.
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _fork(self, ends: Ends) -> None:
        """Start the others, with all signals blocked: those are for the first."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            for number in sorted({owner for owner, _ in ends} - {0}):
                if pid := os.fork():
                    self._pids.append(pid)
                else:
                    _serve(number, ends, self._phases)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _cause(self) -> str:
        """Why one has ended; the others follow it."""
        self._meeting.close()
        codes = []
        while self._pids:
            with contextlib.suppress(ChildProcessError):
                codes.append(os.waitstatus_to_exitcode(os.waitpid(self._pids.pop(), 0)[1]))
        killed = [-code for code in codes if code < 0]
        return f"was killed by signal {killed[0]}" if killed else "has failed"


class Barrier:
    """Where a member meets the others: a socket to each.

    Args:
        ends: of all sockets; those of others are closed.
        number: of the member.
    """

    def __init__(self, ends: Ends, number: int) -> None:
        self._sockets = [end for (owner, _), end in ends.items() if owner == number]
        for (owner, _), end in ends.items():
            if owner == number:
                end.setblocking(False)
            else:
                end.close()
        self.files = [end.fileno() for end in self._sockets]
        self._patience = MAX_SPINS

    def attend(self) -> None:
        """Wait until all are here.

        Raises:
            GoneError: one never will be.
        """
        try:
            for file in self.files:
                os.write(file, b"\0")
            for file in self.files:
                if not self._ask(file):
                    raise WorkerLostError
        except ConnectionError:
            raise WorkerLostError from None

    def _ask(self, file: int) -> bytes:
        for _ in range(self._patience):
            try:
                arrived = os.read(file, 1)
            except BlockingIOError:
                continue
            self._patience = min(MAX_SPINS, 2 * self._patience)
            return arrived
        self._patience = max(MIN_SPINS, self._patience // 2)
        poll = select.poll()
        poll.register(file, select.POLLIN)
        poll.poll()
        return os.read(file, 1)

    def close(self) -> None:
        for end in self._sockets:
            end.close()


def _serve(number: int, ends: Ends, phases: Sequence[Phase]) -> NoReturn:
    """What a fork does instead of what its parent does, until somebody ends."""
    status = 1
    try:
        gc.freeze()  # what was the parent's to clean up stays so
        meeting = Barrier(ends, number)
        _let_go_of_files(meeting.files)
        while True:
            meeting.attend()
            for phase in phases:
                phase(number)
                meeting.attend()
    except WorkerLostError:
        status = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())  # sys.stderr may be a terminal's live view
    finally:
        os._exit(status)


def _let_go_of_files(kept: Sequence[int]) -> None:
    """Close all but these and stderr: a lock, or the end of a pipe, is given up by its last holder
    only."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for file in {int(each.name) for each in Path("/proc/self/fd").iterdir()} - {0, 1, 2, *kept}:
        with contextlib.suppress(OSError):  # that of the list itself
            os.close(file)
