"""A run in progress: a training, and the folder that records it.

`config.toml` is the complete configuration, `environment.json` the machine and the versions,
`metrics.jsonl` has a line for each epoch, `model.safetensors` is the model,
`checkpoint.safetensors` has everything that a training needs to resume, `result.json` says how the
training ended. Each file is complete at any moment. Metrics are written after each epoch. Model and
checkpoint are written after epochs, but at most once a second; once a minute during long epochs; at
a signal; and at the end. `start.py` makes and reopens the folder.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from actcli.diagnostics.calibration import calibrated
from actcli.diagnostics.evidence import Provenance, Training, gather
from actcli.diagnostics.health import measure_health, sample_rows
from actcli.diagnostics.sums import Activity
from actcli.diagnostics.verdict import judge, verdict
from actcli.errors import DivergedError
from actcli.store.checkpoint import Checkpoint, checkpoint_file
from actcli.store.folder import (
    CHECKPOINT,
    METRICS,
    MODEL,
    RESULT,
    RunStorage,
)
from actcli.store.record import (
    DIVERGED,
    FINISHED,
    RunResult,
    epoch_line,
)
from actcli.training.evaluation import evaluate
from actcli.training.events import EpochDone, Event
from actcli.training.learner import Learner
from actcli.training.loop import Position, fit

# The minimum keeps epochs of milliseconds from waiting for the disk. The maximum limits the work
# that a killed run loses during a long epoch.
MIN_SECONDS_BETWEEN_CHECKPOINTS = 1.0
MAX_SECONDS_BETWEEN_CHECKPOINTS = 60.0

# Sampled training rows for the verdict of a run; all rows of MNIST would take ten times as long.
VERDICT_ROWS = 5000


class Run:
    """A training in progress, and the folder that records it: see `start.py`.

    Args:
        learner: the model that learns, its optimizer and its random generators.
        storage: the folder.
        checkpoint: the checkpoint to resume from; None to start from the beginning.
        history: the epochs before the checkpoint.
    """

    def __init__(
        self,
        learner: Learner,
        storage: RunStorage,
        checkpoint: Checkpoint | None = None,
        history: tuple[EpochDone, ...] = (),
    ) -> None:
        self.learner = learner
        self.storage = storage
        self.history = list(history)
        start = Position(shuffling=learner.shuffling.bit_generator.state)
        self.position = checkpoint.position if checkpoint else start
        self.kept_epoch = checkpoint.kept_epoch if checkpoint else 0
        kept = checkpoint.restore(learner) if checkpoint else learner.network.parameters
        self._kept = kept.copy()
        self._is_saved = False
        self._saved_at = -math.inf
        self.health_rows = sample_rows(learner.dataset.train)

    def close(self) -> None:
        """Unlock the folder for other processes."""
        self.storage.close()

    @property
    def folder(self) -> Path:
        """The path of the folder."""
        return self.storage.path

    def train(self) -> Iterator[Event]:
        """Train, and record each event in the folder before yielding it.

        At the end, the learner holds the model of the last epoch, or with patience that of the best
        epoch.

        Raises:
            DivergedError: the loss is not finite any more; the last good model is in the folder.
            ActcliError: the folder cannot be written to.
        """
        learner, patient = self.learner, self.learner.config.training.patience > 0
        for event in self._fit():
            self._is_saved, wait = False, MAX_SECONDS_BETWEEN_CHECKPOINTS
            if isinstance(event, EpochDone):
                wait = MIN_SECONDS_BETWEEN_CHECKPOINTS
                self.history.append(event)
                self.storage.append(METRICS, epoch_line(event))
                if event.best or not patient:
                    self.kept_epoch = event.epoch
                    np.copyto(self._kept, learner.network.parameters)
            if time.monotonic() - self._saved_at > wait:
                self.save()
            yield event
        if not self._is_saved:
            self.save()
        np.copyto(learner.network.parameters, self._kept)

    def save(self) -> None:
        """Write the model and the checkpoint. `train` does so before it ends.

        Raises:
            ActcliError: a file cannot be written.
        """
        storage, kept = self.storage, (self._kept, self.kept_epoch)
        storage.write(MODEL, *self.learner.model.file_parts(*kept))
        storage.sync(METRICS)
        storage.write(CHECKPOINT, *checkpoint_file(self.learner, self.position, *kept))
        self._is_saved, self._saved_at = True, time.monotonic()

    def finish(self, evaluate_training_rows: bool = True) -> RunResult:
        """Calibrate, evaluate and diagnose the model of a complete training; write the result.

        Args:
            evaluate_training_rows: whether to measure the score on all training rows. If not, the
                pass that looks for dead units ends as soon as every unit was active.

        Raises:
            ActcliError: the result cannot be written.
        """
        learner, data, position = self.learner, self.learner.dataset, self.position
        if learner.config.training.calibrate:
            # The checkpoint keeps the parameters as they were trained: a longer training starts
            # from them.
            learner.model = calibrated(learner.model, data.validation)
            kept = learner.network.parameters, self.kept_epoch
            self.storage.write(MODEL, *learner.model.file_parts(*kept))
        activity, train = Activity(learner.network), None
        if evaluate_training_rows:
            train = evaluate(learner.model, data.train, activity.add)
        else:
            activity.add_until_complete(learner.model, data.train)
        validation = evaluate(learner.model, data.validation) if len(data.validation) else None
        rows = len(data.train) * position.epoch
        result = RunResult(
            status=FINISHED,
            run=self.folder.name,
            parameters=learner.network.parameters.size,
            epochs=position.epoch,
            best_epoch=position.best_epoch,
            kept_epoch=self.kept_epoch,
            train=train,
            validation=validation,
            test=evaluate(learner.model, data.test),
            seconds=position.seconds,
            examples_per_second=rows / position.seconds if position.seconds else None,
            dead=activity.dead_share,
            verdict=self._verdict(activity),
            class_weight=learner.config.loss.class_weight,
            temperature=learner.model.temperature,
        )
        self.storage.write(RESULT, result.to_json())
        return result

    def _verdict(self, activity: Activity) -> str:
        """Return the verdict on the model, from a sample of the training rows."""
        learner, rows = self.learner, self.learner.dataset.train.sample(VERDICT_ROWS)
        names = Provenance("", learner.dataset.name, "train", learner.config.loss.name)
        training = Training.of(learner.config, tuple(self.history), self.kept_epoch)
        evidence = gather(
            learner.model,
            rows,
            names,
            learner.initial_model(),
            training,
            train=learner.dataset.train,
            active=activity.active,
        )
        return verdict(judge(evidence))

    def _fit(self) -> Iterator[Event]:
        learner = self.learner
        try:
            yield from fit(
                learner, self.position, lambda: measure_health(learner.model, self.health_rows)
            )
        except DivergedError as error:
            self.storage.write(MODEL, *learner.model.file_parts(self._kept, self.kept_epoch))
            when = f"after epoch {self.kept_epoch}" if self.kept_epoch else "before the first step"
            result = RunResult(DIVERGED, self.folder.name, error.message)
            self.storage.write(RESULT, result.to_json())
            hint = f"{error.hint}. {self.folder / MODEL} is the network {when}"
            raise DivergedError(error.message, hint) from None
