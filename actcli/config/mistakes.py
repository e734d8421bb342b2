"""Mistakes in a configuration, and the error that reports all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actcli.errors import UsageError

if TYPE_CHECKING:
    from actcli.config.sources import Setting

MAX_MISTAKES = 20  # in one message


@dataclass(frozen=True)
class Mistake:
    """One mistake, described in one line.

    Args:
        text: what is wrong, where, and what is allowed.
        keys: the keys with the mistake, or the keys that were probably meant.
    """

    text: str
    keys: frozenset[str] = frozenset()


class ConfigError(UsageError):
    """All mistakes in a configuration.

    Args:
        mistakes: at least one.
        rest: the valid settings of the same source.
    """

    def __init__(self, mistakes: Sequence[Mistake], rest: Sequence["Setting"] = ()) -> None:
        self.mistakes, self.rest = tuple(mistakes), tuple(rest)
        lines = [mistake.text for mistake in mistakes]
        if len(lines) > MAX_MISTAKES:
            head = f"more than {MAX_MISTAKES} mistakes, of which the first are"
            lines = [head, *lines[:MAX_MISTAKES]]
        elif len(lines) > 1:
            lines = [f"{len(lines)} mistakes", *lines]
        super().__init__("\n  ".join(lines))
