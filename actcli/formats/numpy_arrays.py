"""The `.npz` format of NumPy for models, such as those of scikit-learn.

A file holds weights and biases under the names of PyTorch, or the `coefs_` and `intercepts_` of an
`MLPClassifier`, saved as one array each: `np.savez(path, *model.coefs_, *model.intercepts_)`.
A file of `actcli export` also holds the normalization, the classes and the activations. Pickled
objects are refused.
"""

from pathlib import Path
from typing import Any

import numpy as np

from actcli.config.values import quoted
from actcli.datasets.npz import read_arrays
from actcli.errors import DataError
from actcli.formats.contents import Format, NamedTensors, Tensors
from actcli.formats.description import describe_normalization
from actcli.formats.file_start import FileStart
from actcli.formats.tensors import EXPECTED_TENSORS

LOGISTIC = {"logistic": "sigmoid"}  # scikit-learn's name


def read_npz_tensors(path: Path) -> NamedTensors:
    """Return the arrays of an `.npz` file.

    Raises:
        DataError: the file cannot be read or holds something else than numbers.
        ActcliError: this machine has less memory than the arrays need.
    """
    arrays = dict(read_arrays(path))
    description = _said_by_export(path, arrays) if "out_activation" in arrays else {}
    tensors: Tensors = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise DataError(f"{path}: array {quoted(name)} holds {array.dtype}", EXPECTED_TENSORS)
        tensors[name] = array
    return NamedTensors(tensors, description=description)


def _said_by_export(path: Path, arrays: Tensors) -> dict[str, Any]:
    """Return what the arrays beside the weights say, in a file of `actcli export`; remove them."""
    texts = {}
    for name in ("activation", "out_activation", "classes"):
        array = arrays.pop(name, None)
        if array is None or array.dtype.kind != "U" or array.ndim != (name == "classes"):
            raise DataError(f"{path}: array {name!r} does not hold a name")
        texts[name] = array
    numbers = [arrays.pop(name, None) for name in ("shift", "scale")]
    if any(array is None or array.dtype.kind != "f" or not array.size for array in numbers):
        raise DataError(f"{path}: arrays 'shift' and 'scale' do not hold numbers")
    shift, scale = (np.asarray(array) for array in numbers)
    if shift.ndim > 1 or shift.shape != scale.shape:
        raise DataError(f"{path}: arrays 'shift' and 'scale' have different shapes")
    activation, output = (
        LOGISTIC.get(name := str(texts[key]), name) for key in ("activation", "out_activation")
    )
    return {
        **({"loss": "mse"} if output == "identity" else {}),
        "activations": [activation],
        "output": output,
        "classes": texts["classes"].tolist(),
        "normalization": describe_normalization(shift, scale),
    }


def _is_npz(start: FileStart) -> bool:
    return bool(start.members) and all(name.endswith(".npy") for name in start.members)


NPZ = Format("an .npz file", "scikit-learn", (".npz",), _is_npz, read_npz_tensors)
