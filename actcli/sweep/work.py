"""What goes from a client to its workers, and back: jobs, reports, the files of runs.

The client needs no more than this of a worker, which needs most of actcli to train.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actcli.config.resolved import ResolvedConfig
from actcli.errors import ActcliError

if TYPE_CHECKING:
    from actcli.datasets.dataset import RawDataset
    from actcli.sweep.worker import Worker

Files = dict[str, bytes]


@dataclass(frozen=True)
class Report:
    """How far a job is."""

    job: str
    epoch: int  # that is complete; 0: it has begun
    epochs: int
    accuracy: float | None  # on the validation rows, or else on those of training


class StoppedError(ActcliError):
    """Nobody waits for the result any more."""


# Of this process, by the token of their sweep: an executor has no other place to keep them.
WORKERS: dict[str, "Worker"] = {}


def train(token: str, name: str, config: ResolvedConfig, raw: "RawDataset | None" = None) -> Files:
    """Have the worker of this process train a job.

    Args:
        token: of the sweep.
        name: of the job.
        config: its configuration.
        raw: the data set that it names, for a worker that was not given it at its start.

    Raises:
        ActcliError: it cannot be trained.
    """
    worker = WORKERS[token]
    if raw is not None:
        worker.learn_of(config.data.name, raw)
    return worker.train(name, config)
