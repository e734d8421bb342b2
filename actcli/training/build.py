"""The data set and the optimizer that a configuration describes."""

from dataclasses import replace
from pathlib import Path

from actcli.config.clashes import hyperparameters
from actcli.config.resolved import ResolvedConfig, ResolvedData
from actcli.datasets.catalogue import DATASETS
from actcli.datasets.dataset import Dataset, make_splits, read_dataset
from actcli.datasets.download import Progress
from actcli.datasets.raw import RawDataset
from actcli.errors import UsageError
from actcli.nn.optimizers import OPTIMIZERS, Optimizer
from actcli.training.automatic import complete


def prepare_dataset(config: ResolvedConfig, progress: Progress) -> tuple[ResolvedConfig, Dataset]:
    """Read and split the data set of a configuration.

    Returns:
        The complete configuration, with the full path of the data set, and the data set.

    Raises:
        ActcliError: the data set does not exist, or cannot be read or downloaded.
    """
    data, dataset = split_dataset(
        config.data, read_dataset(config.data.name, progress, config.data.target)
    )
    return complete(replace(config, data=data), dataset), dataset


def split_dataset(data: ResolvedData, raw: RawDataset) -> tuple[ResolvedData, Dataset]:
    """Split a data set that was read, as the table [data] of a configuration says.

    Returns:
        The table with the full path of the data set, its number of validation rows and its
        normalization, and the data set.

    Raises:
        ActcliError: the data do not have the classes or rows that [data] names.
    """
    dataset = make_splits(
        raw, validation=data.validation, classes=data.classes, normalize=data.normalize
    )
    method = dataset.normalization.method
    held_out = len(dataset.validation)
    name = full_name(data.name)
    return replace(data, name=name, validation=held_out, normalize=method), dataset


def full_name(name: str) -> str:
    """Return the name of a data set of the catalogue, or the full path of another data set.

    Raises:
        UsageError: the path is not UTF-8 text. The `config.toml` of a run could not hold it.
    """
    if name in DATASETS:
        return name
    path = str(Path(name).absolute())
    if any("\ud800" <= character <= "\udfff" for character in path):
        raise UsageError(
            f"the path of the data set, {path!a}, is not UTF-8 text",
            "Rename its folder: the config.toml of a run could not hold the path",
        )
    return path


def make_optimizer(config: ResolvedConfig) -> Optimizer:
    """Return the optimizer of a configuration, with its hyperparameters."""
    name = config.optimizer.name
    return OPTIMIZERS[name](
        **{key: getattr(config.optimizer, key) for key in hyperparameters(name)}
    )
