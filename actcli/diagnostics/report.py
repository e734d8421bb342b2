"""The diagnosis: the result of `actcli diagnose`, the same for tables, JSON and Python.

`diagnose` measures a model on a split and judges the evidence by all rules.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from actcli.datasets.batches import Split
from actcli.datasets.dataset import Dataset
from actcli.diagnostics import HEALTHY, LABELS, PARTS, SPLITS
from actcli.diagnostics.confusion import Confusion
from actcli.diagnostics.doubts import LabelDoubts, may_be_labels, measure_doubts
from actcli.diagnostics.evidence import Evidence, Provenance, Training, gather
from actcli.diagnostics.findings import Finding
from actcli.diagnostics.first_layer import FirstLayer, first_layer
from actcli.diagnostics.foreign import Assumptions
from actcli.diagnostics.framework_words import foreign_lines, questions
from actcli.diagnostics.gradients import LayerGradient
from actcli.diagnostics.histogram_history import HistogramHistory, histogram_history
from actcli.diagnostics.histograms import LayerHistograms, choose_edges
from actcli.diagnostics.outputs import Outputs
from actcli.diagnostics.unit_activity import LayerActivity
from actcli.diagnostics.units import LayerUnits
from actcli.diagnostics.verdict import healthy_because, judge, verdict
from actcli.errors import UsageError
from actcli.model import Model
from actcli.registry import unknown_name
from actcli.training.events import EpochDone

# Fields of each part that are left out of the JSON, because other fields determine them.
DERIVED = {"gradients": {"compounded"}, "units": {"distribution"}, "softmax": {"predicted"}}


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """The result of examining one model on one split.

    Args:
        evidence: all measured numbers.
        findings: the faults, the worst first; findings with the same cause are merged into one.
        assumptions: what was assumed of a network of another framework; None for other networks.
        first_layer: the weights of some units of the first layer; None unless "weights" was one of
            the parts to measure.
        doubts: the labels that the network doubts; None unless they were asked for, or may explain
            a finding.
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    assumptions: Assumptions | None = None
    first_layer: FirstLayer | None = None
    doubts: LabelDoubts | None = None

    @property
    def verdict(self) -> str:
        """The rule of the worst finding, or "healthy" if no finding is worse than a note."""
        return verdict(self.findings)

    @property
    def healthy_because(self) -> str:
        """The reason for the verdict "healthy" in one sentence; empty for any other verdict."""
        return healthy_because(self.evidence) if self.verdict == HEALTHY else ""

    @property
    def gradients(self) -> tuple[LayerGradient, ...]:
        """The gradient flow through each layer, the output layer last."""
        return self.evidence.gradients

    @property
    def units(self) -> tuple[LayerUnits, ...]:
        """The states of the units of each hidden layer."""
        return self.evidence.units

    @property
    def outputs(self) -> Outputs | None:
        """Confidence and calibration; None for an identity output."""
        return self.evidence.outputs

    @property
    def confusion(self) -> Confusion:
        """How many rows of each class are predicted as each class."""
        return Confusion(self.evidence.class_names, self.evidence.confusion)

    @property
    def activity(self) -> tuple[LayerActivity, ...]:
        """The activity of each unit of each hidden layer."""
        return self.evidence.activity

    @property
    def histograms(self) -> tuple[LayerHistograms, ...]:
        """The histograms of each layer; empty unless "activations" was one of the parts."""
        return self.evidence.histograms

    @property
    def training(self) -> Training | None:
        """How the network was trained; None if that is unknown."""
        return self.evidence.training

    @property
    def history(self) -> tuple[EpochDone, ...]:
        """The trained epochs; empty if they are unknown."""
        return self.training.history if self.training else ()

    @property
    def histogram_history(self) -> HistogramHistory | None:
        """The histograms of each layer over the epochs; None if they were not recorded."""
        return histogram_history(self.history)

    def to_dict(self, parts: Collection[str] = PARTS) -> dict[str, Any]:
        """Return the JSON object of `actcli diagnose --json`.

        Args:
            parts: any of "gradients", "units", "softmax", "confusion", "activations", "weights",
                "history", "labels", "verdict". Those that were not measured are null. Doubted
                labels are part of a verdict that they may explain.
        """
        evidence = self.evidence
        fields: dict[str, Any] = {
            "model": evidence.model,
            "dataset": evidence.dataset,
            "split": evidence.split,
            "rows": evidence.rows,
            "class_weights": evidence.class_weights,
        }
        if "gradients" in parts:
            fields["gradients"] = [_part(asdict(row), "gradients") for row in self.gradients]
        if "units" in parts:
            fields["units"] = [_part(asdict(row), "units") for row in self.units]
        if "softmax" in parts:
            fields["softmax"] = self.outputs and softmax_fields(self.outputs)
        fields |= self._pictures(parts)
        if "labels" in parts or (self.doubts and "verdict" in parts):
            fields["labels"] = self.doubts and self.doubts.to_dict()
        if "history" in parts:
            fields["history"] = [_epoch(epoch) for epoch in self.history] if self.training else None
            histograms = self.histogram_history
            fields["histograms"] = histograms and histograms.to_dict()
        if "verdict" in parts:
            fields["reference_accuracy"] = evidence.reference_accuracy
            fields["reference"] = evidence.reference and asdict(evidence.reference)
            fields["findings"] = [finding.to_dict() for finding in self.findings]
            if assumptions := self.assumptions:
                framework = assumptions.framework
                for record, finding in zip(fields["findings"], self.findings, strict=True):
                    lines = [foreign_lines(remedy, framework) for remedy in finding.remedies]
                    record["foreign_remedies"] = lines
                asked = list(questions(self.findings, framework))
                fields["assumptions"] = {**assumptions.to_dict(), "questions": asked}
            fields["verdict"] = self.verdict
        return fields

    def _pictures(self, parts: Collection[str]) -> dict[str, Any]:
        """Return the parts that are numbers for pictures."""
        fields: dict[str, Any] = {}
        if "confusion" in parts:
            fields["confusion"] = self.confusion.to_dict()
        if "activations" in parts:
            fields["activations"] = {
                "histograms": [asdict(layer) for layer in self.histograms] or None,
                "units": [layer.to_dict() for layer in self.activity],
            }
        if "weights" in parts:
            fields["weights"] = self.first_layer and self.first_layer.to_dict()
        return fields


def diagnose(  # noqa: PLR0913 - the optional ones are keywords with defaults
    model: Model,
    dataset: Dataset,
    *,
    split: str = "train",
    rows: int | None = None,
    name: str = "model",
    initial: Model | None = None,
    training: Training | None = None,
    workers: int = 1,
    assumptions: Assumptions | None = None,
    parts: Collection[str] = PARTS,
) -> Diagnosis:
    """Return the diagnosis of a model on a split of a data set.

    Args:
        model: the model to examine; no parameter changes.
        dataset: the data set that holds the split.
        split: "train", "validation" or "test".
        rows: size of a fixed random sample of the split; None for all rows. A unit is dead only if
            no training row activates it, also if it is not in the sample.
        name: the name of the model in the report.
        initial: the model before its training, if known.
        training: how the model was trained, if known.
        workers: largest number of processes that share the rows. Their number changes the sums
            only by rounding.
        assumptions: what was assumed of a network of another framework.
        parts: with "activations", the histograms of each layer are measured, and with "weights" the
            weights of the first layer are kept, and with "labels" the doubted labels. All other
            parts are measured in any case.

    Raises:
        UsageError: the split is empty or does not exist, `rows` is below 1, or the model does not
            fit the data set.
    """
    require_fit(model, dataset)
    examined = find_split(dataset, split)
    if rows is not None:
        if rows < 1:
            raise UsageError(f"a sample of {rows} rows", "Allowed: 1 or more")
        examined = examined.sample(rows)
    names = Provenance(name, dataset.name, split, model.loss_name)
    sees_all = split == "train" and len(examined) == len(dataset.train)
    train = None if sees_all else dataset.train
    edges = choose_edges(model, examined) if "activations" in parts else None
    evidence = gather(
        model,
        examined,
        names,
        initial,
        training,
        train=train,
        held_out=(dataset.train, dataset.validation) if training else None,
        workers=workers,
        edges=edges,
    )
    layer = first_layer(model, dataset.shape, evidence.activity) if "weights" in parts else None
    findings = judge(evidence)
    asked = LABELS in parts or may_be_labels(findings)
    doubts = measure_doubts(model, find_split(dataset, split), examined) if asked else None
    return Diagnosis(evidence, findings, assumptions, layer, doubts)


def find_split(dataset: Dataset, name: str) -> Split:
    """Return a split of a data set.

    Raises:
        UsageError: the split is empty or does not exist.
    """
    if name not in SPLITS:
        raise unknown_name("split", name, SPLITS)
    split: Split = getattr(dataset, name)
    if not len(split):
        filled = " or ".join(other for other in SPLITS if len(getattr(dataset, other)))
        raise UsageError(f"the data set {dataset.name} has no {name} rows", f"Allowed: {filled}")
    return split


def require_fit(model: Model, dataset: Dataset) -> None:
    """Raise if a model does not fit a data set.

    Raises:
        UsageError: the number of inputs or of classes differs.
    """
    inputs, classes = model.network.sizes[0], len(model.classes)
    if (inputs, classes) != (dataset.inputs, len(dataset.classes)):
        raise UsageError(
            f"the model has {inputs} inputs and {classes} classes, but the data set "
            f"{dataset.name} has {dataset.inputs} and {len(dataset.classes)}"
        )


def _part(values: dict[str, Any], part: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in DERIVED[part]}


def softmax_fields(outputs: Outputs) -> dict[str, Any]:
    """Return the fields of the outputs, with a histogram over the bins of the reliability."""
    values = _part(asdict(outputs), "softmax")
    classes, reliability = values.pop("classes"), values.pop("reliability")
    bins = outputs.reliability
    histogram = {
        "edges": [bins[0].low, *(interval.high for interval in bins)],
        "counts": [interval.count for interval in bins],
    }
    return {**values, "histogram": histogram, "reliability": reliability, "classes": classes}


def _epoch(epoch: EpochDone) -> dict[str, Any]:
    """Return the record of an epoch without nesting; lists are empty if nothing was measured."""
    validation, health = epoch.validation, epoch.health
    return {
        "epoch": epoch.epoch,
        "train_loss": epoch.train.loss,
        "train_accuracy": epoch.train.accuracy,
        "validation_loss": validation.loss if validation else None,
        "validation_accuracy": validation.accuracy if validation else None,
        "delta_norm": health.delta_norm if health else (),
        "weight_grad_norm": health.weight_grad_norm if health else (),
        "silent": health.silent if health else (),
        "update_ratio": epoch.update_ratio,
    }
