"""The contents of a model file in the words of every format: named tensors, or a chain of layers.

A file of weights alone, such as a state dict of PyTorch, gives `NamedTensors`: which of them are
weights, and in which order, follows from names and shapes (`tensors`). A file that knows its
network, such as one of Keras or ONNX, gives a `LayerChain`. `layers` turns both into the layers of
a multilayer perceptron.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from actcli.formats.file_start import FileStart
from actcli.nn.arrays import Array

Tensors = dict[str, NDArray[Any]]
Layers = Sequence[tuple[Array, Array]]  # weights (units, inputs) and biases (units,)

TORCH_EPSILON = 1e-5  # of PyTorch's batch normalization, which a state dict does not hold


@dataclass(frozen=True, eq=False)
class Linear:
    """A fully connected layer.

    Args:
        name: of the layer or its weights in the file, for messages.
        weights: shape (units, inputs), in any precision.
        biases: shape (units,); None for a layer without biases.
        bias_name: of the biases in the file, for messages.
    """

    name: str
    weights: NDArray[Any]
    biases: NDArray[Any] | None = None
    bias_name: str = ""


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """A batch normalization of features x: (x - mean) / √(variance + ε) · scale + shift.

    Args:
        name: of the layer in the file, for messages.
        mean, variance: the running statistics, shape (features,).
        scale, shift: the learnt parameters, shape (features,); None for 1 and 0.
        epsilon: ε.
    """

    name: str
    mean: NDArray[Any]
    variance: NDArray[Any]
    scale: NDArray[Any] | None = None
    shift: NDArray[Any] | None = None
    epsilon: float = TORCH_EPSILON


@dataclass(frozen=True)
class Activation:
    """An activation function.

    Args:
        name: a name in `ACTIVATIONS`; after the last linear layer a name in `LINKS`. The reader of
            a format translates the names of its framework and refuses those without a counterpart.
            Empty for an activation that the file does not name.
        place: the layer or node in the file, for messages.
    """

    name: str
    place: str


Step = Linear | BatchNorm | Activation


@dataclass(frozen=True, eq=False)
class LayerChain:
    """A network whose file says in which order its layers act.

    Args:
        steps: from the inputs to the outputs. Layers that only act in training (dropout) or only
            reshape (flatten) are left out.
        loss: the name in `LOSSES` of the loss that the file records; None if it does not.
        notes: sentences on what the reader passed over or assumed.
        description: what else the file says about the model, by the keys of `Model.description`.
        framework: the framework that wrote the file, if it is not the one of the format; empty for
            a file of actcli.
    """

    steps: Sequence[Step]
    loss: str | None = None
    notes: tuple[str, ...] = ()
    description: Mapping[str, Any] = field(default_factory=dict)
    framework: str | None = None


@dataclass(frozen=True, eq=False)
class NamedTensors:
    """The tensors of a file that does not say how they are connected.

    Args:
        tensors: name -> array, in the order of the file.
        in_order: whether the file keeps the order in which the layers were defined.
        description: the metadata that actcli writes into a model file; empty in other files.
        epsilon: ε of batch normalizations among the tensors.
    """

    tensors: Tensors
    in_order: bool = False
    description: Mapping[str, Any] = field(default_factory=dict)
    epsilon: float = TORCH_EPSILON


@dataclass(frozen=True)
class Format:
    """A format of model files.

    Args:
        name: for messages: "a safetensors file".
        framework: the framework that writes such files.
        suffixes: the suffixes of such files, in lower case, with their dots.
        recognizes: returns whether a file is in this format, from its first bytes.
        read: returns the contents of a file. It executes nothing that the file says, and uses
            memory in proportion to the file. It raises a DataError if the file is damaged or holds
            something else.
    """

    name: str
    framework: str
    suffixes: tuple[str, ...]
    recognizes: Callable[[FileStart], bool]
    read: Callable[[Path], NamedTensors | LayerChain]


@dataclass(frozen=True, eq=False)
class FileNetwork:
    """The multilayer perceptron in a model file.

    Args:
        layers: weights (units, inputs) and biases (units,) in float32, first layer first.
        description: what the file says about the model, by the keys of `Model.description`; empty
            if it holds nothing but weights.
        framework: the framework that wrote the file; empty if actcli did.
        notes: sentences on what was folded, passed over or assumed when the file was read.
    """

    layers: Layers
    description: Mapping[str, Any]
    framework: str
    notes: tuple[str, ...] = ()
