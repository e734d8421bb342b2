"""Model files of actcli and other frameworks, read as layers. No code in a file is ever executed.

Each format has one module with a reader: a function from a path to the layers of a multilayer
perceptron and the metadata beside them. `READERS` chooses the reader by the suffix of the file.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from actcli.formats.layers import Layers
from actcli.formats.numpy_arrays import read_npz_layers
from actcli.formats.safetensors import read_safetensors_layers

Reader = Callable[[Path], tuple[Layers, dict[str, Any]]]

READERS: Mapping[str, Reader] = {
    ".safetensors": read_safetensors_layers,
    ".npz": read_npz_layers,
}


def read_layers(path: Path) -> tuple[Layers, dict[str, Any]]:
    """Return the layers of a model file and the metadata that actcli wrote beside them.

    A file with an unknown suffix is read as safetensors.

    Returns:
        Weights (units, inputs) and biases (units,) of each layer in float32, first layer first; and
        the metadata, which is empty for files of other frameworks.

    Raises:
        DataError: the file cannot be read or does not hold a multilayer perceptron. The message
            names the tensor and its shape.
        ActcliError: this machine has less memory than the tensors need.
    """
    return READERS.get(path.suffix, read_safetensors_layers)(path)
