"""The plan of a sweep: which keys of the configuration vary, and the jobs that come of it.

A key varies over values (0.01,0.03,0.1) or, where jobs are drawn at random, within a span
(0.001..0.1, or 0.001..0.1:log for each order of magnitude alike). Each job is named by a hash of
its configuration, so that the same job has the same name in every sweep that asks for it.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from actcli.errors import UsageError
from actcli.training.build import resolve
from actcli.training.config import Config, Key, values
from actcli.training.kinds import Auto, Integer
from actcli.training.settings import Setting, assemble, find_key, value_of

SEED = "training.seed"
SPAN = re.compile(r"\s*(?P<low>[^.,]+(?:\.\d+)?)\s*\.\.\s*(?P<high>[^:]+?)\s*(?P<log>:log)?\s*")


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high`, drawn evenly, or evenly in their logarithm."""

    low: float
    high: float
    log: bool

    def draw(self, rng: np.random.Generator) -> float:
        """One of them."""
        if self.log:
            return float(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Axis:
    """A key that varies, over values or within a span."""

    key: Key
    values: tuple[Any, ...] = ()
    span: Span | None = None

    def draw(self, rng: np.random.Generator) -> Any:
        """A value, at random."""
        if self.span is None:
            return self.values[rng.integers(len(self.values))]
        number = self.span.draw(rng)
        return round(number) if _is_whole(self.key) else float(f"{number:.3g}")


@dataclass(frozen=True)
class Job:
    """One run of a sweep."""

    name: str  # of its folder
    varied: tuple[Any, ...]  # the value of each axis
    seed: int
    config: Config  # resolved, if its keys go together
    error: str | None  # why they do not


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Args:
        base: settings that all jobs have in common.
        axes: what varies.
        seeds: runs of each combination, with that many seeds, from the base's on.
        draws: how many combinations to draw at random; None: all that there are.
    """

    base: tuple[Setting, ...]
    axes: tuple[Axis, ...]
    seeds: int = 1
    draws: int | None = None

    def jobs(self) -> list[Job]:
        """All of them, each once.

        Raises:
            UsageError: a span without a number of draws.
        """
        first = assemble(self.base).training.seed
        found: dict[str, Job] = {}
        for varied in self._combinations(first):
            for seed in range(first, first + self.seeds):
                job = _job(self.base, self.axes, varied, seed)
                found.setdefault(job.name, job)
        return list(found.values())

    def _combinations(self, seed: int) -> Iterator[tuple[Any, ...]]:
        if self.draws is None:
            for axis in self.axes:
                if axis.span:
                    raise UsageError(
                        f"--vary {axis.key}: a span needs a number of draws",
                        "Example: --random 20. Or give values: 0.01,0.03,0.1",
                    )
            yield from itertools.product(*(axis.values for axis in self.axes))
            return
        rng = np.random.default_rng(seed)
        for _ in range(self.draws):
            yield tuple(axis.draw(rng) for axis in self.axes)


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
    return make_axis(find_key(table, name), _split(given), f"--vary {path.strip()}")


def make_axis(key: Key, given: Sequence[Any], origin: str) -> Axis:
    """An axis from values as a file gives them or as texts; a single text may be a span.

    Raises:
        UsageError: a value is none for that key, or stands there twice.
    """
    if len(given) == 1 and isinstance(given[0], str) and (span := SPAN.fullmatch(given[0])):
        return Axis(key, span=_span(key, span, origin))
    found: list[Any] = []
    for each in given:
        try:
            value = _value(key, each) if isinstance(each, str) else key.kind.check(each)
        except ValueError as error:
            raise UsageError(f"{origin} must be {error}") from None
        if value in found:
            raise UsageError(f"{origin}: {each} stands there twice")
        found.append(value)
    if not found:
        raise UsageError(f"{origin} has no values")
    return Axis(key, tuple(found))


def _value(key: Key, text: str) -> Any:
    """A list may stand in brackets with quotes around its names or without."""
    try:
        return value_of(key.kind, text)
    except ValueError:
        if not text.startswith("["):
            raise
        return value_of(key.kind, text[1:-1])


def _span(key: Key, given: re.Match[str], origin: str) -> Span:
    try:
        low, high = (value_of(key.kind, given[name]) for name in ("low", "high"))
    except ValueError as error:
        raise UsageError(f"{origin} must be {error}") from None
    if not all(isinstance(bound, int | float) for bound in (low, high)):
        raise UsageError(f"{origin} has no numbers between {low} and {high}", "Give its values")
    if not low < high or (given["log"] and low <= 0):
        bounds = "two numbers above 0, the larger last" if given["log"] else "the larger last"
        raise UsageError(f"{origin}={given[0]}: expected {bounds}")
    return Span(float(low), float(high), bool(given["log"]))


def _is_whole(key: Key) -> bool:
    kind = key.kind.kind if isinstance(key.kind, Auto) else key.kind
    return isinstance(kind, Integer)


def _split(text: str) -> list[str]:
    """At each comma that is not within brackets."""
    return [part.strip() for part in re.findall(r"(?:\[[^\]]*\]|[^,\[\]])+", text)]


def _job(base: Sequence[Setting], axes: Sequence[Axis], varied: tuple[Any, ...], seed: int) -> Job:
    chosen = [Setting(axis.key, value, "--vary") for axis, value in zip(axes, varied, strict=True)]
    config = assemble([*base, *chosen])
    if not any(str(axis.key) == SEED for axis in axes):
        config = replace(config, training=replace(config.training, seed=seed))
    error = None
    try:
        config = resolve(config)
    except UsageError as mistake:
        error = str(mistake)
    return Job(_name(config), varied, config.training.seed, config, error)


def _name(config: Config) -> str:
    """The same for the same configuration."""
    told: Mapping[str, Any] = {str(key): value for key, value in values(config)}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
