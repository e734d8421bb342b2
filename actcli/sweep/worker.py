"""A worker: trains one job after another in memory and returns the files of each run as bytes.

A worker writes no file, so it can run on any machine. It receives the raw data before or with its
first job; each job's configuration defines how they are split.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from actcli.config.resolved import ResolvedConfig, ResolvedData
from actcli.datasets.dataset import Dataset
from actcli.datasets.raw import RawDataset, Source
from actcli.errors import ActcliError, DivergedError
from actcli.machine import BLAS_THREAD_VARIABLES, is_blas_pinned
from actcli.store.folder import MemoryFolder
from actcli.store.start import begin
from actcli.sweep.work import Files, JobProgress, StoppedError
from actcli.training.build import split_dataset
from actcli.training.events import EpochDone
from actcli.training.learner import Learner

MAX_CACHED_SPLITS = 4


class Worker:
    """The state that a worker process keeps from job to job.

    Args:
        data: raw data sets by their source in the configuration; `add_data` adds more.
        report: called at the start of a job and after each epoch.
        stopped: called after each step; True stops the job.
        fault: why this worker trains no job; None otherwise.
    """

    def __init__(
        self,
        data: Mapping[Source, RawDataset],
        report: Callable[[JobProgress], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
        fault: ActcliError | None = None,
    ) -> None:
        self.data = data
        self.more: dict[Source, RawDataset] = {}
        self.report = report
        self.stopped = stopped
        self.fault = fault
        self._splits: dict[ResolvedData, tuple[ResolvedData, Dataset]] = {}

    def add_data(self, source: Source, raw: RawDataset) -> None:
        """Add a data set."""
        self.more[source] = raw

    def _split(self, config: ResolvedData) -> tuple[ResolvedData, Dataset]:
        # functools.cache on a method would refer to this object and so keep the data alive.
        if config not in self._splits:
            raw = self.more.get(config.source) or self.data[config.source]
            if len(self._splits) == MAX_CACHED_SPLITS:
                del self._splits[next(iter(self._splits))]
            self._splits[config] = split_dataset(config, raw)
        return self._splits[config]

    def train(self, name: str, config: ResolvedConfig) -> Files:
        """Train a job and return the files of its run by name.

        Raises:
            ActcliError: the job cannot be trained.
        """
        self.report(JobProgress(name, 0, config.training.epochs, None))
        if self.fault:
            raise self.fault
        if not is_blas_pinned():
            raise ActcliError(
                "the worker's BLAS would use several threads, which changes the results",
                f"Start it with {BLAS_THREAD_VARIABLES[0]}=1",
            )
        data, dataset = self._split(config.data)
        learner = Learner(replace(config, data=data), dataset)
        if learner.config.training.epochs != config.training.epochs:  # chosen by the data
            config = learner.config
            self.report(JobProgress(name, 0, config.training.epochs, None))
        storage = MemoryFolder(Path(name))
        run = begin(learner, storage)
        try:
            for event in run.train():
                if self.stopped():
                    raise StoppedError("stopped")
                if isinstance(event, EpochDone):
                    accuracy = (event.validation or event.train).accuracy
                    self.report(JobProgress(name, event.epoch, config.training.epochs, accuracy))
        except DivergedError:
            return storage.files  # result.json records the divergence
        run.finish(evaluate_training_rows=False)
        return storage.files
