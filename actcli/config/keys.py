"""Keys of the configuration by their names: in a file, as an option, and by former names."""

from collections.abc import Collection, Iterable

from actcli.config.schema import KEYS, TABLES, Key
from actcli.errors import UsageError
from actcli.registry import nearest, unknown_name

# Keys by table and name, also by the names of their options (lr) and by their former names.
KEYS_BY_NAME = {
    (key.table, name): key
    for key in KEYS
    for name in (key.option.replace("-", "_"), key.former_name, key.name)
    if name
}


def find_key(table: str, name: str) -> Key:
    """Return the key of that table and name, or option such as lr, or former name.

    Raises:
        UsageError: there is no such key; the message gives the nearest.
    """
    if table not in TABLES:
        raise UsageError(f"there is no table {describe_unknown(table, TABLES, '[{}]')}")
    key = KEYS_BY_NAME.get((table, name))
    if key is None:
        names = [key.name for key in KEYS if key.table == table]
        raise UsageError(f"[{table}] has no key {describe_unknown(name, names, '{}')}")
    return key


def find_option(name: str) -> Key:
    """Return the key of a path, such as "optimizer.learning_rate", or of an option, such as "lr".

    An option may have underscores for dashes. The key's name works, too, if it is unique.

    Raises:
        UsageError: there is no such key; the message gives the nearest.
    """
    table, dot, key = name.partition(".")
    if dot:
        return find_key(table, key)
    plain = name.replace("-", "_")
    for candidate in KEYS:
        if plain in {candidate.option.replace("-", "_"), candidate.former_name}:
            return candidate
    namesakes = [candidate for candidate in KEYS if candidate.name == plain]
    if len(namesakes) == 1:
        return namesakes[0]
    raise unknown_name("key", name, [candidate.option for candidate in KEYS])


def nearest_key_name(name: str, names: Iterable[str]) -> str | None:
    """Return the nearest name; dashes count as underscores. None if none is near."""
    names = tuple(names)
    return nearest(name, names) or nearest(name.replace("-", "_"), names)


def describe_unknown(name: str, names: Collection[str], style: str) -> str:
    """Return the end of a message about an unknown name: the name, the nearest one, and all."""
    guess = nearest_key_name(name, names)
    hint = f"Did you mean {style.format(guess)}? " if guess else ""
    text = name.encode("unicode_escape").decode()
    shown = style.format(text if len(text) <= 60 else f"{text[:57]}…")
    return f"{shown}. {hint}Known: {', '.join(names)}"
