"""Kinds of values that a configuration may hold, and the parser of texts.

A TOML file gives a value with its type, which `Kind.check` accepts or refuses. Options, environment
variables, `--set` and `--vary` give texts, which `parse_text` reads: as TOML ([8, 8], "mse", 0.1),
or as plain words (8,8 or mse). Both return the same value, or raise a ValueError whose message
completes the sentence "<key> must be …".
"""

import contextlib
import math
import re
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actcli.registry import declared_aliases, declared_names, nearest


class Kind(ABC):
    """A kind of value: the values that are allowed, and how they are written."""

    @property
    @abstractmethod
    def metavar(self) -> str:
        """The placeholder for a value in a help text."""

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Return a value of a TOML file in the type of this kind.

        Raises:
            ValueError: the value is not allowed.
        """

    @abstractmethod
    def parse_words(self, text: str) -> Any:
        """Return the value of a text that is not a TOML value, such as mse or 8,8.

        Raises:
            ValueError: the value is not allowed.
        """

    def completions(self) -> Sequence[str]:
        """Return the values that shell completion offers."""
        return ()


def parse_text(kind: Kind, text: str) -> Any:
    """Return the value of a text, read as a TOML value or else as plain words.

    Raises:
        ValueError: the value is not allowed.
    """
    try:
        tables = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return kind.parse_words(text)
    if list(tables) != ["value"]:  # the text has several lines
        return kind.parse_words(text)
    try:
        return kind.check(tables["value"])
    except ValueError as error:
        # In TOML, 3 is a number. As the name of a class or of a file it is a text.
        try:
            return kind.parse_words(text)
        except ValueError:
            if isinstance(tables["value"], str):
                raise error from None
            raise


@dataclass(frozen=True)
class Integer(Kind):
    """A whole number from `low` to `high`."""

    low: int = 0
    high: int = 2**63 - 1  # the largest integer of TOML and NumPy
    metavar = "N"

    def check(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"a whole number of at least {self.low}, not {quoted(value)}")
        if not self.low <= value <= self.high:
            bounds = f"at least {self.low}" if value < self.low else f"at most {self.high}"
            raise ValueError(f"{bounds}, not {quoted(value)}")
        return value

    def parse_words(self, text: str) -> int:
        if not re.fullmatch(r"\s*-?[0-9]{1,40}\s*", text):
            raise ValueError(f"a whole number of at least {self.low}, not {quoted(text)}")
        return self.check(int(text))


@dataclass(frozen=True)
class Number(Kind):
    """A finite number of at least `low`, or above `low` if `above`; and below `high`."""

    low: float = 0.0
    high: float = math.inf
    above: bool = False
    metavar = "X"

    def check(self, value: Any) -> float:
        number = math.nan
        if isinstance(value, int | float) and not isinstance(value, bool):
            with contextlib.suppress(OverflowError):  # a whole number that is too large
                number = float(value)
        is_above = number > self.low if self.above else number >= self.low
        if not (math.isfinite(number) and is_above and number < self.high):
            raise ValueError(f"a number {self._allowed()}, not {quoted(value)}")
        return number

    def parse_words(self, text: str) -> float:
        try:
            # Python's `float` also reads 1_000 and the digits of all scripts, which are refused.
            number = float(text.replace("_", "?").encode("ascii"))
        except ValueError:
            raise ValueError(f"a number {self._allowed()}, not {quoted(text)}") from None
        if math.isinf(number):
            raise ValueError(f"a finite number {self._allowed()}, not {quoted(text.strip())}")
        return self.check(number)

    def _allowed(self) -> str:
        bound = f"{'above' if self.above else 'of at least'} {self.low:g}"
        return bound if self.high == math.inf else f"{bound} and below {self.high:g}"


@dataclass(frozen=True)
class Auto(Kind):
    """A value of another kind, or "auto"."""

    kind: Kind

    @property
    def metavar(self) -> str:
        return f"{self.kind.metavar}|auto"

    def check(self, value: Any) -> Any:
        return value if value == "auto" else self._or_auto(self.kind.check, value)

    def parse_words(self, text: str) -> Any:
        return "auto" if text.strip() == "auto" else self._or_auto(self.kind.parse_words, text)

    def completions(self) -> Sequence[str]:
        return ("auto", *self.kind.completions())

    @staticmethod
    def _or_auto(read: Callable[[Any], Any], value: Any) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise ValueError(f'"auto" or {error}') from None


@dataclass(frozen=True)
class Switch(Kind):
    """True or false."""

    metavar = "true|false"

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"true or false, not {quoted(value)}")
        return value

    def parse_words(self, text: str) -> bool:
        words = {"true": True, "false": False}
        if text.strip().lower() not in words:
            raise ValueError(f"true or false, not {quoted(text)}")
        return words[text.strip().lower()]

    def completions(self) -> Sequence[str]:
        return ("true", "false")


@dataclass(frozen=True)
class Text(Kind):
    """Any text that is not empty."""

    metavar: str = "TEXT"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"a text that is not empty, not {quoted(value)}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(f"UTF-8 text, not {quoted(value)}")  # a file could not hold it
        return value

    def parse_words(self, text: str) -> str:
        return self.check(text)


@dataclass(frozen=True)
class Name(Kind):
    """The name of an entry of a registry, or an alias of it; `declared_names` lists the names.

    Args:
        module: the module that defines the registry.
        table: the registry's name in that module.
    """

    module: str
    table: str
    metavar = "NAME"

    def check(self, value: Any) -> str:
        guess = None
        if isinstance(value, str):
            aliases = declared_aliases(self.module, self.table)
            if (name := aliases.get(value, value)) in self.completions():
                return name
            close = nearest(value, [*self.completions(), *aliases])
            guess = aliases.get(close or "", close)
        meant = f" (did you mean {guess}?)" if guess else ""
        raise ValueError(f"one of {', '.join(self.completions())}; not {quoted(value)}{meant}")

    def parse_words(self, text: str) -> str:
        return self.check(text.strip())

    def completions(self) -> Sequence[str]:
        return declared_names(self.module, self.table)


@dataclass(frozen=True)
class Listed(Kind):
    """Values of one kind: a list in TOML, separated by commas in a text.

    Args:
        kind: the kind of each value.
        min_length: the smallest number of values.
        max_length: the largest number of values.
        single: whether TOML may have a single value in place of a list.
    """

    kind: Kind
    min_length: int = 0
    max_length: int = 10_000
    single: bool = False

    @property
    def metavar(self) -> str:
        return f"{self.kind.metavar},…"

    def check(self, value: Any) -> tuple[Any, ...]:
        if self.single and not isinstance(value, list | tuple):
            value = [value]
        if not isinstance(value, list | tuple):
            raise ValueError(f"a list, not {quoted(value)}")
        return self._check_length(tuple(map(self.kind.check, value)))

    def parse_words(self, text: str) -> tuple[Any, ...]:
        words = text.strip()
        if words.startswith("[") and words.endswith("]"):  # names need no quotes: [relu, tanh]
            words = words[1:-1].strip()
        if words in {"", "none"}:
            return self._check_length(())
        return self._check_length(tuple(map(self.kind.parse_words, words.split(","))))

    def completions(self) -> Sequence[str]:
        return self.kind.completions()

    def _check_length(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        low, high = self.min_length, self.max_length
        if not low <= len(values) <= high:
            bounds = f"{low}" if low == high else f"{low} to {high}"
            raise ValueError(f"a list of {bounds}, not of {len(values)}")
        return values


@dataclass(frozen=True)
class Label(Text):
    """The name of a class, or of a column. A whole number in TOML counts as its text: 3 as "3"."""

    metavar: str = "LABEL"

    def check(self, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            return str(value)
        return super().check(value).strip()


def quoted(value: Any) -> str:
    """Return a value as the user wrote it, cut to a length that fits a message."""
    if isinstance(value, int) and abs(value) >= 10**60:
        return "a number of more than 60 digits"  # Python refuses to write very long ones
    try:
        text = {True: "true", False: "false"}[value] if isinstance(value, bool) else ascii(value)
    except (ValueError, RecursionError):  # a list or table with such a number or deep nesting
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= 60 else f"{text[:57]}…"
