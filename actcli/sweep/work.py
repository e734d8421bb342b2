"""The interface between a client and its workers: the call that trains a job, and its progress.

The client imports only this module; a worker imports most of actcli in order to train.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actcli.config.resolved import ResolvedConfig
from actcli.errors import ActcliError

if TYPE_CHECKING:
    from actcli.datasets.raw import RawDataset
    from actcli.sweep.worker import Worker

Files = dict[str, bytes]


@dataclass(frozen=True)
class JobProgress:
    """Progress of a job.

    Args:
        job: the name of the job.
        epoch: complete epochs; 0 when the job begins.
        epochs: planned epochs.
        accuracy: on the validation rows, or on the training rows if there are none.
    """

    job: str
    epoch: int
    epochs: int
    accuracy: float | None


class StoppedError(ActcliError):
    """The sweep was stopped, so the result of this job is not needed."""


# The workers of this process by the token of their sweep: an executor has no per-process state.
WORKERS: dict[str, "Worker"] = {}


def train(token: str, name: str, config: ResolvedConfig, raw: "RawDataset | None" = None) -> Files:
    """Train a job in this process and return the files of its run by name.

    Args:
        token: the token of the sweep.
        name: the name of the job.
        config: the configuration of the job.
        raw: the data set, for a worker that did not receive it at its start.

    Raises:
        ActcliError: the job cannot be trained.
    """
    worker = WORKERS[token]
    if raw is not None:
        worker.add_data(config.data.source, raw)
    return worker.train(name, config)
