"""The `.npz` format of NumPy for models, such as those of scikit-learn.

A file holds weights and biases under the names of PyTorch, or the `coefs_` and `intercepts_` of an
`MLPClassifier`, saved as one array each: `np.savez(path, *model.coefs_, *model.intercepts_)`.
Pickled objects are refused.
"""

from pathlib import Path
from typing import Any

from actcli.config.values import quoted
from actcli.datasets.npz import read_arrays
from actcli.errors import DataError
from actcli.formats.layers import EXPECTED_TENSORS, Layers, Tensors, pair_layers


def read_npz_layers(path: Path) -> tuple[Layers, dict[str, Any]]:
    """Return the layers of an `.npz` file, and no metadata.

    Raises:
        DataError: the file cannot be read or does not hold a multilayer perceptron.
        ActcliError: this machine has less memory than the arrays need.
    """
    tensors: Tensors = {}
    for name, array in read_arrays(path):
        if array.dtype.kind not in "fiu":
            raise DataError(f"{path}: array {quoted(name)} holds {array.dtype}", EXPECTED_TENSORS)
        tensors[name] = array
    return pair_layers(path, tensors), {}
