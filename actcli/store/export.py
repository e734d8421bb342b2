"""Export a run: write its network in the format of another framework, or its metrics as a table."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli import files
from actcli.errors import ActcliError, UsageError
from actcli.formats.network_parts import NetworkParts, Source
from actcli.formats.writers import WRITERS
from actcli.model import FILE_NAME, Model, read_model_file
from actcli.store.folder import METRICS
from actcli.store.record import read_epochs
from actcli.training.events import EpochDone


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written, with its size in bytes."""

    path: Path
    size: int


@dataclass(frozen=True)
class Exported:
    """The result of `actcli export`.

    Args:
        source: the name of the run or file.
        target: the name of the format.
        files: the files, the first one first.
        usage: lines of Python that use them; empty for a table.
    """

    source: str
    target: str
    files: tuple[ExportedFile, ...]
    usage: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of `actcli export --json`."""
        return {
            "source": self.source,
            "to": self.target,
            "files": [{"path": str(file.path), "bytes": file.size} for file in self.files],
            "usage": self.usage,
        }


def export_source(
    source: Source, target: str, output: Path | None = None, force: bool = False
) -> Exported:
    """Write the files of a source in a format, each of them whole or not at all.

    Args:
        source: the run, file or model.
        target: the name of the format, or an alias of it.
        output: the path of the first file; None for the name of the source in the current folder.
        force: whether files that exist are replaced.

    Raises:
        UsageError: there is no such format, it cannot hold the network, the path has another
            suffix than its files, or a file exists.
        ActcliError: the source cannot be read, or a file cannot be written.
    """
    target = WRITERS.name(target)
    writer = WRITERS[target]
    path = output or Path(_file_name(source.name, writer.suffix))
    if not path.suffix:
        path = path.with_suffix(writer.suffix)
    if path.suffix != writer.suffix:
        raise UsageError(
            f"{path} does not end in {writer.suffix}, as {writer.title} does",
            f"Did you mean {str(path.with_suffix(writer.suffix))!a}?",
        )
    contents = writer.files(source, path)
    for file, _ in contents:
        _check_free(file, force)
    for file, parts in contents:
        files.write(file, *parts)
    sizes = [sum(memoryview(part).nbytes for part in parts) for _, parts in contents]
    written = [ExportedFile(file, size) for (file, _), size in zip(contents, sizes, strict=True)]
    return Exported(source.name, target, tuple(written), writer.usage(source, path))


def _file_name(name: str, suffix: str) -> str:
    """Return the name of the first file; that of a module is one that Python can import."""
    stem = Path(name).name
    if suffix == ".py" and not stem.isidentifier():
        stem = "".join(each if each.isalnum() and each.isascii() else "_" for each in stem)
        stem = stem if stem.isidentifier() else f"network_{stem}"
    return f"{stem}{suffix}"


def _check_free(path: Path, force: bool) -> None:
    if not os.path.lexists(path):
        return
    if not path.is_file():
        raise ActcliError(f"cannot write {path}: it is not a regular file")
    if not force:
        raise UsageError(f"{path} exists already", "To replace it: --force")


def run_source(folder: Path) -> Source:
    """Return the source of a run."""
    return Source(
        folder.name,
        lambda: network_parts(read_model_file(folder / FILE_NAME).model(), folder.name),
        lambda: list(metrics_rows(list(read_epochs(folder / METRICS)))),
    )


def model_source(load: Callable[[], Model], name: str) -> Source:
    """Return the source of a model that is not a run.

    Args:
        load: returns the model.
        name: of the model, for the name of its files.
    """

    def epochs() -> Sequence[Sequence[Any]]:
        raise UsageError(f"{name} has no metrics", "Only a run has them: give its name")

    return Source(name, lambda: network_parts(load(), name), epochs)


def network_parts(model: Model, name: str) -> NetworkParts:
    """Return the parts of a model for the writers."""
    normalization = model.normalization
    return NetworkParts(
        name,
        [(layer.weights, layer.biases) for layer in model.network.layers],
        model.network.activation_names,
        model.loss.output,
        normalization.shift,
        normalization.scale,
        model.classes,
        model.description(model.epoch),
    )


def metrics_rows(epochs: Sequence[EpochDone]) -> Iterator[Sequence[Any]]:
    """Yield the header of the table of metrics, and a row for each epoch.

    A list with a number for each layer has a column for each layer; layers count from 1.
    """
    lists = [_layer_lists(epoch) for epoch in epochs]
    widths = {
        name: max((len(each[name]) for each in lists), default=0)
        for name in ("update_ratio", "delta_norm", "weight_grad_norm", "silent")
    }
    header = ["epoch", "learning_rate", "train_loss", "train_accuracy", "validation_loss"]
    header += ["validation_accuracy", "seconds", "examples_per_second", "best"]
    header += [f"{name}_{index + 1}" for name, width in widths.items() for index in range(width)]
    yield header
    for epoch, values in zip(epochs, lists, strict=True):
        validation = epoch.validation
        row: list[Any] = [epoch.epoch, epoch.learning_rate, epoch.train.loss, epoch.train.accuracy]
        row += [validation.loss, validation.accuracy] if validation else [None, None]
        row += [epoch.seconds, epoch.examples_per_second, epoch.best]
        for name, width in widths.items():
            row += [*values[name], *[None] * (width - len(values[name]))]
        yield row


def _layer_lists(epoch: EpochDone) -> dict[str, Sequence[float]]:
    health = epoch.health
    return {
        "update_ratio": epoch.update_ratio,
        "delta_norm": health.delta_norm if health else (),
        "weight_grad_norm": health.weight_grad_norm if health else (),
        "silent": health.silent if health else (),
    }
