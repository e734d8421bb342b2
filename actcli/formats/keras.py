"""Files of Keras 2 and 3: `.keras` archives, and the older `.h5` (https://keras.io/guides/serialization_and_saving).

Both hold the configuration of a model as JSON, and the variables of its layers as arrays of HDF5. A
`.keras` file is a zip archive of `config.json` and `model.weights.h5`. Only layers that have a
counterpart in a multilayer perceptron are read, and no function that a configuration names is
looked up.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.config.values import quoted
from actcli.datasets.idx import MAX_DEFLATE_RATIO
from actcli.datasets.npz import DAMAGE_ERRORS
from actcli.errors import DataError
from actcli.formats.contents import Activation, BatchNorm, Format, LayerChain, Linear, Step
from actcli.formats.description import describe_normalization
from actcli.formats.file_start import FileStart
from actcli.formats.hdf5 import MAX_TEXT_BYTES, Group, json_object, open_hdf5, require_h5py
from actcli.formats.isolated import read_isolated
from actcli.formats.layers import EXPECTED_CHAIN
from actcli.machine import require_memory
from actcli.nn.losses import LOSSES

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
CONTAINERS = ("layers", "_layer_checkpoint_dependencies")  # of the layers' variables; Keras 2 last

# Keras's activations -> ours. "linear" is the absence of one.
ACTIVATION_NAMES = {
    **{name: name for name in ("relu", "tanh", "sigmoid", "elu", "selu", "gelu", "softplus")},
    **{name: name for name in ("softsign", "mish", "relu6", "silu", "softmax")},
    "swish": "silu",
    "log_softmax": "softmax",
}
MAX_FACTOR = 1e30  # of a rescaling

LEAKY_SLOPE = 0.01  # of our leaky-relu

# Layers that only act in training, or that only change the shape of a row.
PASSED_OVER = {
    *("InputLayer", "Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
    *("ActivityRegularization", "Flatten", "Identity"),
}

# Keras's losses -> ours, by the snake-case name of a function or a class.
LOSS_NAMES = {
    "sparse_categorical_crossentropy": "cross-entropy",
    "categorical_crossentropy": "cross-entropy",
    "binary_crossentropy": "binary-cross-entropy",
    "mse": "mse",
    "mean_squared_error": "mse",
}


@dataclass(frozen=True)
class Layer:
    """A layer of a configuration.

    Args:
        kind: the name of its class: "Dense".
        name: its own name.
        config: its configuration.
    """

    kind: str
    name: str
    config: Mapping[str, Any]


ReadVariables = Callable[[Layer], list[NDArray[Any]]]  # the variables of a layer, in Keras's order


def read_keras_archive(path: Path) -> LayerChain:
    """Return the layers of a `.keras` file.

    Raises:
        DataError: the file is damaged, or the model is not a multilayer perceptron.
        ActcliError: h5py is not installed, or the memory does not suffice.
    """
    require_h5py(path)
    return read_isolated(path, _read_archive)


def read_keras_hdf5(path: Path) -> LayerChain:
    """Return the layers of an `.h5` file; see `read_keras_archive` for the errors."""
    require_h5py(path)
    return read_isolated(path, _read_hdf5)


def _read_archive(path: Path) -> LayerChain:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json_object(path, CONFIG, _unpack(path, archive, CONFIG, MAX_TEXT_BYTES))
            content = _unpack(path, archive, WEIGHTS)
    except DAMAGE_ERRORS as error:
        raise DataError(f"{path} is not a .keras file, or is damaged: {error}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    layers = _layers(path, config)
    with open_hdf5(path, content) as root:
        return _chain(path, layers, _archive_variables(path, root, layers), config)


def _read_hdf5(path: Path) -> LayerChain:
    with open_hdf5(path) as root:
        if root.text("model_config") is None:
            raise DataError(
                f"{path} holds no configuration of a model, but {', '.join(root.names()[:5])}",
                "Save model and weights together: model.save('model.keras')",
            )
        layers = _layers(path, root.json("model_config"))
        weights = root.group("model_weights")

        def variables(layer: Layer) -> list[NDArray[Any]]:
            group = weights.group(layer.name)
            return [group.array(name) for name in group.texts("weight_names")[:MAX_VARIABLES]]

        training = {"compile_config": root.json("training_config")}
        return _chain(path, layers, variables, training)


MAX_VARIABLES = 4  # of a layer: a batch normalization has four


def _unpack(path: Path, archive: zipfile.ZipFile, name: str, most: int | None = None) -> bytes:
    """Return a member of an archive, after checking the size that it announces."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise DataError(f"{path} is not a .keras file: it has no {name}") from None
    size = path.stat().st_size
    if info.file_size > MAX_DEFLATE_RATIO * min(info.compress_size, size):
        raise DataError(f"{path}: {name} is truncated: it cannot unpack to its size")
    if most is not None and info.file_size > most:
        raise DataError(f"{path}: {name} has {info.file_size:,} bytes. At most {most:,} are read")
    require_memory(2 * info.file_size, str(path))
    return archive.read(info)


# The configuration ----------------------------------------------------------------------------


def _layers(path: Path, model: Mapping[str, Any]) -> list[Layer]:
    """Return the layers of a sequential model, or of a functional one that is a chain.

    Raises:
        DataError: the model is of another kind, or its layers are no chain.
    """
    kind, config = model.get("class_name"), model.get("config")
    entries = config.get("layers") if isinstance(config, dict) else config  # a list: Keras 2.1
    if kind not in {"Sequential", "Functional", "Model"} or not isinstance(entries, list):
        raise DataError(
            f"{path} holds a model of the class {quoted(kind)}, whose layers are in its code",
            "Expected a Sequential or functional model of Dense layers",
        )
    layers = [_layer(path, entry) for entry in entries]
    if kind != "Sequential":
        _require_chain(path, layers, entries)
    return layers


def _layer(path: Path, entry: Any) -> Layer:
    config = entry.get("config") if isinstance(entry, dict) else None
    if not isinstance(config, dict) or not isinstance(entry.get("class_name"), str):
        raise DataError(f"{path}: a layer of its configuration is {quoted(entry)}")
    return Layer(entry["class_name"], str(config.get("name", entry.get("name", ""))), config)


def _require_chain(path: Path, layers: Sequence[Layer], entries: Sequence[Any]) -> None:
    """Raise if a layer does not take the outputs of the one before it, and of it alone."""
    for index, (layer, entry) in enumerate(zip(layers, entries, strict=True)):
        sources = list(_sources(entry.get("inbound_nodes")))
        expected = [layers[index - 1].name] if index else []
        if sources != expected:
            raise DataError(
                f"{path}: layer {quoted(layer.name)} takes the outputs of "
                f"{', '.join(map(quoted, sources)) or 'no layer'}",
                f"Expected a chain, where each layer takes those of the one before: {expected}",
            )


def _sources(nodes: Any) -> Any:
    """Yield the names of the layers whose outputs a layer takes, in the forms of Keras 2 and 3."""
    if isinstance(nodes, dict):
        history = nodes.get("keras_history")
        if isinstance(history, list) and history:
            yield str(history[0])
        else:
            for inner in nodes.values():
                yield from _sources(inner)
    elif isinstance(nodes, list):
        if len(nodes) in {3, 4} and isinstance(nodes[0], str) and isinstance(nodes[1], int):
            yield nodes[0]
        else:
            for inner in nodes:
                yield from _sources(inner)


# The variables --------------------------------------------------------------------------------


def _archive_variables(path: Path, root: Group, layers: Sequence[Layer]) -> ReadVariables:
    """Return the reader of a layer's variables in `model.weights.h5`.

    The group of a layer is named after its class and its rank among the layers of this class. Newer
    versions write the name of the layer into the group, which is checked.
    """
    container = next((name for name in CONTAINERS if name in root), CONTAINERS[0])
    seen: Counter[str] = Counter()
    groups: dict[str, str] = {}
    for layer in layers:
        stem = _snake_case(layer.kind)
        groups[layer.name] = f"{stem}_{seen[stem]}" if seen[stem] else stem
        seen[stem] += 1

    def variables(layer: Layer) -> list[NDArray[Any]]:
        group = root.group(container, groups[layer.name], "vars")
        name = group.text("name")
        if name is not None and name != layer.name:
            raise DataError(
                f"{path}: the variables of layer {quoted(layer.name)} are those of {quoted(name)}"
            )
        return [group.array(each) for each in sorted(group.names(), key=_rank)[:MAX_VARIABLES]]

    return variables


def _snake_case(name: str) -> str:
    """Return the name of a class as Keras names groups: batch_normalization, re_lu, leaky_re_lu."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _rank(name: str) -> tuple[bool, int, str]:
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


# The steps ------------------------------------------------------------------------------------


def _chain(
    path: Path, layers: Sequence[Layer], variables: ReadVariables, model: Mapping[str, Any]
) -> LayerChain:
    """Return the steps of the layers.

    Args:
        path: the path of the file, for messages.
        layers: the layers of the configuration.
        variables: reads the variables of a layer.
        model: holds the loss that the model was compiled with.

    Raises:
        DataError: a layer has no counterpart in a multilayer perceptron.
    """
    steps: list[Step] = []
    factor, summand = 1.0, 0.0
    for layer in layers:
        if layer.kind == "Rescaling" and not steps:
            scale, offset = _rescaling(path, layer)
            factor, summand = factor * scale, summand * scale + offset
        elif layer.kind in LAYERS:
            steps += LAYERS[layer.kind](path, layer, variables)
        elif layer.kind not in PASSED_OVER:
            raise DataError(
                f"{path}: layer {quoted(layer.name)} is a {quoted(layer.kind)}", EXPECTED_CHAIN
            )
    loss = _loss(model, steps)
    if loss == "mse" and steps and not isinstance(steps[-1], Activation):
        steps.append(Activation("identity", layers[-1].name))
    described = {}
    if (factor, summand) != (1, 0):
        shift = np.array(-summand / factor)
        described = {"normalization": describe_normalization(shift, np.array(factor))}
    return LayerChain(steps, loss, description=described)


def _rescaling(path: Path, layer: Layer) -> tuple[float, float]:
    """Return the factor and the summand of a layer that rescales the inputs."""
    scale: Any = layer.config.get("scale")
    offset: Any = layer.config.get("offset", 0.0)
    if not (_is_number(scale) and _is_number(offset) and scale):
        raise DataError(
            f"{path}: layer {quoted(layer.name)} is a Rescaling by {quoted(scale)} and "
            f"{quoted(offset)}",
            "Known: one number each",
        )
    return float(scale), float(offset)


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and abs(value) < MAX_FACTOR


def _dense(path: Path, layer: Layer, variables: ReadVariables) -> list[Step]:
    kernel, *others = _expect(path, layer, variables, 1 + bool(layer.config.get("use_bias", True)))
    bias = others[0] if others else None
    steps: list[Step] = [Linear(layer.name, kernel.T, bias)]
    return [*steps, *_activation(path, layer, layer.config.get("activation"))]


def _batch_normalization(path: Path, layer: Layer, variables: ReadVariables) -> list[Step]:
    config = layer.config
    has_scale, has_shift = bool(config.get("scale", True)), bool(config.get("center", True))
    epsilon, axis = config.get("epsilon", 1e-3), config.get("axis", -1)
    if not isinstance(epsilon, float | int) or not 0 <= epsilon <= 1:
        raise DataError(f"{path}: layer {quoted(layer.name)} has ε = {quoted(epsilon)}")
    if axis not in (-1, 1, [-1], [1]):
        raise DataError(f"{path}: layer {quoted(layer.name)} acts on the axis {quoted(axis)}")
    parts = _expect(path, layer, variables, 2 + has_scale + has_shift)
    scale = parts.pop(0) if has_scale else None
    shift = parts.pop(0) if has_shift else None
    return [BatchNorm(layer.name, parts[0], parts[1], scale, shift, float(epsilon))]


def _expect(path: Path, layer: Layer, variables: ReadVariables, count: int) -> list[NDArray[Any]]:
    arrays = variables(layer)
    if len(arrays) != count:
        raise DataError(
            f"{path}: layer {quoted(layer.name)} has {len(arrays)} variables; expected {count}"
        )
    return arrays


def _activation(path: Path, layer: Layer, function: Any) -> list[Step]:
    """Return the step of an activation: a name, or a function or layer as Keras describes it."""
    if isinstance(function, dict):
        config = function.get("config")
        if isinstance(config, dict):
            inner = Layer(str(function.get("class_name")), layer.name, config)
            if inner.kind in SLOPES:
                return _layer_of_slope(path, inner, lambda _: [])
        function = config
    if function in (None, "linear"):
        return []
    if not isinstance(function, str) or function not in ACTIVATION_NAMES:
        raise DataError(
            f"{path}: layer {quoted(layer.name)} has the activation {quoted(function)}",
            f"Known: linear, {', '.join(ACTIVATION_NAMES)}",
        )
    return [Activation(ACTIVATION_NAMES[function], layer.name)]


def _activation_layer(path: Path, layer: Layer, _: ReadVariables) -> list[Step]:
    return _activation(path, layer, layer.config.get("activation"))


def _softmax(path: Path, layer: Layer, _: ReadVariables) -> list[Step]:
    if layer.config.get("axis", -1) not in (-1, 1, [-1], [1]):
        raise DataError(f"{path}: layer {quoted(layer.name)} acts on another axis than the last")
    return [Activation("softmax", layer.name)]


# Activations with parameters: the values of the parameters -> our name.
SLOPES: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "ReLU": lambda config: {
        (None, 0.0, 0.0): "relu",
        (6.0, 0.0, 0.0): "relu6",
        (None, LEAKY_SLOPE, 0.0): "leaky-relu",
    }.get((config.get("max_value"), config.get("negative_slope", 0), config.get("threshold", 0))),
    "LeakyReLU": lambda config: {LEAKY_SLOPE: "leaky-relu", 0.0: "relu"}.get(_slope(config)),
    "ELU": lambda config: {1.0: "elu"}.get(config.get("alpha", 1.0)),
}


def _slope(config: Mapping[str, Any]) -> Any:
    slope = config.get("negative_slope", config.get("alpha", 0.3))
    return round(slope, 6) if isinstance(slope, float) else slope  # Keras 2 keeps it in float32


def _layer_of_slope(path: Path, layer: Layer, _: ReadVariables) -> list[Step]:
    try:
        name = SLOPES[layer.kind](layer.config)
    except TypeError:  # a list or an object, which no table has
        name = None
    if name is None:
        given = {key: layer.config[key] for key in PARAMETERS if key in layer.config}
        raise DataError(
            f"{path}: layer {quoted(layer.name)} is a {layer.kind} with {quoted(given)}",
            "Known: ReLU with max_value 6 or none, LeakyReLU with the slope 0.01, ELU with alpha 1",
        )
    return [Activation(name, layer.name)]


PARAMETERS = ("max_value", "negative_slope", "threshold", "alpha")

LAYERS: Mapping[str, Callable[[Path, Layer, ReadVariables], list[Step]]] = {
    "Dense": _dense,
    "BatchNormalization": _batch_normalization,
    "Activation": _activation_layer,
    "Softmax": _softmax,
    **dict.fromkeys(SLOPES, _layer_of_slope),
}


def _loss(model: Mapping[str, Any], steps: Sequence[Step]) -> str | None:
    """Return the name of the loss that the model was compiled with, if it goes with its output."""
    compiled = model.get("compile_config")
    loss = compiled.get("loss") if isinstance(compiled, dict) else None
    if isinstance(loss, dict):
        loss = loss.get("class_name")
    name = LOSS_NAMES.get(_snake_case(loss)) if isinstance(loss, str) else None
    last = steps[-1] if steps else None
    output = last.name if isinstance(last, Activation) else None
    return name if name and (output is None or output in LOSSES[name].outputs) else None


def _is_keras_archive(start: FileStart) -> bool:
    return {CONFIG, WEIGHTS} <= start.members


def _is_hdf5(start: FileStart) -> bool:
    return start.head.startswith(b"\x89HDF\r\n\x1a\n")


KERAS_ARCHIVE = Format(
    *("a .keras file", "Keras", (".keras",), _is_keras_archive),
    read_keras_archive,
)
KERAS_HDF5 = Format(
    *("an HDF5 file", "Keras", (".h5", ".hdf5"), _is_hdf5),
    read_keras_hdf5,
)
