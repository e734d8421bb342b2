"""Doubted labels: the rows whose label the network believes least.

A label is doubted by the probability of the network's answer minus that of the label. How many
labels are wrong is estimated as by confident learning (Northcutt, Jiang, Chuang, JAIR 70 (2021),
section 3.1): class k is believed of a row if its probability is at least the mean probability of k
over the rows that are labelled k; a label is counted as wrong if the most probable of the believed
classes is another one. Rows on which the network was trained may be memorised, wrong labels and
all: held-out rows show more.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from actcli.datasets.batches import Split
from actcli.diagnostics.findings import Finding
from actcli.model import Model

ROWS_SHOWN = 10
# Rules whose cause may be the labels: the rows are then shown without being asked for.
LABEL_RULES = frozenset({"not-learning", "permuted-labels", "wrong-labels"})


@dataclass(frozen=True)
class DoubtedRow:
    """A row whose label the network doubts.

    Args:
        index: the row's number in the split, from 0, as `actcli predict --index` takes it.
        label: the name of its label.
        answer: the name of the class that the network predicts.
        probability: the output of the label's class.
        confidence: the output of the answer.
    """

    index: int
    label: str
    answer: str
    probability: float
    confidence: float


@dataclass(frozen=True)
class LabelDoubts:
    """The labels of a split that the network doubts.

    Args:
        rows: the number of examined rows.
        estimated: the number of wrong labels by confident learning; None if the outputs are not
            probabilities.
        doubted: the most doubted rows, the most doubted one first.
    """

    rows: int
    estimated: int | None
    doubted: tuple[DoubtedRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return asdict(self)


def may_be_labels(findings: tuple[Finding, ...]) -> bool:
    """Return whether wrong labels may be the cause of a finding."""
    return any(each.rule in LABEL_RULES for each in findings)


def measure_doubts(model: Model, split: Split, examined: Split) -> LabelDoubts:
    """Return the labels that a model doubts.

    Args:
        model: the model.
        split: the whole split, in which the rows are counted.
        examined: the rows of it to examine.
    """
    outputs, _ = model.outputs(model.split_logits(examined))
    outputs = np.nan_to_num(outputs, nan=0.0)
    labels, rows = examined.labels, np.arange(len(examined))
    answers = outputs.argmax(axis=1)
    doubts = outputs[rows, answers] - outputs[rows, labels]
    most = np.argsort(-doubts, kind="stable")[:ROWS_SHOWN]
    positions = np.searchsorted(split.rows, examined.rows[most])
    names: Mapping[int, str] = dict(enumerate(model.classes))
    return LabelDoubts(
        rows=len(examined),
        estimated=_estimate(outputs, labels) if model.loss.output != "identity" else None,
        doubted=tuple(
            DoubtedRow(
                index=int(position),
                label=names[int(labels[row])],
                answer=names[int(answers[row])],
                probability=float(outputs[row, labels[row]]),
                confidence=float(outputs[row, answers[row]]),
            )
            for row, position in zip(most, positions, strict=True)
            if doubts[row] > 0
        ),
    )


def _estimate(outputs: Any, labels: Any) -> int:
    """Return the number of labels that differ from the most probable believed class."""
    counts = np.bincount(labels, minlength=outputs.shape[1])
    own = np.bincount(labels, outputs[np.arange(len(labels)), labels], len(counts))
    thresholds = np.where(counts > 0, own / np.maximum(counts, 1), np.inf)
    believed = np.where(outputs >= thresholds, outputs, -1.0)
    is_wrong = (believed.max(axis=1) > 0) & (believed.argmax(axis=1) != labels)
    return int(np.count_nonzero(is_wrong))
