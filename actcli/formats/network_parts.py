"""A trained network as the writers of model files get it, and what a writer is.

A writer makes the files of another framework from the parts of a network. It gives the same outputs
for the same raw inputs, or refuses by name what its framework cannot hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli.errors import UsageError
from actcli.files import Buffer
from actcli.formats.contents import Layers

OutputFile = tuple[Path, list[Buffer]]  # a path, and the parts of its content


@dataclass(frozen=True, eq=False)
class NetworkParts:
    """A trained network.

    Args:
        name: of the run or file that it comes from.
        layers: weights (units, inputs) and biases (units,) in float32, first layer first.
        activations: the name of each hidden layer's activation.
        output: the name of the link.
        shift, scale: the normalization of raw inputs x, (x - shift) · scale: one number, or one for
            each input.
        classes: the names of the classes.
        description: the metadata of actcli's own files.
    """

    name: str
    layers: Layers
    activations: tuple[str, ...]
    output: str
    shift: float | tuple[float, ...]
    scale: float | tuple[float, ...]
    classes: tuple[str, ...]
    description: Mapping[str, Any]

    @property
    def inputs(self) -> int:
        """The number of inputs."""
        return int(self.layers[0][0].shape[1])

    @property
    def units(self) -> tuple[int, ...]:
        """The number of units of each layer."""
        return tuple(len(biases) for _, biases in self.layers)

    @property
    def is_two_class_unit(self) -> bool:
        """Whether a single sigmoid unit stands for two classes."""
        return self.output == "sigmoid" and self.units[-1] == 1


@dataclass(frozen=True, eq=False)
class Source:
    """What a run or a model file offers to a writer.

    Args:
        name: of the run or file.
        network: returns the trained network, or raises an ActcliError if it cannot be read.
        epochs: returns the header and a row of metrics for each epoch, or raises a UsageError for a
            source without a training.
    """

    name: str
    network: Callable[[], NetworkParts]
    epochs: Callable[[], Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class Writer:
    """A writer of files for `actcli export --to`.

    Args:
        title: of the format, for messages: "ONNX".
        suffix: of the first file.
        files: returns the files for a source and the path of the first one. It raises a UsageError
            that names what the format cannot hold.
        usage: returns the lines of Python that use the files; empty if there are none.
    """

    title: str
    suffix: str
    files: Callable[[Source, Path], list[OutputFile]]
    usage: Callable[[Source, Path], str]


def cannot_hold(title: str, fault: str, allowed: str) -> UsageError:
    """Return the error for a network that a format cannot hold."""
    return UsageError(f"{title} cannot hold {fault}", allowed)
