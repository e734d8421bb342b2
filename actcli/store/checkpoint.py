"""A checkpoint: everything that the rest of a training depends on, in one file.

A checkpoint holds the parameters, the optimizer's slots and step count, the states of the random
generators and the position. A training resumed from a checkpoint ends with the same bits as one
that was never interrupted. The checkpoint also holds a fingerprint of the data and a copy of the
configuration: resuming fails if either has changed.
"""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from actcli import __version__, jsonlines
from actcli.config.resolved import ResolvedConfig
from actcli.config.schema import KEYS, values
from actcli.errors import ActcliError, DataError
from actcli.files import Buffer
from actcli.formats.safetensors import read_metadata, read_safetensors, safetensors_parts
from actcli.nn.arrays import Array
from actcli.training.learner import Learner
from actcli.training.loop import EpochSums, Position

# Keys that may differ from the checkpoint's: more epochs, or the same data at another path.
MAY_CHANGE = {"training.epochs", "data.name"}
# Errors raised by damaged states of random generators.
DAMAGE = (TypeError, ValueError, KeyError, AttributeError, OverflowError)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A stopped training.

    Args:
        path: the path of the file, for messages.
        tensors: "parameters"; the slots of the optimizer; and "kept", if the kept parameters are
            those of another epoch.
        record: the other fields of the file; see `checkpoint_file`.
        position: where the training stands.
        kept_epoch: the epoch whose parameters are kept.
    """

    path: Path
    tensors: dict[str, Array]
    record: dict[str, Any]
    position: Position
    kept_epoch: int

    def check(self, learner: Learner) -> None:
        """Raise if version, configuration or data differ from the checkpoint's.

        Raises:
            ActcliError: one of them differs; the message names the difference.
        """
        version, config = self.record["actcli"], self.record["config"]
        if version != __version__:
            raise ActcliError(
                f"{self.path} is of actcli {version!a}, but this is {__version__}",
                "Only the same version comes to the same result",
            )
        changed = [
            f"{name} = {json.dumps(value)}, was {json.dumps(config.get(name))}"
            for name, value in settings(learner.config).items()
            if name not in MAY_CHANGE and value != config.get(name)
        ]
        if changed:
            raise ActcliError(
                f"the configuration is no longer that of {self.path}: {'; '.join(changed)}",
                "Only the number of epochs may change",
            )
        epochs, before = learner.config.training.epochs, config["training.epochs"]
        if epochs < before:
            raise ActcliError(
                f"the configuration is no longer that of {self.path}: "
                f"training.epochs = {epochs}, was {before}",
                "The number of epochs can only be raised",
            )
        if self.record["fingerprint"] != learner.dataset.fingerprint:
            raise ActcliError(
                f"the data set {learner.dataset.name} is no longer that of {self.path}",
                "Its pixels or labels have changed",
            )

    def fits(self, learner: Learner) -> bool:
        """Return whether another run can continue from here: the same version and the same data."""
        fingerprint = learner.dataset.fingerprint
        return bool(
            self.record["actcli"] == __version__ and self.record["fingerprint"] == fingerprint
        )

    def restore(self, learner: Learner) -> Array:
        """Set the state of the learner, and return the parameters that are kept.

        Raises:
            DataError: the arrays do not fit the network and optimizer, or the state of a random
                generator is damaged.
        """
        parameters, slots = learner.network.parameters, learner.state.slots
        arrays = {"parameters": parameters, **slots}
        kept = self.tensors.get("kept", self.tensors.get("parameters"))
        if {*arrays} != self.tensors.keys() - {"kept"} or kept is None:
            raise self._damaged(f"it has {', '.join(self.tensors)}, not {', '.join(arrays)}")
        for name, tensor in self.tensors.items():
            if tensor.shape != parameters.shape:
                raise self._damaged(f"{name!a} has the shape {tensor.shape}")
        for name, array in arrays.items():
            np.copyto(array, self.tensors[name])
        learner.state.step = self.record["optimizer_step"]
        try:
            learner.shuffling.bit_generator.state = self.position.shuffling
            if learner.dropout:
                learner.dropout.rng.bit_generator.state = self.record["dropping"]
        except DAMAGE as error:
            raise self._damaged(f"the state of a random generator is not valid: {error}") from None
        return kept

    def _damaged(self, fault: str) -> DataError:
        return DataError(f"{self.path} is damaged: {fault}")


def checkpoint_file(
    learner: Learner, position: Position, kept: Array, kept_epoch: int
) -> list[Buffer]:
    """Return the bytes of a checkpoint's file, in parts.

    Args:
        learner: the model that learns, its optimizer and its random generators.
        position: where the training stands.
        kept: the parameters that are kept.
        kept_epoch: the epoch after which the kept parameters were copied.
    """
    parameters = learner.network.parameters
    tensors = {"parameters": parameters, **learner.state.slots}
    if not np.array_equal(kept, parameters):
        tensors["kept"] = kept
    record = {
        "format": 1,
        "actcli": __version__,
        "fingerprint": learner.dataset.fingerprint,
        "config": settings(learner.config),
        "optimizer_step": learner.state.step,
        "dropping": learner.dropout and learner.dropout.rng.bit_generator.state,
        "kept_epoch": kept_epoch,
        "position": asdict(position),
    }
    return safetensors_parts(tensors, record | {"checksum": _checksum(tensors, record)})


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        DataError: the file cannot be read, or is not a valid checkpoint.
    """
    tensors, record = read_safetensors(path)
    types = {"actcli": str, "fingerprint": str, "config": dict, "checksum": int}
    counts = ("optimizer_step", "kept_epoch")
    if (
        record.get("format") != 1
        or not all(isinstance(record.get(name), kind) for name, kind in types.items())
        or not all(_is_count(record.get(name)) for name in counts)
    ):
        raise DataError(f"{path} is not a checkpoint")
    if record.pop("checksum") != _checksum(tensors, record):
        raise DataError(f"{path} is damaged: its checksum is wrong")
    record["config"] = _with_new_names(record["config"])
    try:
        position = _position(record["position"])
    except DAMAGE as error:
        raise DataError(f"{path} does not say where the training stands: {error}") from None
    return Checkpoint(path, tensors, record, position, record["kept_epoch"])


def read_identity(path: Path) -> tuple[dict[str, Any], str]:
    """Return the settings of the run that a checkpoint belongs to, and the fingerprint of its data.

    Only the header of the file is read, so that the runs of a large sweep are read quickly.

    Raises:
        DataError: the file cannot be read, or is not a checkpoint.
    """
    record = read_metadata(path)
    config, fingerprint = record.get("config"), record.get("fingerprint")
    if not isinstance(config, dict) or not isinstance(fingerprint, str):
        raise DataError(f"{path} is not a checkpoint")
    return _with_new_names(config), fingerprint


def _position(record: dict[str, Any]) -> Position:
    tally = record["tally"]
    position = Position(
        epoch=record["epoch"],
        step=record["step"],
        tally=EpochSums(**{**tally, "update_ratio": tuple(map(float, tally["update_ratio"]))}),
        shuffling=record["shuffling"],
        lowest=math.inf if record["lowest"] is None else float(record["lowest"]),
        best_epoch=record["best_epoch"],
        seconds=float(record["seconds"]),
    )
    tally = position.tally
    if not all(map(_is_count, (position.epoch, position.step, position.best_epoch, tally.right))):
        raise ValueError("a count is not a whole number")
    if not all(isinstance(number, float) for number in (tally.loss, tally.rates, tally.seconds)):
        raise ValueError("a sum is not a number")
    return position


def _checksum(tensors: Mapping[str, Array], record: dict[str, Any]) -> int:
    """Return a checksum of all contents: a damaged number would otherwise change the result."""
    checksum = zlib.crc32(jsonlines.dumps(record).encode())
    for name in sorted(tensors):
        checksum = zlib.crc32(np.ascontiguousarray(tensors[name], "<f4").data, checksum)
    return checksum


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


# Keys that checkpoints of earlier versions lack, with the values that they stood for.
LATER_KEYS = {
    "model.init_scale": 1.0,
    "loss.class_weight": "none",
    "training.calibrate": False,
    "data.target": "last",
}


def _with_new_names(config: dict[str, Any]) -> dict[str, Any]:
    """Return the settings under their present names, with the keys that were added since then."""
    new_names = {key.former_path: str(key) for key in KEYS}
    return LATER_KEYS | {new_names.get(name, name): value for name, value in config.items()}


def settings(config: ResolvedConfig) -> dict[str, Any]:
    """Return the value of each key in the types that reading it from JSON gives."""
    plain: dict[str, Any] = json.loads(
        json.dumps({str(key): value for key, value in values(config)})
    )
    return plain
