"""From a configuration to the parts of a run: the network, its loss, its optimizer.

Keys that are each legal may not go together; that is found here, before any data is read.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path

from actcli.config.schema import Config
from actcli.config.sources import ConfigError, Mistake
from actcli.datasets.catalogue import DATASETS
from actcli.datasets.dataset import Dataset, RawDataset, make_splits, read_dataset
from actcli.datasets.download import Progress
from actcli.errors import UsageError
from actcli.machine import worker_count
from actcli.model import hidden_activations, make_loss
from actcli.nn.optimizers import OPTIMIZERS, Optimizer


def resolve(config: Config, origins: Mapping[str, str] | None = None) -> Config:
    """The configuration with each "auto" replaced by what it stands for.

    Two stay: the initializer, which differs from layer to layer, and the rows held out for
    validation, which `prepare_dataset` fills in.

    Args:
        config: complete.
        origins: who gave which key, for messages.

    Raises:
        ConfigError: keys that do not go together, all at once.
    """
    if mistakes := clashes(config, origins or {}):
        raise ConfigError(mistakes)
    rule, chosen = OPTIMIZERS[config.optimizer.name], config.optimizer
    rate = rule.default_learning_rate if chosen.learning_rate == "auto" else chosen.learning_rate
    decay = rule.default_weight_decay if chosen.weight_decay == "auto" else chosen.weight_decay
    return replace(
        config,
        model=replace(config.model, output=make_loss(config).output),
        optimizer=replace(chosen, learning_rate=rate, weight_decay=decay),
        training=replace(config.training, workers=worker_count(config.training.workers)),
    )


def clashes(config: Config, origins: Mapping[str, str]) -> list[Mistake]:
    """What does not go together, with who gave the keys that it is about."""
    mistakes = []
    for check, keys in CHECKS:
        try:
            check(config)
        except UsageError as error:
            givers = ", ".join(dict.fromkeys(origins[key] for key in keys if key in origins))
            mistakes.append(
                Mistake(f"{givers}: {error}" if givers else str(error), frozenset(keys))
            )
    return mistakes


def prepare_dataset(config: Config, progress: Progress) -> tuple[Config, Dataset]:
    """The data set, and the configuration with the rows held out and the full path filled in.

    Raises:
        ActcliError: it does not exist, or cannot be read or downloaded.
    """
    return split_dataset(config, read_dataset(config.data.name, progress))


def split_dataset(config: Config, raw: RawDataset) -> tuple[Config, Dataset]:
    """The same from data that were read.

    Raises:
        ActcliError: they do not have what the configuration names.
    """
    data = config.data
    dataset = make_splits(
        raw,
        validation=None if data.validation == "auto" else int(data.validation),
        classes=data.classes,
        normalize=data.normalize,
    )
    name = data.name if data.name in DATASETS else str(Path(data.name).absolute())
    known = replace(data, name=name, validation=len(dataset.validation))
    return replace(config, data=known), dataset


def make_optimizer(config: Config) -> Optimizer:
    """The update rule of a resolved configuration, with those of its keys that it has."""
    rule = OPTIMIZERS[config.optimizer.name]
    return rule(**{name: getattr(config.optimizer, name) for name in hyperparameters(rule)})


def hyperparameters(rule: type[Optimizer]) -> tuple[str, ...]:
    """The keys of [optimizer] that this rule makes use of, besides those that all of them do."""
    return tuple(field.name for field in fields(rule))


def unused(config: Config) -> dict[str, str]:
    """The keys that have no effect beside the others, with the reason."""
    rule = config.optimizer.name
    known = hyperparameters(OPTIMIZERS[rule])
    told = {
        f"optimizer.{name}": f"not used by {rule}"
        for name in ("momentum", "nesterov", "betas")
        if name not in known
    }
    if not config.model.hidden:
        told |= dict.fromkeys(("model.activation", "model.dropout"), "no hidden layer")
    return told


def _check_optimizer(config: Config) -> None:
    chosen = config.optimizer
    uses_nesterov = "nesterov" in hyperparameters(OPTIMIZERS[chosen.name])
    if chosen.nesterov and uses_nesterov and not chosen.momentum:
        raise UsageError("[optimizer] nesterov needs a momentum above 0")


def _check_warmup(config: Config) -> None:
    warmup, epochs = config.optimizer.warmup, config.training.epochs
    if warmup > epochs > 0:
        raise UsageError(
            f"[optimizer] warmup of {warmup:g} epochs is longer than the training",
            f"[training] epochs is {epochs}",
        )


def _check_patience(config: Config) -> None:
    if config.training.patience and config.data.validation == 0:
        raise UsageError(
            "[training] patience waits for the validation loss, but [data] validation is 0"
        )


# Each with the keys that it compares.
CHECKS: tuple[tuple[Callable[[Config], object], tuple[str, ...]], ...] = (
    (hidden_activations, ("model.activation", "model.hidden")),
    (make_loss, ("loss.name", "loss.label_smoothing", "model.output")),
    (_check_optimizer, ("optimizer.name", "optimizer.nesterov", "optimizer.momentum")),
    (_check_warmup, ("optimizer.warmup", "training.epochs")),
    (_check_patience, ("training.patience", "data.validation")),
)
