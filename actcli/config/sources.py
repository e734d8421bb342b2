"""Settings: values that somebody gave for keys of the configuration, and who gave them.

A file, an environment variable and an option all become settings; the last one given for a key
holds. What is wrong is told with where it stands, what is allowed and the nearest name; the
mistakes of a file are told all at once.
"""

import contextlib
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli import files
from actcli.config.schema import KEYS, TABLES, Config, Key, toml_value
from actcli.config.values import Kind
from actcli.errors import UsageError
from actcli.registry import nearest, unknown_name

MOST = 1_000_000  # bytes of a file: one with a thousand layers has some ten thousand
MOST_DOTS = 200  # in a line
MANY = 20  # mistakes are told, and no more


@dataclass(frozen=True)
class Setting:
    """A value that somebody gave, and who."""

    key: Key
    value: Any
    origin: str  # for the user: "--lr", "ACTCLI_LR", "relu.toml"
    renamed: str = ""  # a note for the user, if the key's former name was written


@dataclass(frozen=True)
class Mistake:
    """What is wrong, in one line."""

    text: str
    keys: frozenset[str] = frozenset()  # that it is about, or probably meant to be


class ConfigError(UsageError):
    """All that is wrong with a configuration.

    Args:
        mistakes: at least one.
        rest: the settings beside them that are right.
    """

    def __init__(self, mistakes: Sequence[Mistake], rest: Sequence[Setting] = ()) -> None:
        self.mistakes, self.rest = tuple(mistakes), tuple(rest)
        lines = [each.text for each in mistakes]
        if len(lines) > MANY:
            lines = [f"more than {MANY} mistakes, of which the first are", *lines[:MANY]]
        elif len(lines) > 1:
            lines = [f"{len(lines)} mistakes", *lines]
        super().__init__("\n  ".join(lines))


def find_config(name: str) -> Path:
    """The file of that path or, if there is none, the lesson of that name.

    Raises:
        UsageError: there is neither; the message has the lessons.
    """
    path = Path(name)
    if path.suffix == ".toml" or (path.exists() and not path.is_dir()):
        return path
    if name in examples():  # even beside a folder of that name, such as that of a run
        return files.packaged_folder("configs") / f"{name}.toml"
    if path.is_dir():
        return path
    raise unknown_name("configuration file or lesson", name, examples())


def examples() -> list[str]:
    """The configurations that come with actcli."""
    return sorted(path.stem for path in files.packaged_folder("configs").glob("*.toml"))


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
        with path.open("rb") as file:
            content = file.read(MOST + 1)
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}") from error
    if len(content) > MOST:
        raise UsageError(f"{path} is no configuration: it is larger than {MOST:,} bytes")
    try:
        tables = tomllib.loads(_decoded(path, content))
    except RecursionError:
        raise UsageError(f"{path} is not TOML: its values are nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    except ValueError as error:
        raise UsageError(f"{path} holds a number with too many digits{_line(content)}") from error
    return tables


def _decoded(path: Path, content: bytes) -> str:
    """The text, without the mark that some editors put before it."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path} is not UTF-8 text: byte {error.start}, in line {line}") from error
    for number, row in enumerate(text.split("\n"), 1):
        # The time that Python takes for a key grows with the square of its parts, or worse.
        if row.count(".") > MOST_DOTS:
            raise UsageError(
                f"{path} is no configuration: line {number} has {row.count('.'):,} dots"
            )
    return text


def _line(content: bytes) -> str:
    """In which line the number is that Python refuses to read."""
    found = re.search(rb"[0-9_]{4301,}", content)
    return f": line {content.count(10, 0, found.start()) + 1}" if found else ""


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
    mistakes: list[Mistake] = []
    for each in _read(tables, origin, also):
        if isinstance(each, Setting):
            settings.append(each)
        elif len(mistakes) <= MANY:
            mistakes.append(each)
        else:
            break
    if mistakes:
        raise ConfigError(mistakes, settings)
    return settings


def _read(
    tables: Mapping[str, Any], origin: str, also: Sequence[str]
) -> Iterator[Setting | Mistake]:
    for table, entries in tables.items():
        if table not in TABLES:
            known = _named(table, [*TABLES, *also], "[{}]")
            keys = _keys_of(_meant(table, TABLES))
            yield Mistake(f"{origin}: there is no table {known}", keys)
        elif not isinstance(entries, dict):
            yield Mistake(f"{origin}: [{table}] must be a table", _keys_of(table))
        else:
            settings = [_read_key(table, name, value, origin) for name, value in entries.items()]
            yield from settings
            try:
                check_former_names([each for each in settings if isinstance(each, Setting)])
            except UsageError as error:
                yield Mistake(str(error))


def _read_key(table: str, name: str, value: Any, origin: str) -> Setting | Mistake:
    try:
        key = find_key(table, name)
    except UsageError as error:
        meant = _meant(name, [key.name for key in KEYS if key.table == table])
        return Mistake(f"{origin}: {error}", frozenset([f"{table}.{meant}"]))
    try:
        value = key.kind.check(value)
    except ValueError as error:
        return Mistake(f"{origin}: [{table}] {name} must be {error}", frozenset([str(key)]))
    renamed = "" if name == key.name else f"{origin}: [{table}] {name} is now {key.name}"
    return Setting(key, value, origin, renamed)


def _keys_of(table: str | None) -> frozenset[str]:
    return frozenset(str(key) for key in KEYS if key.table == table)


def find_key(table: str, name: str) -> Key:
    """Return the key of that table and name; a former name gives the key that it has become.

    Raises:
        UsageError: there is none; the message has the nearest.
    """
    if table not in TABLES:
        raise UsageError(f"there is no table {_named(table, TABLES, '[{}]')}")
    keys = {key.name: key for key in KEYS if key.table == table}
    former = {key.former_name: key for key in keys.values()}
    if name in former:
        return former[name]
    if name not in keys:
        raise UsageError(f"[{table}] has no key {_named(name, keys, '{}')}")
    return keys[name]


def _meant(name: str, known: Iterable[str]) -> str | None:
    known = tuple(known)
    return nearest(name, known) or nearest(name.replace("-", "_"), known)


def _named(name: str, known: Collection[str], style: str) -> str:
    guess = _meant(name, known)
    meant = f"Did you mean {style.format(guess)}? " if guess else ""
    text = name.encode("unicode_escape").decode()
    written = style.format(text if len(text) <= 60 else f"{text[:57]}…")
    return f"{written}. {meant}Known: {', '.join(known)}"


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
    renamed = "" if name == key.name else f"--set {key.former_path} is now --set {key}"
    try:
        return Setting(key, value_of(key.kind, value), "--set", renamed)
    except ValueError as error:
        raise UsageError(f"--set {key}: must be {error}") from None


def check_former_names(settings: Sequence[Setting]) -> None:
    """Raise if a key has one value by its name and another by its former name.

    Args:
        settings: all settings of one source, such as a file or the command line.

    Raises:
        UsageError: the values differ.
    """
    for old in settings:
        for new in settings:
            if old.renamed and not new.renamed and old.key == new.key and old.value != new.value:
                raise UsageError(
                    f"{new.key} is {toml_value(new.value)} by its name, but "
                    f"{toml_value(old.value)} by its former name",
                    f"{old.renamed}: give one of them",
                )


def value_of(kind: Kind, text: str) -> Any:
    """As a file writes it, [8, 8] or "mse", or else as an option takes it, 8,8 or mse."""
    try:
        written = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return kind.parse(text)
    try:
        return kind.check(written)
    except ValueError as error:
        with contextlib.suppress(ValueError):
            return kind.parse(text)
        raise error from None


def assemble(settings: Sequence[Setting]) -> Config:
    """The configuration in which, for each key, the last setting holds, else the default."""
    chosen: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    for setting in settings:
        chosen[setting.key.table][setting.key.name] = setting.value
    return Config(**{table: part(**chosen[table]) for table, part in TABLES.items()})
