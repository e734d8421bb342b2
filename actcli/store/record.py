"""The records of a run: a line of `metrics.jsonl` for each epoch, and `result.json` for its end.

Both files are written and read here and nowhere else. Reading is strict: a field of the wrong type,
a number that must be finite and is not, or a file that is not a regular file raises a `DataError`
that names file, line and field. Importing this module does not import NumPy.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actcli import jsonlines
from actcli.errors import DataError
from actcli.files import reading
from actcli.store.fields import Fields
from actcli.training.events import EpochDone, Histograms, Score

FINISHED, DIVERGED = "finished", "diverged"
MAX_RESULT_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 20  # of an epoch's record, which has some hundred bytes for each layer
TAIL_BYTES = 1 << 16  # size of the first read from the end when looking for the last line


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Args:
        status: "finished" or "diverged"; a diverged run has a message and no other field.
        run: the name of the run.
        message: why the run diverged.
        parameters: the number of parameters of the network.
        epochs: the number of epochs trained.
        best_epoch: the epoch with the lowest validation loss; 0 is the initial network.
        kept_epoch: the epoch whose network is kept.
        train: score of the kept network on the training rows; None if it was not measured.
        validation: score on the validation rows; None without validation rows.
        test: score on the test rows.
        seconds: time spent in all steps.
        examples_per_second: processed training rows divided by `seconds`; None without a step.
        dead: share of the hidden units that no training row activates; None without hidden units.
        verdict: the rule of the worst finding on a sample of the training rows, or "healthy".
        class_weight: the name of the class weights; all losses of the run are weighted by them.
        temperature: the number by which the logits were divided after the training; 1 if they were
            not.
    """

    status: str
    run: str
    message: str | None = None
    parameters: int = 0
    epochs: int = 0
    best_epoch: int = 0
    kept_epoch: int = 0
    train: Score | None = None
    validation: Score | None = None
    test: Score | None = None
    seconds: float = 0.0
    examples_per_second: float | None = None
    dead: float | None = None
    verdict: str | None = None
    class_weight: str = "none"
    temperature: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON, without the fields that this status does not have."""
        if self.status == DIVERGED:
            return {"status": self.status, "message": self.message, "run": self.run}
        fields = asdict(self)
        del fields["message"]
        return fields

    def to_json(self) -> bytes:
        """Return the content of `result.json`."""
        return _line(self.to_dict())

    @classmethod
    def read(cls, path: Path) -> "RunResult | None":
        """Return the result in a file, or None if the file does not exist.

        Raises:
            DataError: the file cannot be read, or a field has a wrong type or value.
        """
        try:
            with reading(path, MAX_RESULT_BYTES) as file:
                content = file.read()
        except FileNotFoundError:
            return None
        fields = Fields(content, str(path))
        status = fields.text("status")
        if status not in {FINISHED, DIVERGED}:
            raise fields.error("status", f"{FINISHED!r} or {DIVERGED!r}")
        return cls(
            status=status,
            run=fields.optional("run", fields.text) or path.parent.name,
            message=fields.optional("message", fields.text),
            parameters=fields.optional("parameters", fields.count) or 0,
            epochs=fields.optional("epochs", fields.count) or 0,
            best_epoch=fields.optional("best_epoch", fields.count) or 0,
            kept_epoch=fields.optional("kept_epoch", fields.count) or 0,
            train=fields.optional("train", fields.score),
            validation=fields.optional("validation", fields.score),
            test=fields.optional("test", fields.score),
            seconds=fields.optional("seconds", fields.number) or 0.0,
            examples_per_second=fields.optional("examples_per_second", fields.number),
            dead=fields.optional("dead", fields.share),
            verdict=fields.optional("verdict", fields.text),
            class_weight=fields.optional("class_weight", fields.text) or "none",
            temperature=fields.optional("temperature", fields.number) or 1.0,
        )


def epoch_line(epoch: EpochDone) -> bytes:
    """Return the line of `metrics.jsonl` for an epoch."""
    fields = asdict(epoch)
    for name in ("health", "histograms"):
        if fields[name] is None:
            del fields[name]
    return _line(fields)


def read_epoch(line: bytes, where: str, layers: int | None = None) -> EpochDone:
    """Return the epoch of a line of `metrics.jsonl`.

    Args:
        line: with or without its line end.
        where: file and line, for messages.
        layers: number of layers of the network, with the output layer; None if it is unknown.

    Raises:
        DataError: a field has a wrong type or value, or is not of this number of layers.
    """
    fields = Fields(line, where)
    epoch = EpochDone(
        epoch=fields.count("epoch"),
        learning_rate=fields.optional("learning_rate", fields.number) or 0.0,
        train=fields.score("train"),
        validation=fields.optional("validation", fields.score),
        seconds=fields.optional("seconds", fields.number) or 0.0,
        examples_per_second=fields.optional("examples_per_second", fields.number) or 0.0,
        update_ratio=fields.optional("update_ratio", fields.numbers) or (),
        best=fields.optional("best", fields.flag) or False,
        health=fields.optional("health", fields.health),
        histograms=fields.optional("histograms", fields.histograms),
    )
    if layers is not None:
        _check_layers(epoch, layers, where)
    return epoch


def _check_layers(epoch: EpochDone, layers: int, where: str) -> None:
    """Raise if a list is not of this number of layers; lists that may be missing may be empty."""
    lists = [("update_ratio", epoch.update_ratio, {0, layers})]
    if health := epoch.health:
        lists += [
            ("health.delta_norm", health.delta_norm, {layers}),
            ("health.weight_grad_norm", health.weight_grad_norm, {0, layers}),
            ("health.silent", health.silent, {layers - 1}),
        ]
    if histograms := epoch.histograms:
        lists.append(("histograms.scale", histograms.scale, {layers}))
    for name, values, counts in lists:
        if len(values) not in counts:
            raise DataError(f"{where}: {name!r} has {len(values)} numbers, not {max(counts)}")


def read_epochs(path: Path, layers: int | None = None) -> Iterator[EpochDone]:
    """Yield the epochs in a `metrics.jsonl`. A last line that is incomplete is left out.

    Args:
        path: the path of the file.
        layers: see `read_epoch`.

    Raises:
        DataError: the file cannot be read, or a line is not the record of an epoch.
    """
    bins = None
    for number, line in enumerate(complete_lines(path), 1):
        where = f"{path}, line {number}"
        epoch = read_epoch(line, where, layers)
        if epoch.histograms:
            bins = bins or bins_of(epoch.histograms)
            if bins_of(epoch.histograms) != bins:
                raise DataError(f"{where}: 'histograms' has other bins than the lines before")
        yield epoch


def bins_of(histograms: Histograms) -> tuple[object, ...]:
    """Return what the histograms of all epochs have in common."""
    saturates = [share is not None for share in histograms.saturated]
    return histograms.scale, histograms.y_range, saturates


def complete_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a `metrics.jsonl` that have a line end.

    Raises:
        DataError: the file cannot be read, or a line is too long for a record.
    """
    try:
        with reading(path) as file:
            while (line := file.readline(MAX_LINE_BYTES)).endswith(b"\n"):
                yield line
            if len(line) == MAX_LINE_BYTES:
                raise DataError(f"{path} has a line of more than {MAX_LINE_BYTES:,} bytes")
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def read_last_epoch(path: Path, layers: int | None = None) -> EpochDone | None:
    """Return the last complete epoch in a `metrics.jsonl`, or None before the first one.

    Only the end of the file is read.

    Args:
        path: the path of the file.
        layers: see `read_epoch`.

    Raises:
        DataError: the file cannot be read, or its last complete line is not the record of an epoch.
    """
    try:
        with reading(path) as file:
            size = file.seek(0, os.SEEK_END)
            length = TAIL_BYTES
            while True:
                file.seek(max(0, size - length))
                lines = file.read(length).split(b"\n")[:-1]  # without an incomplete last line
                if len(lines) > 1 or length >= size:
                    break
                if length > MAX_LINE_BYTES:
                    raise DataError(f"{path} has a line of more than {MAX_LINE_BYTES:,} bytes")
                length *= 4
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    return read_epoch(lines[-1], f"{path}, last line", layers) if lines else None


def _line(record: dict[str, Any]) -> bytes:
    return f"{jsonlines.dumps(record)}\n".encode()
