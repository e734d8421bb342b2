"""Weights from a file, whoever wrote it: a perceptron of actcli, PyTorch or scikit-learn.

A `.safetensors` file has the tensors of `nn.Sequential(Linear, …)` or of any module made of linear
layers: weights (units, inputs), biases (units,). An `.npz` file has the same, or the `coefs_`
(inputs, units) and `intercepts_` of an `MLPClassifier`, saved one array each. Layers are in the
order of the numbers in their names. Nothing is ever unpickled.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.config.values import quoted
from actcli.datasets import npz
from actcli.errors import DataError
from actcli.formats.safetensors import Tensors, read_safetensors
from actcli.nn.arrays import Array

EXPECTED_TENSORS = (
    "Expected a multilayer perceptron: weights (units, inputs) and biases (units,) by turns"
)


Layers = Sequence[tuple[Array, Array]]


def read_layers(path: Path) -> tuple[Layers, dict[str, Any]]:
    """Return the layers of a file, first layer first, and what actcli wrote beside them.

    Returns:
        Weights (units, inputs) and biases (units,) of each layer in float32; and the description,
        empty in files of other frameworks.

    Raises:
        DataError: the file cannot be read or is not a multilayer perceptron: which tensor, which
            shape.
    """
    read = _read_npz if path.suffix == ".npz" else read_safetensors
    arrays, description = read(path)
    if not arrays:
        raise DataError(f"{path} holds no tensor", EXPECTED_TENSORS)
    tensors = {name: _float32(path, name, values) for name, values in arrays.items()}
    return pair_layers(path, tensors), description


def _read_npz(path: Path) -> tuple[Tensors, dict[str, Any]]:
    tensors = {}
    for name, array in npz.read_arrays(path):
        if array.dtype.kind not in "fiu":
            raise DataError(f"{path}: array {quoted(name)} holds {array.dtype}", EXPECTED_TENSORS)
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


def pair_layers(path: Path, tensors: dict[str, Array]) -> list[tuple[Array, Array]]:
    """Pair weights with biases, and see that each layer takes what the one before gives."""
    names = sorted(tensors, key=_name_order)
    for name in names:
        if tensors[name].ndim not in {1, 2} or 0 in tensors[name].shape:
            raise DataError(
                f"{path}: tensor {quoted(name)} has the shape {tensors[name].shape}",
                EXPECTED_TENSORS,
            )
    weights = [name for name in names if tensors[name].ndim == 2]
    biases = [name for name in names if tensors[name].ndim == 1]
    if not weights or len(biases) not in {0, len(weights)}:
        odd = (biases or names)[-1]
        raise DataError(
            f"{path}: {len(weights)} tensors are weights and {len(biases)} are biases; "
            f"{quoted(odd)} has the shape {tensors[odd].shape}",
            EXPECTED_TENSORS,
        )
    transposed = all("coef" in name for name in weights) or not _fit_together(
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
                EXPECTED_TENSORS,
            )
        layers.append((w, b))
    return layers


def _fit_together(weights: list[Array], biases: list[Array]) -> bool:
    """Whether each of the weights, as (units, inputs), fits its biases and the one before."""
    units = [len(w) for w in weights]
    return [w.shape[1] for w in weights[1:]] == units[:-1] and (
        not biases or [len(b) for b in biases] == units
    )


def _name_order(name: str) -> tuple[list[float], str]:
    """By the numbers in a name: 10.weight comes after 2.weight; a name without is last."""
    return [float(number) for number in re.findall(r"\d+", name)] or [math.inf], name
