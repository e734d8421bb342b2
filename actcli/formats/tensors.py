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
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.formats.contents import Activation, BatchNorm, Linear, NamedTensors, Step, Tensors

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
    steps: list[Step] = [layer.step(transposed) for layer in ordered]
    for norm in sorted(norms, key=lambda norm: preference.of_norm(norm.name)):
        notes += _insert(path, norm, steps, preference)
    return steps, notes


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
        self.is_numbered = all(map(_numbers, names))

    @property
    def is_informative(self) -> bool:
        """Whether the order says more than the alphabet."""
        return self.is_defined or self.is_numbered

    def __call__(self, name: str) -> tuple[Any, ...]:
        """Return the sort key of the tensor with that name."""
        if self.is_defined:
            return (self._positions[name],)
        return (_numbers(name) or [math.inf], 0, name)

    def of_norm(self, layer: str) -> tuple[Any, ...]:
        """Return the sort key of a batch normalization: after a linear layer of the same number."""
        if self.is_defined:
            names = (name for name in self._positions if _layer_name(name) == layer)
            return (min(map(self._positions.__getitem__, names)),)
        return (_numbers(layer) or [math.inf], 1, layer)


def _numbers(name: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+", name)]


def _layer_name(tensor: str) -> str:
    """Return the name of a tensor's layer: "net.0" for "net.0.weight", "" for "weight"."""
    return tensor[: max(tensor.rfind("."), tensor.rfind("/"), 0)]


def _role(tensor: str) -> str:
    """Return the part of a tensor's name after the name of its layer: "weight"."""
    return tensor[len(_layer_name(tensor)) :].lstrip("./").removesuffix(":0")  # Keras 2 ends so


# Batch normalizations -------------------------------------------------------------------------


def _split_norms(contents: NamedTensors) -> tuple[list[BatchNorm], Tensors]:
    """Return the batch normalizations among the tensors, and the other tensors."""
    groups: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
    for name, values in contents.tensors.items():
        groups[_layer_name(name)][_role(name)] = values
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
        if _layer_name(name) not in prefixes or _role(name) not in roles
    }
    return norms, others


def _first(group: Mapping[str, NDArray[Any]], names: Iterable[str]) -> NDArray[Any] | None:
    return next((group[name] for name in names if name in group), None)


def _insert(path: Path, norm: BatchNorm, steps: list[Step], preference: Preference) -> list[str]:
    """Insert a batch normalization into the steps, and return notes on its assumed place.

    It belongs to the layer before it: in the order of the tensors or, if the file keeps none, the
    only layer with as many units. It is taken to stand before the activation of that layer, unless
    the numbers of an `nn.Sequential` show that an activation stands between them.

    Raises:
        DataError: no layer fits.
    """
    features = norm.mean.shape[0] if norm.mean.ndim == 1 else -1
    linear = [step for step in steps if isinstance(step, Linear)]
    candidates = [step for step in linear if len(step.weights) == features]
    if preference.is_informative:
        key = preference.of_norm(norm.name)
        before = [step for step in linear if preference(step.name) < key]
        if not before and linear[0].weights.shape[1] == features:
            steps.insert(0, norm)
            return []
        candidates = [step for step in before[-1:] if step in candidates]
    if len(candidates) != 1:
        raise DataError(
            f"{path}: the layer before the batch normalization {quoted(norm.name)} of "
            f"{features} features is not clear: {len(candidates)} layers are possible",
            "Expected one layer before it with as many units",
        )
    position = linear.index(candidates[0])
    following = linear[position + 1].name if position + 1 < len(linear) else ""
    place = steps.index(candidates[0]) + 1
    while place < len(steps) and not isinstance(steps[place], Linear):
        place += 1
    gap_before = _gap(_layer_name(candidates[0].name), norm.name)
    gap_after = _gap(norm.name, _layer_name(following))
    if gap_before == 1:
        steps.insert(place, norm)
        return []
    if gap_before is not None and gap_before > 1 and gap_after == 1:
        steps[place:place] = [Activation("", norm.name), norm]
        return []
    steps.insert(place, norm)
    return [
        f"The batch normalization {quoted(norm.name)} is taken to stand before the activation of "
        f"{quoted(candidates[0].name)}: the file does not say it."
    ]


def _gap(first: str, second: str) -> int | None:
    """Return the difference of the numbers of two modules in one `nn.Sequential`, or else None."""
    stems = [re.fullmatch(r"(.*?)(\d+)", name) for name in (first, second)]
    if stems[0] is None or stems[1] is None or stems[0][1] != stems[1][1]:
        return None
    return int(stems[1][2]) - int(stems[0][2])


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
    by_prefix = {_layer_name(name): name for name in biases}
    prefixes = {_layer_name(name) for name in weights}
    are_unique = len(by_prefix) == len(biases) and len(prefixes) == len(weights)
    if weights and are_unique and by_prefix.keys() <= prefixes:
        pairs = {name: by_prefix.get(_layer_name(name), "") for name in weights}
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
