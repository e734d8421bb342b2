"""Worker processes of this machine, spawned, which end when their parent ends."""

import contextlib
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from multiprocessing import active_children, get_context, parent_process, resource_tracker
from types import FrameType
from typing import Any, TypeVar

from actcli.datasets.raw import RawDataset, Source
from actcli.errors import ActcliError
from actcli.sweep.engine import MessageQueue
from actcli.sweep.plan import Job
from actcli.sweep.shared_data import SharedData
from actcli.sweep.work import WORKERS

T = TypeVar("T")

NO_ROOM = "not enough memory for the data of the sweep"
NO_PROCESS = "cannot start a worker process"
NO_WARNING_OF_SEMAPHORES = "ignore:resource_tracker:UserWarning"


class Processes:
    """Worker processes on this machine. They start at once, while the client still reads the data.

    Args:
        count: number of processes; 0 if no job is left.

    Raises:
        ActcliError: they cannot be started, or no memory can be reserved for the data.
    """

    def __init__(self, count: int) -> None:
        self.token = secrets.token_hex(4)
        self.count = count
        with _os_errors_as(NO_ROOM):
            self._data = SharedData()
        self._early = ProcessGroup(count, self.token, self._data) if count else None
        if self._early:
            try:
                self._early.begin()
            except ActcliError:
                self.close()
                raise

    def set_data(self, data: Mapping[Source, RawDataset]) -> None:
        """Write the data sets to the memory that the workers share.

        Raises:
            ActcliError: the memory is too small for them.
        """
        with _os_errors_as(NO_ROOM):
            self._data.fill(data)

    @contextlib.contextmanager
    def start(self, messages: MessageQueue) -> Iterator[Executor]:
        """Yield the executor of the processes started early, or of new ones.

        On exit each process stops after its current step; after an exception, such as a second
        Ctrl-C, at once.
        """
        group = self._early or ProcessGroup(self.count, self.token, self._data)
        self._early = None
        listener = threading.Thread(target=_listen, args=(group.progress, messages), daemon=True)
        listener.start()
        try:
            yield group.executor
            group.close()
        except BaseException:
            group.abandon()
            raise
        finally:
            group.end_progress()
            listener.join()

    def task(self, job: Job) -> tuple[Any, ...]:
        """Return the arguments of `work.train`; the data are shared, not sent."""
        return self.token, job.name, job.config

    def close(self) -> None:
        """Stop processes that no `start` has used, and release the data."""
        try:
            if self._early:
                self._early.abandon()
        finally:
            self._data.close()


class ProcessGroup:
    """Processes of one pool, with the pipe of their progress and the flag that stops them.

    Raises:
        ActcliError: they cannot be started.
    """

    def __init__(self, count: int, token: str, data: SharedData) -> None:
        context = get_context("spawn")
        self.count = count
        self._others = set(active_children())
        with _os_errors_as(NO_PROCESS):
            _start_resource_tracker()
            self.progress, self._writer = context.Pipe(duplex=False)
            self._stop = context.RawValue("b", 0)  # no lock: a process that dies would hold it
            arguments: Any = (token, data, self._writer, self._stop)
            self.executor = Pool(count, context, initializer=_begin, initargs=arguments)

    def begin(self) -> None:
        """Start all processes before the first job; a pool otherwise starts one per submission.

        Raises:
            ActcliError: they cannot be started.
        """
        with contextlib.suppress(BrokenExecutor):  # the first real submission reports it
            for _ in range(self.count):
                self.executor.submit(os.getpid)

    def close(self) -> None:
        """Stop each process after its current step."""
        self._stop.value = 1
        with _instead_of_signals(self._kill):
            self.executor.shutdown(cancel_futures=True)

    def abandon(self) -> None:
        """Kill all processes at once."""
        with _instead_of_signals(self._kill):
            self._kill()
            self.executor.shutdown(cancel_futures=True)

    def _kill(self) -> None:
        for child in set(active_children()) - self._others:
            child.kill()

    def end_progress(self) -> None:
        """Make the thread that reads the progress return."""
        self._writer.send(None)


class Pool(ProcessPoolExecutor):
    """A pool whose processes never receive Ctrl-C, not even while they start."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Submit a call. A process started for it inherits the blocked SIGINT.

        Raises:
            ActcliError: a process cannot be started.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with _os_errors_as(NO_PROCESS):
                return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _instead_of_signals(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` on SIGINT and SIGTERM, and deliver these signals only after the block.

    A signal must not interrupt the block: a half-closed pool would wait for ever.
    """
    if threading.current_thread() is not threading.main_thread():  # only it receives signals
        yield
        return
    received = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        act()

    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    for each, handler in handlers.items():
        if handler != signal.SIG_IGN:  # nohup and background jobs of a shell ignore SIGINT
            signal.signal(each, note)
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        for number in received:
            signal.raise_signal(number)


def _start_resource_tracker() -> None:
    """Start the process of Python that removes the semaphores of a client that was killed.

    It warns of each semaphore that it removes, and cannot be told otherwise once it runs. It starts
    with the options for warnings that this process has.
    """
    sys.warnoptions.append(NO_WARNING_OF_SEMAPHORES)
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove(NO_WARNING_OF_SEMAPHORES)


@contextlib.contextmanager
def _os_errors_as(message: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ActcliError(f"{message}: {error.strerror}") from error


def _listen(reader: Any, messages: MessageQueue) -> None:
    while (progress := reader.recv()) is not None:
        messages.put(progress)


def _begin(token: str, data: Mapping[Source, RawDataset], writer: Any, stop: Any) -> None:
    """Make this process a worker, which ignores Ctrl-C and ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from actcli.sweep.worker import Worker  # slow to import, needed by workers only

    # Messages are shorter than PIPE_BUF, so writes of several processes do not mix.
    WORKERS[token] = Worker(data, writer.send, lambda: bool(stop.value))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
