"""Weights from a file, whoever wrote it: a perceptron of actcli, PyTorch or scikit-learn.

A `.safetensors` file has the tensors of `nn.Sequential(Linear, …)` or of any module made of linear
layers: weights (units, inputs), biases (units,). An `.npz` file has the same, or the `coefs_`
(inputs, units) and `intercepts_` of an `MLPClassifier`, saved one array each. Layers are in the
order of the numbers in their names. Nothing is ever unpickled.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.config.values import quoted
from actcli.datasets import npz
from actcli.datasets.batches import NORMALIZATIONS
from actcli.errors import DataError, UsageError
from actcli.formats.safetensors import METADATA, Tensors, read_tensors
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.arrays import Array
from actcli.nn.links import LINKS
from actcli.nn.losses import LOSSES

LARGEST = float(np.finfo(np.float32).max)

EXPECTED = "Expected a multilayer perceptron: weights (units, inputs) and biases (units,) by turns"


@dataclass(frozen=True, eq=False)
class Weights:
    """What a file holds.

    Args:
        layers: weights (units, inputs) and biases (units,) in float32, from the first layer on.
        description: what actcli wrote beside them; empty for other files.
    """

    layers: tuple[tuple[Array, Array], ...]
    description: dict[str, Any]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, units of each hidden layer, scores."""
        return (self.layers[0][0].shape[1], *(len(biases) for _, biases in self.layers))


def read_weights(path: Path) -> Weights:
    """Read the weights of a file.

    Raises:
        DataError: it cannot be read, or is no multilayer perceptron: which tensor, which shape.
    """
    read = _read_npz if path.suffix == ".npz" else read_tensors
    found, description = read(path)
    _check(path, description)
    if not found:
        raise DataError(f"{path} holds no tensor", EXPECTED)
    tensors = {name: _float32(path, name, values) for name, values in found.items()}
    return Weights(tuple(_layers(path, tensors)), description)


def _check(path: Path, description: dict[str, Any]) -> None:
    for key, known in DESCRIBED.items():
        if key in description and not known(description[key]):
            raise DataError(
                f"{path}: {key!r} in the description {METADATA!r} in its header is "
                f"{quoted(description[key])}"
            )
    try:
        _see_that_the_names_are_known(description)
    except UsageError as error:  # of whoever wrote the file, not of the user
        raise DataError(f"{path}: {error.message}", error.hint) from None


def _see_that_the_names_are_known(description: dict[str, Any]) -> None:
    for name in description.get("activations", ()):
        ACTIVATIONS[name]
    if normalization := description.get("normalization"):
        NORMALIZATIONS[normalization["method"]]
    if loss := description.get("loss"):
        output, smoothing = description.get("output", "auto"), description.get("label_smoothing", 0)
        LOSSES[loss](output, smoothing)
    elif output := description.get("output"):
        LINKS[output]


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_name, value))


def _is_number(value: Any) -> bool:
    # That float32 can hold. Python compares whole numbers of any size with it.
    return isinstance(value, (int, float)) and abs(value) <= LARGEST


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _is_normalization(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"method", "shift", "scale"}
        and _is_name(value["method"])
        and _is_number(value["shift"])
        and _is_number(value["scale"])
    )


# What of the description is used, and what it must be.
DESCRIBED = {
    "activations": _is_names,
    "output": _is_name,
    "loss": _is_name,
    "label_smoothing": lambda value: _is_number(value) and 0 <= value < 1,
    "dataset": _is_name,
    "epoch": _is_count,
    "classes": _is_names,
    "normalization": _is_normalization,
}


def _read_npz(path: Path) -> tuple[Tensors, dict[str, Any]]:
    tensors = {}
    for name, array in npz.read_arrays(path):
        if array.dtype.kind not in "fiu":
            raise DataError(f"{path}: array {quoted(name)} holds {array.dtype}", EXPECTED)
        tensors[name] = array
    return tensors, {}


def _float32(path: Path, name: str, values: NDArray[Any]) -> Array:
    """As training has them; a number that cannot be used is named with its place."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32, copy=False)
    finite = np.isfinite(single)
    if not finite.all():
        place = tuple(np.argwhere(~finite)[0].tolist())
        value = values[place]
        fault = "is beyond float32" if np.isfinite(value) else "is not a finite number"
        raise DataError(
            f"{path}: {value} at {list(place)} of tensor {quoted(name)} {fault}",
            "A training that diverged leaves such weights; a smaller learning rate may mend it",
        )
    return single


def _layers(path: Path, tensors: dict[str, Array]) -> list[tuple[Array, Array]]:
    """Pair weights with biases, and see that each layer takes what the one before gives."""
    names = sorted(tensors, key=_order)
    for name in names:
        if tensors[name].ndim not in {1, 2} or 0 in tensors[name].shape:
            raise DataError(
                f"{path}: tensor {quoted(name)} has the shape {tensors[name].shape}", EXPECTED
            )
    weights = [name for name in names if tensors[name].ndim == 2]
    biases = [name for name in names if tensors[name].ndim == 1]
    if not weights or len(biases) not in {0, len(weights)}:
        odd = (biases or names)[-1]
        raise DataError(
            f"{path}: {len(weights)} tensors are weights and {len(biases)} are biases; "
            f"{quoted(odd)} has the shape {tensors[odd].shape}",
            EXPECTED,
        )
    transposed = all("coef" in name for name in weights) or not _chained(
        [tensors[name] for name in weights], [tensors[name] for name in biases]
    )
    layers: list[tuple[Array, Array]] = []
    for index, name in enumerate(weights):
        w = np.ascontiguousarray(tensors[name].T) if transposed else tensors[name]
        b = tensors[biases[index]] if biases else np.zeros(len(w), np.float32)
        inputs = len(layers[-1][1]) if layers else w.shape[1]
        if w.shape != (len(b), inputs):
            raise DataError(
                f"{path}: weights {quoted(name)} have the shape {tensors[name].shape}, but "
                f"{inputs} inputs and {len(b)} biases go with them",
                EXPECTED,
            )
        layers.append((w, b))
    return layers


def _chained(weights: list[Array], biases: list[Array]) -> bool:
    """Whether each of the weights, as (units, inputs), fits its biases and the one before."""
    units = [len(w) for w in weights]
    return [w.shape[1] for w in weights[1:]] == units[:-1] and (
        not biases or [len(b) for b in biases] == units
    )


def _order(name: str) -> tuple[list[float], str]:
    """By the numbers in a name: 10.weight comes after 2.weight; a name without is last."""
    return [float(number) for number in re.findall(r"\d+", name)] or [math.inf], name
