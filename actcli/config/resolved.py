"""Resolved configurations: the values that training uses, in place of `"auto"`.

The configuration alone does not determine some values. The initializer may stay `"auto"`, because
it depends on the activation of each layer. The normalization stays `"auto"`, and the number of
validation rows is None, until the data set has been read. The values that `automatic` names are
those for images, until `training.automatic` replaces them by those for the data set.
"""

from dataclasses import dataclass, fields
from typing import Any

from actcli.config.schema import (
    IMAGE_BATCH_ROWS,
    IMAGE_EPOCHS,
    Config,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    Tables,
    TrainingConfig,
    values,
)
from actcli.machine import worker_count
from actcli.nn.losses import LOSSES
from actcli.nn.optimizers import OPTIMIZERS

# The keys whose automatic values depend on the data set.
CHOSEN_BY_DATA = frozenset({"training.epochs", "training.batch_size", "optimizer.weight_decay"})


class Resolved:
    """A table whose redeclared fields, which have narrower types, do not hold `"auto"`."""

    def __post_init__(self) -> None:
        if "auto" in (getattr(self, name) for name in type(self).__annotations__):
            raise TypeError(f"{self} is not resolved")


@dataclass(frozen=True, kw_only=True)
class ResolvedData(Resolved, DataConfig):
    """The data set. `validation` is None until the data set has been read."""

    validation: int | None  # type: ignore[assignment]  # None stands for "auto": see `values`


@dataclass(frozen=True, kw_only=True)
class ResolvedModel(Resolved, ModelConfig):
    """The network, with its output activation."""

    output: str


@dataclass(frozen=True, kw_only=True)
class ResolvedOptimizer(Resolved, OptimizerConfig):
    """The optimizer, with its learning rate and weight decay."""

    learning_rate: float
    weight_decay: float


@dataclass(frozen=True, kw_only=True)
class ResolvedTraining(Resolved, TrainingConfig):
    """The training, with its length, its mini-batches and its number of workers."""

    epochs: int
    batch_size: int
    workers: int


@dataclass(frozen=True, kw_only=True)
class ResolvedConfig(Tables):
    """A configuration without `"auto"`, made by `Config.resolve()`.

    Args:
        automatic: the keys whose values depend on a data set that has not been read yet; those of
            the catalogue are known.
    """

    data: ResolvedData
    model: ResolvedModel
    optimizer: ResolvedOptimizer
    training: ResolvedTraining
    automatic: frozenset[str] = frozenset()


def resolve(config: Config) -> ResolvedConfig:
    """Return the configuration with each `"auto"` replaced by the value that it stands for."""
    data, model, optimizer, training = config.data, config.model, config.optimizer, config.training
    rule = OPTIMIZERS[optimizer.name]
    rate, decay = optimizer.learning_rate, optimizer.weight_decay
    epochs, batch_rows = training.epochs, training.batch_size
    loss = LOSSES[config.loss.name](model.output, config.loss.label_smoothing)
    is_known = data.is_in_catalogue
    return ResolvedConfig(
        data=ResolvedData(
            **_without(data, "validation", "normalize"),
            normalize="unit" if is_known and data.normalize == "auto" else data.normalize,
            validation=None if isinstance(data.validation, str) else data.validation,
        ),
        model=ResolvedModel(**_without(model, "output"), output=loss.output),
        loss=config.loss,
        optimizer=ResolvedOptimizer(
            **_without(optimizer, "learning_rate", "weight_decay"),
            learning_rate=rule.default_learning_rate if isinstance(rate, str) else rate,
            weight_decay=rule.default_weight_decay if isinstance(decay, str) else decay,
        ),
        training=ResolvedTraining(
            **_without(training, "workers", "epochs", "batch_size"),
            epochs=IMAGE_EPOCHS if isinstance(epochs, str) else epochs,
            batch_size=IMAGE_BATCH_ROWS if isinstance(batch_rows, str) else batch_rows,
            workers=worker_count(training.workers),
        ),
        automatic=frozenset() if is_known else left_to_data(config),
    )


def left_to_data(config: Config) -> frozenset[str]:
    """Return the keys whose values the configuration leaves to the data set."""
    automatic = {str(key) for key, value in values(config) if value == "auto"}
    if config.optimizer.name != "sgd":
        automatic.discard("optimizer.weight_decay")
    return CHOSEN_BY_DATA & automatic


def _without(table: Any, *names: str) -> dict[str, Any]:
    """Return the values of a table by name, except those of `names`."""
    all_names = [entry.name for entry in fields(table)]
    return {name: getattr(table, name) for name in all_names if name not in names}
