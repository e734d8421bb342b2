"""From the contents of a file to the layers of a multilayer perceptron.

`chain_layers` follows the steps of a chain. A batch normalization scales and shifts each feature by
fixed numbers once a network is trained, so that it is folded into the linear layer before it or, if
an activation stands between them, into the linear layer after it. Both are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.formats.contents import (
    Activation,
    BatchNorm,
    FileNetwork,
    Format,
    LayerChain,
    Layers,
    Linear,
    NamedTensors,
    Step,
)
from actcli.formats.tensors import EXPECTED_TENSORS, arrange
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.arrays import Array
from actcli.nn.links import LINKS

EXPECTED_CHAIN = (
    "Expected a multilayer perceptron: linear layers with one activation after each, "
    "and softmax, sigmoid or nothing at the end"
)


def to_network(path: Path, contents: NamedTensors | LayerChain, of: Format) -> FileNetwork:
    """Return the network that the contents of a file form.

    Args:
        path: the path of the file, for messages.
        contents: what the reader of its format returned.
        of: the format.

    Raises:
        DataError: the contents are not a multilayer perceptron, or a number is not finite in
            float32. The message names the tensor or layer, its shape, and what was expected.
    """
    if isinstance(contents, NamedTensors):
        steps, notes = arrange(path, contents)
        layers = chain_layers(path, steps)
        framework = "" if "activations" in contents.description else of.framework
        return FileNetwork(layers.layers, contents.description, framework, (*notes, *layers.notes))
    layers = chain_layers(path, contents.steps)
    return FileNetwork(
        layers.layers,
        {**contents.description, **layers.description(contents.loss)},
        of.framework if contents.framework is None else contents.framework,
        (*contents.notes, *layers.notes),
    )


@dataclass
class ChainLayers:
    """The layers of a chain, filled while its steps are followed.

    Args:
        layers: weights (units, inputs) and biases (units,) in float32, first layer first.
        activations: the activation of each layer that has one; the last is the output.
        notes: a sentence for each batch normalization that was folded.
    """

    layers: list[tuple[Array, Array]] = field(default_factory=list)
    activations: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def description(self, loss: str | None) -> dict[str, Any]:
        """Return what the chain says about the model, by the keys of `Model.description`.

        Without an output activation, the outputs are logits or a regression: the loss would tell.
        """
        last = len(self.layers) - 1
        names = [self.activations.get(index, "identity") for index in range(last)]
        output = self.activations.get(last)
        said = {"activations": names, "output": output, "loss": loss}
        return {key: value for key, value in said.items() if value is not None}


def chain_layers(path: Path, steps: Sequence[Step]) -> ChainLayers:
    """Return the layers that a chain of steps forms.

    Raises:
        DataError: the steps are not those of a multilayer perceptron.
    """
    result = ChainLayers()
    count = sum(isinstance(step, Linear) for step in steps)
    # The batch normalizations of the units of the last layer, or of the inputs of the next one.
    # They are joined before they are folded, so that many of them cost no more than one.
    following, waiting = Norms("before"), Norms("after")
    for step in steps:
        last = len(result.layers) - 1
        if isinstance(step, Linear):
            following.fold(path, result)
            result.layers.append(_linear(path, step, result.layers))
            waiting.fold(path, result)
        elif isinstance(step, Activation):
            is_last, is_first = last == count - 1, bool(waiting.norms)
            _take_activation(path, step, result, is_last=is_last, is_first=is_first)
        elif last < 0 or last in result.activations:
            waiting.norms.append(step)
        else:
            following.norms.append(step)
    following.fold(path, result)
    if not result.layers:
        raise DataError(f"{path} holds no linear layer", EXPECTED_CHAIN)
    if waiting.norms:
        name = waiting.norms[0].name
        raise DataError(
            f"{path}: no linear layer follows the batch normalization {quoted(name)}",
            EXPECTED_CHAIN,
        )
    return result


@dataclass
class Norms:
    """Batch normalizations of the same features, one after the other.

    Args:
        where: whether the linear layer into which they are folded stands "before" or "after" them.
        norms: the batch normalizations.
    """

    where: str
    norms: list[BatchNorm] = field(default_factory=list)

    def fold(self, path: Path, result: ChainLayers) -> None:
        """Fold all of them into the last layer, and forget them."""
        if not self.norms:
            return
        weights, biases = result.layers[-1]
        features = len(biases) if self.where == "before" else weights.shape[1]
        factor, summand = np.ones(features), np.zeros(features)
        for norm in self.norms:
            scale, shift = _scale_and_shift(path, norm, features)
            factor, summand = factor * scale, summand * scale + shift
            result.notes.append(
                f"The batch normalization {quoted(norm.name)} is folded into the linear layer "
                f"{self.where} it, layer {len(result.layers)}, with ε = {norm.epsilon:g}."
            )
        if self.where == "before":
            scaled, shifted = weights * factor[:, np.newaxis], biases * factor + summand
        else:
            scaled, shifted = weights * factor, biases + weights.astype(np.float64) @ summand
        name = self.norms[-1].name
        result.layers[-1] = as_float32(path, name, scaled), as_float32(path, name, shifted)
        self.norms.clear()


def _linear(path: Path, step: Linear, before: Layers) -> tuple[Array, Array]:
    """Return the weights and biases of a linear layer in float32; missing biases are 0."""
    weights, shape = step.weights, step.weights.shape
    if len(shape) != 2 or 0 in shape:
        raise DataError(
            f"{path}: weights {quoted(step.name)} have the shape {shape}", EXPECTED_TENSORS
        )
    inputs = len(before[-1][1]) if before else shape[1]
    biases = np.zeros(shape[0], np.float32) if step.biases is None else step.biases
    if shape[1] != inputs or biases.shape != shape[:1]:
        biased = f"{biases.shape[0]} biases" if biases.ndim == 1 else f"biases {biases.shape}"
        raise DataError(
            f"{path}: weights {quoted(step.name)} have the shape {shape}, but "
            f"{inputs} inputs and {biased} go with them",
            EXPECTED_TENSORS,
        )
    single = as_float32(path, step.name, weights)
    return np.ascontiguousarray(single), as_float32(path, step.bias_name or step.name, biases)


def _take_activation(
    path: Path, step: Activation, result: ChainLayers, is_last: bool, is_first: bool
) -> None:
    last = len(result.layers) - 1
    if step.name == "identity" and not is_last:
        return
    allowed = [""] if not step.name else LINKS if is_last else ACTIVATIONS
    if last < 0 or is_first or last in result.activations or step.name not in allowed:
        raise DataError(
            f"{path}: the activation {quoted(step.name)} at {quoted(step.place)} does not fit "
            "there",
            EXPECTED_CHAIN,
        )
    result.activations[last] = step.name


def _scale_and_shift(
    path: Path, norm: BatchNorm, features: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the factor and the summand of each feature under a batch normalization."""
    parts = {
        "mean": norm.mean,
        "variance": norm.variance,
        "scale": np.ones(features) if norm.scale is None else norm.scale,
        "shift": np.zeros(features) if norm.shift is None else norm.shift,
    }
    for part, values in parts.items():
        if values.shape != (features,):
            raise DataError(
                f"{path}: the {part} of the batch normalization {quoted(norm.name)} has the shape "
                f"{values.shape}",
                f"Expected ({features},): one number for each unit of its layer",
            )
    mean, variance, scale, shift = (
        as_float32(path, f"{norm.name}, {part}", values).astype(np.float64)
        for part, values in parts.items()
    )
    if not (variance + norm.epsilon > 0).all():
        raise DataError(
            f"{path}: a variance of the batch normalization {quoted(norm.name)} is negative"
        )
    factor = scale / np.sqrt(variance + norm.epsilon)
    return factor, shift - mean * factor


def as_float32(path: Path, name: str, values: NDArray[Any]) -> Array:
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
