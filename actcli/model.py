"""A model: a network and everything needed to use it, in memory and as a file.

The network maps normalized inputs to logits; the loss owns the link that turns logits into outputs;
the normalization turns raw inputs (pixels as their files hold them) into inputs of the network.
`model.safetensors` holds the parameters under the names and in the shapes of PyTorch's
`nn.Sequential(Linear, activation, Linear, …)`: `0.weight` (units, inputs), `0.bias`, `2.weight`, ….
Everything else about the model is one JSON text in the header of that file.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actcli import files
from actcli.config.resolved import ResolvedConfig
from actcli.datasets.batches import Batches, Normalization, Split
from actcli.datasets.dataset import Dataset
from actcli.errors import DataError, UsageError
from actcli.files import Buffer
from actcli.formats import read_network
from actcli.formats.contents import Layers
from actcli.formats.description import check_description
from actcli.formats.safetensors import safetensors_parts
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.arrays import Array, Labels, ignore_overflow
from actcli.nn.class_weights import CLASS_WEIGHTS
from actcli.nn.links import log_softmax
from actcli.nn.losses import LOSSES, Loss
from actcli.nn.network import MLP, Trace

FILE_NAME = "model.safetensors"  # the model's file in the folder of a run
EVALUATION_ROWS = 1000  # rows of a mini-batch that is only evaluated


@dataclass(frozen=True, eq=False)
class ForwardBatch:
    """One mini-batch of a split after its forward pass.

    The arrays are overwritten by the next mini-batch.

    Args:
        inputs: normalized inputs, shape (N, D).
        labels: class indices, shape (N,).
        trace: the values of each layer; `trace.logits` are the logits.
    """

    inputs: Array
    labels: Labels
    trace: Trace


@dataclass(frozen=True, eq=False)
class Model:
    """A network and everything needed to use it.

    Args:
        network: the network, in any precision.
        loss: the loss with its link.
        normalization: turns raw inputs into inputs of the network.
        classes: the names of the K classes.
        shape: the shape of one raw input, (H, W) or (D,).
        dataset: the name of the data set that the model was made for.
        epoch: the epoch after which a loaded model's parameters were written; 0 for a model that
            was not loaded.
        class_weights: the factor of a row's loss, for each class; empty if all rows count alike.
        temperature: the number by which the parameters of the last layer were divided after the
            training, so that the outputs are calibrated; 1 if they were not.
    """

    network: MLP
    loss: Loss
    normalization: Normalization
    classes: tuple[str, ...]
    shape: tuple[int, ...] = ()
    dataset: str = ""
    epoch: int = 0
    class_weights: tuple[float, ...] = ()
    temperature: float = 1.0

    @classmethod
    def create(cls, config: ResolvedConfig, dataset: Dataset) -> Self:
        """Return a model with initial parameters, drawn from the seed of the configuration.

        Args:
            config: the configuration of the run.
            dataset: gives the number of inputs, the classes and the normalization.
        """
        loss = make_loss(config)
        network = make_network(config, dataset.inputs, loss.units(len(dataset.classes)))
        network.initialize(
            np.random.default_rng(seed_streams(config.training.seed)[0]),
            config.model.init,
            config.model.bias_init,
            config.model.init_scale,
        )
        return cls(
            network,
            loss,
            dataset.normalization,
            dataset.classes,
            dataset.shape,
            dataset.name,
            class_weights=_class_weights(config, dataset),
        )

    @classmethod
    def load(cls, path: str | Path, **overrides: Any) -> "Model":
        """Return the model in a file that actcli or another framework wrote.

        Args:
            path: a file of a format in `formats.FORMATS`, or the folder of a run.
            overrides: the arguments of `ModelFile.model`. A file of weights alone, as of PyTorch or
                scikit-learn, does not name its activation: pass `activation="relu"`.

        Raises:
            DataError: the file cannot be read or does not hold a multilayer perceptron.
            UsageError: neither the file nor an override names the activation, or an override does
                not fit.
        """
        path = Path(path)
        return read_model_file(path / FILE_NAME if path.is_dir() else path).model(**overrides)

    @property
    def loss_name(self) -> str:
        """The name of the loss in its registry."""
        return next(name for name, entry in LOSSES.items() if entry is type(self.loss))

    def with_network(self, network: MLP) -> "Model":
        """Return the same model around another network."""
        return replace(self, network=network)

    def with_temperature(self, temperature: float) -> "Model":
        """Return the model with its logits divided by a number.

        The weights and biases of the last layer are divided, so that every reader of the model's
        file gets the same logits. The predicted classes stay the same.
        """
        network = self.network
        divided = MLP(network.sizes, network.activation_names)
        divided.parameters[...] = network.parameters
        last = divided.layers[-1]
        last.weights[...] /= temperature
        last.biases[...] /= temperature
        return replace(self, network=divided, temperature=self.temperature * temperature)

    def forward_batches(
        self, split: Split, batch_rows: int = EVALUATION_ROWS
    ) -> Iterator[ForwardBatch]:
        """Yield the forward passes over all rows of a split, in order and without dropout.

        Numbers that overflow become inf or NaN in the trace.

        Args:
            split: the rows, at least one.
            batch_rows: number of rows of a mini-batch.
        """
        rows = min(batch_rows, len(split))
        network = self.network
        buffers = network.trace(rows)
        dtype = network.parameters.dtype.type
        for inputs, labels in Batches(split, self.normalization, rows, dtype)():
            trace = buffers.first(len(labels))
            with ignore_overflow():
                network.forward(inputs, trace)
            yield ForwardBatch(inputs, labels, trace)

    def logits(self, inputs: ArrayLike) -> Array:
        """Return the logits (N, units) of raw inputs (N, D) or (N, H, W), or of one input (D,).

        Raises:
            UsageError: the inputs have another D than the network.
        """
        raw = np.asarray(inputs)
        raw = raw.reshape(len(raw), math.prod(raw.shape[1:])) if raw.ndim != 1 else raw[np.newaxis]
        if raw.shape[1] != self.network.sizes[0]:
            raise UsageError(
                f"{raw.shape[1]} numbers for each row, but the model has "
                f"{self.network.sizes[0]} inputs"
            )
        rows = np.arange(len(raw))
        return self.split_logits(Split(np.ascontiguousarray(raw), np.zeros_like(rows), rows))

    def split_logits(self, split: Split, batch_rows: int = EVALUATION_ROWS) -> Array:
        """Return the logits (N, units) of all rows of a split."""
        units = self.network.sizes[-1]
        logits = np.empty((len(split), units), self.network.parameters.dtype)
        start = 0
        for batch in self.forward_batches(split, batch_rows) if len(split) else ():
            logits[start : start + len(batch.labels)] = batch.trace.logits
            start += len(batch.labels)
        return logits

    def predict_proba(self, inputs: ArrayLike) -> NDArray[np.float64]:
        """Return the outputs (N, K) of raw inputs: probabilities, unless the output is identity."""
        return self.outputs(self.logits(inputs))[0]

    def predict(self, inputs: ArrayLike) -> Labels:
        """Return the index of the predicted class of each raw input, shape (N,)."""
        predicted: Labels = self.predict_proba(inputs).argmax(axis=1)
        return predicted

    def outputs(self, logits: Array) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return the outputs (N, K) of logits (N, units) in float64, and their logarithms.

        The logarithms are None if the outputs of a row are not one distribution. A single sigmoid
        unit is a softmax over 0 and its logit, and so gives two classes.
        """
        z: NDArray[np.float64] = logits.astype(np.float64)
        if self.loss.output == "sigmoid" and z.shape[1] == 1:
            z = np.hstack([np.zeros_like(z), z])
        elif self.loss.output != "softmax":
            outputs = np.empty_like(z)
            self.loss.link.value(z, outputs)
            return outputs, None
        logs = log_softmax(z).astype(np.float64)
        return np.exp(logs), logs

    def save(self, path: str | Path) -> None:
        """Write the model as a `.safetensors` file, which PyTorch reads too.

        The write is atomic: the path never holds a part of the file.

        Raises:
            ActcliError: the file cannot be written.
        """
        files.write(Path(path), *self.file_parts())

    def file_parts(self, parameters: Array | None = None, epoch: int | None = None) -> list[Buffer]:
        """Return the bytes of the model's file, in parts.

        Args:
            parameters: parameters of another epoch, written in place of the network's.
            epoch: the epoch of these parameters.
        """
        layers = self.network.views(self.network.parameters if parameters is None else parameters)
        named: dict[str, Array] = {}
        for index, layer in enumerate(layers):  # the activations between layers take a number too
            named[f"{2 * index}.weight"] = layer.weights
            named[f"{2 * index}.bias"] = layer.biases
        return safetensors_parts(named, self.description(self.epoch if epoch is None else epoch))

    def description(self, epoch: int) -> dict[str, Any]:
        """Return the metadata for the header of the model's file.

        Args:
            epoch: the epoch of the parameters in the file.
        """
        normalization = self.normalization
        weights = {"class_weights": self.class_weights} if self.class_weights else {}
        temperature = {"temperature": self.temperature} if self.temperature != 1 else {}
        return {
            "format": 1,
            "epoch": epoch,
            "activations": self.network.activation_names,
            "output": self.loss.output,
            "loss": self.loss_name,
            "label_smoothing": self.loss.label_smoothing,
            **weights,
            **temperature,
            "dataset": self.dataset,
            "shape": self.shape,
            "classes": self.classes,
            "normalization": {
                "method": normalization.method,
                "shift": normalization.shift,
                "scale": normalization.scale,
            },
        }


def seed_streams(seed: int) -> list[np.random.SeedSequence]:
    """Return independent seeds for the initial parameters, the order of the rows and dropout.

    So a change of the dropout, for example, does not change the initial parameters.
    """
    return np.random.SeedSequence(seed).spawn(3)


def make_loss(config: ResolvedConfig) -> Loss:
    """Return the loss of a configuration, with its link."""
    return LOSSES[config.loss.name](config.model.output, config.loss.label_smoothing)


def _class_weights(config: ResolvedConfig, dataset: Dataset) -> tuple[float, ...]:
    """Return the weight of each class in the loss; empty if every row counts alike."""
    if config.loss.class_weight == "none":
        return ()
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    return tuple(CLASS_WEIGHTS[config.loss.class_weight](counts).tolist())


def make_network(config: ResolvedConfig, inputs: int, outputs: int) -> MLP:
    """Return the network of a configuration, all parameters 0."""
    return MLP((inputs, *config.model.hidden, outputs), config.model.layer_activations)


@dataclass(frozen=True, eq=False)
class ModelFile:
    """The contents of a model's file, written by actcli or by another framework.

    Args:
        path: the path of the file, for messages.
        layers: weights (units, inputs) and biases (units,) in float32, first layer first.
        description: what the file says about the model: the metadata that actcli writes into the
            header, or the activations, the output and the loss that another format records; empty
            in files of nothing but weights.
        framework: the framework that wrote the file; empty if actcli did.
        notes: sentences on what was folded, passed over or assumed when the file was read.
    """

    path: Path
    layers: Layers
    description: Mapping[str, Any]
    framework: str = ""
    notes: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of inputs, of units in each hidden layer, and of logits."""
        return (self.layers[0][0].shape[1], *(len(biases) for _, biases in self.layers))

    @property
    def epoch(self) -> int:
        """The epoch after which the parameters had these values; 0 if the header does not say."""
        return int(self.description.get("epoch", 0))

    def activations(self, override: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return the name of each hidden layer's activation: the override, or the header's.

        Raises:
            UsageError: neither names the activations, or the override has the wrong number of them.
            DataError: the header has the wrong number of activations.
        """
        hidden = len(self.layers) - 1
        names = tuple(map(ACTIVATIONS.name, override or self.description.get("activations", ())))
        if hidden and not names:
            raise UsageError(
                f"{self.path} does not say its activation", "Give it: --activation relu"
            )
        if len(names) not in {1, hidden}:
            if not override:
                raise DataError(
                    f"{self.path} names {len(names)} activations for {hidden} hidden layers"
                )
            raise UsageError(
                f"{len(names)} activations for {hidden} hidden layers",
                "Give one for all, or one for each",
            )
        return names * hidden if len(names) == 1 else names

    def network(self, activations: tuple[str, ...] | None = None) -> MLP:
        """Return the network; see `activations` for the argument and the errors."""
        network = MLP(self.sizes, self.activations(activations))
        for layer, (weights, biases) in zip(network.layers, self.layers, strict=True):
            layer.weights[...] = weights
            layer.biases[...] = biases
        return network

    def loss(self, name: str | None = None, output: str | None = None) -> Loss:
        """Return the loss of that name, or else the header's.

        Without either, the loss is cross-entropy, or binary cross-entropy for a single logit or
        sigmoid outputs.

        Raises:
            UsageError: the loss does not exist, or the output does not go with it.
        """
        described = {} if name else self.description
        is_binary = self.sizes[-1] == 1 or (output or described.get("output")) == "sigmoid"
        usual = "binary-cross-entropy" if is_binary else "cross-entropy"
        smoothing = described.get("label_smoothing", 0.0)
        rule = LOSSES[LOSSES.name(name or self.description.get("loss", usual))]
        return rule(output or described.get("output", "auto"), smoothing)

    def model(
        self,
        activation: str | tuple[str, ...] | None = None,
        loss: str | None = None,
        output: str | None = None,
        normalization: Normalization | None = None,
        classes: tuple[str, ...] | None = None,
    ) -> Model:
        """Return the model. Each argument overrides the value in the header.

        Args:
            activation: the activation of all hidden layers, or one for each.
            loss: the name of the loss.
            output: the name of the link.
            normalization: applied to raw inputs. If neither the argument nor the header has one,
                the network gets raw inputs.
            classes: the names of the classes. If neither the argument nor the header has them, the
                names are "0", "1", ….
        """
        model_loss = self.loss(loss, output)
        described = self.description.get("normalization")
        if normalization is None:
            normalization = self._normalization(described) if described else NO_NORMALIZATION
        count = max(2, self.sizes[-1])
        names = tuple(self.description.get("classes", ())) or tuple(map(str, range(count)))
        return Model(
            network=self.network((activation,) if isinstance(activation, str) else activation),
            loss=model_loss,
            normalization=normalization,
            classes=classes or names,
            shape=tuple(self.description.get("shape", self.sizes[:1])),
            dataset=self.description.get("dataset", ""),
            epoch=self.epoch,
            class_weights=self._class_weights(len(classes or names)) if loss is None else (),
            temperature=float(self.description.get("temperature", 1)),
        )

    def _class_weights(self, classes: int) -> tuple[float, ...]:
        """Return the class weights of the header, or an empty tuple.

        Raises:
            DataError: they are for another number of classes.
        """
        weights = tuple(map(float, self.description.get("class_weights", ())))
        if weights and len(weights) != classes:
            raise DataError(
                f"{self.path}: its header has weights of {len(weights)} classes, but the network "
                f"has {classes}"
            )
        return weights

    def _normalization(self, described: Mapping[str, Any]) -> Normalization:
        """Return the normalization of the header.

        Raises:
            DataError: it has numbers for another number of columns than the network has inputs.
        """
        method, shift, scale = (described[name] for name in ("method", "shift", "scale"))
        if not isinstance(shift, list):
            return Normalization(method, shift, scale)
        if len(shift) != self.sizes[0]:
            raise DataError(
                f"{self.path}: the normalization in its header has numbers for {len(shift)} "
                f"columns, but the network has {self.sizes[0]} inputs"
            )
        return Normalization(method, tuple(map(float, shift)), tuple(map(float, scale)))


NO_NORMALIZATION = Normalization("none", 0.0, 1.0)


def read_model_file(path: Path) -> ModelFile:
    """Return the contents of a model's file; see `formats.FORMATS` for the formats.

    Raises:
        DataError: the file cannot be read, is not a multilayer perceptron, or its header is wrong.
    """
    network = read_network(path)
    check_description(network.description, path)
    return ModelFile(path, network.layers, network.description, network.framework, network.notes)
