"""What a command examines: a run, a file of weights, or a network before its training.

A run's folder says everything. A file of weights from elsewhere says its shapes; the rest comes
from options, or is assumed to be as usual.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actcli.cli.run_folders import all_runs, find_run, is_run, newest
from actcli.config.schema import Config
from actcli.config.sources import assemble, examples, find_config, read_toml
from actcli.datasets.batches import Normalization
from actcli.datasets.catalogue import DATASETS
from actcli.datasets.dataset import Dataset, load_dataset
from actcli.datasets.download import Progress
from actcli.diagnostics.evidence import Training
from actcli.diagnostics.probe import Subject
from actcli.errors import DataError, UsageError
from actcli.formats.weights import Weights, read_weights
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP
from actcli.runs.folder import CONFIG, MODEL
from actcli.runs.record import read_training
from actcli.training.build import prepare_dataset, resolve
from actcli.training.learner import Learner


@dataclass(frozen=True)
class Overrides:
    """What options say of a target; None where they say nothing."""

    activation: tuple[str, ...] | None = None
    output: str | None = None
    loss: str | None = None
    dataset: str | None = None
    normalize: str | None = None


@dataclass(frozen=True)
class Target:
    """What is examined.

    Args:
        name: of the run or of the file.
        loss: by name.
        subject: the network and what belongs to it.
        dataset: what it is examined on.
        initial: the network before its training, if that can be known.
        training: how it was trained, if that is known.
    """

    name: str
    loss: str
    subject: Subject
    dataset: Dataset
    initial: MLP | None
    training: Training | None


def find_target(
    target: str | None, runs: Path, overrides: Overrides, at_init: bool, progress: Progress
) -> Target:
    """What a user means: a run by its name or folder, the newest if none is named; a file.

    Args:
        target: as typed.
        runs: the folder of the runs.
        overrides: what options say of it.
        at_init: whether the network before any training is meant; the target may then be a
            configuration or a lesson, too, and without any run the default is meant.
        progress: told of downloads.

    Raises:
        UsageError: there is no such thing; the message has the nearest name.
        ActcliError: it cannot be read, or does not hold what it should.
    """
    known = bool(all_runs(runs)) if target is None else is_run(target, runs)
    if at_init and not known and (target is None or _is_config(target)):
        chosen = read_toml(find_config(target)) if target else []
        config = _overridden(resolve(assemble(chosen)), overrides)
        return _initial(config, target or "default", progress)
    path = newest(runs) if target is None else find_run(target, runs, or_file=True)
    if path.is_dir():
        return _run(path, overrides, at_init, progress)
    if at_init:
        raise UsageError(f"{path} does not say how its network started", "Give a run or a config")
    return _file(path, overrides, progress)


def _is_config(target: str) -> bool:
    return target in examples() or target.endswith(".toml")


def _run(folder: Path, overrides: Overrides, at_init: bool, progress: Progress) -> Target:
    config = _overridden(resolve(assemble(read_toml(folder / CONFIG))), overrides)
    config, dataset = prepare_dataset(config, progress)
    learner = Learner(config, dataset)
    weights = read_weights(folder / MODEL)
    if weights.sizes != learner.network.sizes:
        raise DataError(
            f"{folder / MODEL} has layers of {weights.sizes}, but its config.toml and data set "
            f"{dataset.name} make {learner.network.sizes}"
        )
    kept = weights.description.get("epoch", 0)
    trained = learner.network if at_init else _network(weights, config.model.activation)
    return Target(
        name=folder.name,
        loss=config.loss.name,
        subject=Subject(trained, learner.loss, dataset.normalization, dataset.classes),
        dataset=dataset,
        initial=learner.network,
        training=read_training(config, None if at_init else folder, kept),
    )


def _initial(config: Config, name: str, progress: Progress) -> Target:
    config, dataset = prepare_dataset(config, progress)
    learner = Learner(config, dataset)
    return Target(
        name=f"{name} at its start",
        loss=config.loss.name,
        subject=Subject(learner.network, learner.loss, dataset.normalization, dataset.classes),
        dataset=dataset,
        initial=learner.network,
        training=read_training(config, None),
    )


def _file(path: Path, overrides: Overrides, progress: Progress) -> Target:
    weights = read_weights(path)
    said = weights.description
    hidden = len(weights.layers) - 1
    activation = overrides.activation or tuple(said.get("activations", ()))
    if hidden and not activation:
        raise UsageError(f"{path} does not say its activation", "Give it: --activation relu")
    if not overrides.activation and len(activation) not in {1, hidden}:
        raise DataError(f"{path} names {len(activation)} activations for {hidden} hidden layers")
    dataset = _load(path, said, overrides, progress)
    inputs, scores = weights.sizes[0], weights.sizes[-1]
    usual = "binary-cross-entropy" if scores == 1 else "cross-entropy"
    name = overrides.loss or said.get("loss", usual)
    as_trained = {} if overrides.loss else said
    output = overrides.output or as_trained.get("output", "auto")
    loss = LOSSES[name](output, as_trained.get("label_smoothing", 0.0))
    if (inputs, scores) != (dataset.inputs, loss.units(len(dataset.classes))):
        raise DataError(
            f"{path} has {inputs} inputs and {scores} scores, but the data set {dataset.name} has "
            f"{dataset.inputs} pixels and {len(dataset.classes)} classes",
            "Give its data set: --dataset",
        )
    network = _network(weights, activation)
    # Its own numbers: those of the data set depend on which rows were held out.
    known = None if overrides.normalize else said.get("normalization")
    normalization = Normalization(**known) if known else dataset.normalization
    subject = Subject(network, loss, normalization, dataset.classes)
    return Target(path.name, name, subject, dataset, initial=None, training=None)


def _load(path: Path, said: dict[str, Any], overrides: Overrides, progress: Progress) -> Dataset:
    """The data set that an option names, or else the header: but no path that a stranger wrote."""
    name = overrides.dataset or said.get("dataset", "mnist")
    if not overrides.dataset and name not in DATASETS:
        raise UsageError(
            f"{path} was trained on {name!a}, which is not the name of a known data set",
            "Say where it is: --dataset",
        )
    classes = tuple(said.get("classes", ()))
    method = overrides.normalize or said.get("normalization", {}).get("method", "unit")
    try:
        return load_dataset(name, classes=classes, normalize=method, progress=progress)
    except UsageError as error:
        if overrides.dataset:
            raise
        raise DataError(f"{path}: {error.message}", error.hint) from None


def _network(weights: Weights, activation: tuple[str, ...]) -> MLP:
    hidden = len(weights.layers) - 1
    if len(activation) not in {1, hidden}:
        raise UsageError(
            f"{len(activation)} activations for {hidden} hidden layers",
            "Give one for all, or one for each",
        )
    network = MLP(weights.sizes, activation * hidden if len(activation) == 1 else activation)
    for layer, (w, b) in zip(network.layers, weights.layers, strict=True):
        layer.weights[...] = w
        layer.biases[...] = b
    return network


def _overridden(config: Config, overrides: Overrides) -> Config:
    model, data, loss = config.model, config.data, config.loss
    if overrides.activation:
        model = replace(model, activation=overrides.activation)
    if overrides.output:
        model = replace(model, output=overrides.output)
    if overrides.loss:
        loss = replace(loss, name=overrides.loss)
        model = replace(model, output=overrides.output or "auto")
    if overrides.dataset:
        data = replace(data, name=overrides.dataset, validation="auto")
    if overrides.normalize:
        data = replace(data, normalize=overrides.normalize)
    return resolve(replace(config, model=model, data=data, loss=loss))
