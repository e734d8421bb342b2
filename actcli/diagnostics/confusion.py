"""The confusion matrix: how many rows of each class are predicted as each class.

Of the rows of a class, the share that is predicted as this class is its recall. Of the rows that
are predicted as a class, the share that belongs to it is its precision. F1 is the harmonic mean of
the two (van Rijsbergen, Information Retrieval (1979), chapter 7).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

WORST_PAIRS = 10


@dataclass(frozen=True)
class ClassScores:
    """How well one class is recognized.

    Args:
        label: the name of the class.
        rows: number of rows of this class.
        predicted: number of rows that are predicted as this class.
        right: number of rows of this class that are predicted as it.
    """

    label: str
    rows: int
    predicted: int
    right: int

    @property
    def precision(self) -> float | None:
        """The share of the predictions of this class that are right; None without any."""
        return self.right / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """The share of the rows of this class that are predicted right; None without any."""
        return self.right / self.rows if self.rows else None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall; None without rows and predictions."""
        return 2 * self.right / both if (both := self.rows + self.predicted) else None

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers for JSON."""
        shares = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**asdict(self), **shares}


@dataclass(frozen=True)
class ConfusedPair:
    """A class that is mistaken for another one.

    Args:
        true_class: the name of the class of the rows.
        predicted: the name of the class that is predicted for them.
        rows: number of these rows.
        share: of the rows of the true class.
    """

    true_class: str
    predicted: str
    rows: int
    share: float


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix of a network on a split.

    Args:
        classes: the names of the K classes.
        counts: K lists of K numbers: for each true class, the number of rows that are predicted as
            each class.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def scores(self) -> tuple[ClassScores, ...]:
        """How well each class is recognized."""
        predicted = [sum(column) for column in zip(*self.counts, strict=True)]
        return tuple(
            ClassScores(label, sum(row), predicted[index], row[index])
            for index, (label, row) in enumerate(zip(self.classes, self.counts, strict=True))
        )

    def worst_pairs(self, count: int | None = WORST_PAIRS) -> tuple[ConfusedPair, ...]:
        """Return the pairs with the most rows, the worst first; pairs without a row are left out.

        Args:
            count: largest number of pairs; None for all.
        """
        cells = [
            (-rows, true, predicted)
            for true, row in enumerate(self.counts)
            for predicted, rows in enumerate(row)
            if rows and true != predicted
        ]
        return tuple(
            ConfusedPair(
                self.classes[true],
                self.classes[predicted],
                -negative,
                -negative / sum(self.counts[true]),
            )
            for negative, true, predicted in sorted(cells)[:count]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the matrix, the scores of each class and the worst pairs for JSON."""
        return {
            "classes": self.classes,
            "counts": self.counts,
            "scores": [scores.to_dict() for scores in self.scores],
            "worst_pairs": [asdict(pair) for pair in self.worst_pairs()],
        }

    def csv_rows(self) -> Iterator[Sequence[Any]]:
        """Yield the header of the CSV, and a row for each class: the matrix, then the scores."""
        scores = ("precision", "recall", "f1")
        yield ["true_class", *(f"predicted {label}" for label in self.classes), "rows", *scores]
        for row, entry in zip(self.counts, self.scores, strict=True):
            yield [entry.label, *row, entry.rows, entry.precision, entry.recall, entry.f1]
