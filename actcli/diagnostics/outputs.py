"""Outputs: confidence, accuracy and calibration, overall and for each class.

Confidence is the largest probability. A network is calibrated if, of the predictions with
confidence c, the share c is right. The predictions fall into fifteen bins of equal width by their
confidence. The expected calibration error is the mean gap between confidence and accuracy over the
bins, weighted by their counts. The maximum calibration error is the largest gap (Naeini, Cooper,
Hauskrecht, AAAI 2015; Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equations 3
and 5). Dividing the logits by a temperature can improve the calibration: the best temperature
minimises the negative log likelihood (Guo et al., section 4.2).
"""

from dataclasses import dataclass

import numpy as np

from actcli.diagnostics.sums import Sums
from actcli.diagnostics.temperature import TemperatureSums
from actcli.nn.arrays import Allocate, Array, Labels
from actcli.nn.links import log_softmax
from actcli.nn.losses import Loss

BINS = 15


@dataclass(frozen=True)
class Bin:
    """The predictions with a confidence between two edges."""

    low: float
    high: float
    count: int
    confidence: float | None  # mean; None for an empty bin
    accuracy: float | None  # share of right predictions


@dataclass(frozen=True)
class ClassOutputs:
    """The outputs for the rows of one true class."""

    label: str
    rows: int
    probability_of_true: float | None  # mean over these rows; None without rows, as below
    confidence: float | None  # mean
    entropy: float | None  # mean, nats
    accuracy: float | None
    confused_with: str | None  # the wrong class that is predicted most often


@dataclass(frozen=True)
class Outputs:
    """Confidence and calibration on a split.

    With a sigmoid output and one unit per class, each output is an independent probability. The
    confidence is the largest output; entropy and likelihood are sums over the units.
    """

    accuracy: float
    nll: float  # mean negative log likelihood, nats
    confidence: float  # mean
    entropy: float  # mean, nats
    ece: float
    mce: float
    temperature: float | None  # calibrates best; None if it is not between 1/16 and 16
    reliability: tuple[Bin, ...]
    classes: tuple[ClassOutputs, ...]
    predicted: tuple[int, ...]  # for each class, the number of rows for which it is predicted


class OutputSums(Sums):
    """Sums over the outputs of all rows.

    Args:
        loss: owns the link from logits to outputs.
        classes: K, the number of classes.
        allocate: makes arrays of zeros.
    """

    def __init__(self, loss: Loss, classes: int, allocate: Allocate = np.zeros) -> None:
        super().__init__(allocate)
        self.link, self.units = loss.link, loss.units(classes)
        self.probabilistic = loss.output != "identity"
        self.separate = loss.output == "sigmoid" and self.units > 1
        self.edges = np.linspace(0, 1, BINS + 1)
        self.confusion = self.counts(classes, classes)  # (true class, predicted class)
        self.by_class = self.sums(4, classes)  # Σ p(true), confidence, entropy, -log likelihood
        self.by_bin = self.sums(3, BINS)  # predictions, Σ confidence, right predictions
        self.loss = self.sums()
        self.temperature = TemperatureSums(allocate)
        self.arrays += self.temperature.arrays

    def add(self, logits: Array, losses: Array, labels: Labels) -> None:
        """Add logits (N, units), their losses (N,) and their true classes (N,)."""
        self.loss += float(losses.sum(dtype=np.float64))
        if self.units == 1:  # one sigmoid unit is a softmax over its logit and 0
            logits = np.hstack([np.zeros_like(logits), logits])
        predicted = logits.argmax(axis=1)
        np.add.at(self.confusion, (labels, predicted), 1)
        if not self.probabilistic:
            return
        rows = np.arange(len(labels))
        targets = np.zeros(logits.shape, np.intp)
        targets[rows, labels] = 1
        if self.separate:
            pairs = np.stack([np.zeros_like(logits), logits], axis=2).reshape(-1, 2)
            p, entropy, nll = _distribution(pairs, targets.reshape(-1))
            p = p[:, 1].reshape(logits.shape)
            entropy = entropy.reshape(logits.shape).sum(axis=1)
            nll = nll.reshape(logits.shape).sum(axis=1)
            self.temperature.add(pairs, targets.reshape(-1))
        else:
            p, entropy, nll = _distribution(logits, labels)
            self.temperature.add(logits, labels)
        confidence = p[rows, predicted]
        sums = (p[rows, labels], confidence, entropy, nll)
        for index, part in enumerate(sums):
            self.by_class[index] += np.bincount(labels, part, len(self.confusion))
        # The last bin includes its upper edge: many float32 confidences are exactly 1.
        bins = np.searchsorted(self.edges, confidence, side="right").clip(1, BINS) - 1
        for index, part in enumerate((np.ones(len(rows)), confidence, predicted == labels)):
            self.by_bin[index] += np.bincount(bins, part, BINS)

    def outputs(self, names: tuple[str, ...]) -> Outputs | None:
        """Return the outputs; None for an identity output, which is not a probability.

        Args:
            names: the names of the K classes.
        """
        if not self.probabilistic:
            return None
        rows = self.confusion.sum()
        count, confidence, right = self.by_bin
        gaps = np.abs(confidence - right)
        filled = count > 0
        bins = tuple(
            Bin(
                float(self.edges[i]),
                float(self.edges[i + 1]),
                int(count[i]),
                float(confidence[i] / count[i]) if count[i] else None,
                float(right[i] / count[i]) if count[i] else None,
            )
            for i in range(BINS)
        )
        _, mean_confidence, entropy, nll = (float(total.sum() / rows) for total in self.by_class)
        return Outputs(
            accuracy=self.accuracy,
            nll=nll,
            confidence=mean_confidence,
            entropy=entropy,
            ece=float(gaps.sum() / rows),
            mce=float((gaps[filled] / count[filled]).max()),
            temperature=self.temperature.best(),
            reliability=bins,
            classes=tuple(self._of_class(k, names) for k in range(len(names))),
            predicted=tuple(self.confusion.sum(axis=0).tolist()),
        )

    @property
    def accuracy(self) -> float:
        """The share of the rows whose predicted class is right."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    def _of_class(self, k: int, names: tuple[str, ...]) -> ClassOutputs:
        rows = int(self.confusion[k].sum())
        if not rows:
            return ClassOutputs(names[k], 0, None, None, None, None, None)
        wrong = self.confusion[k].copy()
        wrong[k] = 0
        p_true, confidence, entropy, _ = (float(total[k] / rows) for total in self.by_class)
        return ClassOutputs(
            label=names[k],
            rows=rows,
            probability_of_true=p_true,
            confidence=confidence,
            entropy=entropy,
            accuracy=float(self.confusion[k, k] / rows),
            confused_with=names[int(wrong.argmax())] if wrong.any() else None,
        )


def _distribution(logits: Array, labels: Labels) -> tuple[Array, Array, Array]:
    """Return softmax (N, K), entropy (N,) and -log p of the true class (N,), in float64 nats."""
    log_p = log_softmax(logits.astype(np.float64))
    p = np.exp(log_p)
    return p, np.asarray(-np.vecdot(p, log_p)), -log_p[np.arange(len(labels)), labels]
