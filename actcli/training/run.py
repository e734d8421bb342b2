"""A run: a training and the folder that keeps it.

`config.toml` is the complete configuration, `environment.json` the machine and the versions,
`metrics.jsonl` a line for each epoch, `model.safetensors` the network, `result.json` how it ended.
Each is whole at any moment, but for the last line of the metrics while it is written; the network
is there from before the first step.
"""

import contextlib
import itertools
import json
import os
import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from actcli import __version__, files, jsonlines
from actcli.errors import ActcliError, DivergedError, UsageError
from actcli.training.checkpoint import save_model
from actcli.training.config import to_toml
from actcli.training.learner import Learner, Score, score
from actcli.training.loop import EpochDone, Event, fit
from actcli.training.threads import VARIABLES, cores

MODEL = "model.safetensors"
NAME = re.compile(r"[\w.+-]+")  # of a run: one folder, nothing else


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    run: Path  # its folder
    parameters: int  # how many there are
    epochs: int  # that were trained
    best_epoch: int  # the one with the lowest validation loss; 0: the initial network
    kept_epoch: int  # the one whose network is kept
    train: Score
    validation: Score | None
    test: Score
    seconds: float  # of all steps
    examples_per_second: float | None  # none without a step


def create_folder(runs: Path, name: str) -> Path:
    """Make a new folder of that name for a run; where it is taken, `name-2`, `name-3`, ….

    Raises:
        UsageError: the name is no name of a folder.
        ActcliError: the folder cannot be made.
    """
    if not NAME.fullmatch(name) or set(name) == {"."}:
        raise UsageError(f"a run cannot be named {name!a}", "Letters, digits and . + - _")
    try:
        with contextlib.suppress(FileExistsError):  # a file: the next line tells that it is none
            runs.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = runs / (name if number == 1 else f"{name}-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                break
    except OSError as error:
        raise ActcliError(f"cannot make a run folder in {runs}: {error.strerror}") from error
    return folder


class Run:
    """A training in progress, and the folder that keeps it.

    Args:
        learner: what learns.
        folder: an empty one.
        observe: what looks at the network after each epoch; what it gives goes to `metrics.jsonl`.
    """

    def __init__(
        self, learner: Learner, folder: Path, observe: Callable[[], dict[str, Any]] | None = None
    ) -> None:
        self.learner = learner
        self.folder = folder
        self.observe = observe
        self.epochs: list[EpochDone] = []
        self.kept_epoch = 0

    def train(self) -> Iterator[Event]:
        """Train, and write to the folder what each event brings before passing it on.

        With patience the network of the best epoch is kept, else that of the last.

        Raises:
            DivergedError: the loss is not finite any more; the last good network stays.
            ActcliError: the folder cannot be written to.
        """
        learner, patient = self.learner, self.learner.config.training.patience > 0
        best = learner.network.parameters.copy()
        self._write("config.toml", to_toml(learner.config))
        self._write("environment.json", json.dumps(environment(), indent=2) + "\n")
        self._write("metrics.jsonl", "")
        save_model(self.folder / MODEL, learner)
        for event in self._fit():
            if isinstance(event, EpochDone):
                self.epochs.append(event)
                self._record(event)
                if event.best or not patient:
                    self.kept_epoch = event.epoch
                    np.copyto(best, learner.network.parameters)
                    save_model(self.folder / MODEL, learner)
            yield event
        np.copyto(learner.network.parameters, best)

    def _fit(self) -> Iterator[Event]:
        try:
            yield from fit(self.learner)
        except DivergedError as error:
            kept = f"after epoch {self.kept_epoch}" if self.kept_epoch else "before the first step"
            kept = f"{self.folder / MODEL} is the network {kept}"
            self._conclude("diverged", message=error.message)
            raise DivergedError(error.message, f"{error.hint}. {kept}") from None

    def result(self) -> Result:
        """What the kept network does on each split, exactly; the folder keeps it, too."""
        learner, data = self.learner, self.learner.dataset
        seconds = sum(epoch.seconds for epoch in self.epochs)
        rows = len(data.train) * len(self.epochs)
        result = Result(
            run=self.folder,
            parameters=learner.network.parameters.size,
            epochs=len(self.epochs),
            best_epoch=max((each.epoch for each in self.epochs if each.best), default=0),
            kept_epoch=self.kept_epoch,
            train=score(learner, data.train),
            validation=score(learner, data.validation) if len(data.validation) else None,
            test=score(learner, data.test),
            seconds=seconds,
            examples_per_second=rows / seconds if seconds else None,
        )
        self._conclude("finished", **asdict(result))
        return result

    def _conclude(self, status: str, **details: Any) -> None:
        record = {"status": status, **details, "run": self.folder.name}
        self._write("result.json", jsonlines.dumps(record) + "\n")

    def _record(self, epoch: EpochDone) -> None:
        path = self.folder / "metrics.jsonl"
        record = asdict(epoch) | ({"health": self.observe()} if self.observe else {})
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(jsonlines.dumps(record) + "\n")
        except OSError as error:
            raise ActcliError(f"cannot write {path}: {error.strerror}") from error

    def _write(self, name: str, text: str) -> None:
        files.write(self.folder / name, text.encode())


def environment() -> dict[str, Any]:
    """What the numbers of a run depend on besides its configuration."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "actcli": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "threads": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "cores": cores(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
