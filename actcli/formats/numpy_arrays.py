"""The `.npz` format of NumPy for models, such as those of scikit-learn.

A file holds weights and biases under the names of PyTorch, or the `coefs_` and `intercepts_` of an
`MLPClassifier`, saved as one array each: `np.savez(path, *model.coefs_, *model.intercepts_)`.
Pickled objects are refused.
"""

from pathlib import Path

from actcli.config.values import quoted
from actcli.datasets.npz import read_arrays
from actcli.errors import DataError
from actcli.formats.contents import Format, NamedTensors, Tensors
from actcli.formats.file_start import FileStart
from actcli.formats.tensors import EXPECTED_TENSORS


def read_npz_tensors(path: Path) -> NamedTensors:
    """Return the arrays of an `.npz` file.

    Raises:
        DataError: the file cannot be read or holds something else than numbers.
        ActcliError: this machine has less memory than the arrays need.
    """
    tensors: Tensors = {}
    for name, array in read_arrays(path):
        if array.dtype.kind not in "fiu":
            raise DataError(f"{path}: array {quoted(name)} holds {array.dtype}", EXPECTED_TENSORS)
        tensors[name] = array
    return NamedTensors(tensors)


def _is_npz(start: FileStart) -> bool:
    return bool(start.members) and all(name.endswith(".npy") for name in start.members)


NPZ = Format("an .npz file", "scikit-learn", (".npz",), _is_npz, read_npz_tensors)
