"""Clashes: values that are legal alone but not together. Also keys that have no effect.

Clashes are found before any data is read. NumPy is imported only where a check needs the losses or
the optimizers themselves, so that listing runs does not wait for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from actcli.config.mistakes import Mistake
from actcli.config.schema import IMAGE_EPOCHS, Tables
from actcli.errors import UsageError


def find_clashes(config: Tables, origins: Mapping[str, str] | None = None) -> list[Mistake]:
    """Return a mistake for each group of keys that exclude each other.

    Args:
        config: five tables, each valid by itself.
        origins: key -> origin of its setting, such as "--lr" or "relu.toml", for messages.
    """
    origins = origins or {}
    mistakes = []
    for check, keys in CHECKS:
        try:
            check(config)
        except UsageError as error:
            sources = ", ".join(dict.fromkeys(origins[key] for key in keys if key in origins))
            text = f"{sources}: {error}" if sources else str(error)
            mistakes.append(Mistake(text, frozenset(keys)))
    return mistakes


def unused_keys(config: Tables) -> dict[str, str]:
    """Return the keys that have no effect in this configuration, each with the reason."""
    optimizer = config.optimizer.name
    used = hyperparameters(optimizer)
    reasons = {
        f"optimizer.{name}": f"not used by {optimizer}"
        for name in ("momentum", "nesterov", "betas")
        if name not in used
    }
    if not config.model.hidden:
        reasons |= dict.fromkeys(("model.activation", "model.dropout"), "no hidden layer")
    return reasons


def hyperparameters(optimizer: str) -> tuple[str, ...]:
    """Return the keys of [optimizer] that are hyperparameters of the optimizer of that name."""
    from actcli.nn.optimizers import OPTIMIZERS

    rule: Any = OPTIMIZERS[optimizer]
    return tuple(entry.name for entry in fields(rule))


def _check_activations(config: Tables) -> None:
    names, layers = len(config.model.activation), len(config.model.hidden)
    if names not in {1, layers}:
        raise UsageError(
            f"[model] activation names {names} for {layers} hidden layers",
            "Give one for all, or one for each",
        )


def _check_loss(config: Tables) -> None:
    loss, output = config.loss, config.model.output
    if output != "auto" or loss.label_smoothing:
        from actcli.nn.losses import LOSSES

        LOSSES[loss.name](output, loss.label_smoothing)


def _check_nesterov(config: Tables) -> None:
    optimizer = config.optimizer
    without_momentum = optimizer.nesterov and not optimizer.momentum
    if without_momentum and "nesterov" in hyperparameters(optimizer.name):
        raise UsageError("[optimizer] nesterov needs a momentum above 0")


def _check_warmup(config: Tables) -> None:
    warmup, epochs = config.optimizer.warmup, config.training.epochs
    if not isinstance(epochs, int):
        if not config.data.is_in_catalogue:
            return  # the data set chooses the epochs; see `training.automatic`
        epochs = IMAGE_EPOCHS
    if warmup > epochs > 0:
        raise UsageError(
            f"[optimizer] warmup of {warmup:g} epochs is longer than the training",
            f"[training] epochs is {epochs}",
        )


def _check_patience(config: Tables) -> None:
    if config.training.patience and config.data.validation == 0:
        raise UsageError(
            "[training] patience waits for the validation loss, but [data] validation is 0"
        )


def _check_calibration(config: Tables) -> None:
    if not config.training.calibrate:
        return
    if config.data.validation == 0:
        raise UsageError(
            "[training] calibrate needs validation rows, but [data] validation is 0",
            "Hold some out, or set calibrate = false",
        )
    if config.model.output == "identity":
        raise UsageError(
            "[training] calibrate needs probabilities, but [model] output is identity",
            "Allowed: softmax or sigmoid",
        )


# Each check, with the keys that it compares.
CHECKS: tuple[tuple[Callable[[Tables], None], tuple[str, ...]], ...] = (
    (_check_activations, ("model.activation", "model.hidden")),
    (_check_loss, ("loss.name", "loss.label_smoothing", "model.output")),
    (_check_nesterov, ("optimizer.name", "optimizer.nesterov", "optimizer.momentum")),
    (_check_warmup, ("optimizer.warmup", "training.epochs")),
    (_check_patience, ("training.patience", "data.validation")),
    (_check_calibration, ("training.calibrate", "data.validation", "model.output")),
)
