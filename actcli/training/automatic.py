"""The settings that are chosen by the data set, where the configuration says "auto".

Images keep the settings that suit MNIST. A table often has a hundred rows, so that six epochs would
be six steps: it gets smaller mini-batches, more epochs and, with plain SGD, weight decay. Measured
on the tables of scikit-learn, these settings reach the accuracy of its own network.
"""

import math
from dataclasses import replace

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.dataset import Dataset
from actcli.errors import UsageError

MIN_UPDATES = 500  # steps of a training on a table
MIN_BATCH_ROWS = 32
BATCHES_PER_EPOCH = 4  # at least, as long as a mini-batch keeps MIN_BATCH_ROWS
SGD_WEIGHT_DECAY = 0.01


def complete(config: ResolvedConfig, dataset: Dataset) -> ResolvedConfig:
    """Return the configuration with the settings that the data set chooses.

    Args:
        config: its `automatic` names the settings that are still to be chosen.
        dataset: the data set to train on.

    Raises:
        UsageError: the warm-up is longer than the training.
    """
    chosen = config.automatic
    if not chosen:
        return config
    training, optimizer = config.training, config.optimizer
    if dataset.is_table:
        rows = len(dataset.train)
        if "training.batch_size" in chosen:
            training = replace(training, batch_size=_batch_rows(rows, training.batch_size))
        if "training.epochs" in chosen:
            steps = math.ceil(rows / training.batch_size)
            epochs = max(training.epochs, math.ceil(MIN_UPDATES / steps))
            training = replace(training, epochs=epochs)
        if "optimizer.weight_decay" in chosen:
            optimizer = replace(optimizer, weight_decay=SGD_WEIGHT_DECAY)
    if optimizer.warmup > training.epochs:
        raise UsageError(
            f"[optimizer] warmup of {optimizer.warmup:g} epochs is longer than the training",
            f"[training] epochs is {training.epochs}",
        )
    return replace(config, training=training, optimizer=optimizer, automatic=frozenset())


def describe_choice(before: ResolvedConfig, after: ResolvedConfig) -> str:
    """Return the settings that the data set has chosen, for the user; "" if there are none.

    Args:
        before: the configuration before the data set was read.
        after: the complete configuration.
    """
    names = sorted(before.automatic)
    if before.data.normalize == "auto":
        names.insert(0, "data.normalize")
    values = {
        "data.normalize": after.data.normalize,
        "training.epochs": after.training.epochs,
        "training.batch_size": after.training.batch_size,
        "optimizer.weight_decay": after.optimizer.weight_decay,
    }
    return ", ".join(f"{name} = {values[name]}" for name in names)


def _batch_rows(rows: int, largest: int) -> int:
    """Return the mini-batch size for a table: a power of two, so that an epoch has a few steps."""
    share = 1 << max(0, (rows // BATCHES_PER_EPOCH).bit_length() - 1)
    return min(largest, max(MIN_BATCH_ROWS, share))
