"""From named tensors to layers: sort the tensors, pair weights with biases, check their shapes.

Layers are sorted by the numbers in the names of their tensors. Weights have the shape (units,
inputs), as PyTorch stores them. Weights (inputs, units), as scikit-learn stores them, are
recognized by their names or shapes and transposed.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.nn.arrays import Array

Tensors = dict[str, NDArray[Any]]
Layers = Sequence[tuple[Array, Array]]  # weights (units, inputs) and biases (units,)

EXPECTED_TENSORS = (
    "Expected a multilayer perceptron: for each layer weights (units, inputs) and biases (units,)"
)


def pair_layers(path: Path, tensors: Mapping[str, NDArray[Any]]) -> Layers:
    """Return the layers that the tensors of a file form, first layer first.

    Args:
        path: the path of the file, for messages.
        tensors: weights, with biases for all of them or for none, in any order and precision.

    Returns:
        Weights (units, inputs) and biases (units,) of each layer in float32. Missing biases are 0.

    Raises:
        DataError: the tensors are not those of a multilayer perceptron, or a number is not finite
            in float32. The message names the tensor, its shape or the position of the number.
    """
    if not tensors:
        raise DataError(f"{path} holds no tensor", EXPECTED_TENSORS)
    arrays = {name: _as_float32(path, name, values) for name, values in tensors.items()}
    weights, biases = _sorted_names(path, arrays)
    transposed = all("coef" in name for name in weights) or not _fit_together(
        [arrays[name] for name in weights], [arrays[name] for name in biases]
    )
    layers: list[tuple[Array, Array]] = []
    for index, name in enumerate(weights):
        w = np.ascontiguousarray(arrays[name].T) if transposed else arrays[name]
        b = arrays[biases[index]] if biases else np.zeros(len(w), np.float32)
        inputs = len(layers[-1][1]) if layers else w.shape[1]
        if w.shape != (len(b), inputs):
            raise DataError(
                f"{path}: weights {quoted(name)} have the shape {arrays[name].shape}, but "
                f"{inputs} inputs and {len(b)} biases go with them",
                EXPECTED_TENSORS,
            )
        layers.append((w, b))
    return layers


def _as_float32(path: Path, name: str, values: NDArray[Any]) -> Array:
    """Return a tensor in float32.

    Raises:
        DataError: a number is not finite in float32; the message has its value and position.
    """
    with np.errstate(over="ignore"):
        single = values.astype(np.float32, copy=False)
    finite = np.isfinite(single)
    if not finite.all():
        position = tuple(np.argwhere(~finite)[0].tolist())
        value = values[position]
        fault = "is beyond float32" if np.isfinite(value) else "is not a finite number"
        raise DataError(
            f"{path}: {value} at {list(position)} of tensor {quoted(name)} {fault}",
            "A training that diverged leaves such weights; a smaller learning rate may fix it",
        )
    return single


def _sorted_names(path: Path, arrays: Mapping[str, Array]) -> tuple[list[str], list[str]]:
    """Return the names of the weights and of the biases, first layer first.

    Raises:
        DataError: a tensor is neither weights nor biases, or the numbers of weights and biases
            differ.
    """
    names = sorted(arrays, key=_name_order)
    for name in names:
        if arrays[name].ndim not in {1, 2} or 0 in arrays[name].shape:
            raise DataError(
                f"{path}: tensor {quoted(name)} has the shape {arrays[name].shape}",
                EXPECTED_TENSORS,
            )
    weights = [name for name in names if arrays[name].ndim == 2]
    biases = [name for name in names if arrays[name].ndim == 1]
    if not weights or len(biases) not in {0, len(weights)}:
        unpaired = (biases or names)[-1]
        raise DataError(
            f"{path}: {len(weights)} tensors are weights and {len(biases)} are biases; "
            f"{quoted(unpaired)} has the shape {arrays[unpaired].shape}",
            EXPECTED_TENSORS,
        )
    return weights, biases


def _name_order(name: str) -> tuple[list[float], str]:
    """Return a sort key: "2.weight" comes before "10.weight", a name without a number is last."""
    return [float(number) for number in re.findall(r"\d+", name)] or [math.inf], name


def _fit_together(weights: list[Array], biases: list[Array]) -> bool:
    """Return whether all weights, taken as (units, inputs), fit their biases and each other."""
    units = [len(w) for w in weights]
    return [w.shape[1] for w in weights[1:]] == units[:-1] and (
        not biases or [len(b) for b in biases] == units
    )
