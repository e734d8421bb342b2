"""The counts of each rule on the generated set, which `actcli diagnose --explain` shows.

They go into one file of the package. Odd seeds are the report: even seeds, on which thresholds may
be chosen, count only if no odd seed was run.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mutations import MUTATIONS
from verdict_rates import Record, cured, is_fault, named, warnings_of

from actcli.diagnostics.measured import FILE
from actcli.diagnostics.rules import RULES


def write_counts(records: Sequence[Record], path: Path = FILE) -> None:
    """Write the counts of all rules.

    Args:
        records: the records of cases, of any seeds.
        path: the file to write.
    """
    path.write_text(json.dumps(rule_counts(records), indent=1) + "\n", encoding="utf-8")


def rule_counts(records: Sequence[Record]) -> dict[str, Any]:
    """Return the counts of all rules; a rule without any count is left out."""
    usable = [each for each in records if each["truth"]["label"] != "unhealthy"]
    odd = [each for each in usable if each["seed"] % 2]
    counted = odd or usable
    counts: dict[str, Counter[str]] = {rule: Counter() for rule in RULES}
    well = 0
    for record in counted:
        quiet = [record["healthy_findings"]]
        if record["truth"]["label"] == "harmless":
            quiet.append(record["findings"])
        well += len(quiet)
        for findings in quiet:
            for rule in set(warnings_of(findings)):
                counts[rule]["alarms"] += 1
        if is_fault(record):
            _count_fault(record, counts)
    return {
        "seeds": "odd" if odd else "even",
        "cases": len(counted),
        "well": well,
        "rules": {rule: dict(each) for rule, each in counts.items() if each},
    }


def _count_fault(record: Record, counts: dict[str, Counter[str]]) -> None:
    told = warnings_of(record["findings"])
    for rule in MUTATIONS[record["mutation"]].accepted & counts.keys():
        counts[rule]["planted"] += 1
        counts[rule]["told"] += rule in told
        counts[rule]["named"] += bool(named(record))
        counts[rule]["first"] += rule in told[:1]
    outcome = cured(record)
    if told and outcome is not None:
        counts[told[0]]["tried"] += 1
        counts[told[0]]["cured"] += outcome
