"""How long jobs will take, and how much memory: from a few steps of each kind of network.

Each estimate is rough: other work on the machine, the caches that workers share and the patience of
a training are not known beforehand.
"""

import itertools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from actcli.config.resolved import ResolvedConfig, ResolvedData
from actcli.datasets.dataset import Dataset, RawDataset
from actcli.errors import DivergedError
from actcli.model import EVALUATION_ROWS
from actcli.store.train import VERDICT_ROWS
from actcli.sweep.plan import Job
from actcli.training.learner import Learner
from actcli.training.loop import fit

KINDS = 16  # of networks that are measured; the others are taken to be like the nearest in size
SECONDS = 0.15  # for one
STEPS = 50  # at most
FORWARD = 1 / 3  # of a step: what it costs a row only to be judged
START = 0.005  # seconds for a job beside all that grows with it
INTERPRETER = 75_000_000  # bytes of Python and NumPy
FLOAT = 4


@dataclass(frozen=True)
class Cost:
    """Of a job."""

    seconds: float
    bytes: int  # besides the interpreter and the data


@dataclass(frozen=True)
class Size:
    """Of a job's network and data.

    Args:
        parameters: how many there are.
        units: of all layers, with the inputs.
        slots: arrays of the optimizer.
        step: seconds of one step, if it was measured.
    """

    parameters: int
    units: int
    slots: int
    step: float = 0.0


def estimate(jobs: Sequence[Job], datasets: Mapping[ResolvedData, Dataset]) -> list[Cost]:
    """The cost of each job, in their order."""
    kinds: dict[Any, Job] = {}
    for job in jobs:
        kinds.setdefault(_kind(job.config), job)
    every = max(1, math.ceil(len(kinds) / KINDS))
    measured = {
        kind: _measure(job.config, datasets[job.config.data])
        for kind, job in itertools.islice(kinds.items(), None, None, every)
    }
    return [
        _cost(job.config, datasets[job.config.data], measured.get(_kind(job.config)), measured)
        for job in jobs
    ]


def _kind(config: ResolvedConfig) -> Any:
    """What the time of a step depends on."""
    model, training = config.model, config.training
    chosen = (model.hidden, model.activation, model.output, model.dropout > 0, training.batch_size)
    return (*chosen, config.loss.name, config.optimizer.name, config.data)


def _measure(config: ResolvedConfig, dataset: Dataset) -> Size:
    """Take some steps, and forget them."""
    endless = replace(config, training=replace(config.training, epochs=1_000_000, patience=0))
    learner = Learner(endless, dataset)
    steps, start = 0, 0.0
    try:
        for steps, _ in enumerate(fit(learner)):
            if not steps:  # the first one warms up
                start = time.perf_counter()
            elif steps == STEPS or time.perf_counter() - start > SECONDS:
                break
    except DivergedError:
        pass
    taken = (time.perf_counter() - start) / steps if steps else 0.0
    units = dataset.inputs + sum(layer.biases.size for layer in learner.network.layers)
    return Size(learner.network.parameters.size, units, len(learner.state.slots), taken)


def _cost(
    config: ResolvedConfig, dataset: Dataset, known: Size | None, measured: Mapping[Any, Size]
) -> Cost:
    size = known or _like(config, dataset, measured.values())
    batch, epochs = config.training.batch_size, config.training.epochs
    steps = math.ceil(len(dataset.train) / batch)
    row = size.step / min(batch, len(dataset.train)) * FORWARD
    judged = epochs * len(dataset.validation)
    # Of the training rows a few tell that no unit is dead; where some are, it takes all of them.
    judged += len(dataset.validation) + len(dataset.test) + EVALUATION_ROWS + 3 * VERDICT_ROWS
    # The network, its gradient, that of the best epoch, the one before the last step, the first;
    # then the optimizer's slots; and the files of the run, which have them all once more.
    copies = 5 + size.slots + 2 + size.slots
    rows = max(min(batch, len(dataset.train)), EVALUATION_ROWS)
    return Cost(
        seconds=START + epochs * steps * size.step + judged * row,
        bytes=FLOAT * (copies * size.parameters + 4 * rows * size.units),
    )


def _like(config: ResolvedConfig, dataset: Dataset, measured: Any) -> Size:
    """Of a network that was not measured: as the nearest one that was, by its size."""
    widths = (dataset.inputs, *config.model.hidden, len(dataset.classes))
    weights = sum(before * after for before, after in itertools.pairwise(widths))
    nearest: Size = min(measured, key=lambda size: abs(math.log(size.parameters / weights)))
    step = nearest.step * weights / nearest.parameters
    return Size(weights, sum(widths), nearest.slots, step)


def of_worker(costs: Sequence[Cost], raw: Mapping[str, RawDataset]) -> int:
    """The bytes that one worker takes at most."""
    data = sum(
        part.x.nbytes + part.y.nbytes for each in raw.values() for part in (each.train, each.test)
    )
    return INTERPRETER + data + max((cost.bytes for cost in costs), default=0)
