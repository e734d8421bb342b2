"""The result of a fix: the run before and after it, and the tries in between."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from actcli.config.schema import Config, values
from actcli.diagnostics import HEALTHY
from actcli.diagnostics.findings import Remedy
from actcli.store.condition import Condition


@dataclass(frozen=True)
class Try:
    """One remedy that was tried.

    Args:
        number: from 1.
        rule: the rule of the finding whose remedy it is.
        remedy: the remedy.
        base: the name of the run whose configuration it changes.
        after: the run and its diagnosis; None if the remedy cannot be applied.
        gain: the score minus the score of `base`.
        outcome: "cured", "better", "no better" or "calibrated", or why the remedy cannot be
            applied.
    """

    number: int
    rule: str
    remedy: Remedy
    base: str
    after: Condition | None
    gain: float | None
    outcome: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "number": self.number,
            "rule": self.rule,
            **asdict(self.remedy),
            "base": self.base,
            "after": self.after and self.after.to_dict(),
            "gain": self.gain,
            "outcome": self.outcome,
        }


CURED, BETTER, NO_BETTER, CALIBRATED = "cured", "better", "no better", "calibrated"


@dataclass(frozen=True)
class FixResult:
    """The result of `actcli fix`.

    Args:
        before: the run.
        after: the best run: the cured one, or the most accurate one that was reached.
        tries: the tries in their order.
        planned: the remedies that a dry run would try first; empty otherwise.
    """

    before: Condition
    after: Condition
    tries: tuple[Try, ...] = ()
    planned: tuple[Remedy, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether the best run is healthy: cured, or healthy from the start."""
        return self.after.verdict == HEALTHY

    @property
    def changes(self) -> dict[str, Any]:
        """The changes from the configuration of the run to that of the best run."""
        return differences(self.before.config, self.after.config)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "healthy": self.is_healthy,
            "measure": "class_accuracy" if self.before.by_class else "accuracy",
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "changes": self.changes,
            "tries": [each.to_dict() for each in self.tries],
            "planned": [asdict(remedy) for remedy in self.planned],
        }

    def csv_rows(self) -> Iterator[list[Any]]:
        """Yield the header of the CSV, and a row for each try."""
        yield ["try", "rule", "changes", "run", "verdict", "accuracy", "gain", "outcome"]
        for each in self.tries:
            changes = json.dumps(dict(each.remedy.changes))
            after = each.after
            found = (after.run, after.verdict, after.score) if after else (None, None, None)
            yield [each.number, each.rule, changes, *found, each.gain, each.outcome]


def differences(before: Config, after: Config) -> dict[str, Any]:
    """Return the values of the keys in which the second configuration differs from the first."""
    old = dict(_by_path(before))
    return {path: value for path, value in _by_path(after) if value != old[path]}


def _by_path(config: Config) -> Iterator[tuple[str, Any]]:
    return ((str(key), value) for key, value in values(config))
