"""What varies in a sweep: a key of the configuration, over values or within a span of numbers.

Values stand with commas between them (0.01,0.03,0.1), a span has both its ends (0.001..0.1, or
0.001..0.1:log for each order of magnitude alike). None of it needs NumPy.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actcli.config.schema import KEYS, Key
from actcli.config.sources import find_key
from actcli.config.values import Auto, Integer, Number, parse_text
from actcli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

SPAN = re.compile(r"\s*(?P<low>.+?)\s*\.\.\s*(?P<high>.+?)\s*(?P<log>:\s*log)?\s*")
COMMA = re.compile(r",(?![^\[\]]*\])")  # not within brackets
DIGITS = 3  # of a number that is drawn
WORKERS = "training.workers"


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high`, drawn evenly, or evenly in their logarithm."""

    low: float
    high: float
    log: bool

    def draw(self, rng: "np.random.Generator") -> float:
        """One of them."""
        if self.log:
            return math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return self.low + float(rng.uniform()) * (self.high - self.low)


@dataclass(frozen=True)
class Axis:
    """A key that varies, over values or within a span."""

    key: Key
    values: tuple[Any, ...] = ()
    span: Span | None = None

    def draw(self, rng: "np.random.Generator") -> Any:
        """A value, at random."""
        if self.span is None:
            return self.values[rng.integers(len(self.values))]
        number, (low, high) = self.span.draw(rng), (self.span.low, self.span.high)
        if _is_whole(self.key):
            return min(max(round(number), int(low)), int(high))
        return min(max(float(f"{number:.{DIGITS}g}"), low), high)


def written(value: Any) -> str:
    """A value of a key as its option takes it."""
    if isinstance(value, tuple | list):
        return ",".join(map(written, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")


def option_of(key: str) -> str:
    """What the option of a key is called, which is shorter than the key: lr."""
    return next((each.option for each in KEYS if str(each) == key), key)


def parse_axis(text: str) -> Axis:
    """An axis from `table.key=values`, as `--vary` takes it.

    Values are separated by commas; one that has commas itself stands in brackets.

    Raises:
        UsageError: there is no such key, or a value is none for it.
    """
    path, equals, given = text.partition("=")
    table, dot, name = path.strip().partition(".")
    if not (equals and dot and given.strip()):
        raise UsageError(
            f"--vary {text}: expected table.key=value,value",
            "Example: optimizer.learning_rate=0.01,0.1",
        )
    return make_axis(find_key(table, name), given, f"--vary {path.strip()}")


def make_axis(key: Key, given: Any, origin: str) -> Axis:
    """An axis from a text as `--vary` takes it, or from a list of values as a file gives them.

    Raises:
        UsageError: the key cannot vary, a value is none for it, or stands there twice.
    """
    if str(key) == WORKERS:
        raise UsageError(
            f"{origin}: all jobs use the same number of workers", "See --workers-per-run"
        )
    if isinstance(given, str):
        if _is_number(key) and (span := SPAN.fullmatch(given)):
            return Axis(key, span=_span(key, span, origin))
        given = COMMA.split(given)
    if not isinstance(given, list) or not given:
        raise UsageError(f"{origin} must be a list of values, or a text such as '0.01,0.1'")
    return Axis(key, _values(key, given, origin))


def _values(key: Key, given: Sequence[Any], origin: str) -> tuple[Any, ...]:
    found: list[Any] = []
    for each in given:
        try:
            value = (
                parse_text(key.kind, each.strip())
                if isinstance(each, str)
                else key.kind.check(each)
            )
        except ValueError as error:
            raise UsageError(f"{origin} must be {error}") from None
        if value in found:
            raise UsageError(f"{origin}: {each!a} stands there twice")
        found.append(value)
    return tuple(found)


def _span(key: Key, given: re.Match[str], origin: str) -> Span:
    try:
        low, high = (parse_text(key.kind, given[name]) for name in ("low", "high"))
    except ValueError as error:
        raise UsageError(f"{origin} must be {error}") from None
    if "auto" in {low, high}:
        raise UsageError(f"{origin}: a span lies between two numbers", "Example: 0.001..0.1:log")
    if not low < high or (given["log"] and low <= 0):
        bounds = "two numbers above 0, the larger last" if given["log"] else "the larger last"
        raise UsageError(f"{origin}={given[0]}: expected {bounds}")
    return Span(low, high, bool(given["log"]))


def _is_number(key: Key) -> bool:
    kind = key.kind.kind if isinstance(key.kind, Auto) else key.kind
    return isinstance(kind, Integer | Number)


def _is_whole(key: Key) -> bool:
    kind = key.kind.kind if isinstance(key.kind, Auto) else key.kind
    return isinstance(kind, Integer)
