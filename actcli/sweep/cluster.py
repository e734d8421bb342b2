"""The workers of a Dask cluster, as an executor. Only here is Dask imported.

The data are the result of a task of their own, which all jobs need: so Dask brings them to each
worker once, from one to the next, to those that join later, too, and anew if all that had them are
lost. A worker that dies is Dask's affair, which gives its jobs to others. When the client has gone,
however it went, the scheduler has the workers stop and forget the data.
"""

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

from actcli.datasets.dataset import RawDataset
from actcli.errors import ActcliError
from actcli.sweep.engine import Inbox
from actcli.sweep.plan import Job
from actcli.sweep.work import WORKERS, Report

TIMEOUT = "5s"  # to find the scheduler
# What these tell of a connection that was lost, in many lines, is told here in one.
TALKATIVE = ("distributed", "distributed.client", "tornado.application", "asyncio")


class Cluster:
    """The workers of a Dask cluster.

    Args:
        address: of its scheduler: tcp://host:8786.
    """

    def __init__(self, address: str) -> None:
        self.token = secrets.token_hex(4)
        self.address = address
        self.data: Mapping[str, RawDataset] = {}
        self._sent: dict[str, Any] = {}  # futures of Dask

    def give(self, data: Mapping[str, RawDataset]) -> None:
        """Keep the data until there are workers to send them to."""
        self.data = data

    @contextlib.contextmanager
    def start(self, inbox: Inbox) -> Iterator[Executor]:
        """Send the data to the workers; leaving the block cancels what is not done.

        Raises:
            ActcliError: there is no scheduler.
        """
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            client = Client(self.address, timeout=TIMEOUT)
        except (OSError, ValueError, TypeError) as error:
            raise ActcliError(f"there is no scheduler at {self.address}: {error}") from error
        with client:
            client.subscribe_topic(
                self.token, lambda event: inbox.put(Report(**event[1]["report"]))
            )
            client.register_plugin(Farewell(self.token, client.id), name=self.token)
            client.register_plugin(Presence(self.token), name=self.token)
            with warnings.catch_warnings():  # the task of the data is large, and is meant to be
                warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
                for number, (name, raw) in enumerate(self.data.items()):
                    self._sent[name] = client.submit(_given, raw, key=f"{self.token}-{number}")
            executor = client.get_executor(pure=False)
            try:
                yield executor
            finally:
                executor.shutdown(wait=False)
                self._sent.clear()

    def task(self, job: Job) -> tuple[Any, ...]:
        """The data come with the job, where the worker does not have them."""
        return self.token, job.name, job.config, self._sent[job.config.data.name]

    def close(self) -> None:
        """The workers are nobody's here."""


def _given(raw: RawDataset) -> RawDataset:
    return raw


class Presence(WorkerPlugin):
    """What makes a worker of Dask one of a sweep."""

    def __init__(self, token: str) -> None:
        self.token = token

    def setup(self, worker: Any) -> None:
        """Have a worker know whom to tell how far it is."""
        from actcli.sweep.worker import Worker

        self.left = threading.Event()

        def report(told: Report) -> None:
            worker.loop.add_callback(worker.log_event, self.token, {"report": vars(told)})

        WORKERS[self.token] = Worker({}, report, self.left.is_set)

    def teardown(self, worker: Any) -> None:
        """Have it stop, and forget the data."""
        self.left.set()
        WORKERS.pop(self.token, None)


class Farewell(SchedulerPlugin):
    """What tells the workers that the client of a sweep has gone."""

    def __init__(self, token: str, client: str) -> None:
        self.token = token
        self.client = client

    def remove_client(self, scheduler: Any, client: str) -> None:
        """Called by the scheduler, of each client."""
        if client == self.client:
            scheduler.remove_plugin(name=self.token)
            scheduler.loop.add_callback(scheduler.unregister_worker_plugin, None, self.token)
