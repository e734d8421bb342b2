"""Processes of this machine, as an executor: spawned, and ended with the one that started them."""

import contextlib
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from multiprocessing import active_children, get_context, parent_process
from types import FrameType
from typing import Any, TypeVar

from actcli.datasets.dataset import RawDataset
from actcli.errors import ActcliError
from actcli.sweep.engine import Inbox
from actcli.sweep.lending import SharedData
from actcli.sweep.plan import Job
from actcli.sweep.work import WORKERS

T = TypeVar("T")

NO_ROOM = "no room for the data of the sweep"
NO_PROCESS = "no process can be started"


class Processes:
    """Processes on this machine. They begin to start at once, while the data are still read.

    Args:
        count: of the processes; none, where there is no job.

    Raises:
        ActcliError: they cannot be started, or there is no room for any data.
    """

    def __init__(self, count: int) -> None:
        self.token = secrets.token_hex(4)
        self.count = count
        with _told(NO_ROOM):
            self._lent = SharedData()
        self._early = Crew(count, self.token, self._lent) if count else None
        if self._early:
            try:
                self._early.begin()
            except ActcliError:
                self.close()
                raise

    def give(self, data: Mapping[str, RawDataset]) -> None:
        """Lend the data.

        Raises:
            ActcliError: there is no room for them.
        """
        with _told(NO_ROOM):
            self._lent.fill(data)

    @contextlib.contextmanager
    def start(self, inbox: Inbox) -> Iterator[Executor]:
        """Those that have begun to start, or new ones; leaving the block stops them after the step
        that each is at, or at once if it is left by an exception, such as a second Ctrl-C."""
        crew = self._early or Crew(self.count, self.token, self._lent)
        self._early = None
        listener = threading.Thread(target=_listen, args=(crew.reports, inbox), daemon=True)
        listener.start()
        try:
            yield crew.executor
            crew.close()
        except BaseException:
            crew.abandon()
            raise
        finally:
            crew.end_reports()
            listener.join()

    def task(self, job: Job) -> tuple[Any, ...]:
        """The data are lent, and not sent with a job."""
        return self.token, job.name, job.config

    def close(self) -> None:
        """Stop those that were not needed, and lend nothing more."""
        try:
            if self._early:
                self._early.abandon()
        finally:
            self._lent.close()


class Crew:
    """Processes that are started together, and how they and this one tell each other things.

    Raises:
        ActcliError: they cannot be started.
    """

    def __init__(self, count: int, token: str, lent: SharedData) -> None:
        context = get_context("spawn")
        self.count = count
        self._others = set(active_children())
        with _told(NO_PROCESS):
            self.reports, self._writer = context.Pipe(duplex=False)
            self._stop = context.RawValue("b", 0)  # without a lock, which a dead process would keep
            given: Any = (token, lent, self._writer, self._stop)
            self.executor = Pool(count, context, initializer=_begin, initargs=given)

    def begin(self) -> None:
        """Start all of them before there is a job; otherwise each job starts one if none is idle.

        Raises:
            ActcliError: they cannot be started.
        """
        with contextlib.suppress(BrokenExecutor):  # so early; whoever gives them a job is told so
            for _ in range(self.count):
                self.executor.submit(os.getpid)

    def close(self) -> None:
        """Stop them, each after the step that it is at."""
        self._stop.value = 1
        with _instead_of_signals(self._kill):
            self.executor.shutdown(cancel_futures=True)

    def abandon(self) -> None:
        """Stop them wherever they are."""
        with _instead_of_signals(self._kill):
            self._kill()
            self.executor.shutdown(cancel_futures=True)

    def _kill(self) -> None:
        for child in set(active_children()) - self._others:
            child.kill()

    def end_reports(self) -> None:
        """Tell who reads the reports that there are no more."""
        self._writer.send(None)


class Pool(ProcessPoolExecutor):
    """Processes that Ctrl-C does not reach, not even before they can ignore it."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Give away a job. A process that is started for it gets the signals blocked that are.

        Raises:
            ActcliError: it cannot be started.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with _told(NO_PROCESS):
                return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _instead_of_signals(act: Callable[[], None]) -> Iterator[None]:
    """Have SIGINT and SIGTERM do this at once, and what they do otherwise only at the end.

    They must not break the block off: a pool that is half closed waits for ever.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield
        return
    received = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        act()

    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    for each, handler in handlers.items():
        if handler != signal.SIG_IGN:  # as nohup and a shell's background jobs have
            signal.signal(each, note)
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        for number in received:
            signal.raise_signal(number)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ActcliError(f"{what}: {error.strerror}") from error


def _listen(reader: Any, inbox: Inbox) -> None:
    while (report := reader.recv()) is not None:
        inbox.put(report)


def _begin(token: str, data: Mapping[str, RawDataset], writer: Any, stop: Any) -> None:
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
