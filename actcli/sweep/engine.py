"""Jobs on an executor of `concurrent.futures`, whose workers were given the data once.

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
from typing import Any, Protocol

from actcli.datasets.dataset import Raw
from actcli.errors import ActcliError
from actcli.sweep.plan import Job
from actcli.sweep.work import WORKERS, Files, Report, Worker, train

DEATHS = 3  # of workers, one after another without a job done in between
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
    """What trains jobs.

    Args:
        token: what its workers know their data by.
    """

    token: str

    def start(self, inbox: Inbox) -> contextlib.AbstractContextManager[Executor]:
        """Workers; reports of theirs go to the inbox. At the end none of them is left at work."""


def train_all(jobs: Sequence[Job], engine: Engine, stopped: Callable[[], bool]) -> Iterator[Event]:
    """Train jobs, and tell of each event as it happens.

    Args:
        jobs: those that can be trained.
        engine: where.
        stopped: asked now and then whether to leave the rest undone.

    Raises:
        ActcliError: the workers are lost.
    """
    waiting, deaths = list(jobs), 0
    while waiting:
        inbox: Inbox = queue.SimpleQueue()
        lost: list[Job] = []
        with engine.start(inbox) as executor:
            futures = {
                executor.submit(train, engine.token, job.name, job.config): job for job in waiting
            }
            for future in futures:
                future.add_done_callback(inbox.put)
            while futures and not stopped():
                with contextlib.suppress(queue.Empty):
                    message = inbox.get(timeout=TICK)
                    if isinstance(message, Report):
                        yield message
                        continue
                    job = futures.pop(message)
                    if message.cancelled():
                        raise ActcliError("the workers are lost", "The same command goes on")
                    if isinstance(message.exception(), BrokenExecutor):
                        lost.append(job)
                        continue
                    deaths = 0
                    yield _outcome(job, message)
        if futures:
            return
        deaths, waiting = deaths + 1, lost
        if lost and deaths == DEATHS:
            yield from (Done(job, None, "the process that trained it died") for job in lost)
            return


def _outcome(job: Job, future: "Future[Files]") -> Done:
    error = future.exception()
    if error is None:
        return Done(job, future.result(), None)
    if isinstance(error, MemoryError):
        return Done(job, None, f"not enough memory: {error}")
    known = isinstance(error, ActcliError)
    return Done(job, None, str(error) if known else f"{type(error).__name__}: {error}")


class Processes:
    """Processes on this machine.

    Args:
        count: of the processes.
        data: the raw data sets, by their name in the configuration.
    """

    def __init__(self, count: int, data: Mapping[str, Raw]) -> None:
        self.token = secrets.token_hex(4)
        self.count = count
        self.data = data

    @contextlib.contextmanager
    def start(self, inbox: Inbox) -> Iterator[Executor]:
        """Start them; leaving the block stops them after the step that each is at."""
        context = get_context("spawn")
        reader, writer = context.Pipe(duplex=False)
        stop = context.RawValue("b", 0)  # without a lock, which a dead process would keep
        listener = threading.Thread(target=_listen, args=(reader, inbox), daemon=True)
        listener.start()
        executor = ProcessPoolExecutor(
            self.count, context, initializer=_begin, initargs=(self.token, self.data, writer, stop)
        )
        try:
            yield executor
        finally:
            stop.value = 1
            executor.shutdown(cancel_futures=True)
            writer.send(None)
            listener.join()


def _listen(reader: Any, inbox: Inbox) -> None:
    while (report := reader.recv()) is not None:
        inbox.put(report)


def _begin(token: str, data: Mapping[str, Raw], writer: Any, stop: Any) -> None:
    """Make this process a worker. Ctrl-C is its parent's affair, and it ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # A message of this length is written at once: those of several processes do not mix.
    WORKERS[token] = Worker(data, writer.send, lambda: bool(stop.value))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
