"""What a run's folder tells of its training: its epochs, and how it ended."""

import json
from collections.abc import Iterator
from pathlib import Path

from actcli.config.resolved import ResolvedConfig
from actcli.diagnostics.evidence import Epoch, Training
from actcli.errors import DataError
from actcli.nn.optimizers import OPTIMIZERS
from actcli.runs.folder import METRICS, RESULT


def read_training(config: ResolvedConfig, folder: Path | None, kept_epoch: int = 0) -> Training:
    """How the network of a run was trained.

    Args:
        config: of the run.
        folder: of the run; None where the training is still to come.
        kept_epoch: after which epoch the network was what is examined.

    Raises:
        DataError: a record in the folder is damaged.
    """
    if folder is None:
        return training_of(config, (), 0)
    history = tuple(read_epochs(folder))
    return training_of(config, history, kept_epoch, read_status(folder) == "diverged")


def training_of(
    config: ResolvedConfig, history: tuple[Epoch, ...], kept_epoch: int, diverged: bool = False
) -> Training:
    """How a network was trained, from a resolved configuration and what came of it."""
    chosen, training = config.optimizer, config.training
    return Training(
        optimizer=chosen.name,
        learning_rate=chosen.learning_rate,
        usual_learning_rate=OPTIMIZERS[chosen.name].default_learning_rate,
        momentum=chosen.momentum,
        batch_size=training.batch_size,
        epochs=training.epochs,
        init=config.model.init,
        history=history,
        kept_epoch=kept_epoch,
        diverged=diverged,
    )


def read_status(folder: Path) -> str | None:
    """How a run ended; None if it did not.

    Raises:
        DataError: its record is damaged.
    """
    path = folder / RESULT
    try:
        status: str = json.loads(path.read_text(encoding="utf-8"))["status"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} does not say how the run ended") from error
    return status


def read_epochs(folder: Path) -> Iterator[Epoch]:
    """The epochs that a run has recorded.

    Raises:
        DataError: a record is damaged, or cannot be read.
    """
    path = folder / METRICS
    try:
        metrics = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    return read_history(metrics, str(path))


def read_history(metrics: bytes, name: str) -> Iterator[Epoch]:
    """The epochs of a training, from the lines of its metrics.

    Raises:
        DataError: a line is none; the message calls the file by that name.
    """
    # What follows the last line end is still being written, or never was to its end.
    for number, line in enumerate(metrics.split(b"\n")[:-1], 1):
        try:
            record = json.loads(line)
            train, validation = record["train"], record["validation"] or {}
            health = record.get("health") or {}
            yield Epoch(
                epoch=record["epoch"],
                train_loss=float(train["loss"]),
                train_accuracy=float(train["accuracy"]),
                validation_loss=float(validation["loss"]) if validation else None,
                validation_accuracy=float(validation["accuracy"]) if validation else None,
                delta_norm=tuple(health.get("delta_norm", ())),
                weight_grad_norm=tuple(health.get("weight_grad_norm", ())),
                silent=tuple(health.get("silent", ())),
                update_ratio=tuple(record.get("update_ratio", ())),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"{name}, line {number}, is no record of an epoch") from error
