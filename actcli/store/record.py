"""The records of a run: a line of `metrics.jsonl` for each epoch, and `result.json` for its end.

Both files are written and read here and nowhere else. Reading is strict: a field of the wrong type,
a number that must be finite and is not, or a file that is not a regular file raises a `DataError`
that names file, line and field. Importing this module does not import NumPy.
"""

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from actcli import jsonlines
from actcli.errors import DataError
from actcli.files import reading
from actcli.training.events import EpochDone, Health, Score

FINISHED, DIVERGED = "finished", "diverged"
MAX_RESULT_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 20  # of an epoch's record, which has some hundred bytes for each layer
TAIL_BYTES = 1 << 16  # size of the first read from the end when looking for the last line

T = TypeVar("T")


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
    if epoch.health is None:
        del fields["health"]
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
    for number, line in enumerate(complete_lines(path), 1):
        yield read_epoch(line, f"{path}, line {number}", layers)


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


class Fields:
    """A reader of the fields of a JSON object. Each method checks the type of a field.

    Args:
        content: the text of the object.
        where: the file and line of the text, for messages.

    Raises:
        DataError: the content is not a JSON object.
    """

    def __init__(self, content: bytes, where: str) -> None:
        self.where = where
        try:
            record = jsonlines.loads(content)
        except ValueError as error:
            raise DataError(f"{where} is not JSON") from error
        self._record = self._object(record, "")

    def error(self, name: str, expected: str) -> DataError:
        """Return the error for a field that is not `expected`, such as "a text"."""
        return DataError(f"{self.where}: {name!a} is not {expected}")

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """Return a field, or None if it is missing or null."""
        return None if self._record.get(name) is None else read(name)

    def count(self, name: str) -> int:
        """Return a field that is a whole number of at least 0."""
        return self._count(self._record.get(name), name)

    def number(self, name: str) -> float:
        """Return a field that is a finite number."""
        return self._number(self._record.get(name), name)

    def share(self, name: str) -> float:
        """Return a field that is a number from 0 to 1."""
        return self._share(self._record.get(name), name)

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a field that is a list of numbers; null, which JSON has for infinity, is NaN."""
        return tuple(
            math.nan if value is None else self._number(value, name)
            for value in self._list(self._record.get(name), name)
        )

    def text(self, name: str) -> str:
        """Return a field that is a text."""
        value = self._record.get(name)
        if not isinstance(value, str):
            raise self.error(name, "a text")
        return value

    def flag(self, name: str) -> bool:
        """Return a field that is true or false."""
        value = self._record.get(name)
        if not isinstance(value, bool):
            raise self.error(name, "true or false")
        return value

    def score(self, name: str) -> Score:
        """Return a field with a loss and an accuracy; a loss of null, for infinity, is NaN."""
        score = self._object(self._record.get(name), name)
        loss, accuracy = score.get("loss"), score.get("accuracy")
        return Score(
            math.nan if loss is None and "loss" in score else self._number(loss, f"{name}.loss"),
            self._share(accuracy, f"{name}.accuracy"),
        )

    def health(self, name: str) -> Health:
        """Return a field with the health of the layers."""
        inner = Fields.__new__(Fields)
        inner.where = f"{self.where}: {name!a}"
        inner._record = self._object(self._record.get(name), name)
        silent = self._list(inner._record.get("silent"), f"{name}.silent")
        return Health(
            delta_norm=inner.numbers("delta_norm"),
            weight_grad_norm=inner.optional("weight_grad_norm", inner.numbers) or (),
            silent=tuple(self._count(value, f"{name}.silent") for value in silent),
        )

    def _object(self, value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            if not name:
                raise DataError(f"{self.where} is not a JSON object")
            raise self.error(name, "an object")
        return value

    def _list(self, value: Any, name: str) -> list[Any]:
        if not isinstance(value, list):
            raise self.error(name, "a list")
        return value

    def _count(self, value: Any, name: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            raise self.error(name, "a whole number of at least 0")
        return value

    def _number(self, value: Any, name: str) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and isinstance(value, int) and abs(value) >= 2**63:
            is_number = False
        if not is_number or not math.isfinite(value):
            raise self.error(name, "a finite number")
        return float(value)

    def _share(self, value: Any, name: str) -> float:
        share = self._number(value, name)
        if not 0 <= share <= 1:
            raise self.error(name, "a number from 0 to 1")
        return share


def _line(record: dict[str, Any]) -> bytes:
    return f"{jsonlines.dumps(record)}\n".encode()
