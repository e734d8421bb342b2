"""From named tensors to a chain of layers: pair weights with biases, find the order of the layers.

A file of weights alone does not say how its tensors are connected. Biases belong to the weights
with the same prefix (`fc1.weight`, `fc1.bias`) or, without prefixes, to those of the same rank.
The layers are put in the order in which their shapes fit: each layer has as many inputs as the
layer before it has units. Where several orders fit, as with hidden layers of equal width, the order
of the file decides, if it is the order in which the layers were defined, or else the numbers in
their names. Weights have the shape (units, inputs), as PyTorch stores them. Weights (inputs,
units), as scikit-learn and Keras store them, are recognized by names or shapes and transposed.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.formats.contents import BatchNorm, Linear, NamedTensors, Step, Tensors
from actcli.formats.norm_places import NormPlaces
from actcli.formats.tensor_names import Preference, layer_name, role

EXPECTED_TENSORS = (
    "Expected a multilayer perceptron: for each layer weights (units, inputs) and biases (units,)"
)

# The last parts of the names of a batch normalization's tensors, in PyTorch and in Keras.
MEANS, VARIANCES = ("running_mean", "moving_mean"), ("running_var", "moving_variance")
SCALES, SHIFTS = ("weight", "gamma"), ("bias", "beta")
COUNTS = ("num_batches_tracked",)

TRANSPOSED_WORDS = ("coef", "kernel")  # in the names of weights (inputs, units)


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a layer and its biases, if it has any.

    Args:
        name: of the tensor of the weights.
        values: of the weights, as the file holds them.
        biases: the tensor of the biases; None for a layer without biases.
        bias_name: the name of that tensor.
    """

    name: str
    values: NDArray[Any]
    biases: NDArray[Any] | None = None
    bias_name: str = ""

    def ends(self, transposed: bool) -> tuple[int, int]:
        """Return the numbers of inputs and of units."""
        rows, columns = self.values.shape
        return (rows, columns) if transposed else (columns, rows)

    def fits_biases(self, transposed: bool) -> bool:
        """Return whether there are as many biases as units, or none."""
        return self.biases is None or len(self.biases) == self.ends(transposed)[1]

    def step(self, transposed: bool) -> Linear:
        """Return the linear layer."""
        values = self.values.T if transposed else self.values
        return Linear(self.name, values, self.biases, self.bias_name)


def arrange(path: Path, contents: NamedTensors) -> tuple[list[Step], list[str]]:
    """Return the steps that the tensors of a file form, and notes on what was assumed.

    Raises:
        DataError: the tensors are not those of a multilayer perceptron. The message names the
            tensor and its shape.
    """
    if not contents.tensors:
        raise DataError(f"{path} holds no tensor", EXPECTED_TENSORS)
    norms, tensors = _split_norms(contents)
    preference = Preference(contents)
    layers = _pair(path, tensors, preference)
    ordered, transposed = _order(path, layers)
    notes = _ambiguity(ordered, transposed, preference)
    linear = [layer.step(transposed) for layer in ordered]
    if not norms:
        return list(linear), notes
    places = NormPlaces(path, linear, preference)
    for norm in sorted(norms, key=lambda norm: preference.of_norm(norm.name)):
        notes += places.add(norm)
    return places.steps(), notes


# Batch normalizations -------------------------------------------------------------------------


def _split_norms(contents: NamedTensors) -> tuple[list[BatchNorm], Tensors]:
    """Return the batch normalizations among the tensors, and the other tensors."""
    groups: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
    for name, values in contents.tensors.items():
        groups[layer_name(name)][role(name)] = values
    norms = []
    for prefix, group in groups.items():
        mean, variance = _first(group, MEANS), _first(group, VARIANCES)
        if mean is None or variance is None:
            continue
        scale, shift = _first(group, SCALES), _first(group, SHIFTS)
        norms.append(BatchNorm(prefix, mean, variance, scale, shift, contents.epsilon))
    prefixes = {norm.name for norm in norms}
    roles = {*MEANS, *VARIANCES, *SCALES, *SHIFTS, *COUNTS}
    others = {
        name: values
        for name, values in contents.tensors.items()
        if layer_name(name) not in prefixes or role(name) not in roles
    }
    return norms, others


def _first(group: Mapping[str, NDArray[Any]], names: Iterable[str]) -> NDArray[Any] | None:
    return next((group[name] for name in names if name in group), None)


# Pairs of weights and biases ------------------------------------------------------------------


def _pair(path: Path, tensors: Tensors, preference: Preference) -> list[Weights]:
    """Return the weights with their biases, in the preferred order.

    Raises:
        DataError: a tensor is neither weights nor biases, or biases do not belong to weights.
    """
    names = sorted(tensors, key=preference)
    for name in names:
        if tensors[name].ndim not in {1, 2} or 0 in tensors[name].shape:
            raise DataError(
                f"{path}: tensor {quoted(name)} has the shape {tensors[name].shape}",
                EXPECTED_TENSORS,
            )
    weights = [name for name in names if tensors[name].ndim == 2]
    biases = [name for name in names if tensors[name].ndim == 1]
    by_prefix = {layer_name(name): name for name in biases}
    prefixes = {layer_name(name) for name in weights}
    are_unique = len(by_prefix) == len(biases) and len(prefixes) == len(weights)
    if weights and are_unique and by_prefix.keys() <= prefixes:
        pairs = {name: by_prefix.get(layer_name(name), "") for name in weights}
    elif weights and len(biases) in {0, len(weights)}:
        pairs = dict(zip(weights, biases or [""] * len(weights), strict=True))
    else:
        unpaired = (biases or names)[-1]
        raise DataError(
            f"{path}: {len(weights)} tensors are weights and {len(biases)} are biases; "
            f"{quoted(unpaired)} has the shape {tensors[unpaired].shape}",
            EXPECTED_TENSORS,
        )
    return [Weights(name, tensors[name], tensors.get(bias), bias) for name, bias in pairs.items()]


# The order of the layers ----------------------------------------------------------------------


def _order(path: Path, layers: Sequence[Weights]) -> tuple[list[Weights], bool]:
    """Return the layers in the order in which they act, and whether they must be transposed.

    Args:
        path: the path of the file, for messages.
        layers: in the preferred order, which is taken if it fits.

    Raises:
        DataError: no order fits; the message names the first layer that does not.
    """
    is_named = all(any(word in each.name for word in TRANSPOSED_WORDS) for each in layers)
    ways = (True,) if is_named else (False, True)
    for find in (_as_given, path_through):
        for transposed in ways:
            if all(layer.fits_biases(transposed) for layer in layers):
                order = find([layer.ends(transposed) for layer in layers])
                if order is not None:
                    return [layers[index] for index in order], transposed
    raise _misfit(path, layers, ways[0])


def _as_given(ends: Sequence[tuple[int, int]]) -> list[int] | None:
    """Return the order 0, 1, … if each layer fits the one before it, or else None."""
    fits = all(before[1] == after[0] for before, after in itertools.pairwise(ends))
    return list(range(len(ends))) if fits else None


def path_through(ends: Sequence[tuple[int, int]]) -> list[int] | None:
    """Return an order in which each layer has as many inputs as the one before it has units.

    Numbers of units are the nodes of a graph and layers its edges. An order that fits is a path
    that takes each edge once (Hierholzer, Mathematische Annalen 6, 1873). Of several paths, the one
    is returned that prefers layers with lower indices.

    Args:
        ends: the numbers of inputs and of units of each layer.

    Returns:
        The indices of the layers in their order; None if there is no such order.
    """
    degrees: dict[int, int] = defaultdict(int)
    leaving: dict[int, list[int]] = defaultdict(list)
    for index in reversed(range(len(ends))):  # so that `pop` takes the lowest index first
        inputs, units = ends[index]
        degrees[inputs] += 1
        degrees[units] -= 1
        leaving[inputs].append(index)
    starts = [node for node, degree in degrees.items() if degree > 0]
    if len(starts) > 1 or any(abs(degree) > 1 for degree in degrees.values()):
        return None
    stack = [(starts[0] if starts else ends[0][0], -1)]
    order: list[int] = []
    while stack:
        node, edge = stack[-1]
        if leaving[node]:
            following = leaving[node].pop()
            stack.append((ends[following][1], following))
        else:
            stack.pop()
            order.append(edge)
    order = order[-2::-1]  # without the start, which is no edge
    return order if len(order) == len(ends) else None


def _misfit(path: Path, layers: Sequence[Weights], transposed: bool) -> DataError:
    """Return the error of the first layer, in the preferred order, that does not fit."""
    inputs = layers[0].ends(transposed)[0]
    misfit = layers[-1]
    for layer in layers:
        if not layer.fits_biases(transposed) or layer.ends(transposed)[0] != inputs:
            misfit = layer
            break
        inputs = layer.ends(transposed)[1]
    units = misfit.ends(transposed)[1] if misfit.biases is None else len(misfit.biases)
    return DataError(
        f"{path}: weights {quoted(misfit.name)} have the shape {misfit.values.shape}, but "
        f"{inputs} inputs and {units} biases go with them",
        EXPECTED_TENSORS,
    )


def _ambiguity(ordered: Sequence[Weights], transposed: bool, preference: Preference) -> list[str]:
    """Return a note if neither the shapes nor the file say in which order layers act."""
    if preference.is_informative:
        return []
    alike = defaultdict(list)
    for layer in ordered:
        alike[layer.ends(transposed)].append(layer.name)
    doubtful = next((names for names in alike.values() if len(names) > 1), None)
    if not doubtful:
        return []
    return [
        f"The order of {' and '.join(map(quoted, doubtful))} is that of their names: "
        "layers of these shapes fit in any order."
    ]
