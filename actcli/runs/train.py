"""A run: a training and the folder that keeps it.

`config.toml` is the complete configuration, `environment.json` the machine and the versions,
`metrics.jsonl` a line for each epoch, `model.safetensors` the network, `checkpoint.safetensors` all
that it takes to go on, `result.json` how it ended. Each is whole at any moment. Metrics are written
after each epoch; the network and the checkpoint once a second at most, and whenever a training ends
or is told to stop. Where the metrics are ahead, going on from the checkpoint writes them again.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from actcli import jsonlines
from actcli.errors import DataError, DivergedError
from actcli.runs.checkpoint import Checkpoint, checkpoint_file
from actcli.runs.environment import environment, read_environment
from actcli.runs.folder import (
    CHECKPOINT,
    CONFIG,
    ENVIRONMENT,
    METRICS,
    MODEL,
    RESULT,
    Folder,
    RunStorage,
    new_folder,
)
from actcli.training.evaluation import Score, evaluate
from actcli.training.events import EpochDone, Event
from actcli.training.learner import Learner
from actcli.training.loop import Position, fit

# Seconds from one checkpoint to the next at the earliest, so that epochs of milliseconds do not
# wait for the disk; and within an epoch, so that of a long one no more is lost.
CHECKPOINT_SECONDS = 1.0
CHECKPOINT_SECONDS_WITHIN_EPOCH = 60.0

Observe = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    run: Path  # its folder
    parameters: int  # how many there are
    epochs: int  # that were trained
    best_epoch: int  # the one with the lowest validation loss; 0: the initial network
    kept_epoch: int  # the one whose network is kept
    train: Score | None  # None where it was not asked for
    validation: Score | None
    test: Score
    seconds: float  # of all steps
    examples_per_second: float | None  # none without a step


class Run:
    """A training in progress, and the folder that keeps it: see `create` and `resume`.

    Args:
        learner: what learns.
        place: where all of it is written.
        observe: what looks at the network after each epoch; what it gives goes to `metrics.jsonl`.
        checkpoint: where to go on, if not at the start.
    """

    def __init__(
        self,
        learner: Learner,
        place: RunStorage,
        observe: Observe | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.learner = learner
        self.observe = observe
        self.health: dict[str, Any] = {}  # what it gave after the last epoch
        first = Position(shuffling=learner.shuffling.bit_generator.state)
        self.position = checkpoint.position if checkpoint else first
        self.kept_epoch = checkpoint.kept_epoch if checkpoint else 0
        kept = checkpoint.restore(learner) if checkpoint else learner.network.parameters
        self._kept = kept.copy()
        self.place = place
        self._is_saved = False
        self._saved = -math.inf  # when

    def close(self) -> None:
        """Let others write to the folder."""
        self.place.close()

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.place.path

    def train(self) -> Iterator[Event]:
        """Train, and write to the folder what each event brings before passing it on.

        With patience the network of the best epoch is kept, else that of the last.

        Raises:
            DivergedError: the loss is not finite any more; the last good network stays.
            ActcliError: the folder cannot be written to.
        """
        learner, patient = self.learner, self.learner.config.training.patience > 0
        for event in self._fit():
            self._is_saved, wait = False, CHECKPOINT_SECONDS_WITHIN_EPOCH
            if isinstance(event, EpochDone):
                wait = CHECKPOINT_SECONDS
                self._record(event)
                if event.best or not patient:
                    self.kept_epoch = event.epoch
                    np.copyto(self._kept, learner.network.parameters)
            if time.monotonic() - self._saved > wait:
                self.save()
            yield event
        if not self._is_saved:
            self.save()
        np.copyto(learner.network.parameters, self._kept)

    def save(self) -> None:
        """Write the network and the checkpoint. After the end of `train` they are written.

        Raises:
            ActcliError: they cannot be written.
        """
        place, kept = self.place, (self._kept, self.kept_epoch)
        place.write(MODEL, *self.learner.model.file_parts(*kept))
        place.sync(METRICS)
        place.write(CHECKPOINT, *checkpoint_file(self.learner, self.position, *kept))
        self._is_saved, self._saved = True, time.monotonic()

    def _fit(self) -> Iterator[Event]:
        try:
            yield from fit(self.learner, self.position)
        except DivergedError as error:
            self.place.write(MODEL, *self.learner.model.file_parts(self._kept, self.kept_epoch))
            kept = f"after epoch {self.kept_epoch}" if self.kept_epoch else "before the first step"
            kept = f"{self.folder / MODEL} is the network {kept}"
            self.conclude("diverged", message=error.message)
            raise DivergedError(error.message, f"{error.hint}. {kept}") from None

    def result(self, train: Score | None = None) -> Result:
        """What the kept network does on each split, exactly.

        Args:
            train: that on the training rows, which takes a while, where it is wanted.
        """
        learner, data, position = self.learner, self.learner.dataset, self.position
        rows = len(data.train) * position.epoch
        return Result(
            run=self.folder,
            parameters=learner.network.parameters.size,
            epochs=position.epoch,
            best_epoch=position.best_epoch,
            kept_epoch=self.kept_epoch,
            train=train,
            validation=evaluate(learner.model, data.validation) if len(data.validation) else None,
            test=evaluate(learner.model, data.test),
            seconds=position.seconds,
            examples_per_second=rows / position.seconds if position.seconds else None,
        )

    def conclude(self, status: str, **details: Any) -> None:
        """Have the folder tell how it ended: with what result, or why not.

        Raises:
            ActcliError: it cannot be written.
        """
        record = {"status": status, **details, "run": self.folder.name}
        self.place.write(RESULT, _line(record))

    def _record(self, epoch: EpochDone) -> None:
        if self.observe:
            self.health = self.observe()
        record = asdict(epoch) | ({"health": self.health} if self.observe else {})
        self.place.append(METRICS, _line(record))


def create(learner: Learner, runs: Path, name: str, observe: Observe | None = None) -> Run:
    """A new run, in a folder that has all that it takes to train it from the start.

    Args:
        learner: as it was made.
        runs: where the folder goes.
        name: of the folder; where it is taken, `name-2`, `name-3`, ….
        observe: see `Run`.

    Raises:
        UsageError: the name is no name of a folder.
        ActcliError: the folder cannot be made or written to.
    """
    with new_folder(runs, name) as folder:
        return begin(learner, folder, observe)


def begin(learner: Learner, place: RunStorage, observe: Observe | None = None) -> Run:
    """A new run, where there is nothing yet."""
    run = Run(learner, place, observe)
    place.write(CONFIG, learner.config.to_toml().encode())
    place.write(ENVIRONMENT, _text(environment()))
    place.write(METRICS, b"")
    run.save()
    return run


def resume(
    learner: Learner, folder: Folder, checkpoint: Checkpoint, observe: Observe | None = None
) -> Run:
    """The run of a folder, where its last checkpoint left it.

    Args:
        learner: of the folder's configuration, in which `epochs` may be another.
        folder: of the run.
        checkpoint: of the folder.
        observe: see `Run`.

    Raises:
        DataError: a file of the folder is damaged.
        ActcliError: version, configuration or data have changed; the folder cannot be written to.
    """
    checkpoint.check(learner)
    run = Run(learner, folder, observe, checkpoint)
    # Until the last of these lines, the folder is as good for another try as it was before.
    metrics = _until(folder.path / METRICS, run.position.epoch)
    told = read_environment(folder.path / ENVIRONMENT)
    told["resumed"].append(environment())
    folder.tidy()
    folder.write(METRICS, metrics)
    folder.write(ENVIRONMENT, _text(told))
    folder.write(CONFIG, learner.config.to_toml().encode())
    folder.remove(RESULT)
    return run


def _text(told: dict[str, Any]) -> bytes:
    return f"{json.dumps(told, indent=2)}\n".encode()


def _line(record: dict[str, Any]) -> bytes:
    return f"{jsonlines.dumps(record)}\n".encode()


def _until(path: Path, epochs: int) -> bytes:
    """The records of so many epochs. What follows them was written after the checkpoint."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)[:epochs]
        ended = all(line.endswith(b"\n") for line in lines)
        found = [json.loads(line)["epoch"] for line in lines]
        complete = ended and found == list(range(1, epochs + 1))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError):
        complete = False
    if not complete:
        raise DataError(f"{path} does not have the {epochs} epochs that are trained, each once")
    return b"".join(lines)
