"""What a run's folder tells of its training: its epochs, and how it ended."""

import json
from collections.abc import Iterator
from pathlib import Path

from actcli.diagnostics.evidence import Epoch, Training
from actcli.errors import DataError
from actcli.nn.optimizers import OPTIMIZERS
from actcli.training.config import Config
from actcli.training.folder import METRICS, RESULT


def read_training(config: Config, folder: Path | None, kept_epoch: int = 0) -> Training:
    """How a network was trained.

    Args:
        config: resolved.
        folder: of the run; None where the training is still to come.
        kept_epoch: after which epoch the network was what is examined.

    Raises:
        DataError: a record in the folder is damaged.
    """
    chosen, training = config.optimizer, config.training
    history = tuple(read_epochs(folder)) if folder else ()
    return Training(
        optimizer=chosen.name,
        learning_rate=float(chosen.learning_rate),
        usual_learning_rate=OPTIMIZERS[chosen.name].learning_rate,
        momentum=chosen.momentum,
        batch_size=training.batch_size,
        epochs=training.epochs,
        init=config.model.init,
        history=history,
        kept_epoch=kept_epoch,
        diverged=folder is not None and _status(folder / RESULT) == "diverged",
    )


def _status(path: Path) -> str | None:
    """How a run ended; None if it did not."""
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
        # What follows the last line end is still being written, or never was to its end.
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
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
            raise DataError(f"{path}, line {number}, is no record of an epoch") from error
