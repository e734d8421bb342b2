"""Registries: tables of named entries, one for each kind of thing that users choose by name.

An activation, a loss, an optimizer … is added by one decorated definition in its module. Options,
validation of configurations, documentation and tests all read the registry.
"""

import difflib
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from actcli.errors import UsageError

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Named entries, in the order of their definition.

    Args:
        kind: what an entry is, for messages: "activation".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}
        self.aliases: dict[str, str] = {}  # alias -> name

    def register(self, name: str, *aliases: str) -> Callable[[T], T]:
        """Return a decorator that enters a definition: `@ACTIVATIONS.register("silu", "swish")`.

        Args:
            name: the name of the entry.
            aliases: other names of the field, which users may write in place of `name`.
        """

        def enter(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"two entries for {self.kind} {name!r}")
            self._entries[name] = entry
            self.aliases.update(dict.fromkeys(aliases, name))
            return entry

        return enter

    def __getitem__(self, name: str) -> T:
        """Return the entry of that name.

        Raises:
            UsageError: there is no such entry; the message gives the nearest name and all names.
        """
        try:
            return self._entries[name]
        except KeyError:
            raise unknown_name(self.kind, name, self._entries) from None

    def name(self, text: str) -> str:
        """Return the name that a name or an alias stands for.

        Raises:
            UsageError: there is no such entry; the message gives the nearest name and all names.
        """
        name = self.aliases.get(text, text)
        self[name]
        return name

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def declared_names(module: str, table: str) -> tuple[str, ...]:
    """Return the names that a module registers, read from its text without importing it.

    Help and shell completion list names. Importing the module would import NumPy, which takes
    longer than everything else. A test compares the result with the registries.

    Args:
        module: the module, or the package, that holds the registry and registers its entries.
        table: the name of the registry in that module.
    """
    return tuple(name for name, *_ in _declarations(module, table))


def declared_aliases(module: str, table: str) -> dict[str, str]:
    """Return the name that each alias stands for; see `declared_names`."""
    return {alias: name for name, *aliases in _declarations(module, table) for alias in aliases}


@functools.cache
def _declarations(module: str, table: str) -> tuple[tuple[str, ...], ...]:
    """Return the name and the aliases of each entry."""
    # Found by its path: `importlib.util.find_spec` would import the packages above it.
    path = Path(__file__).parent.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.is_file():
        raise ModuleNotFoundError(module)
    source = path.read_text(encoding="utf-8")
    calls = re.findall(rf"^@?{table}\.register\(([^)]*)\)", source, re.MULTILINE)
    return tuple(tuple(re.findall(r'"([^"]+)"', call)) for call in calls)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant, or None if no name is similar."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower().replace("_", "-"), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def unknown_name(kind: str, name: str, names: Iterable[str]) -> UsageError:
    """Return the error for a name that does not exist, with the nearest name and all names."""
    names = tuple(names)
    guess = nearest(name, names)
    hint = f"Did you mean {guess!r}? " if guess else ""
    return UsageError(f"there is no {kind} {name!r}", f"{hint}Known: {', '.join(names)}")
