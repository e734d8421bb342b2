"""Training on the workers of a Dask cluster. No other module imports Dask.

Each data set is the result of one Dask task, on which all jobs depend. Dask therefore copies it to
each worker once, from worker to worker, also to workers that join later, and computes it again if
all copies are lost. Dask reassigns the jobs of a worker that dies. When the client disconnects,
for any reason, the scheduler makes the workers stop and release the data.
"""

import asyncio
import contextlib
import logging
import secrets
import threading
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from typing import Any

from distributed import Client, WorkerPlugin
from distributed.diagnostics.plugin import SchedulerPlugin

from actcli.datasets.raw import RawDataset, Source
from actcli.errors import ActcliError
from actcli.machine import BLAS_THREAD_VARIABLES
from actcli.sweep.engine import MessageQueue
from actcli.sweep.plan import Job
from actcli.sweep.work import WORKERS, JobProgress

CONNECT_TIMEOUT = "5s"
LATE_SECONDS = 1.0  # in which the last progress of a stopped worker arrives at the scheduler
# These loggers report a lost connection in many lines; one error message replaces them.
NOISY_LOGGERS = ("distributed", "distributed.client", "tornado.application", "asyncio")


class Cluster:
    """The workers of a Dask cluster.

    Args:
        address: the address of its scheduler, such as tcp://host:8786.
    """

    def __init__(self, address: str) -> None:
        self.token = secrets.token_hex(4)
        self.address = address
        self.data: Mapping[Source, RawDataset] = {}
        self._datasets: dict[Source, Any] = {}  # futures of Dask

    def set_data(self, data: Mapping[Source, RawDataset]) -> None:
        """Store the data sets, which `start` sends to the workers."""
        self.data = data

    @contextlib.contextmanager
    def start(self, messages: MessageQueue) -> Iterator[Executor]:
        """Connect and send the data to the workers; on exit, cancel the unfinished jobs.

        Raises:
            ActcliError: no scheduler answers at the address, or a worker has several threads.
        """
        for name in NOISY_LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            client = Client(self.address, timeout=CONNECT_TIMEOUT)
        except (OSError, ValueError, TypeError) as error:
            raise ActcliError(f"no scheduler answers at {self.address}: {error}") from error
        with client:
            for worker, threads in client.nthreads().items():
                if fault := fault_of_threads(worker, threads, self.address):
                    raise fault
            client.subscribe_topic(
                self.token, lambda event: messages.put(JobProgress(**event[1]["report"]))
            )
            client.register_plugin(ClientWatch(self.token, client.id), name=self.token)
            client.register_plugin(SweepWorker(self.token, self.address), name=self.token)
            with warnings.catch_warnings():  # the task holds the data, so it is large
                warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
                for number, (source, raw) in enumerate(self.data.items()):
                    self._datasets[source] = client.submit(
                        _identity, raw, key=f"{self.token}-{number}"
                    )
            executor = client.get_executor(pure=False)
            try:
                yield executor
            finally:
                executor.shutdown(wait=False)
                self._datasets.clear()

    def task(self, job: Job) -> tuple[Any, ...]:
        """Return the arguments of `work.train`; Dask replaces the future by the data set."""
        return self.token, job.name, job.config, self._datasets[job.config.data.source]

    def close(self) -> None:
        """Do nothing: the cluster belongs to its user."""


def fault_of_threads(worker: str, threads: int, scheduler: str) -> ActcliError | None:
    """Return an error if a worker has several threads: they would train several jobs at once.

    Args:
        worker: the address of the worker.
        threads: the number of its threads.
        scheduler: the address of the scheduler.
    """
    if threads == 1:
        return None
    return ActcliError(
        f"the Dask worker {worker} has {threads} threads, which slow each other down",
        f"Start it with: {BLAS_THREAD_VARIABLES[0]}=1 dask worker {scheduler} --nthreads 1",
    )


def _identity(raw: RawDataset) -> RawDataset:
    return raw


class SweepWorker(WorkerPlugin):
    """Makes each Dask worker, present or future, a worker of the sweep."""

    def __init__(self, token: str, scheduler: str) -> None:
        self.token = token
        self.scheduler = scheduler

    def setup(self, worker: Any) -> None:
        """Register the sweep in the worker's process, with its channel to the client."""
        from actcli.sweep.worker import Worker

        self.stopping = threading.Event()

        def report(progress: JobProgress) -> None:
            if not self.stopping.is_set():
                worker.loop.add_callback(worker.log_event, self.token, {"report": vars(progress)})

        # The client refuses the workers of its start; this one may join later.
        fault = fault_of_threads(worker.address, worker.state.nthreads, self.scheduler)
        WORKERS[self.token] = Worker({}, report, self.stopping.is_set, fault)

    def teardown(self, worker: Any) -> None:
        """Stop the running job and release the data."""
        self.stopping.set()
        WORKERS.pop(self.token, None)


class ClientWatch(SchedulerPlugin):
    """Stops the workers of a sweep when its client disconnects."""

    def __init__(self, token: str, client: str) -> None:
        self.token = token
        self.client = client

    def remove_client(self, scheduler: Any, client: str) -> None:
        """Remove the plugins of the sweep when its client disconnects."""
        if client == self.client:
            scheduler.remove_plugin(name=self.token)
            scheduler.loop.add_callback(self._end, scheduler)

    async def _end(self, scheduler: Any) -> None:
        """Stop the workers, and then remove the topic of their progress.

        Dask would keep the topic as long as the scheduler runs, and has no call that removes one.
        """
        await scheduler.unregister_worker_plugin(None, self.token)
        await asyncio.sleep(LATE_SECONDS)
        # Versions of Dask before 2024.5 have no broker.
        is_new = hasattr(scheduler, "_broker")
        topics = scheduler._broker._topics if is_new else scheduler.events
        topics.pop(self.token, None)
