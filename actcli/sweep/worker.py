"""What a worker does: trains one job in memory, and gives the files of its run as bytes.

It writes nothing, so that it may be anywhere. The data are there before its first job, or come with
it; a job then says only how they are split.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from actcli.config.resolved import ResolvedConfig, ResolvedData
from actcli.datasets.dataset import Dataset, RawDataset
from actcli.errors import ActcliError, DivergedError
from actcli.machine import BLAS_THREAD_VARIABLES, is_blas_pinned
from actcli.store.folder import MemoryFolder
from actcli.store.train import begin
from actcli.sweep.work import Files, Report, StoppedError
from actcli.training.build import split_dataset
from actcli.training.events import EpochDone
from actcli.training.learner import Learner

SPLITS = 4  # of the data that a worker keeps


class Worker:
    """What a process remembers from job to job.

    Args:
        data: raw data sets, by their name in the configuration; there may be more: see `learn_of`.
        report: told of each epoch.
        stopped: asked after each step.
    """

    def __init__(
        self,
        data: Mapping[str, RawDataset],
        report: Callable[[Report], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.data = data
        self.more: dict[str, RawDataset] = {}
        self.report = report
        self.stopped = stopped
        self._splits: dict[ResolvedData, tuple[ResolvedData, Dataset]] = {}

    def learn_of(self, name: str, raw: RawDataset) -> None:
        """Keep one more data set."""
        self.more[name] = raw

    def _split(self, chosen: ResolvedData) -> tuple[ResolvedData, Dataset]:
        # No cache of a method: it would refer to this object, and so keep the data for a while.
        if chosen not in self._splits:
            raw = self.more.get(chosen.name) or self.data[chosen.name]
            if len(self._splits) == SPLITS:
                del self._splits[next(iter(self._splits))]
            self._splits[chosen] = split_dataset(chosen, raw)
        return self._splits[chosen]

    def train(self, name: str, config: ResolvedConfig) -> Files:
        """The files of a run of that name.

        Raises:
            ActcliError: it cannot be trained.
        """
        self.report(Report(name, 0, config.training.epochs, None))
        if not is_blas_pinned():
            raise ActcliError(
                "a worker's BLAS would use several threads, and come to other last bits",
                f"Start it with {BLAS_THREAD_VARIABLES[0]}=1",
            )
        data, dataset = self._split(config.data)
        learner = Learner(replace(config, data=data), dataset)
        storage = MemoryFolder(Path(name))
        run = begin(learner, storage)
        try:
            for event in run.train():
                if self.stopped():
                    raise StoppedError("stopped")
                if isinstance(event, EpochDone):
                    accuracy = (event.validation or event.train).accuracy
                    self.report(Report(name, event.epoch, config.training.epochs, accuracy))
        except DivergedError:
            return storage.files  # its result says so
        run.finish(evaluate_training_rows=False)
        return storage.files
