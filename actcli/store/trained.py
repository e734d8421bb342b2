"""The model of a run, with everything that a diagnosis needs of it."""

from dataclasses import dataclass
from pathlib import Path

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.dataset import Dataset
from actcli.datasets.download import Progress
from actcli.diagnostics.evidence import Training
from actcli.errors import DataError
from actcli.model import Model, read_model_file
from actcli.store.folder import METRICS, MODEL, RESULT
from actcli.store.record import DIVERGED, RunResult, read_epochs
from actcli.training.build import prepare_dataset
from actcli.training.memory import check_memory


@dataclass(frozen=True)
class TrainedRun:
    """A run as its folder holds it.

    Args:
        config: the configuration; the number of validation rows is resolved.
        dataset: the data set.
        model: the trained model.
        initial: the model before its training.
        epoch: the epoch after which the parameters of the model were written.
    """

    config: ResolvedConfig
    dataset: Dataset
    model: Model
    initial: Model
    epoch: int


def read_run(folder: Path, config: ResolvedConfig, progress: Progress) -> TrainedRun:
    """Return the model of a run before and after its training, and its data set.

    Args:
        folder: the folder of the run.
        config: the configuration in the folder, perhaps with other properties of the model.
        progress: receives the progress of downloads.

    Raises:
        ActcliError: the data cannot be read, or the network does not fit into the memory.
        DataError: the model is damaged, or is not a model of this configuration.
    """
    config, dataset = prepare_dataset(config, progress)
    check_memory(config, dataset.inputs, len(dataset.classes), len(dataset.train))
    initial = Model.create(config, dataset)
    file = read_model_file(folder / MODEL)
    if file.sizes != initial.network.sizes:
        raise DataError(
            f"{folder / MODEL} has layers of sizes {file.sizes}, but its config.toml and data set "
            f"{dataset.name} require {initial.network.sizes}"
        )
    model = initial.with_network(file.network(config.model.activation))
    return TrainedRun(config, dataset, model, initial, file.epoch)


def read_training(config: ResolvedConfig, folder: Path, kept_epoch: int = 0) -> Training:
    """Return how the network of a run was trained.

    Args:
        config: the configuration of the run.
        folder: the folder of the run.
        kept_epoch: the epoch whose network is examined.

    Raises:
        DataError: a record in the folder is damaged.
    """
    history = tuple(read_epochs(folder / METRICS, len(config.model.hidden) + 1))
    result = RunResult.read(folder / RESULT)
    diverged = result is not None and result.status == DIVERGED
    return Training.of(config, history, kept_epoch, diverged)
