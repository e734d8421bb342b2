"""What a command examines: a run, a file of weights, or a network before its training.

A run's folder says everything. A file of weights from elsewhere says its shapes; the rest comes
from options, or is assumed to be as usual.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli.config.resolved import ResolvedConfig
from actcli.config.schema import Config
from actcli.config.sources import assemble, examples, find_config, read_toml
from actcli.datasets.catalogue import DATASETS
from actcli.datasets.dataset import Dataset, load_dataset
from actcli.datasets.download import Progress
from actcli.diagnostics.evidence import Training
from actcli.errors import DataError, UsageError
from actcli.model import Model, ModelFile, read_model_file
from actcli.store.catalog import find_run, is_run, newest, usable_runs
from actcli.store.folder import CONFIG, MODEL
from actcli.store.train import read_training
from actcli.training.build import prepare_dataset
from actcli.training.memory import check_memory


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
        model: the network and what belongs to it.
        dataset: what it is examined on.
        initial: the network before its training, if that can be known.
        training: how it was trained, if that is known.
    """

    name: str
    model: Model
    dataset: Dataset
    initial: Model | None
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
            configuration file or an example configuration, too; without any run it is the default
            configuration.
        progress: told of downloads.

    Raises:
        UsageError: there is no such thing; the message has the nearest name.
        ActcliError: it cannot be read, or does not hold what it should.
    """
    known = bool(usable_runs(runs)) if target is None else is_run(target, runs)
    if at_init and not known and (target is None or _is_config(target)):
        chosen = read_toml(find_config(target)) if target else []
        config = _overridden(assemble(chosen), overrides)
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
    config = _overridden(assemble(read_toml(folder / CONFIG)), overrides)
    config, dataset = prepare_dataset(config, progress)
    check_memory(config, dataset.inputs, len(dataset.classes), len(dataset.train))
    initial = Model.create(config, dataset)
    file = read_model_file(folder / MODEL)
    if file.sizes != initial.network.sizes:
        raise DataError(
            f"{folder / MODEL} has layers of {file.sizes}, but its config.toml and data set "
            f"{dataset.name} make {initial.network.sizes}"
        )
    trained = initial.with_network(file.network(config.model.activation))
    return Target(
        name=folder.name,
        model=initial if at_init else trained,
        dataset=dataset,
        initial=initial,
        training=read_training(config, None if at_init else folder, file.epoch),
    )


def _initial(config: ResolvedConfig, name: str, progress: Progress) -> Target:
    config, dataset = prepare_dataset(config, progress)
    check_memory(config, dataset.inputs, len(dataset.classes), len(dataset.train))
    model = Model.create(config, dataset)
    return Target(f"{name} at its start", model, dataset, model, read_training(config, None))


def _file(path: Path, overrides: Overrides, progress: Progress) -> Target:
    file = read_model_file(path)
    file.activations(overrides.activation)
    dataset = _load(path, file, overrides, progress)
    loss = file.loss(overrides.loss, overrides.output)
    inputs, logits = file.sizes[0], file.sizes[-1]
    if (inputs, logits) != (dataset.inputs, loss.units(len(dataset.classes))):
        raise DataError(
            f"{path} has {inputs} inputs and {logits} scores, but the data set {dataset.name} has "
            f"{dataset.inputs} pixels and {len(dataset.classes)} classes",
            "Give its data set: --dataset",
        )
    # The header's own numbers: those of the data set depend on which rows were held out.
    is_described = "normalization" in file.description and not overrides.normalize
    model = file.model(
        overrides.activation,
        overrides.loss,
        overrides.output,
        None if is_described else dataset.normalization,
        dataset.classes,
    )
    return Target(path.name, model, dataset, initial=None, training=None)


def _load(path: Path, file: ModelFile, overrides: Overrides, progress: Progress) -> Dataset:
    """The data set that an option names, or else the header: but no path that a stranger wrote."""
    said = file.description
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


def _overridden(config: Config, overrides: Overrides) -> ResolvedConfig:
    changes: dict[str, Any] = {}
    if overrides.activation:
        changes["model.activation"] = overrides.activation
    if overrides.output:
        changes["model.output"] = overrides.output
    if overrides.loss:
        changes |= {"loss.name": overrides.loss, "model.output": overrides.output or "auto"}
    if overrides.dataset:
        changes |= {"data.name": overrides.dataset, "data.validation": "auto"}
    if overrides.normalize:
        changes["data.normalize"] = overrides.normalize
    return config.with_values(changes).resolve()
