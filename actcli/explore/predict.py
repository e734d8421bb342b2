"""Predictions of a network for single images, and its most confident mistakes.

The link of the network turns logits into outputs. Softmax, and a single sigmoid unit, return one
distribution over the classes, for which cross-entropy is -ln of the probability of the true class.
A sigmoid per class returns separate probabilities, and the identity returns the logits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import Split
from actcli.datasets.dataset import Dataset
from actcli.datasets.raw import Pixels
from actcli.diagnostics.first_layer import picture_shape
from actcli.diagnostics.probe import ROWS
from actcli.errors import ActcliError
from actcli.model import Model
from actcli.nn.arrays import Array, Labels

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prediction:
    """The outputs of a network for one image of K classes.

    Args:
        index: row of the split; None for an image that is not from the data set.
        image: (H, W), from 0 for the background to 1; None for inputs that are not an image.
        true_class: index of the true class; None if it is unknown.
        outputs: (K,), the link of the logits.
        answer: class with the largest output.
        second: class with the second largest output.
        cross_entropy: nats; None without a distribution, or without a true class.
        loss: the training loss of this image; None without a true class.
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
        """Whether the answer is the true class; None if the true class is unknown."""
        return None if self.true_class is None else self.answer == self.true_class


@dataclass(frozen=True, eq=False)
class Predictions:
    """The result of `actcli predict`.

    Args:
        model, dataset, loss, output: names; `output` is the link.
        split: None for an image that is not from the data set.
        classes: the names of the K classes.
        rows, mistakes: number of examined rows and of wrong answers among them; None if single rows
            were requested.
        predictions: one per image.
        steps: what was done to a picture before, in order.
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
    steps: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of `actcli predict --json`: classes by name, and all outputs."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {
            "predictions": [self._to_dict(prediction) for prediction in self.predictions]
        }

    def csv_rows(self) -> Iterator[Sequence[Any]]:
        """Yield the header of the CSV, and a row for each output of each image."""
        yield ["row", "true_class", "answer", "class", self.output]
        for prediction in self.predictions:
            names = self._to_dict(prediction)
            answer = [names["index"], names["true_class"], names["answer"]]
            for name, output in zip(self.classes, prediction.outputs.tolist(), strict=True):
                yield [*answer, name, output]

    def _to_dict(self, prediction: Prediction) -> dict[str, Any]:
        true_class = prediction.true_class
        return {
            "index": prediction.index,
            "true_class": None if true_class is None else self.classes[true_class],
            "answer": self.classes[prediction.answer],
            "right": prediction.right,
            "second": self.classes[prediction.second],
            "outputs": prediction.outputs,
            "cross_entropy": prediction.cross_entropy,
            "loss": prediction.loss,
        }


def predict(
    model: Model,
    pixels: Pixels,
    shape: tuple[int, ...],
    labels: Sequence[int | None],
    indices: Sequence[int | None],
) -> tuple[Prediction, ...]:
    """Return the predictions for n images.

    Args:
        model: the network.
        pixels: (n, D), not yet normalized.
        shape: of an image.
        labels: index of the true class of each image; None if it is unknown.
        indices: row of each image in its split; None without a split.

    Raises:
        ActcliError: a logit is not finite.
    """
    if not len(pixels):
        return ()
    split = Split(pixels, np.array([label or 0 for label in labels]), np.arange(len(pixels)))
    logits = _logits(model, split).astype(np.float64)
    outputs, logs = model.outputs(logits)
    predictions = []
    for row, (label, index) in enumerate(zip(labels, indices, strict=True)):
        order = np.argsort(-outputs[row], kind="stable")
        predictions.append(
            Prediction(
                index=index,
                image=_image(pixels[row], shape),
                true_class=label,
                outputs=outputs[row],
                answer=int(order[0]),
                second=int(order[1]),
                cross_entropy=0.0 - float(logs[row, label])
                if label is not None and logs is not None
                else None,
                loss=_loss(model, logits[row], label) if label is not None else None,
            )
        )
    return tuple(predictions)


def predictions_of_rows(
    model: Model, dataset: Dataset, split: str, indices: Sequence[int], name: str = "model"
) -> Predictions:
    """Return the predictions for rows of a split.

    Args:
        model: the network.
        dataset: the data set that holds the split.
        split: "train", "validation" or "test".
        indices: the rows, from 0.
        name: the name of the model.

    Raises:
        ActcliError: a logit is not finite.
    """
    part: Split = getattr(dataset, split)
    rows = np.asarray(indices, np.intp)
    pixels, labels = part.pixels[part.rows[rows]], part.labels[rows].tolist()
    return Predictions(
        model=name,
        dataset=dataset.name,
        split=split,
        output=model.loss.output,
        loss=model.loss_name,
        classes=model.classes,
        rows=None,
        mistakes=None,
        predictions=predict(model, pixels, dataset.shape, labels, rows.tolist()),
    )


def confident_mistakes(
    model: Model, dataset: Dataset, split: str, count: int, name: str = "model"
) -> Predictions:
    """Return the most confident mistakes on a split, the most confident first.

    Args:
        model: the network.
        dataset: the data set that holds the split.
        split: "train", "validation" or "test".
        count: largest number of mistakes to return.
        name: the name of the model.

    Raises:
        ActcliError: a logit is not finite.
    """
    part: Split = getattr(dataset, split)
    rows = np.arange(len(part))
    indices, mistakes = worst(model, part, rows, count) if len(part) else ([], 0)
    result = predictions_of_rows(model, dataset, split, indices, name)
    return replace(result, rows=len(part), mistakes=mistakes)


def worst(model: Model, split: Split, rows: Labels, count: int) -> tuple[list[int], int]:
    """Return the rows of the most confident mistakes, and the number of all mistakes.

    Args:
        model: the network.
        split: a split with labels.
        rows: rows of the split to examine.
        count: largest number of mistakes to return.

    Raises:
        ActcliError: a logit is not finite.
    """
    subset = split.subset(rows)
    outputs, _ = model.outputs(_logits(model, subset))
    answers = outputs.argmax(axis=1)
    wrong = np.flatnonzero(answers != subset.labels)
    confidences = outputs[wrong, answers[wrong]]
    true_outputs = outputs[wrong, subset.labels[wrong]]
    # Among equal confidences, the less probable true class comes first.
    order = np.lexsort((wrong, true_outputs, -confidences))[:count]
    return rows[wrong[order]].tolist(), len(wrong)


def _logits(model: Model, split: Split) -> Array:
    """Return the logits of all rows of a split.

    Raises:
        ActcliError: a logit is not finite, so that no class is the most probable one.
    """
    logits = model.split_logits(split, ROWS)
    if not np.isfinite(logits).all():
        raise ActcliError(
            "the network's parameters are so large that its logits are not finite",
            "To see where: actcli diagnose",
        )
    return logits


def _loss(model: Model, logits: Vector, label: int) -> float:
    targets = model.loss.targets(len(model.classes))[[label]]
    row = logits[np.newaxis]
    return float(model.loss(row, targets, np.empty_like(row), np.empty_like(row))[0])


def _image(pixels: Array | Pixels, shape: tuple[int, ...]) -> Vector | None:
    """Return an image with values in [0, 1]: bytes over 255, floats scaled by their own range."""
    sides = picture_shape(shape, pixels.size)
    if sides is None:
        return None
    ink = pixels.astype(np.float64).reshape(sides)
    if pixels.dtype == np.uint8:
        return np.asarray(ink / 255)
    low, high = ink.min(), ink.max()
    return np.asarray((ink - low) / (high - low) if high > low else ink * 0)
