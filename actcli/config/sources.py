"""Sources of a configuration: files, environment variables and options, all as settings.

A setting is a value for a key, with its origin. Of several settings of one key, the last one wins.
Messages give the origin of a mistake, the allowed values and the nearest name. All mistakes of a
file are reported at once.
"""

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli import files
from actcli.config.clashes import find_clashes
from actcli.config.keys import describe_unknown, find_key, nearest_key_name
from actcli.config.mistakes import MAX_MISTAKES, ConfigError, Mistake
from actcli.config.schema import KEYS, TABLES, Config, Key, Tables, make_tables, toml_value
from actcli.config.values import parse_text
from actcli.errors import UsageError
from actcli.registry import unknown_name

MAX_FILE_BYTES = 1_000_000  # a file with a thousand layers has about 10,000 bytes
MAX_DOTS = 200  # in one line


@dataclass(frozen=True)
class Setting:
    """A value for a key, and its origin."""

    key: Key
    value: Any
    origin: str  # for the user: "--lr", "ACTCLI_LR", "relu.toml"
    renamed: str = ""  # a note for the user who wrote the key's former name


def find_config(name: str) -> Path:
    """Return the path of a configuration file, or of the example configuration of that name.

    Raises:
        UsageError: neither exists; the message lists the example configurations.
    """
    path = Path(name)
    if path.suffix == ".toml" or (path.exists() and not path.is_dir()):
        return path
    if name in examples():  # even if the current folder holds a folder of that name
        return files.packaged_folder("configs") / f"{name}.toml"
    if path.is_dir():
        return path
    raise unknown_name("configuration file or example configuration", name, examples())


def examples() -> list[str]:
    """Return the names of the example configurations, which come with actcli."""
    return sorted(path.stem for path in files.packaged_folder("configs").glob("*.toml"))


def first_sentence(example: str) -> str:
    """Return the first sentence of the comment at the top of an example configuration."""
    lines = find_config(example).read_text(encoding="utf-8").splitlines()
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    text = " ".join(line.removeprefix("#").strip() for line in comment)
    return re.split(r"(?<=[.?!]) ", text, maxsplit=1)[0]


def read_toml(path: Path, origin: str | None = None) -> list[Setting]:
    """Return the settings of a configuration file.

    Args:
        path: the path of the file.
        origin: the file's name in messages; None for its path.

    Raises:
        UsageError: the file cannot be read, or is not TOML.
        ConfigError: unknown keys and wrong values; the message lists all of them.
    """
    return from_tables(load_toml(path), origin or str(path))


def load_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        UsageError: the file cannot be read, or is not TOML.
    """
    # A shell gives the output of a command as a pipe: <(command) is /dev/fd/63. Any other pipe or
    # device might never end.
    is_given_by_shell = path.is_relative_to("/dev")
    try:
        with path.open("rb") if is_given_by_shell else files.open_regular(path) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(
            f"{path} is not a configuration: it is larger than {MAX_FILE_BYTES:,} bytes"
        )
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
    """Return the text of a file, without the byte order mark that some editors write."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path} is not UTF-8 text: byte {error.start}, in line {line}") from error
    for number, row in enumerate(text.split("\n"), 1):
        # Python's time for a dotted key grows with the square of its parts, or worse.
        if row.count(".") > MAX_DOTS:
            raise UsageError(
                f"{path} is not a configuration: line {number} has {row.count('.'):,} dots"
            )
    return text


def _line(content: bytes) -> str:
    """Return the end of a message: the line with the number that is too long for Python to read."""
    match = re.search(rb"[0-9_]{4301,}", content)
    return f": line {content.count(10, 0, match.start()) + 1}" if match else ""


def from_tables(tables: Mapping[str, Any], origin: str, also: Sequence[str] = ()) -> list[Setting]:
    """Return the settings of the tables of a TOML file.

    Args:
        tables: the tables of the configuration, by name.
        origin: the file's name in messages.
        also: names of other tables that the file may have, offered in messages.

    Raises:
        ConfigError: unknown tables and keys, with the nearest name, and wrong values.
    """
    settings: list[Setting] = []
    mistakes: list[Mistake] = []
    for result in _read(tables, origin, also):
        if isinstance(result, Setting):
            settings.append(result)
        elif len(mistakes) <= MAX_MISTAKES:
            mistakes.append(result)
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
            hint = describe_unknown(table, [*TABLES, *also], "[{}]")
            keys = _keys_of(nearest_key_name(table, TABLES))
            yield Mistake(f"{origin}: there is no table {hint}", keys)
        elif not isinstance(entries, dict):
            yield Mistake(f"{origin}: [{table}] must be a table", _keys_of(table))
        else:
            results = {name: _read_key(table, name, entries[name], origin) for name in entries}
            yield from results.values()
            settings = {
                name: result for name, result in results.items() if isinstance(result, Setting)
            }
            yield from _double_values(settings, f"{origin}: [{table}]")


def _double_values(settings: Mapping[str, Setting], table: str) -> Iterator[Mistake]:
    """Yield a mistake if one key has two values under two names.

    Args:
        settings: the settings of a table by the names that its file uses.
        table: the file and the table, for messages.
    """
    try:
        check_former_names(list(settings.values()))
    except UsageError as error:
        yield Mistake(str(error))
        return
    first_names: dict[Key, str] = {}
    for name, setting in settings.items():
        first = first_names.setdefault(setting.key, name)
        if setting.value != settings[first].value:
            text = f"{table} {first} and {name} are one key with two values: give one of them"
            yield Mistake(text, frozenset([str(setting.key)]))


def _read_key(table: str, name: str, value: Any, origin: str) -> Setting | Mistake:
    try:
        key = find_key(table, name)
    except UsageError as error:
        guess = nearest_key_name(name, [key.name for key in KEYS if key.table == table])
        return Mistake(f"{origin}: {error}", frozenset([f"{table}.{guess}"]))
    try:
        value = key.kind.check(value)
    except ValueError as error:
        return Mistake(f"{origin}: [{table}] {name} must be {error}", frozenset([str(key)]))
    renamed = f"{origin}: [{table}] {name} is now {key.name}" if name == key.former_name else ""
    return Setting(key, value, origin, renamed)


def _keys_of(table: str | None) -> frozenset[str]:
    return frozenset(str(key) for key in KEYS if key.table == table)


def parse_assignment(text: str) -> Setting:
    """Return the setting of a text such as "model.dropout=0.2", as `--set` takes it.

    Raises:
        UsageError: there is no such key, or the value is not allowed.
    """
    path, equals, value = text.partition("=")
    table, dot, name = path.strip().partition(".")
    if not equals or not dot:
        raise UsageError(f"--set {text}: expected table.key=value", "Example: model.dropout=0.2")
    key = find_key(table, name)
    renamed = f"--set {key.former_path} is now --set {key}" if name == key.former_name else ""
    try:
        return Setting(key, parse_text(key.kind, value), "--set", renamed)
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


def assemble(settings: Sequence[Setting], name_origins: bool = True) -> Config:
    """Return the configuration of some settings. A key without a setting has its default.

    Args:
        settings: in order of rising precedence: of several settings of a key, the last one wins.
        name_origins: whether the message of a clash names the origins of the keys.

    Raises:
        ConfigError: keys exclude each other; the message lists all clashes.
    """
    tables = assemble_tables(settings)
    origins = {str(setting.key): setting.origin for setting in settings}
    if mistakes := find_clashes(tables, origins if name_origins else {}):
        raise ConfigError(mistakes)
    return Config(tables.data, tables.model, tables.loss, tables.optimizer, tables.training)


def assemble_tables(settings: Sequence[Setting]) -> Tables:
    """Return the tables of some settings, each valid by itself, without looking for clashes.

    This is enough to list runs, and does not import NumPy.

    Args:
        settings: see `assemble`.
    """
    entries: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    for setting in settings:
        entries[setting.key.table][setting.key.name] = setting.value
    return Tables(**make_tables(entries))


def with_clashes(error: ConfigError, stronger: Sequence[Setting]) -> ConfigError:
    """Return the error, extended by the clashes between the valid settings.

    Clashes of a key with a mistake are left out: they may be a consequence of the mistake.

    Args:
        error: the mistakes of a file.
        stronger: the settings that override those of the file.
    """
    settings = [*error.rest, *stronger]
    doubtful = {key for mistake in error.mistakes for key in mistake.keys}
    origins = {str(setting.key): setting.origin for setting in settings}
    clashes = find_clashes(assemble_tables(settings), origins)
    more = [clash for clash in clashes if not clash.keys & doubtful]
    return ConfigError([*error.mistakes, *more], error.rest)
