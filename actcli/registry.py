"""A table from a name to an object: one for each kind of thing that a user picks by name.

To add an activation, a loss, an optimizer … is one decorated definition in its module. The options,
the validation of configs, the documentation and the tests all read the table.
"""

import difflib
import functools
import importlib.util
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

    def register(self, name: str) -> Callable[[T], T]:
        """Decorate a definition to enter it: `@ACTIVATIONS.register("relu")`."""

        def enter(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"two entries for {self.kind} {name!r}")
            self._entries[name] = entry
            return entry

        return enter

    def __getitem__(self, name: str) -> T:
        """The entry of that name.

        Raises:
            UsageError: there is none; the message gives the nearest name and all the others.
        """
        try:
            return self._entries[name]
        except KeyError:
            raise unknown_name(self.kind, name, self._entries) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@functools.cache
def declared_names(module: str, table: str) -> tuple[str, ...]:
    """The names that a module enters in one of its tables, read from its text without importing it.

    Help and shell completion list names; importing the module would import NumPy, which takes
    longer than all the rest. A test holds this to be what the registries say. Of a package, the
    modules are read that its `__init__` imports from it (`from package import one, two`), in order.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    path = Path(spec.origin)
    source = path.read_text(encoding="utf-8")
    if spec.submodule_search_locations:
        lines = re.findall(rf"^from {re.escape(module)} import (.+)$", source, re.MULTILINE)
        parts = [path.with_name(f"{part}.py") for line in lines for part in line.split(", ")]
        source = "\n".join(part.read_text(encoding="utf-8") for part in parts)
    return tuple(re.findall(rf'^@{table}\.register\("([^"]+)"\)', source, re.MULTILINE))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, if any is near."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower().replace("_", "-"), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def unknown_name(kind: str, name: str, names: Iterable[str]) -> UsageError:
    """What to tell a user who named something that does not exist."""
    names = tuple(names)
    guess = nearest(name, names)
    hint = f"Did you mean {guess!r}? " if guess else ""
    return UsageError(f"there is no {kind} {name!r}", f"{hint}Known: {', '.join(names)}")
