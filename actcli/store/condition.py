"""The condition of a run: its diagnosis, and which of its held-out rows it predicts right.

Two conditions are compared on the same rows: the validation rows, or the training rows if there are
none. If one class has most rows, the accuracy over all rows hides the errors of the other classes.
Then each class counts alike: the measure is the mean accuracy of the classes (Brodersen et al., The
Balanced Accuracy and Its Posterior Distribution, ICPR 2010).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.config.schema import Config
from actcli.datasets.batches import Split
from actcli.datasets.dataset import ignore_progress
from actcli.datasets.download import Progress
from actcli.diagnostics.calibration import measure_outputs
from actcli.diagnostics.findings import Finding, Severity
from actcli.diagnostics.report import diagnose
from actcli.diagnostics.significance import is_clearly_better
from actcli.model import Model
from actcli.nn.links import classify
from actcli.store.folder import CONFIG
from actcli.store.trained import read_run, read_training
from actcli.training.evaluation import evaluate

# A difference of two accuracies counts if it exceeds this many of its standard errors.
SIGNIFICANT_ERRORS = 2.0


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """Rows on which conditions are compared, and which of them a network predicts right.

    Args:
        split: name of the split: "validation" or "train".
        right: whether each row is predicted right, shape (N,).
        weights: how much each row counts in the mean accuracy of the classes, shape (N,); the sum
            is 1.
    """

    split: str
    right: NDArray[np.bool_]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, model: Model, name: str, split: Split) -> "HeldOutRows":
        """Return the rows of a split with the predictions of a model."""
        labels = split.labels
        counts = np.bincount(labels, minlength=len(model.classes))
        weights = 1 / (np.count_nonzero(counts) * counts[labels])
        return cls(name, classify(model.split_logits(split)) == labels, weights)

    def is_better(self, other: "HeldOutRows", by_class: bool, standard_errors: float) -> bool:
        """Return whether these predictions are better than others of the same rows."""
        weights = self.weights if by_class else None
        return is_clearly_better(self.right, other.right, standard_errors, weights)


@dataclass(frozen=True, eq=False)
class Condition:
    """A run with its diagnosis.

    Args:
        folder: the folder of the run.
        config: its configuration.
        verdict: the rule of the worst finding, or "healthy".
        findings: the findings, the worst first.
        held_out: the rows on which the run is compared with others.
        by_class: whether every class counts alike in this comparison.
        test: accuracy on the test rows.
        dead: share of the hidden units that are dead.
        ece: expected calibration error on the held-out rows; None if the outputs are not
            probabilities.
    """

    folder: Path
    config: Config
    verdict: str
    findings: tuple[Finding, ...]
    held_out: HeldOutRows
    by_class: bool
    test: float
    dead: float | None
    ece: float | None

    @property
    def run(self) -> str:
        """The name of the run."""
        return self.folder.absolute().name

    @property
    def rows(self) -> str:
        """The name of the split on which `accuracy` is measured: "validation" or "train"."""
        return self.held_out.split

    @property
    def accuracy(self) -> float:
        """The accuracy on the held-out rows."""
        return float(self.held_out.right.mean())

    @property
    def class_accuracy(self) -> float:
        """The mean accuracy of the classes on the held-out rows."""
        return float(self.held_out.right @ self.held_out.weights)

    @property
    def score(self) -> float:
        """What conditions are compared by: `class_accuracy` with `by_class`, else `accuracy`."""
        return self.class_accuracy if self.by_class else self.accuracy

    @property
    def faults(self) -> dict[str, Severity]:
        """The rules of the findings above a note, with their severity."""
        return {each.rule: each.severity for each in self.findings if each.severity > Severity.NOTE}

    @property
    def ills(self) -> tuple[int, int]:
        """The severity of the worst fault, and the number of faults: smaller is healthier."""
        return max(self.faults.values(), default=Severity.NOTE), len(self.faults)

    def is_better(self, other: "Condition", standard_errors: float = SIGNIFICANT_ERRORS) -> bool:
        """Return whether the accuracy on the held-out rows exceeds that of another condition.

        Args:
            other: a condition on the same rows.
            standard_errors: the number of standard errors that the difference must exceed.
        """
        return self.held_out.is_better(other.held_out, self.by_class, standard_errors)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "run": self.run,
            "verdict": self.verdict,
            "rows": self.rows,
            "accuracy": self.accuracy,
            "class_accuracy": self.class_accuracy,
            "test": self.test,
            "dead": self.dead,
            "ece": self.ece,
        }


def examine_run(
    folder: Path,
    progress: Progress = ignore_progress,
    workers: int = 1,
    by_class: bool | None = None,
) -> Condition:
    """Return a run with its diagnosis on all training rows.

    Args:
        folder: the folder of the run.
        progress: receives the progress of downloads.
        workers: largest number of processes that share the rows.
        by_class: whether every class counts alike in the accuracy; None: if the diagnosis finds
            classes of very different size.

    Raises:
        ActcliError: the run is damaged, or its data cannot be read.
    """
    config = Config.load(folder / CONFIG)
    run = read_run(folder, config.resolve(), progress)
    diagnosis = diagnose(
        run.model,
        run.dataset,
        name=folder.name,
        initial=run.initial,
        training=read_training(run.config, folder, run.epoch),
        workers=workers,
    )
    train, validation = run.dataset.train, run.dataset.validation
    name, split = ("validation", validation) if len(validation) else ("train", train)
    outputs = measure_outputs(run.model, split)
    units = sum(layer.units for layer in diagnosis.units)
    is_imbalanced = any(each.rule == "class-imbalance" for each in diagnosis.findings)
    return Condition(
        folder=folder,
        config=config,
        verdict=diagnosis.verdict,
        findings=diagnosis.findings,
        held_out=HeldOutRows.of(run.model, name, split),
        by_class=is_imbalanced if by_class is None else by_class,
        test=evaluate(run.model, run.dataset.test).accuracy,
        dead=sum(layer.dead for layer in diagnosis.units) / units if units else None,
        ece=outputs.ece if outputs else None,
    )
