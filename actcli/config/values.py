"""Kinds of values that a configuration may hold: what is allowed, and how it is read.

A value comes from a TOML file with a type of its own (`check`), or as text from an option, an
environment variable or `--set` (`parse`). Both give the same value, or raise a ValueError that
completes the sentence "<key> must be …".
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actcli.registry import declared_names, nearest


class Kind(ABC):
    """What a key may hold."""

    @property
    @abstractmethod
    def metavar(self) -> str:
        """What stands for a value in a help text."""

    @abstractmethod
    def check(self, value: Any) -> Any:
        """The value, if a TOML file may give it."""

    @abstractmethod
    def parse(self, text: str) -> Any:
        """The value that a text means."""

    def completions(self) -> Sequence[str]:
        """What shell completion offers."""
        return ()


@dataclass(frozen=True)
class Integer(Kind):
    """A whole number from `low` to `high`."""

    low: int = 0
    high: int = 2**63 - 1  # the largest that TOML and NumPy know
    metavar = "N"

    def check(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"a whole number of at least {self.low}, not {quoted(value)}")
        if not self.low <= value <= self.high:
            bounds = f"at least {self.low}" if value < self.low else f"at most {self.high}"
            raise ValueError(f"{bounds}, not {quoted(value)}")
        return value

    def parse(self, text: str) -> int:
        if not re.fullmatch(r"\s*-?[0-9]{1,40}\s*", text):
            raise ValueError(f"a whole number of at least {self.low}, not {quoted(text)}")
        return self.check(int(text))


@dataclass(frozen=True)
class Number(Kind):
    """A finite number from `low` (or above it, where `above`) to below `high`."""

    low: float = 0.0
    high: float = math.inf
    above: bool = False
    metavar = "X"

    def check(self, value: Any) -> float:
        wrong = ValueError(f"a number {self._allowed()}, not {quoted(value)}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong
        try:
            number = float(value)
        except OverflowError:  # a whole number that is too large
            raise wrong from None
        if not math.isfinite(number) or not self.low <= number < self.high:
            raise wrong
        if self.above and number == self.low:
            raise wrong
        return number

    def parse(self, text: str) -> float:
        try:
            # Python reads 1_000 and the digits of all scripts too; TOML does not.
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

    def parse(self, text: str) -> Any:
        return "auto" if text.strip() == "auto" else self._or_auto(self.kind.parse, text)

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

    def parse(self, text: str) -> bool:
        words = {"true": True, "false": False}
        if text.strip().lower() not in words:
            raise ValueError(f"true or false, not {quoted(text)}")
        return words[text.strip().lower()]

    def completions(self) -> Sequence[str]:
        return ("true", "false")


@dataclass(frozen=True)
class Text(Kind):
    """Any text but an empty one."""

    metavar: str = "TEXT"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"a text that is not empty, not {quoted(value)}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(f"UTF-8 text, not {quoted(value)}")  # a file could not hold it
        return value

    def parse(self, text: str) -> str:
        return self.check(text)


@dataclass(frozen=True)
class Name(Kind):
    """The name of an entry of a registry: see `declared_names`."""

    module: str
    table: str
    metavar = "NAME"

    def check(self, value: Any) -> str:
        if value in self.completions():
            return str(value)
        guess = nearest(value, self.completions()) if isinstance(value, str) else None
        meant = f" (did you mean {guess}?)" if guess else ""
        raise ValueError(f"one of {', '.join(self.completions())}; not {quoted(value)}{meant}")

    def parse(self, text: str) -> str:
        return self.check(text.strip())

    def completions(self) -> Sequence[str]:
        return declared_names(self.module, self.table)


@dataclass(frozen=True)
class Listed(Kind):
    """Values of one kind: a list in TOML, separated by commas in a text.

    Args:
        kind: of each value.
        least, most: how many there may be.
        single: whether one value may stand there without a list.
    """

    kind: Kind
    least: int = 0
    most: int = 10_000
    single: bool = False

    @property
    def metavar(self) -> str:
        return f"{self.kind.metavar},…"

    def check(self, value: Any) -> tuple[Any, ...]:
        if self.single and not isinstance(value, list | tuple):
            value = [value]
        if not isinstance(value, list | tuple):
            raise ValueError(f"a list, not {quoted(value)}")
        return self._enough(tuple(self.kind.check(each) for each in value))

    def parse(self, text: str) -> tuple[Any, ...]:
        if text.strip() in {"", "none"}:
            return self._enough(())
        return self._enough(tuple(self.kind.parse(each) for each in text.split(",")))

    def completions(self) -> Sequence[str]:
        return self.kind.completions()

    def _enough(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self.least <= len(values) <= self.most:
            bounds = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
            raise ValueError(f"a list of {bounds}, not of {len(values)}")
        return values


@dataclass(frozen=True)
class Label(Text):
    """The name of a class; a whole number stands for its digits."""

    metavar: str = "LABEL"

    def check(self, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            return str(value)
        return super().check(value).strip()


def quoted(value: Any) -> str:
    """A value as the user wrote it, cut to a length that fits a message."""
    if isinstance(value, int) and abs(value) >= 10**60:
        return "a number of more than 60 digits"  # Python refuses to write very long ones
    try:
        text = {True: "true", False: "false"}[value] if isinstance(value, bool) else ascii(value)
    except (ValueError, RecursionError):  # as long, or nested deeply, in a list or a table
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= 60 else f"{text[:57]}…"
