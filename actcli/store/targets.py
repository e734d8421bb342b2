"""The target of a diagnosis: a run, a model file, or an untrained network.

A run folder describes its model completely. A model file of another framework holds only weights
and biases; options or defaults supply the other properties.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from actcli.config.resolved import ResolvedConfig
from actcli.config.schema import Config
from actcli.config.sources import assemble, read_toml
from actcli.datasets.batches import Normalization
from actcli.datasets.catalogue import DATASETS
from actcli.datasets.dataset import Dataset, load_dataset
from actcli.datasets.download import Progress
from actcli.diagnostics.evidence import Training
from actcli.diagnostics.foreign import (
    ACTIVATION,
    LOSS,
    NORMALIZATION,
    Foreign,
    choose_activation,
)
from actcli.errors import DataError, UsageError
from actcli.formats.description import describe_normalization
from actcli.model import NO_NORMALIZATION, Model, ModelFile, read_model_file
from actcli.store.folder import CONFIG
from actcli.store.trained import read_run, read_training
from actcli.training.build import prepare_dataset
from actcli.training.memory import check_memory

BYTE_SCALE = 255.0
USUAL_ACTIVATION = "relu"  # of a file that does not name its activation, until others are tried


@dataclass(frozen=True)
class Overrides:
    """Properties of a target that options override; None for an absent option.

    Args:
        normalize: the name of a normalization, or a mean and a deviation, in scaled inputs.
        scale: the number by which raw inputs are divided before that.
    """

    activation: tuple[str, ...] | None = None
    output: str | None = None
    loss: str | None = None
    dataset: str | None = None
    target_column: str | None = None
    normalize: str | tuple[float, float] | None = None
    scale: float | None = None

    @property
    def has_numbers(self) -> bool:
        """Whether the normalization is given by numbers and not by a name."""
        return self.scale is not None or isinstance(self.normalize, tuple)


@dataclass(frozen=True)
class Target:
    """A model with its data set and the record of its training.

    Args:
        name: of the run or of the file.
        model: the model to examine.
        dataset: the data set on which it is examined.
        initial: the model before its training; None if unknown.
        training: the training of the model; None if unknown.
        folder: the folder of the run whose trained model this is; None for anything else.
        foreign: what is assumed of a model of another framework; None for a model of actcli.
    """

    name: str
    model: Model
    dataset: Dataset
    initial: Model | None
    training: Training | None
    folder: Path | None = None
    foreign: Foreign | None = None


def run_target(folder: Path, overrides: Overrides, at_init: bool, progress: Progress) -> Target:
    """Return the trained or, with `at_init`, the untrained network of a run.

    Raises:
        ActcliError: the run is damaged, or its data cannot be read.
    """
    config = overridden(assemble(read_toml(folder / CONFIG)), overrides)
    run = read_run(folder, config, progress)
    if at_init:
        training = Training.of(run.config)
        return Target(folder.name, run.initial, run.dataset, run.initial, training)
    training = read_training(run.config, folder, run.epoch)
    return Target(folder.name, run.model, run.dataset, run.initial, training, folder)


def initial_target(config: ResolvedConfig, name: str, progress: Progress) -> Target:
    """Return the untrained network of a configuration."""
    config, dataset = prepare_dataset(config, progress)
    check_memory(config, dataset.inputs, len(dataset.classes), len(dataset.train))
    model = Model.create(config, dataset)
    return Target(f"{name} at its start", model, dataset, model, Training.of(config))


def file_target(path: Path, overrides: Overrides, progress: Progress) -> Target:
    """Return the network in a file of weights.

    Raises:
        UsageError: an override does not fit the file.
        DataError: the file is damaged, or does not fit its data set.
    """
    file = read_model_file(path)
    is_open = not (overrides.activation or "activations" in file.description)
    if is_open and file.framework and len(file.layers) > 1:
        overrides = replace(overrides, activation=(USUAL_ACTIVATION,))
    file.activations(overrides.activation)
    dataset = _load(path, file, overrides, progress)
    loss = file.loss(overrides.loss, overrides.output)
    inputs, logits = file.sizes[0], file.sizes[-1]
    if (inputs, logits) != (dataset.inputs, loss.units(len(dataset.classes))):
        raise DataError(
            f"{path} has {inputs} inputs and {logits} logits, but the data set {dataset.name} has "
            f"{dataset.inputs} pixels and {len(dataset.classes)} classes",
            "Give its data set with --dataset",
        )
    # The header has the normalization of the training rows; the data set's may differ, because it
    # depends on which rows are held out.
    is_described = "normalization" in file.description
    is_inside = is_described and bool(file.framework)  # a part of the network, not of its training
    uses_own = is_inside or (is_described and not overrides.normalize)
    normalization, notes = None if uses_own else dataset.normalization, file.notes
    if overrides.has_numbers and not is_inside:
        normalization, note = _given_normalization(overrides, dataset)
        notes = (*notes, note)
    model = file.model(
        overrides.activation, overrides.loss, overrides.output, normalization, dataset.classes
    )
    if is_inside:
        before, note = _before_inside(overrides, dataset, model.normalization)
        model = replace(model, normalization=_composed(before, model.normalization))
        notes = (*notes, note)
    foreign = _foreign(file, overrides, notes)
    if foreign and is_open and model.network.activation_names:
        may_rescale = NORMALIZATION in foreign.unsaid and not overrides.normalize
        model, choice = choose_activation(model, dataset, may_rescale)
        foreign = replace(foreign, choice=choice)
    return Target(path.name, model, dataset, initial=None, training=None, foreign=foreign)


def _given_normalization(overrides: Overrides, dataset: Dataset) -> tuple[Normalization, str]:
    """Return the normalization that options give by numbers, and a sentence on it.

    A mean and a deviation below 1 are those of inputs from 0 to 1, as frameworks make them of bytes
    before they normalize.

    Raises:
        UsageError: a name of a normalization is given beside a scale.
    """
    if isinstance(overrides.normalize, str):
        raise UsageError(
            f"--scale does not go with --normalize {overrides.normalize}",
            "Give --scale 255, or with it the mean and the deviation: --normalize 0.13,0.31",
        )
    mean, deviation = overrides.normalize or (0.0, 1.0)
    scale, reason = overrides.scale, ""
    if scale is None:
        is_bytes = dataset.train.pixels.dtype == np.uint8
        is_small = overrides.normalize is not None and 0 <= mean <= 1 and deviation <= 1
        scale = BYTE_SCALE if is_bytes and is_small else 1.0
        reason = ": bytes are divided by 255 first; --scale 1 does not" if scale > 1 else ""
    described = describe_normalization(np.array(mean * scale), np.array(1 / (deviation * scale)))
    scaled = "x" if scale == 1 else f"x / {scale:g}"
    formula = scaled if overrides.normalize is None else f"({scaled} - {mean:g}) / {deviation:g}"
    return Normalization(**described), f"The inputs of the network are {formula}{reason}."


def _before_inside(
    overrides: Overrides, dataset: Dataset, inside: Normalization
) -> tuple[Normalization, str]:
    """Return what happens to the inputs before a network that normalizes them, and a sentence.

    Options say it. Without them, bytes are divided by 255 before means and deviations up to 1.
    """
    if overrides.has_numbers:
        given, note = _given_normalization(overrides, dataset)
        return given, f"{note} The network normalizes them itself."
    if overrides.normalize:
        note = f"The inputs of the network are normalized by {dataset.normalization.method} first."
        return dataset.normalization, f"{note} The network normalizes them itself."
    shift, scale = np.array(inside.shift), np.array(inside.scale)
    is_small = bool(((shift >= 0) & (shift <= 1) & (scale >= 1)).all())
    changes_something = inside.is_by_column or (inside.shift, inside.scale) != (0.0, 1.0)
    if dataset.train.pixels.dtype == np.uint8 and is_small and changes_something:
        reason = "bytes are divided by 255 first; --scale 1 does not"
        note = f"The inputs of the network are x / 255, which it normalizes itself: {reason}."
        return Normalization("unit", 0.0, 1 / BYTE_SCALE), note
    return NO_NORMALIZATION, "The inputs of the network are x, which it normalizes itself."


def _composed(first: Normalization, second: Normalization) -> Normalization:
    """Return a normalization that is followed by another one."""
    first_scale = np.array(first.scale)
    shift = np.array(first.shift) + np.array(second.shift) / first_scale
    described = describe_normalization(shift, first_scale * np.array(second.scale))
    shift, scale = (
        tuple(each) if isinstance(each, list) else each
        for each in (described["shift"], described["scale"])
    )
    return Normalization(described["method"], shift, scale)


def _foreign(file: ModelFile, overrides: Overrides, notes: tuple[str, ...]) -> Foreign | None:
    """Return what a file of another framework does not say; None for a file of actcli."""
    described = file.description
    if not file.framework:
        return None
    said = {ACTIVATION: "activations", NORMALIZATION: "normalization", LOSS: "loss"}
    unsaid = {part for part, key in said.items() if key not in described}
    if overrides.loss or overrides.output or "output" in described:
        unsaid -= {LOSS}
    if overrides.has_numbers:
        unsaid -= {NORMALIZATION}
    return Foreign(file.framework, frozenset(unsaid), notes)


def _load(path: Path, file: ModelFile, overrides: Overrides, progress: Progress) -> Dataset:
    """Return the data set that the option or the header of the file names.

    A path in the header is refused, because a model file must not decide which files are opened.
    """
    description = file.description
    name = overrides.dataset or description.get("dataset", "mnist")
    if not overrides.dataset and name not in DATASETS:
        raise UsageError(
            f"{path} was trained on {name!a}, which is not the name of a known data set",
            "Give its path with --dataset",
        )
    classes = tuple(description.get("classes", ()))
    named = overrides.normalize if isinstance(overrides.normalize, str) else None
    method = named or description.get("normalization", {}).get("method", "auto")
    try:
        return load_dataset(
            name,
            classes=classes,
            normalize=method,
            target=overrides.target_column or "last",
            progress=progress,
        )
    except UsageError as error:
        if overrides.dataset:
            raise
        raise DataError(f"{path}: {error.message}", error.hint) from None


def overridden(config: Config, overrides: Overrides) -> ResolvedConfig:
    """Return a configuration with the properties that options override.

    Raises:
        UsageError: the normalization is given by numbers, which a configuration cannot hold.
    """
    if overrides.has_numbers:
        raise UsageError(
            "--scale and --normalize MEAN,STD are for files of other frameworks",
            "A run knows its normalization; by its name, another one can be tried",
        )
    changes: dict[str, Any] = {}
    if overrides.activation:
        changes["model.activation"] = overrides.activation
    if overrides.output:
        changes["model.output"] = overrides.output
    if overrides.loss:
        changes |= {"loss.name": overrides.loss, "model.output": overrides.output or "auto"}
    if overrides.dataset:
        changes |= {"data.name": overrides.dataset, "data.validation": "auto"}
        changes["data.target"] = "last"
    if overrides.target_column:
        changes["data.target"] = overrides.target_column
    if overrides.normalize:
        changes["data.normalize"] = overrides.normalize
    return config.with_values(changes).resolve()
