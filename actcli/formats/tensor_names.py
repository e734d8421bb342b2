"""Names of tensors: the layer and the role that they tell, and the order that they suggest."""

import math
import re
from typing import Any

from actcli.formats.contents import NamedTensors


class Preference:
    """The order of tensors that is taken where several orders of the layers fit.

    A sorted file, such as one of safetensors, keeps no order of definition; then the numbers in the
    names decide: "2.weight" comes before "10.weight", and a name without a number is last.

    Args:
        contents: the tensors of a file.
    """

    def __init__(self, contents: NamedTensors) -> None:
        names = list(contents.tensors)
        self.is_defined = contents.in_order and names != sorted(names)
        self._positions = {name: position for position, name in enumerate(names)}
        self._starts = {
            layer_name(name): position for position, name in reversed(list(enumerate(names)))
        }
        self.is_numbered = all(map(numbers, names))

    @property
    def is_informative(self) -> bool:
        """Whether the order says more than the alphabet."""
        return self.is_defined or self.is_numbered

    def __call__(self, name: str) -> tuple[Any, ...]:
        """Return the sort key of the tensor with that name."""
        if self.is_defined:
            return (self._positions[name],)
        return (numbers(name) or [math.inf], 0, name)

    def of_norm(self, layer: str) -> tuple[Any, ...]:
        """Return the sort key of a batch normalization: after a linear layer of the same number."""
        if self.is_defined:
            return (self._starts[layer],)
        return (numbers(layer) or [math.inf], 1, layer)


def numbers(name: str) -> list[float]:
    """Return the numbers in a name: [1, 10] for "block1.layer10.weight"."""
    return [float(number) for number in re.findall(r"\d+", name)]


def layer_name(tensor: str) -> str:
    """Return the name of a tensor's layer: "net.0" for "net.0.weight", "" for "weight"."""
    return tensor[: max(tensor.rfind("."), tensor.rfind("/"), 0)]


def role(tensor: str) -> str:
    """Return the part of a tensor's name after the name of its layer: "weight"."""
    return tensor[len(layer_name(tensor)) :].lstrip("./").removesuffix(":0")  # Keras 2 ends so
