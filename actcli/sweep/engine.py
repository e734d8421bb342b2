"""Training jobs on an executor of `concurrent.futures`, whose workers receive the data once.

`processes` provides worker processes of this machine, `cluster` the workers of Dask. They differ in
how workers start and stop. When a worker dies, Dask reassigns its jobs by itself; a pool of
processes is broken, and a new pool receives the remaining jobs.
"""

import contextlib
import queue
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from typing import Any, Protocol

from actcli.datasets.raw import RawDataset, Source
from actcli.errors import ActcliError
from actcli.sweep.plan import Job
from actcli.sweep.work import Files, JobProgress, StoppedError, train

MAX_FAILED_STARTS = 3  # pools in a row that break before any job begins
POLL_SECONDS = 0.1  # between two checks for a signal


@dataclass(frozen=True)
class JobDone:
    """The end of a job.

    Args:
        job: the job.
        files: the files of its run by name; None if the job failed.
        error: why the job failed; None otherwise.
    """

    job: Job
    files: Files | None
    error: str | None


Event = JobProgress | JobDone
MessageQueue = queue.SimpleQueue[Any]  # JobProgress, finished futures


class Engine(Protocol):
    """A set of workers: processes of this machine, or a Dask cluster."""

    def set_data(self, data: Mapping[Source, RawDataset]) -> None:
        """Make data sets, by their name in the configuration, available to all workers."""

    def start(self, messages: MessageQueue) -> contextlib.AbstractContextManager[Executor]:
        """Start the workers, whose progress goes to `messages`; on exit, stop all of them."""

    def task(self, job: Job) -> tuple[Any, ...]:
        """Return the arguments with which a worker calls `work.train`."""

    def close(self) -> None:
        """Release the workers and the data."""


def train_all(
    jobs: Sequence[Job], engine: Engine, stopped: Callable[[], bool]
) -> Generator[Event, None, None]:
    """Train jobs and yield each event as it happens.

    When a process dies, any job that was running may be the cause. The other jobs continue first;
    then each suspect is trained alone, and fails only if its process dies again.

    Args:
        jobs: jobs with a valid configuration.
        engine: the workers.
        stopped: polled; once it returns True, the remaining jobs are not trained.

    Raises:
        ActcliError: the workers are lost.
    """
    waiting, suspects, failed_starts = list(jobs), list[Job](), 0
    while (waiting or suspects) and not stopped():
        alone = not waiting
        submission = Submission(waiting or [suspects.pop()])
        yield from submission.train(engine, stopped)
        begun = [job for job in submission.lost if job.name in submission.begun]
        if begun and alone:
            yield JobDone(begun[0], None, "the process that trained it died")
            waiting = []
            continue
        suspects += begun
        waiting = [job for job in submission.lost if job.name not in submission.begun]
        failed_starts = failed_starts + 1 if waiting and not begun else 0
        if failed_starts == MAX_FAILED_STARTS:
            raise ActcliError("processes cannot be started here: they die before any job begins")


class Submission:
    """Jobs submitted to one executor.

    Args:
        jobs: the jobs in the order of submission.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs
        self.begun: set[str] = set()  # names of jobs
        self.lost: list[Job] = []  # because a process died
        self._messages: MessageQueue = queue.SimpleQueue()
        self._futures: dict[Future[Files], Job] = {}

    def train(self, engine: Engine, stopped: Callable[[], bool]) -> Iterator[Event]:
        """Yield the events of the jobs until all are done or lost, or `stopped` returns True."""
        with engine.start(self._messages) as executor:
            self._submit(executor, engine)
            while self._futures and not stopped():
                with contextlib.suppress(queue.Empty):
                    yield from self._read(self._messages.get(timeout=POLL_SECONDS))
        # Progress and results sent before a process died may still be in the queue.
        with contextlib.suppress(queue.Empty):
            while True:
                message = self._messages.get_nowait()
                if isinstance(message, JobProgress) or not message.cancelled():
                    yield from self._read(message)

    def _submit(self, executor: Executor, engine: Engine) -> None:
        for number, job in enumerate(self.jobs):
            try:
                future = executor.submit(train, *engine.task(job))
            except BrokenExecutor:
                self.lost += self.jobs[number:]
                return
            self._futures[future] = job
            future.add_done_callback(self._messages.put)

    def _read(self, message: "JobProgress | Future[Files]") -> Iterator[Event]:
        if isinstance(message, JobProgress):
            self.begun.add(message.job)
            yield message
            return
        job = self._futures.pop(message)
        if message.cancelled():
            raise ActcliError(
                "the workers are lost", "Finished runs are kept; the same command resumes the sweep"
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
    message = str(error) if isinstance(error, ActcliError) else f"{type(error).__name__}: {error}"
    return JobDone(job, None, message)
