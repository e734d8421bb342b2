"""The fields of a JSON object, read strictly: each method checks the type and the range of a field.

A field that is not as it should be raises a `DataError` that names file, line and field. Importing
this module does not import NumPy.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

from actcli import jsonlines
from actcli.errors import DataError
from actcli.training.events import HISTOGRAM_BINS, MAX_SCALE, Health, Histograms, Score

T = TypeVar("T")


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
        inner = self._inner(name)
        silent = self._list(inner._record.get("silent"), f"{name}.silent")
        return Health(
            delta_norm=inner.numbers("delta_norm"),
            weight_grad_norm=inner.optional("weight_grad_norm", inner.numbers) or (),
            silent=tuple(self._count(value, f"{name}.silent") for value in silent),
        )

    def histograms(self, name: str) -> Histograms:
        """Return a field with the histograms of the layers."""
        inner = self._inner(name)
        z, y = inner._histograms("z"), inner._histograms("y")
        if len(y) + 1 != len(z):
            raise inner.error("y", "a histogram for each layer of z but the last one")
        return Histograms(
            scale=tuple(inner._scale(value) for value in inner._items("scale", len(z))),
            y_range=tuple(inner._range(value) for value in inner._items("y_range", len(y))),
            z=z,
            y=y,
            saturated=tuple(
                None if value is None else inner._share(value, "saturated")
                for value in inner._items("saturated", len(y))
            ),
        )

    def _inner(self, name: str) -> "Fields":
        """Return a reader of the fields of a field that is an object."""
        inner = Fields.__new__(Fields)
        inner.where = f"{self.where}: {name!a}"
        inner._record = self._object(self._record.get(name), name)
        return inner

    def _items(self, name: str, length: int) -> list[Any]:
        items = self._list(self._record.get(name), name)
        if len(items) != length:
            raise self.error(name, f"a list of {length}")
        return items

    def _histograms(self, name: str) -> tuple[tuple[int, ...], ...]:
        histograms = tuple(
            tuple(self._counts(self._list(counts, name), name))
            for counts in self._list(self._record.get(name), name)
        )
        if any(len(counts) != HISTOGRAM_BINS for counts in histograms):
            raise self.error(name, f"lists of {HISTOGRAM_BINS} numbers")
        return histograms

    def _counts(self, counts: list[Any], name: str) -> list[int]:
        # A record has hundreds of counts: the quick check takes a fifth of the time of the other.
        if all(type(count) is int and 0 <= count < 2**63 for count in counts):
            return counts
        return [self._count(count, name) for count in counts]

    def _scale(self, value: Any) -> float:
        scale = self._number(value, "scale")
        if not 0 < scale <= MAX_SCALE:
            raise self.error("scale", f"above 0 and at most {MAX_SCALE:g}")
        return scale

    def _range(self, value: Any) -> tuple[float, float] | None:
        if value is None:
            return None
        ends = [self._number(end, "y_range") for end in self._list(value, "y_range")]
        if len(ends) != 2 or not -MAX_SCALE <= ends[0] < ends[1] <= MAX_SCALE:
            raise self.error("y_range", "a smaller and a larger number")
        return ends[0], ends[1]

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
