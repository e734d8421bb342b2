"""The axes of a sweep: configuration keys that vary over listed values or within a range.

Values are separated by commas: 0.01,0.03,0.1. A range has two ends, 0.001..0.1; with `:log` random
search samples it evenly in the logarithm. Importing this module does not import NumPy.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actcli.config.keys import find_key
from actcli.config.schema import KEYS, Key
from actcli.config.values import Auto, Integer, Number, parse_text
from actcli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

SPAN = re.compile(r"\s*(?P<low>.+?)\s*\.\.\s*(?P<high>.+?)\s*(?P<log>:\s*log)?\s*")
COMMA = re.compile(r",(?![^\[\]]*\])")  # outside brackets
SIGNIFICANT_DIGITS = 3  # of a sampled number
MAX_VALUES = 10_000  # of an axis
WORKERS = "training.workers"


@dataclass(frozen=True)
class Span:
    """The range from `low` to `high`, sampled uniformly or, with `log`, log-uniformly."""

    low: float
    high: float
    log: bool

    def draw(self, rng: "np.random.Generator") -> float:
        """Return a random number between `low` and `high`."""
        if self.log:
            return math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return self.low + float(rng.uniform()) * (self.high - self.low)


@dataclass(frozen=True)
class Axis:
    """A configuration key that varies within `span` or, if that is None, over `values`."""

    key: Key
    values: tuple[Any, ...] = ()
    span: Span | None = None

    def draw(self, rng: "np.random.Generator") -> Any:
        """Return a random value of the key."""
        if self.span is None:
            return self.values[rng.integers(len(self.values))]
        number, (low, high) = self.span.draw(rng), (self.span.low, self.span.high)
        if _is_whole(self.key):
            return min(max(round(number), int(low)), int(high))
        return min(max(float(f"{number:.{SIGNIFICANT_DIGITS}g}"), low), high)


def written(value: Any) -> str:
    """Return a value as text that the key's option accepts."""
    if isinstance(value, tuple | list):
        return ",".join(map(written, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")


def option_of(key: str) -> str:
    """Return the name of a key's option without dashes: lr for optimizer.learning_rate."""
    return next((each.option for each in KEYS if str(each) == key), key)


def parse_axis(text: str) -> Axis:
    """Return the axis of `table.key=values`, the argument of `--vary`.

    Values are separated by commas; a value that contains commas is written in brackets.

    Raises:
        UsageError: the key does not exist, or a value is not allowed for it.
    """
    path, equals, values = text.partition("=")
    table, dot, name = path.strip().partition(".")
    if not (equals and dot and values.strip()):
        raise UsageError(
            f"--vary {text}: expected table.key=value,value",
            "Example: optimizer.learning_rate=0.01,0.1",
        )
    return make_axis(find_key(table, name), values, f"--vary {path.strip()}")


def make_axis(key: Key, values: Any, origin: str) -> Axis:
    """Return the axis of a key.

    Args:
        key: the key that varies.
        values: a text, as `--vary` takes it, or a list of values, as a sweep file has it.
        origin: where the values come from, for messages.

    Raises:
        UsageError: the key cannot vary, or a value is not allowed or is repeated.
    """
    if str(key) == WORKERS:
        raise UsageError(
            f"{origin}: all jobs use the same number of workers", "See --workers-per-run"
        )
    if isinstance(values, str):
        if _is_number(key) and (span := SPAN.fullmatch(values)):
            return Axis(key, span=_span(key, span, origin))
        values = COMMA.split(values)
    if not isinstance(values, list) or not values:
        raise UsageError(f"{origin} must be a list of values, or a text such as '0.01,0.1'")
    if len(values) > MAX_VALUES:
        raise UsageError(f"{origin} has {len(values):,} values. At most {MAX_VALUES:,} are allowed")
    return Axis(key, _values(key, values, origin))


def _values(key: Key, raw_values: Sequence[Any], origin: str) -> tuple[Any, ...]:
    values: dict[Any, None] = {}  # in order; a list would take minutes for 100,000 values
    for each in raw_values:
        try:
            value = (
                parse_text(key.kind, each.strip())
                if isinstance(each, str)
                else key.kind.check(each)
            )
        except ValueError as error:
            raise UsageError(f"{origin} must be {error}") from None
        if value in values:
            raise UsageError(f"{origin}: {each!a} is given twice")
        values[value] = None
    return tuple(values)


def _span(key: Key, match: re.Match[str], origin: str) -> Span:
    try:
        low, high = (parse_text(key.kind, match[name]) for name in ("low", "high"))
    except ValueError as error:
        raise UsageError(f"{origin} must be {error}") from None
    if "auto" in {low, high}:
        raise UsageError(f"{origin}: a range lies between two numbers", "Example: 0.001..0.1:log")
    if not low < high or (match["log"] and low <= 0):
        bounds = "two numbers above 0, the larger last" if match["log"] else "the larger last"
        raise UsageError(f"{origin}={match[0]}: expected {bounds}")
    return Span(low, high, bool(match["log"]))


def _is_number(key: Key) -> bool:
    kind = key.kind.kind if isinstance(key.kind, Auto) else key.kind
    return isinstance(kind, Integer | Number)


def _is_whole(key: Key) -> bool:
    kind = key.kind.kind if isinstance(key.kind, Auto) else key.kind
    return isinstance(kind, Integer)
