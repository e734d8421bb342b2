"""How often the rules are right: counts on the generated set of `benchmarks/verdicts.py`.

The benchmark writes `measured.json`, and nothing here is typed by hand. It draws healthy trainings,
plants faults in them, and counts what each rule says. Thresholds were chosen on even seeds; the
counts are those of odd seeds, if such cases were run.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from actcli.diagnostics.significance import wilson

FILE = Path(__file__).with_name("measured.json")
UNMEASURED = "Not measured: no generated fault is of this kind, and no finding was of this rule."


@dataclass(frozen=True)
class RuleCounts:
    """The counts of one rule.

    Args:
        planted: faults whose cause the rule can name.
        told: those of them in which the rule was told.
        named: those in which this rule, or another one that names the cause as well, was told.
        first: those in which the rule was told first.
        well: healthy trainings, and trainings with a harmless change.
        alarms: those of them in which the rule was told.
        tried: faulty runs that `actcli fix` tried to cure, in which the rule was told first.
        cured: those of them that regained most of the accuracy.
    """

    planted: int = 0
    told: int = 0
    named: int = 0
    first: int = 0
    well: int = 0
    alarms: int = 0
    tried: int = 0
    cured: int = 0

    def describe(self) -> str:
        """Return the counts in words, each with its 95 % interval."""
        sentences = []
        if self.planted:
            sentences.append(
                f"Told in {_share(self.told, self.planted)} planted faults that it can name, and "
                f"first in {self.first}; this or another rule names the cause in {self.named}."
            )
        if self.well and (self.planted or self.alarms or self.tried):
            text = _share(self.alarms, self.well)
            sentences.append(f"False alarms in {text} healthy networks.")
        if self.tried:
            sentences.append(
                f"`actcli fix` cured {_share(self.cured, self.tried)} runs in which the rule came "
                "first."
            )
        return " ".join(sentences) or UNMEASURED


def measured(rule: str) -> RuleCounts:
    """Return the counts of a rule; zeros if it has not been measured."""
    record = _records()["rules"].get(rule, {})
    return RuleCounts(**record, well=_records()["well"])


def cases() -> str:
    """Return the number and kind of the cases behind the counts, as a noun phrase."""
    records = _records()
    return f"{records['cases']:,} generated cases with {records['seeds']} seeds"


@cache
def _records() -> Mapping[str, Any]:
    records: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return records


def _share(yes: int, count: int) -> str:
    low, high = wilson(yes, count)
    return f"{yes} of {count:,} ({100 * low:.0f} to {100 * high:.0f} %)"
