"""Sweep files: a configuration with a further table, `[sweep]`, of what varies. None needs NumPy.

[sweep]
shows = "what the sweep is about, in words"
seeds = 2
random = 20

[sweep.vary]
optimizer.learning_rate = "0.001..0.1:log"
model.activation = ["relu", "tanh"]
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli import files
from actcli.config.mistakes import ConfigError, Mistake
from actcli.config.sources import (
    Setting,
    examples,
    find_config,
    find_key,
    from_tables,
    load_toml,
)
from actcli.config.values import Integer, Kind, Text
from actcli.errors import UsageError
from actcli.registry import nearest, unknown_name
from actcli.sweep.axes import Axis, make_axis

TABLE = "sweep"
VARY = "vary"
KINDS: dict[str, Kind] = {"shows": Text(), "seeds": Integer(1), "random": Integer(1)}


@dataclass(frozen=True)
class SweepFile:
    """What a sweep file says; of a configuration, its settings alone."""

    settings: tuple[Setting, ...] = ()
    axes: tuple[Axis, ...] = ()
    shows: str = ""
    seeds: int | None = None
    random: int | None = None


def sweeps() -> list[str]:
    """The sweep files that come with actcli."""
    return sorted(
        path.stem for path in (files.packaged_folder("configs") / "sweeps").glob("*.toml")
    )


def find_sweep(name: str) -> Path:
    """Return the path of a file, or of the example sweep or configuration of that name.

    Raises:
        UsageError: there is none; the message has them all.
    """
    if name in sweeps() and not Path(name).is_file():
        return files.packaged_folder("configs") / "sweeps" / f"{name}.toml"
    try:
        return find_config(name)
    except UsageError:
        known = [*sweeps(), *examples()]
        raise unknown_name(
            "sweep file, configuration file or example configuration", name, known
        ) from None


def read_sweep(path: Path, origin: str) -> SweepFile:
    """A sweep file, or a configuration.

    Raises:
        UsageError: it cannot be read, is no TOML, or holds what it may not; all mistakes at once.
    """
    tables = load_toml(path)
    told = tables.pop(TABLE, {})
    settings: list[Setting] = []
    mistakes: list[Mistake] = []
    try:
        settings = from_tables(tables, origin, also=(TABLE,))
    except ConfigError as error:
        mistakes += error.mistakes
    found: dict[str, Any] = {}
    axes: list[Axis] = []
    if not isinstance(told, dict):
        told = {}
        mistakes.append(Mistake(f"{origin}: [{TABLE}] must be a table"))
    for name, value in told.items():
        try:
            if name == VARY:
                axes += _axes(value, f"{origin}: [{TABLE}.{VARY}]", mistakes)
            else:
                found[name] = _kind(name, origin).check(value)
        except UsageError as error:
            mistakes.append(Mistake(str(error)))
        except ValueError as error:
            mistakes.append(Mistake(f"{origin}: [{TABLE}] {name} must be {error}"))
    if mistakes:
        raise ConfigError(mistakes)
    return SweepFile(tuple(settings), tuple(axes), **found)


def _kind(name: str, origin: str) -> Kind:
    if name not in KINDS:
        known = [*KINDS, VARY]
        guess = nearest(name, known)
        meant = f"Did you mean {guess}? " if guess else ""
        shown = name.encode("unicode_escape").decode()
        raise UsageError(
            f"{origin}: [{TABLE}] has no key {shown}", f"{meant}Known: {', '.join(known)}"
        )
    return KINDS[name]


def _axes(given: Any, origin: str, mistakes: list[Mistake]) -> Iterator[Axis]:
    """An axis for each key; what is wrong with one is added to the mistakes."""
    if not isinstance(given, dict):
        raise UsageError(f"{origin} must be a table of what varies")
    seen = set()
    for path, value in _flat(given):
        table, dot, name = path.partition(".")
        try:
            if not dot:
                shown = path.encode("unicode_escape").decode()
                raise UsageError(
                    f"has {shown}, which is no key", "Example: optimizer.learning_rate = [0.1, 1]"
                )
            axis = make_axis(find_key(table, name), value, path)
            if axis.key in seen:
                raise UsageError(f"{path} stands there twice")
            seen.add(axis.key)
            yield axis
        except UsageError as error:
            mistakes.append(Mistake(f"{origin} {error}"))


def _flat(given: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with their values: "table.key" may stand in quotes, or without as TOML's own path."""
    for name, value in given.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
