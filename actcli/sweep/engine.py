"""Jobs on an executor of `concurrent.futures`, whose workers are given the data once.

Here are the processes of this machine; `cluster` has the workers of Dask. What differs is how they
are started, how they are told to stop, and what becomes of the jobs of one that died: Dask sends
them to others by itself, here new processes are started for them.
"""

import contextlib
import os
import queue
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import Any, Protocol, TypeVar

from actcli.datasets.dataset import Raw
from actcli.errors import ActcliError
from actcli.sweep.lending import Lent
from actcli.sweep.plan import Job
from actcli.sweep.work import WORKERS, Files, Report, StoppedError, train

T = TypeVar("T")

DEATHS = 3  # of processes, one after another without a job that had begun
TICK = 0.1  # seconds from one look for a signal to the next


@dataclass(frozen=True)
class Done:
    """A job came to its end."""

    job: Job
    files: Files | None  # of its run
    error: str | None  # why there are none


Event = Report | Done
Inbox = queue.SimpleQueue[Any]


class Engine(Protocol):
    """What trains jobs."""

    def give(self, data: Mapping[str, Raw]) -> None:
        """Have the workers know these data, by their name in the configuration, before any job."""

    def start(self, inbox: Inbox) -> contextlib.AbstractContextManager[Executor]:
        """Workers; reports of theirs go to the inbox. At the end none of them is left at work."""

    def task(self, job: Job) -> tuple[Any, ...]:
        """What one of them is to call `work.train` with."""

    def close(self) -> None:
        """No more of them are needed."""


def train_all(jobs: Sequence[Job], engine: Engine, stopped: Callable[[], bool]) -> Iterator[Event]:
    """Train jobs, and tell of each event as it happens.

    Where a process dies, nobody can tell which of the jobs that were being trained killed it. The
    rest goes on; then each of these has processes of its own, and only one that dies alone failed.

    Args:
        jobs: those that can be trained.
        engine: where.
        stopped: asked now and then whether to leave the rest undone.

    Raises:
        ActcliError: the workers are lost.
    """
    waiting, suspects, deaths = list(jobs), list[Job](), 0
    while (waiting or suspects) and not stopped():
        alone = not waiting
        batch = Batch(waiting or [suspects.pop()])
        yield from batch.train(engine, stopped)
        begun = [job for job in batch.lost if job.name in batch.begun]
        if begun and alone:
            yield Done(begun[0], None, "the process that trained it died")
            waiting = []
            continue
        suspects += begun
        waiting = [job for job in batch.lost if job.name not in batch.begun]
        deaths = deaths + 1 if waiting and not begun else 0
        if deaths == DEATHS:
            raise ActcliError("processes cannot be started here: they die before any job begins")


class Batch:
    """Jobs that are given to workers together.

    Args:
        jobs: the first is given first.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs
        self.begun: set[str] = set()  # by name
        self.lost: list[Job] = []  # since a process died
        self._inbox: Inbox = queue.SimpleQueue()
        self._futures: dict[Future[Files], Job] = {}

    def train(self, engine: Engine, stopped: Callable[[], bool]) -> Iterator[Event]:
        """Until all are done or lost, or until they are to be left."""
        with engine.start(self._inbox) as executor:
            self._submit(executor, engine)
            while self._futures and not stopped():
                with contextlib.suppress(queue.Empty):
                    yield from self._read(self._inbox.get(timeout=TICK))
        # Reports of processes that died may still have been on their way, and so may be results.
        with contextlib.suppress(queue.Empty):
            while True:
                message = self._inbox.get_nowait()
                if isinstance(message, Report) or not message.cancelled():
                    yield from self._read(message)

    def _submit(self, executor: Executor, engine: Engine) -> None:
        for number, job in enumerate(self.jobs):
            try:
                future = executor.submit(train, *engine.task(job))
            except BrokenExecutor:
                self.lost += self.jobs[number:]
                return
            self._futures[future] = job
            future.add_done_callback(self._inbox.put)

    def _read(self, message: "Report | Future[Files]") -> Iterator[Event]:
        if isinstance(message, Report):
            self.begun.add(message.job)
            yield message
            return
        job = self._futures.pop(message)
        if message.cancelled():
            raise ActcliError(
                "the workers are lost", "What is finished is kept; the same command goes on"
            )
        if isinstance(message.exception(), BrokenExecutor):
            self.lost.append(job)
        elif not isinstance(message.exception(), StoppedError):
            yield _outcome(job, message)


def _outcome(job: Job, future: "Future[Files]") -> Done:
    error = future.exception()
    if error is None:
        return Done(job, future.result(), None)
    if isinstance(error, MemoryError):
        return Done(job, None, f"not enough memory: {error}")
    known = isinstance(error, ActcliError)
    return Done(job, None, str(error) if known else f"{type(error).__name__}: {error}")


class Processes:
    """Processes on this machine. They begin to start at once, while the data are still read.

    Args:
        count: of the processes; none, where there is no job.

    Raises:
        ActcliError: there is no room for any data.
    """

    def __init__(self, count: int) -> None:
        self.token = secrets.token_hex(4)
        self.count = count
        with _told():
            self._lent = Lent()
        self._early = Crew(count, self.token, self._lent) if count else None

    def give(self, data: Mapping[str, Raw]) -> None:
        """Lend the data.

        Raises:
            ActcliError: there is no room for them.
        """
        with _told():
            self._lent.fill(data)

    @contextlib.contextmanager
    def start(self, inbox: Inbox) -> Iterator[Executor]:
        """Those that have begun to start, or new ones; leaving the block stops them after the step
        that each is at."""
        crew = self._early or Crew(self.count, self.token, self._lent)
        self._early = None
        listener = threading.Thread(target=_listen, args=(crew.reports, inbox), daemon=True)
        listener.start()
        try:
            yield crew.executor
        finally:
            crew.close()
            listener.join()

    def task(self, job: Job) -> tuple[Any, ...]:
        """They have the data, or are about to."""
        return self.token, job.name, job.config

    def close(self) -> None:
        """Stop those that were not needed, and lend nothing more."""
        if self._early:
            self._early.close()
        self._lent.close()


class Crew:
    """Processes that were started together, and how they and this one tell each other things."""

    def __init__(self, count: int, token: str, lent: Lent) -> None:
        context = get_context("spawn")
        self.reports, self._writer = context.Pipe(duplex=False)
        self._stop = context.RawValue("b", 0)  # without a lock, which a dead process would keep
        given: Any = (token, lent, self._writer, self._stop)
        self.executor = Pool(count, context, initializer=_begin, initargs=given)
        with contextlib.suppress(BrokenExecutor):  # whoever gives them a job is told so
            self.executor.submit(os.getpid)  # the first job, whatever it is, starts them

    def close(self) -> None:
        """Stop them, and tell so to who reads the reports."""
        self._stop.value = 1
        self.executor.shutdown(cancel_futures=True)
        self._writer.send(None)


class Pool(ProcessPoolExecutor):
    """Processes that Ctrl-C does not reach, not even before they can ignore it."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Give away a job. A process that is started for it gets the signals blocked that are."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ActcliError(f"no room for the data of the sweep: {error.strerror}") from error


def _listen(reader: Any, inbox: Inbox) -> None:
    while (report := reader.recv()) is not None:
        inbox.put(report)


def _begin(token: str, data: Mapping[str, Raw], writer: Any, stop: Any) -> None:
    """Make this process a worker. Ctrl-C is its parent's affair, and it ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from actcli.sweep.worker import Worker  # which takes a while, and is for workers alone

    # A message of this length is written at once: those of several processes do not mix.
    WORKERS[token] = Worker(data, writer.send, lambda: bool(stop.value))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
