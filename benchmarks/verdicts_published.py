"""The published set of `verdicts.py`: the truth was set by others.

Each finished set-up is one JSON line of `published.jsonl` in the cache folder. It is run again when
the rules change.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generated_cases import code_fingerprint
from published import Published, published
from setups import Setup, examine
from verdict_page import rate, table

from actcli.diagnostics.findings import Severity
from actcli.diagnostics.verdict import judge
from actcli.errors import DataError

Record = dict[str, Any]


def run_published(folder: Path, minutes: float) -> list[str]:
    """Run the set-ups that the cache does not hold, and return the lines of the page.

    Args:
        folder: the cache folder.
        minutes: no set-up starts after this time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, code, end = (
        folder / "published.jsonl",
        code_fingerprint(),
        time.monotonic() + 60 * minutes,
    )
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    records = {record["number"]: record for record in map(json.loads, lines)}
    records = {number: each for number, each in records.items() if each["code"] == code}
    for row in published():
        if row.number not in records and time.monotonic() < end:
            try:
                records[row.number] = {**run_row(row, folder), "code": code}
            except DataError as error:  # a data set that must be downloaded first
                print(f"{row.number} not run: {error}", flush=True)
                continue
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(records[row.number]) + "\n")
            print(records[row.number], flush=True)
    return section([(row, records.get(row.number)) for row in published()])


def run_row(row: Published, folder: Path) -> Record:
    """Train and judge a set-up."""
    start = time.process_time()
    settings = f"{row.settings} training.workers=1{row.write_data(folder)}"
    evidence = examine(Setup("", settings))
    findings = [each.rule for each in judge(evidence) if each.severity >= Severity.WARNING]
    return {
        "number": row.number,
        "findings": findings,
        "accuracy": evidence.accuracy,
        "seconds": round(time.process_time() - start, 1),
    }


def section(rows: Sequence[tuple[Published, Record | None]]) -> list[str]:
    """Return the lines of the page about the published set."""
    ran = [(row, record) for row, record in rows if record is not None]
    faulty = [(row, record["findings"]) for row, record in ran if not row.is_healthy]
    healthy = [record["findings"] for row, record in ran if row.is_healthy]
    first = sum(found[:1] != [] and found[0] in row.accepted for row, found in faulty)
    seconds = sum(record["seconds"] for _, record in ran)
    return [
        f"`python benchmarks/verdicts.py --published` ran {len(ran)} of the {len(rows)} set-ups of "
        f"`benchmarks/published.py` in {seconds:.0f} s of CPU time.",
        "Several rules are right where a source names several causes. Notes are left out.",
        "",
        f"- **Told first: {rate(first, len(faulty))}** of the faulty set-ups.",
        "- **Told at all (not healthy): "
        f"{rate(sum(map(bool, (found for _, found in faulty))), len(faulty))}**",
        f"- **False alarms: {rate(sum(map(bool, healthy)), len(healthy))}** of the healthy ones.",
        "",
        *table(
            ["row", "accepted", "findings", "reported", "accuracy here", "settings", "source"],
            [_cells(row, record) for row, record in rows],
        ),
    ]


def _cells(row: Published, record: Record | None) -> list[str]:
    told, accuracy = "not run", ""
    if record is not None:
        told = ", ".join(record["findings"]) or "healthy"
        accuracy = f"{100 * record['accuracy']:.2f} %"
        if told.partition(",")[0] not in row.accepted:
            told = f"**WRONG** {told}"
    accepted = ", ".join(sorted(row.accepted))
    return [row.number, accepted, told, row.reported, accuracy, row.settings, row.source]
