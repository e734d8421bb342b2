"""What a network says of single images, and which of its mistakes it was surest of.

The scores go through the link of the network. Softmax, and a single sigmoid unit, make one
distribution over the classes, for which cross-entropy is -ln of the probability of the true class.
A sigmoid for each class makes as many separate probabilities, and the identity none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Split
from actcli.datasets.npz import Pixels
from actcli.diagnostics.probe import ROWS
from actcli.model import Model
from actcli.nn.arrays import Array, Labels

Vector = NDArray[np.float64]

SMALLEST = 4  # side of a square that a row of pixels is taken for


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network says of one image of K classes.

    Args:
        index: among the rows of its split; None for an image from elsewhere.
        image: (H, W), from 0 for the background to 1; None for inputs that are no image.
        true_class: None if that is not known.
        outputs: (K,), what the link makes of the scores.
        answer: the class with the largest output.
        second: the class with the next.
        cross_entropy: nats; None without a distribution, or without a true class.
        loss: that the network was trained with, for this image; None without a true class.
    """

    index: int | None
    image: Vector | None
    true_class: int | None
    outputs: Vector
    answer: int
    second: int
    cross_entropy: float | None
    loss: float | None

    @property
    def right(self) -> bool | None:
        """Whether the answer is the true class; None if that is not known."""
        return None if self.true_class is None else self.answer == self.true_class


@dataclass(frozen=True, eq=False)
class Predictions:
    """What `actcli predict` shows.

    Args:
        model, dataset, loss: by name.
        split: None for an image from elsewhere.
        output: the link, by name.
        classes: the names of the K classes.
        rows: how many were looked at, and mistakes: how many of them are answered wrong; None where
            single rows were asked for.
    """

    model: str
    dataset: str
    split: str | None
    output: str
    loss: str
    classes: tuple[str, ...]
    rows: int | None
    mistakes: int | None
    predictions: tuple[Prediction, ...]


def predict(
    model: Model,
    pixels: Pixels,
    shape: tuple[int, ...],
    labels: Sequence[int | None],
    indices: Sequence[int | None],
) -> tuple[Prediction, ...]:
    """Look at images.

    Args:
        model: the network.
        pixels: (n, D), as in the file.
        shape: of an image.
        labels: the true class of each, if known.
        indices: of each among the rows of its split, if it is from one.
    """
    if not len(pixels):
        return ()
    split = Split(pixels, np.array([label or 0 for label in labels]), np.arange(len(pixels)))
    scores = model.split_logits(split, ROWS).astype(np.float64)
    outputs, logs = model.outputs(scores)
    found = []
    for row, (label, index) in enumerate(zip(labels, indices, strict=True)):
        order = np.argsort(-outputs[row], kind="stable")
        known = label is not None
        found.append(
            Prediction(
                index=index,
                image=_image(pixels[row], shape),
                true_class=label,
                outputs=outputs[row],
                answer=int(order[0]),
                second=int(order[1]),
                cross_entropy=0.0 - float(logs[row, label]) if known and logs is not None else None,
                loss=_loss(model, scores[row], label) if label is not None else None,
            )
        )
    return tuple(found)


def worst(model: Model, split: Split, rows: Labels, count: int) -> tuple[list[int], int]:
    """The mistakes that the network was surest of, the surest first, and how many there are.

    Args:
        model: the network.
        split: with labels.
        rows: which of its rows to look at.
        count: how many to give at most.
    """
    chosen = split.subset(rows)
    outputs, _ = model.outputs(model.split_logits(chosen, ROWS))
    answers = outputs.argmax(axis=1)
    wrong = np.flatnonzero(answers != chosen.labels)
    sure = outputs[wrong, answers[wrong]]
    true = outputs[wrong, chosen.labels[wrong]]
    order = np.lexsort((wrong, true, -sure))[:count]  # of equals, the one that is further off
    return rows[wrong[order]].tolist(), len(wrong)


def _loss(model: Model, scores: Vector, label: int) -> float:
    targets = model.loss.targets(len(model.classes))[[label]]
    row = scores[np.newaxis]
    return float(model.loss(row, targets, np.empty_like(row), np.empty_like(row))[0])


def _image(pixels: Array | Pixels, shape: tuple[int, ...]) -> Vector | None:
    """As ink on a background: bytes over 255, floats over the range that they have here."""
    side = math.isqrt(pixels.size)
    if len(shape) == 1:
        if side < SMALLEST or side * side != pixels.size:
            return None
        shape = (side, side)
    ink = pixels.astype(np.float64).reshape(shape)
    if pixels.dtype == np.uint8:
        return np.asarray(ink / 255)
    low, high = ink.min(), ink.max()
    return np.asarray((ink - low) / (high - low) if high > low else ink * 0)
