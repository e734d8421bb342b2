"""Sweep files: a configuration with one more table, `[sweep]`, that lists the keys that vary.

[sweep]
shows = "a description of the result"
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
from actcli.config.keys import find_key
from actcli.config.mistakes import ConfigError, Mistake
from actcli.config.sources import Setting, examples, find_config, from_tables, load_toml
from actcli.config.values import Integer, Kind, Text
from actcli.errors import UsageError
from actcli.registry import nearest, unknown_name
from actcli.sweep.axes import Axis, make_axis

TABLE = "sweep"
VARY = "vary"
KINDS: dict[str, Kind] = {"shows": Text(), "seeds": Integer(1), "random": Integer(1)}


@dataclass(frozen=True)
class SweepFile:
    """The content of a sweep file; for a plain configuration, only `settings` is filled."""

    settings: tuple[Setting, ...] = ()
    axes: tuple[Axis, ...] = ()
    shows: str = ""
    seeds: int | None = None
    random: int | None = None


def sweeps() -> list[str]:
    """Return the names of the example sweeps."""
    return sorted(
        path.stem for path in (files.packaged_folder("configs") / "sweeps").glob("*.toml")
    )


def find_sweep(name: str) -> Path:
    """Return the path of a file, or of the example sweep or configuration of that name.

    Raises:
        UsageError: it does not exist; the message lists all examples.
    """
    if name in sweeps() and not Path(name).is_file():
        return files.packaged_folder("configs") / "sweeps" / f"{name}.toml"
    try:
        return find_config(name)
    except UsageError:
        names = [*sweeps(), *examples()]
        raise unknown_name(
            "sweep file, configuration file or example configuration", name, names
        ) from None


def read_sweep(path: Path, origin: str) -> SweepFile:
    """Return the content of a sweep file or a configuration file.

    Raises:
        UsageError: the file cannot be read, is not TOML, or has mistakes; all are reported at once.
    """
    tables = load_toml(path)
    table = tables.pop(TABLE, {})
    settings: list[Setting] = []
    mistakes: list[Mistake] = []
    try:
        settings = from_tables(tables, origin, also=(TABLE,))
    except ConfigError as error:
        mistakes += error.mistakes
    fields: dict[str, Any] = {}
    axes: list[Axis] = []
    if not isinstance(table, dict):
        table = {}
        mistakes.append(Mistake(f"{origin}: [{TABLE}] must be a table"))
    for name, value in table.items():
        try:
            if name == VARY:
                axes += _axes(value, f"{origin}: [{TABLE}.{VARY}]", mistakes)
            else:
                fields[name] = _kind(name, origin).check(value)
        except UsageError as error:
            mistakes.append(Mistake(str(error)))
        except ValueError as error:
            mistakes.append(Mistake(f"{origin}: [{TABLE}] {name} must be {error}"))
    if mistakes:
        raise ConfigError(mistakes)
    return SweepFile(tuple(settings), tuple(axes), **fields)


def _kind(name: str, origin: str) -> Kind:
    if name not in KINDS:
        names = [*KINDS, VARY]
        guess = nearest(name, names)
        meant = f"Did you mean {guess}? " if guess else ""
        shown = name.encode("unicode_escape").decode()
        raise UsageError(
            f"{origin}: [{TABLE}] has no key {shown}", f"{meant}Known: {', '.join(names)}"
        )
    return KINDS[name]


def _axes(table: Any, origin: str, mistakes: list[Mistake]) -> Iterator[Axis]:
    """Yield the axis of each key; append the mistakes in others to `mistakes`."""
    if not isinstance(table, dict):
        raise UsageError(f"{origin} must be a table of keys and their values")
    seen = set()
    for path, value in _flat(table):
        section, dot, name = path.partition(".")
        try:
            if not dot:
                shown = path.encode("unicode_escape").decode()
                raise UsageError(
                    f"has {shown}, which is not a key",
                    "Example: optimizer.learning_rate = [0.1, 1]",
                )
            axis = make_axis(find_key(section, name), value, path)
            if axis.key in seen:
                raise UsageError(f"{path} is given twice")
            seen.add(axis.key)
            yield axis
        except UsageError as error:
            mistakes.append(Mistake(f"{origin} {error}"))


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield keys and values; a key is written "table.key" in quotes or as a dotted TOML key."""
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
