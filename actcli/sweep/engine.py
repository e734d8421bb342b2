"""Jobs on an executor of `concurrent.futures`, whose workers are given the data once.

`processes` has those of this machine, `cluster` those of Dask. What differs is how they are started
and how they are told to stop. Where one dies, Dask gives its jobs to others by itself; a pool of
processes is broken then, and a new one gets what it has left.
"""

import contextlib
import queue
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from typing import Any, Protocol

from actcli.datasets.dataset import RawDataset
from actcli.errors import ActcliError
from actcli.sweep.plan import Job
from actcli.sweep.work import Files, Report, StoppedError, train

DEATHS = 3  # of processes, one after another without a job that had begun
TICK = 0.1  # seconds from one look for a signal to the next


@dataclass(frozen=True)
class JobDone:
    """A job came to its end."""

    job: Job
    files: Files | None  # of its run
    error: str | None  # why there are none


Event = Report | JobDone
Inbox = queue.SimpleQueue[Any]


class Engine(Protocol):
    """What trains jobs."""

    def give(self, data: Mapping[str, RawDataset]) -> None:
        """Have the workers know these data, by their name in the configuration, before any job."""

    def start(self, inbox: Inbox) -> contextlib.AbstractContextManager[Executor]:
        """Workers; reports of theirs go to the inbox. At the end none of them is left at work."""

    def task(self, job: Job) -> tuple[Any, ...]:
        """What one of them is to call `work.train` with."""

    def close(self) -> None:
        """No more of them are needed."""


def train_all(
    jobs: Sequence[Job], engine: Engine, stopped: Callable[[], bool]
) -> Generator[Event, None, None]:
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
            yield JobDone(begun[0], None, "the process that trained it died")
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


def _outcome(job: Job, future: "Future[Files]") -> JobDone:
    error = future.exception()
    if error is None:
        return JobDone(job, future.result(), None)
    if isinstance(error, MemoryError):
        return JobDone(job, None, f"not enough memory: {error}")
    known = isinstance(error, ActcliError)
    return JobDone(job, None, str(error) if known else f"{type(error).__name__}: {error}")
