"""The numbers of the report of a run or of a file of weights: `actcli report --json`.

They come from the records of the run and from a diagnosis of its network. If its data cannot be
read any more, the records remain. Of weights without a data set, shapes and sizes remain.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from actcli.config.schema import Config, values
from actcli.datasets.dataset import Dataset, ignore_progress
from actcli.datasets.download import Progress
from actcli.diagnostics import PARTS, PICTURES
from actcli.diagnostics.confusion import Confusion
from actcli.diagnostics.foreign import examine_assumptions
from actcli.diagnostics.histogram_history import HistogramHistory, histogram_history
from actcli.diagnostics.outputs import Outputs
from actcli.diagnostics.probe import probe
from actcli.diagnostics.report import Diagnosis, diagnose, find_split, softmax_fields
from actcli.errors import ActcliError
from actcli.explore.predict import Predictions, confident_mistakes
from actcli.model import Model, read_model_file
from actcli.nn.arrays import Array
from actcli.store.environment import read_environment
from actcli.store.fix_record import find_fix
from actcli.store.folder import CONFIG, ENVIRONMENT, METRICS, RESULT
from actcli.store.record import RunResult, read_epochs
from actcli.store.repetition import train_command
from actcli.store.targets import Overrides, Target, file_target, run_target
from actcli.training.events import EpochDone

EXAMINED = (*PARTS, *PICTURES)
MISTAKES = 12  # that are shown
SAME = 1e-9  # accuracies that differ by less are those of one network


@dataclass(frozen=True)
class LayerWeights:
    """The weights of one layer of a file.

    Args:
        layer: from 1; the output layer is the last.
        inputs, units: its shape.
        weight_mean, weight_deviation: of its weights.
        largest_weight: the largest |weight|.
        bias_mean: of its biases.
    """

    layer: int
    inputs: int
    units: int
    weight_mean: float
    weight_deviation: float
    largest_weight: float
    bias_mean: float


@dataclass(frozen=True, eq=False)
class SplitOutputs:
    """The outputs of a network on a split.

    Args:
        split: its name.
        rows: number of its rows.
        accuracy: share of the rows whose predicted class is right.
        output: the name of the output activation.
        outputs: confidence and calibration; None for an identity output.
        confusion: how many rows of each class are predicted as each class.
        mistakes: the most confident mistakes; None if a logit is not finite.
    """

    split: str
    rows: int
    accuracy: float
    output: str
    outputs: Outputs | None
    confusion: Confusion
    mistakes: Predictions | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "split": self.split,
            "rows": self.rows,
            "accuracy": self.accuracy,
            "softmax": self.outputs and softmax_fields(self.outputs),
            "confusion": self.confusion.to_dict(),
            "mistakes": self.mistakes and self.mistakes.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class RunReport:
    """All that is known of a run, or of a file of weights.

    Args:
        name: of the run or of the file.
        kind: "run" or "file".
        config: the configuration of the run; None for a file.
        environment: versions and machine; None if they are unknown.
        epochs: the trained epochs.
        result: how the training ended; None if it did not.
        diagnosis: on the training rows; None if it was not possible.
        test: the outputs on the test rows; None if there is no diagnosis.
        layers: the weights of a file; empty for a run.
        fix: the record of `actcli fix`; None if there was none.
        cure: the epochs of the best run of the fix.
        notes: why something is missing.
        command: the command that trains the run again; empty for a file.
    """

    name: str
    kind: str
    config: Config | None = None
    environment: dict[str, Any] | None = None
    epochs: tuple[EpochDone, ...] = ()
    result: RunResult | None = None
    diagnosis: Diagnosis | None = None
    test: "SplitOutputs | None" = None
    layers: tuple[LayerWeights, ...] = ()
    fix: dict[str, Any] | None = None
    cure: tuple[EpochDone, ...] = ()
    notes: tuple[str, ...] = ()
    command: str = ""

    @property
    def verdict(self) -> str | None:
        """The verdict of the diagnosis, or the one that was recorded at the end of the training."""
        if self.diagnosis:
            return self.diagnosis.verdict
        return self.result.verdict if self.result else None

    @property
    def histograms(self) -> HistogramHistory | None:
        """The histograms of each layer over the epochs; None if they were not recorded."""
        return histogram_history(self.epochs)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers for JSON."""
        histograms = self.histograms
        config = self.config
        return {
            "kind": self.kind,
            "name": self.name,
            "verdict": self.verdict,
            "notes": self.notes,
            "result": self.result and self.result.to_dict(),
            "epochs": list(map(_scores, self.epochs)),
            "histograms": histograms and histograms.to_dict(),
            "diagnosis": self.diagnosis and self.diagnosis.to_dict(EXAMINED),
            "test": self.test and self.test.to_dict(),
            "layers": [asdict(layer) for layer in self.layers],
            "fix": self.fix,
            "cure": list(map(_scores, self.cure)),
            "config": config and {str(key): value for key, value in values(config)},
            "environment": self.environment,
            "command": self.command,
        }


def _scores(epoch: EpochDone) -> dict[str, Any]:
    """Return the fields of an epoch, without its histograms."""
    fields = asdict(replace(epoch, histograms=None))
    del fields["histograms"]
    return fields


def run_report(
    folder: Path,
    overrides: Overrides | None = None,
    progress: Progress = ignore_progress,
    workers: int = 1,
) -> RunReport:
    """Return the report of a run.

    Args:
        folder: the folder of the run.
        overrides: properties that replace the run's.
        progress: receives the progress of downloads.
        workers: largest number of processes that share the rows of the diagnosis.

    Raises:
        ActcliError: a record of the run is damaged.
    """
    config = Config.load(folder / CONFIG)
    layers = len(config.model.hidden) + 1
    result = RunResult.read(folder / RESULT)
    fix = find_fix(folder)
    if fix and not _is_fix_of(fix, folder, result):
        fix = None
    examined, notes = _examined(
        lambda: run_target(folder, overrides or Overrides(), False, progress), workers
    )
    return RunReport(
        name=folder.absolute().name,
        kind="run",
        config=config,
        environment=_environment(folder),
        epochs=tuple(read_epochs(folder / METRICS, layers)),
        result=result,
        fix=fix,
        cure=_cure(fix, folder),
        notes=notes,
        command=train_command(config, examined.rows if examined else None),
        diagnosis=examined.diagnosis if examined else None,
        test=examined.test if examined else None,
    )


def file_report(
    path: Path,
    overrides: Overrides | None = None,
    progress: Progress = ignore_progress,
    workers: int = 1,
) -> RunReport:
    """Return the report of a file of weights; see `run_report` for the arguments.

    Raises:
        DataError: the file does not hold a multilayer perceptron.
    """
    file = read_model_file(path)
    examined, notes = _examined(
        lambda: file_target(path, overrides or Overrides(), progress), workers
    )
    return RunReport(
        name=path.name,
        kind="file",
        layers=tuple(_layer(number, *layer) for number, layer in enumerate(file.layers, 1)),
        notes=notes,
        diagnosis=examined.diagnosis if examined else None,
        test=examined.test if examined else None,
    )


@dataclass(frozen=True, eq=False)
class _Examined:
    """What an examined network gives to its report."""

    diagnosis: Diagnosis
    test: SplitOutputs
    rows: int  # of the training and the validation split


def _examined(
    find: Callable[[], Target], workers: int
) -> "tuple[_Examined | None, tuple[str, ...]]":
    """Return the examination of a target, or None and why it is not possible."""
    try:
        target = find()
        model, assumptions, dataset = target.model, None, target.dataset
        if target.foreign:
            model, assumptions = examine_assumptions(model, dataset, target.foreign)
        diagnosis = diagnose(
            model,
            dataset,
            name=target.name,
            initial=target.initial,
            training=target.training,
            workers=workers,
            assumptions=assumptions,
            parts=EXAMINED,
        )
        test = outputs_on(model, dataset, "test", target.name, workers)
    except ActcliError as error:
        return None, (f"The network could not be examined: {error}",)
    rows = len(dataset.train) + len(dataset.validation)
    return _Examined(diagnosis, test, rows), ()


def outputs_on(
    model: Model, dataset: Dataset, name: str, title: str, workers: int = 1
) -> SplitOutputs:
    """Return the outputs of a network on a split.

    Args:
        model: the network.
        dataset: the data set that holds the split.
        name: the name of the split.
        title: the name of the network.
        workers: largest number of processes that share the rows.
    """
    split = find_split(dataset, name)
    sums = probe(model, split, workers).outputs
    try:
        mistakes = confident_mistakes(model, dataset, name, MISTAKES, title)
    except ActcliError:
        mistakes = None
    return SplitOutputs(
        split=name,
        rows=len(split),
        accuracy=sums.accuracy,
        output=model.loss.output,
        outputs=sums.outputs(model.classes),
        confusion=Confusion(model.classes, tuple(map(tuple, sums.confusion.tolist()))),
        mistakes=mistakes,
    )


def _environment(folder: Path) -> dict[str, Any] | None:
    """Return the environment of a run; None for the folder of an older version without it."""
    return read_environment(folder / ENVIRONMENT) if (folder / ENVIRONMENT).exists() else None


def _is_fix_of(fix: dict[str, Any], folder: Path, result: RunResult | None) -> bool:
    """Return whether the run of a fix is this one, and not an earlier run of the same name."""
    sides = [fix["before"], *(each["after"] for each in fix["tries"] if each["after"])]
    side = next(each for each in sides if each["run"] == folder.absolute().name)
    test = result.test if result else None
    return test is None or abs(side["test"] - test.accuracy) < SAME


def _cure(fix: dict[str, Any] | None, folder: Path) -> tuple[EpochDone, ...]:
    """Return the epochs of the best run of a fix; none if the run is gone or is this one."""
    if fix is None or fix["after"]["run"] == folder.absolute().name:
        return ()
    path = folder.absolute().parent / Path(fix["after"]["run"]).name / METRICS
    return tuple(read_epochs(path)) if path.exists() else ()


def _layer(number: int, weights: Array, biases: Array) -> LayerWeights:
    exact = weights.astype(np.float64)
    return LayerWeights(
        layer=number,
        inputs=weights.shape[1],
        units=weights.shape[0],
        weight_mean=float(exact.mean()),
        weight_deviation=float(exact.std()),
        largest_weight=float(np.abs(exact).max()),
        bias_mean=float(biases.astype(np.float64).mean()),
    )
