"""Runs are started in a new folder, or resumed from the checkpoint in theirs.

Resuming drops the metrics that are ahead of the checkpoint: the training computes them again.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.catalogue import DATASETS
from actcli.datasets.dataset import ignore_progress
from actcli.datasets.download import Progress
from actcli.errors import ActcliError, DataError
from actcli.store.checkpoint import Checkpoint, read_checkpoint
from actcli.store.environment import environment, read_environment
from actcli.store.folder import (
    CHECKPOINT,
    CONFIG,
    ENVIRONMENT,
    METRICS,
    RESULT,
    Folder,
    RunStorage,
    new_folder,
)
from actcli.store.record import DIVERGED, RunResult, complete_lines, read_epoch
from actcli.store.train import Run
from actcli.training.build import prepare_dataset
from actcli.training.events import EpochDone
from actcli.training.learner import Learner


def start_run(
    config: ResolvedConfig, runs: Path, name: str, progress: Progress = ignore_progress
) -> Run:
    """Load the data of a configuration, and return a new run, ready to train.

    Args:
        config: the configuration of the run.
        runs: the folder of all runs.
        name: the name of the run; if it is taken, `name-2`, `name-3`, ….
        progress: called with the progress of downloads.

    Raises:
        ActcliError: the data cannot be read, the network does not fit into the memory, or the
            folder cannot be made.
    """
    config, dataset = prepare_dataset(config, progress)
    return create(Learner(config, dataset), runs, name)


def resume_run(
    path: Path, config: ResolvedConfig, progress: Progress = ignore_progress
) -> Run | RunResult:
    """Return the run in a folder at its last checkpoint, or its result if it is complete.

    Args:
        path: the path of the folder.
        config: the configuration in the folder, with the same or a larger number of epochs.
        progress: called with the progress of downloads.

    Raises:
        ActcliError: another training writes to the folder; the data or the configuration have
            changed; a file is missing or damaged; the run has diverged.
    """
    with contextlib.ExitStack() as stack:
        folder = Folder(path)
        stack.callback(folder.close)
        checkpoint = read_checkpoint(path / CHECKPOINT)
        result = RunResult.read(path / RESULT)
        if result and result.status == DIVERGED:
            raise ActcliError(
                f"{path} diverged: {result.message}",
                "Resuming it would diverge again. Start a new run with other settings",
            )
        if result and checkpoint.position.is_last(config.training):
            return result
        name = config.data.name
        if name not in DATASETS and not Path(name).exists():
            raise ActcliError(
                f"there is no {name!a}, which {path} was trained on",
                f"If it was moved, write its new path to {path / CONFIG}",
            )
        config, dataset = prepare_dataset(config, progress)
        run = resume(Learner(config, dataset), folder, checkpoint)
        stack.pop_all()
    return run


def create(learner: Learner, runs: Path, name: str) -> Run:
    """Return a new run in a new folder, which holds everything needed to train it from the start.

    Args:
        learner: the learner, before its first step.
        runs: the folder of all runs.
        name: the name of the run; if it is taken, `name-2`, `name-3`, ….

    Raises:
        UsageError: the name is not a valid name of a folder.
        ActcliError: the folder cannot be made or written to.
    """
    with new_folder(runs, name) as folder:
        return begin(learner, folder)


def begin(learner: Learner, storage: RunStorage) -> Run:
    """Return a new run in an empty folder."""
    run = Run(learner, storage)
    storage.write(CONFIG, learner.config.to_toml().encode())
    storage.write(ENVIRONMENT, _json(environment()))
    storage.write(METRICS, b"")
    run.save()
    return run


def branch_run(
    source: Path,
    config: ResolvedConfig,
    runs: Path,
    name: str,
    progress: Progress = ignore_progress,
) -> Run:
    """Return a new run that has the steps of another run behind it.

    Args:
        source: the folder of the other run, which stays as it is.
        config: the configuration of the new run; its steps are those of the other run.
        runs: the folder of all runs.
        name: the name of the run; if it is taken, `name-2`, `name-3`, ….
        progress: called with the progress of downloads.

    Raises:
        ActcliError: the other run is damaged, or is of another version or of other data; or see
            `start_run`.
    """
    checkpoint = read_checkpoint(source / CHECKPOINT)
    config, dataset = prepare_dataset(config, progress)
    learner = Learner(config, dataset)
    if not checkpoint.fits(learner):
        raise ActcliError(f"{source} is of another version of actcli, or its data have changed")
    history, lines = _epochs_until(source / METRICS, checkpoint, learner)
    with new_folder(runs, name) as folder:
        run = Run(learner, folder, checkpoint, history)
        folder.write(CONFIG, config.to_toml().encode())
        folder.write(ENVIRONMENT, _json(environment()))
        folder.write(METRICS, b"".join(lines))
        run.save()
        return run


def resume(learner: Learner, folder: Folder, checkpoint: Checkpoint) -> Run:
    """Return the run of a folder, at its last checkpoint.

    Args:
        learner: made from the configuration in the folder, with the same or a larger number of
            epochs.
        folder: the folder of the run.
        checkpoint: the checkpoint in the folder.

    Raises:
        DataError: a file of the folder is damaged.
        ActcliError: version, configuration or data have changed; the folder cannot be written to.
    """
    checkpoint.check(learner)
    history, lines = _epochs_until(folder.path / METRICS, checkpoint, learner)
    run = Run(learner, folder, checkpoint, history)
    versions = read_environment(folder.path / ENVIRONMENT)
    versions["resumed"].append(environment())
    # Nothing is written before this line, so that a failed attempt can be repeated.
    folder.tidy()
    folder.write(METRICS, b"".join(lines))
    folder.write(ENVIRONMENT, _json(versions))
    folder.write(CONFIG, learner.config.to_toml().encode())
    folder.remove(RESULT)
    return run


def _json(record: dict[str, Any]) -> bytes:
    return f"{json.dumps(record, indent=2)}\n".encode()


def _epochs_until(
    path: Path, checkpoint: Checkpoint, learner: Learner
) -> tuple[tuple[EpochDone, ...], list[bytes]]:
    """Return the epochs before a checkpoint, and their lines in `metrics.jsonl`."""
    lines = _metrics_until(path, checkpoint.position.epoch)
    layers = len(learner.network.layers)
    epochs = (read_epoch(line, f"{path}, line {at}", layers) for at, line in enumerate(lines, 1))
    return tuple(epochs), lines


def _metrics_until(path: Path, epochs: int) -> list[bytes]:
    """Return the lines of the first `epochs` epochs; later ones are ahead of the checkpoint.

    Raises:
        DataError: the file does not have these epochs, each once.
    """
    lines = []
    if epochs:
        for line in complete_lines(path):
            lines.append(line)
            if len(lines) == epochs:
                break
    numbers = [read_epoch(line, f"{path}, line {at}").epoch for at, line in enumerate(lines, 1)]
    if numbers != list(range(1, epochs + 1)):
        raise DataError(f"{path} does not have the {epochs} epochs that are trained, each once")
    return lines
