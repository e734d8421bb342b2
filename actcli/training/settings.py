"""Settings: values that somebody gave for keys of the configuration, and who gave them.

A file, an environment variable and an option all become settings; the last one given for a key
holds. What is wrong is told with where it stands, what is allowed and the nearest name; the
mistakes of a file are told all at once.
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli import files
from actcli.errors import UsageError
from actcli.registry import nearest, unknown_name
from actcli.training.config import KEYS, TABLES, Config, Key
from actcli.training.kinds import Kind


@dataclass(frozen=True)
class Setting:
    """A value that somebody gave, and who."""

    key: Key
    value: Any
    origin: str  # for the user: "--lr", "ACTCLI_LR", "relu.toml"


class ConfigError(UsageError):
    """All that is wrong with a configuration."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        if len(mistakes) == 1:
            super().__init__(mistakes[0])
        else:
            super().__init__("\n  ".join([f"{len(mistakes)} mistakes", *mistakes]))


def find_config(name: str) -> Path:
    """The file of that path or, if there is none, the lesson of that name.

    Raises:
        UsageError: there is neither; the message has the lessons.
    """
    path = Path(name)
    if path.suffix == ".toml" or (path.exists() and not path.is_dir()):
        return path
    if name in lessons():  # even beside a folder of that name, such as that of a run
        return files.shipped("configs") / f"{name}.toml"
    if path.is_dir():
        return path
    raise unknown_name("configuration file or lesson", name, lessons())


def lessons() -> list[str]:
    """The configurations that come with actcli."""
    return sorted(path.stem for path in files.shipped("configs").glob("*.toml"))


def read_toml(path: Path, origin: str | None = None) -> list[Setting]:
    """The settings of a configuration file, which is called by its path or as `origin` says.

    Raises:
        UsageError: it cannot be read, is no TOML, or holds what it may not; all mistakes at once.
    """
    return from_tables(load_toml(path), origin or str(path))


def load_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        UsageError: it cannot be read, or is no TOML.
    """
    try:
        tables = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: byte {error.start}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    except ValueError as error:
        raise UsageError(f"{path} holds a number with too many digits") from error
    return tables


def from_tables(tables: Mapping[str, Any], origin: str, also: Sequence[str] = ()) -> list[Setting]:
    """Settings from tables of a TOML file.

    Args:
        tables: of the configuration.
        origin: what the file is called.
        also: further tables that the file may have, for messages.

    Raises:
        ConfigError: unknown tables and keys, with the nearest name, and wrong values.
    """
    settings: list[Setting] = []
    mistakes: list[str] = []
    for table, entries in tables.items():
        if table not in TABLES:
            known = _named(table, [*TABLES, *also], "[{}]")
            mistakes.append(f"{origin}: there is no table {known}")
        elif not isinstance(entries, dict):
            mistakes.append(f"{origin}: [{table}] must be a table")
        else:
            for name, value in entries.items():
                try:
                    key = find_key(table, name)
                    settings.append(Setting(key, key.kind.check(value), origin))
                except UsageError as error:
                    mistakes.append(f"{origin}: {error}")
                except ValueError as error:
                    mistakes.append(f"{origin}: [{table}] {name} must be {error}")
    if mistakes:
        raise ConfigError(mistakes)
    return settings


def find_key(table: str, name: str) -> Key:
    """The key of that table and name.

    Raises:
        UsageError: there is none; the message has the nearest.
    """
    if table not in TABLES:
        raise UsageError(f"there is no table {_named(table, TABLES, '[{}]')}")
    known = {key.name: key for key in KEYS if key.table == table}
    if name not in known:
        raise UsageError(f"[{table}] has no key {_named(name, known, '{}')}")
    return known[name]


def _named(name: str, known: Collection[str], style: str) -> str:
    guess = nearest(name, known) or nearest(name.replace("-", "_"), known)
    meant = f"Did you mean {style.format(guess)}? " if guess else ""
    shown = style.format(name.encode("unicode_escape").decode())
    return f"{shown}. {meant}Known: {', '.join(known)}"


def parse_assignment(text: str) -> Setting:
    """A setting from `table.key=value`, as `--set` takes it.

    Raises:
        UsageError: there is no such key, or the value is none for it.
    """
    path, equals, value = text.partition("=")
    table, dot, name = path.strip().partition(".")
    if not equals or not dot:
        raise UsageError(f"--set {text}: expected table.key=value", "Example: model.dropout=0.2")
    key = find_key(table, name)
    try:
        return Setting(key, value_of(key.kind, value), "--set")
    except ValueError as error:
        raise UsageError(f"--set {key}: must be {error}") from None


def value_of(kind: Kind, text: str) -> Any:
    """As a file writes it, [8, 8] or "mse", or else as an option takes it, 8,8 or mse."""
    try:
        return kind.check(tomllib.loads(f"value = {text}")["value"])
    except (ValueError, RecursionError):
        return kind.parse(text)


def assemble(settings: Sequence[Setting]) -> Config:
    """The configuration in which, for each key, the last setting holds, else the default."""
    chosen: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    for setting in settings:
        chosen[setting.key.table][setting.key.name] = setting.value
    return Config(**{table: part(**chosen[table]) for table, part in TABLES.items()})
