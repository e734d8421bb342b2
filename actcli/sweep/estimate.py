"""Rough estimates of the time and the memory of jobs, from a few measured training steps.

One network of each kind is measured, up to `MAX_MEASURED_KINDS`. The estimate cannot know the other
work on the machine, the caches that workers share, or when early stopping ends a training.
"""

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actcli.config.resolved import ResolvedConfig, ResolvedData
from actcli.datasets.dataset import Dataset
from actcli.datasets.raw import RawDataset, Source
from actcli.errors import DivergedError
from actcli.model import EVALUATION_ROWS
from actcli.store.train import VERDICT_ROWS
from actcli.sweep.axes import written
from actcli.sweep.plan import Job
from actcli.training.automatic import complete
from actcli.training.learner import Learner
from actcli.training.loop import fit

MAX_MEASURED_KINDS = 16  # other kinds are scaled from the measured kind of the nearest size
MAX_SECONDS_PER_KIND = 0.15
MAX_STEPS_PER_KIND = 50
FORWARD_SHARE = 1 / 3  # time of a forward pass as a share of a training step
SECONDS_PER_JOB = 0.005  # fixed cost, whatever the size of the job
INTERPRETER_BYTES = 75_000_000  # Python and NumPy
BYTES_PER_FLOAT = 4


@dataclass(frozen=True)
class Cost:
    """The estimated cost of a job.

    Args:
        seconds: time on one core.
        bytes: peak memory, without the interpreter and the data.
    """

    seconds: float
    bytes: int


@dataclass(frozen=True)
class JobForecast:
    """A job of a dry run.

    Args:
        job: the job.
        state: "to do", "done" or "illegal".
        error: why the job is illegal; None otherwise.
        seconds: estimated time on one core; None if the job is not to be trained.
    """

    job: Job
    state: str
    error: str | None
    seconds: float | None


@dataclass(frozen=True)
class SweepForecast:
    """The result of `actcli sweep --dry-run`.

    Args:
        folder: the folder of the sweep.
        axes: the keys that vary.
        jobs: all jobs, in the order of the plan.
        workers: number of worker processes on this machine; None for a Dask cluster.
        bytes_per_worker: estimated peak memory of one worker.
    """

    folder: Path
    axes: Sequence[str]
    jobs: Sequence[JobForecast]
    workers: int | None
    bytes_per_worker: int

    @property
    def core_seconds(self) -> float:
        """Return the estimated time of all jobs on one core."""
        return sum(each.seconds or 0.0 for each in self.jobs)

    @property
    def seconds(self) -> float | None:
        """Return the estimated time of the sweep; None for a Dask cluster."""
        return None if self.workers is None else self.core_seconds / self.workers

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "sweep": str(self.folder),
            "axes": self.axes,
            "jobs": [
                {
                    "run": each.job.name,
                    "varied": dict(zip(self.axes, each.job.varied, strict=True)),
                    "seed": each.job.seed,
                    "state": each.state,
                    "error": each.error,
                    "seconds": each.seconds,
                }
                for each in self.jobs
            ],
            "workers": self.workers,
            "core_seconds": self.core_seconds,
            "seconds": self.seconds,
            "bytes_per_worker": self.bytes_per_worker,
        }

    def csv_rows(self) -> Iterator[list[Any]]:
        """Yield the header of the CSV, and a row for each job."""
        yield ["run", *self.axes, "seed", "state", "seconds", "error"]
        for each in self.jobs:
            varied = map(written, each.job.varied)
            yield [each.job.name, *varied, each.job.seed, each.state, each.seconds, each.error]


@dataclass(frozen=True)
class NetworkSize:
    """The size of a network, and the time of one of its training steps.

    Args:
        parameters: number of parameters.
        units: number of units in all layers, including the inputs.
        slots: number of the optimizer's arrays, each as long as the parameter vector.
        step_seconds: time of one training step.
    """

    parameters: int
    units: int
    slots: int
    step_seconds: float


def estimate(jobs: Sequence[Job], datasets: Mapping[ResolvedData, Dataset]) -> list[Cost]:
    """Return the estimated cost of each job, in the order of the jobs."""
    configs = [complete(job.config, datasets[job.config.data]) for job in jobs]
    kinds: dict[Any, ResolvedConfig] = {}
    for config in configs:
        kinds.setdefault(_kind(config), config)
    stride = max(1, math.ceil(len(kinds) / MAX_MEASURED_KINDS))
    measured = {
        kind: _measure(config, datasets[config.data])
        for kind, config in itertools.islice(kinds.items(), None, None, stride)
    }
    return [
        _cost(config, datasets[config.data], measured.get(_kind(config)), measured)
        for config in configs
    ]


def _kind(config: ResolvedConfig) -> Any:
    """Return the kind of a job: the settings that determine the time of a step."""
    model, training = config.model, config.training
    network = (model.hidden, model.activation, model.output, model.dropout > 0)
    return (*network, training.batch_size, config.loss.name, config.optimizer.name, config.data)


def _measure(config: ResolvedConfig, dataset: Dataset) -> NetworkSize:
    """Train a new network for a few steps and return its size and the mean time of a step."""
    endless = replace(config, training=replace(config.training, epochs=1_000_000, patience=0))
    learner = Learner(endless, dataset)
    steps, start = 0, 0.0
    try:
        for steps, _ in enumerate(fit(learner)):
            if not steps:  # the first step warms up the caches
                start = time.perf_counter()
            elif steps == MAX_STEPS_PER_KIND or time.perf_counter() - start > MAX_SECONDS_PER_KIND:
                break
    except DivergedError:
        pass  # the steps before it were measured
    step_seconds = (time.perf_counter() - start) / steps if steps else 0.0
    units = dataset.inputs + sum(layer.biases.size for layer in learner.network.layers)
    return NetworkSize(
        learner.network.parameters.size, units, len(learner.state.slots), step_seconds
    )


def _cost(
    config: ResolvedConfig,
    dataset: Dataset,
    size: NetworkSize | None,
    measured: Mapping[Any, NetworkSize],
) -> Cost:
    """Return the estimated cost of a job.

    Args:
        config: the configuration of the job.
        dataset: the data set of the job.
        size: the measured size of the job's kind; None if that kind was not measured.
        measured: the sizes of the measured kinds.
    """
    size = size or _scaled_size(config, dataset, measured.values())
    batch_size, epochs = config.training.batch_size, config.training.epochs
    steps = math.ceil(len(dataset.train) / batch_size)
    row_seconds = size.step_seconds / min(batch_size, len(dataset.train)) * FORWARD_SHARE
    evaluated_rows = epochs * len(dataset.validation)
    # At the end the best model is evaluated, its dead units are counted, and it is diagnosed. The
    # count reads rows until every unit was active: one batch is enough if no unit is dead.
    evaluated_rows += len(dataset.validation) + len(dataset.test)
    evaluated_rows += EVALUATION_ROWS + 3 * VERDICT_ROWS
    # Five arrays: the parameters, their gradient, and the parameters of the best epoch, before the
    # last step and at the start. The run's files hold two more: the model and the checkpoint.
    # The optimizer's slots exist twice: in memory and in the checkpoint.
    copies = 5 + 2 + 2 * size.slots
    rows = max(min(batch_size, len(dataset.train)), EVALUATION_ROWS)
    return Cost(
        seconds=SECONDS_PER_JOB + epochs * steps * size.step_seconds + evaluated_rows * row_seconds,
        bytes=BYTES_PER_FLOAT * (copies * size.parameters + 4 * rows * size.units),
    )


def _scaled_size(
    config: ResolvedConfig, dataset: Dataset, measured: Iterable[NetworkSize]
) -> NetworkSize:
    """Return the size of a network that was not measured, scaled from the nearest measured one."""
    widths = (dataset.inputs, *config.model.hidden, len(dataset.classes))
    weights = sum(before * after for before, after in itertools.pairwise(widths))
    nearest = min(measured, key=lambda size: abs(math.log(size.parameters / weights)))
    step_seconds = nearest.step_seconds * weights / nearest.parameters
    return NetworkSize(weights, sum(widths), nearest.slots, step_seconds)


def worker_bytes(costs: Sequence[Cost], datasets: Mapping[Source, RawDataset]) -> int:
    """Return the peak memory of one worker in bytes: interpreter, data and its largest job."""
    data = sum(
        part.x.nbytes + part.y.nbytes
        for dataset in datasets.values()
        for part in (dataset.train, dataset.test)
    )
    return INTERPRETER_BYTES + data + max((cost.bytes for cost in costs), default=0)
