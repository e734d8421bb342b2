"""Weights from a file, whoever wrote it: a perceptron of actcli, PyTorch or scikit-learn.

A `.safetensors` file has the tensors of `nn.Sequential(Linear, …)` or of any module made of linear
layers: weights (units, inputs), biases (units,). An `.npz` file has the same, or the `coefs_`
(inputs, units) and `intercepts_` of an `MLPClassifier`, saved one array each. Layers are in the
order of the numbers in their names. Nothing is ever unpickled.
"""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from actcli.datasets import npz
from actcli.errors import DataError
from actcli.nn.arrays import Array
from actcli.training.tensors import METADATA

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
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
    tensors, description = _read_npz(path) if path.suffix == ".npz" else read_tensors(path)
    _check(path, description)
    if not tensors:
        raise DataError(f"{path} holds no tensor", EXPECTED)
    return Weights(tuple(_layers(path, tensors)), description)


def read_tensors(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors of a safetensors file in float32, by name, and what actcli wrote beside them.

    Raises:
        DataError: it cannot be read, or a tensor does not hold floats.
    """
    try:
        content = path.read_bytes()
        found = deserialize(content)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise DataError(f"{path} is not a safetensors file: {error}") from None
    tensors = {}
    for name, tensor in found:
        if tensor["dtype"] not in DTYPES:
            raise DataError(
                f"{path}: tensor {name!a} is of type {tensor['dtype']}",
                f"Known: {', '.join(DTYPES)}",
            )
        values = np.frombuffer(tensor["data"], DTYPES[tensor["dtype"]])
        if tensor["dtype"] == "BF16":  # the upper half of a float32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        tensors[name] = _float32(values).reshape(tensor["shape"])
    # The header's length is its first eight bytes; `deserialize` has checked both.
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tensors, _description(path, header.get("__metadata__") or {})


def _description(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    try:
        description = json.loads(metadata.get(METADATA, "{}"))
    except (ValueError, RecursionError):
        description = None
    if not isinstance(description, dict):
        raise DataError(f"{path}: the description {METADATA!r} in its header is no JSON object")
    return description


def _check(path: Path, description: dict[str, Any]) -> None:
    for key, known in DESCRIBED.items():
        if key in description and not known(description[key]):
            raise DataError(
                f"{path}: {key!r} in the description {METADATA!r} in its header is "
                f"{json.dumps(description[key])[:60]}"
            )


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_name, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


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


def _read_npz(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    tensors = {}
    for name, array in npz.read_arrays(path):
        if array.dtype.kind not in "fiu":
            raise DataError(f"{path}: array {name!a} holds {array.dtype}", EXPECTED)
        tensors[name] = _float32(array)
    return tensors, {}


def _float32(values: NDArray[Any]) -> Array:
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and found as such
        return values.astype(np.float32)


def _layers(path: Path, tensors: dict[str, Array]) -> list[tuple[Array, Array]]:
    """Pair weights with biases, and see that each layer takes what the one before gives."""
    names = sorted(tensors, key=_order)
    for name in names:
        if tensors[name].ndim not in {1, 2} or 0 in tensors[name].shape:
            raise DataError(
                f"{path}: tensor {name!a} has the shape {tensors[name].shape}", EXPECTED
            )
    weights = [name for name in names if tensors[name].ndim == 2]
    biases = [name for name in names if tensors[name].ndim == 1]
    if not weights or len(biases) not in {0, len(weights)}:
        odd = (biases or names)[-1]
        raise DataError(
            f"{path}: {len(weights)} tensors are weights and {len(biases)} are biases; "
            f"{odd!a} has the shape {tensors[odd].shape}",
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
                f"{path}: weights {name!a} have the shape {tensors[name].shape}, but "
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
