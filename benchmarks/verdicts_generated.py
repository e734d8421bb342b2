"""The generated set of `verdicts.py`: run the cases on two processes, and report the rates.

Each finished case is one JSON line of `cases.jsonl` in the cache folder, so that an interrupted
benchmark resumes. A case whose line was written by other rules is judged again; its truth, which
the rules do not change, is kept.
"""

import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from generated import VERSION
from generated_cases import CURED_SHARE, code_fingerprint, run_case
from generated_truth import MARGIN
from verdict_page import rate, table
from verdict_rates import QUESTIONS, Record, count, is_fault, told_first, warnings_of


def read_cases(path: Path) -> dict[int, Record]:
    """Return the newest record of each seed."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    records = [json.loads(line) for line in lines if line.endswith("}")]
    return {record["seed"]: record for record in records if record["version"] == VERSION}


def run_cases(seeds: Sequence[int], folder: Path, processes: int, minutes: float) -> None:
    """Run the cases that the cache does not hold, and write their records there.

    Args:
        seeds: the seeds of the cases.
        folder: the cache folder.
        processes: number of worker processes.
        minutes: no case starts after this time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, code, end = folder / "cases.jsonl", code_fingerprint(), time.monotonic() + 60 * minutes
    cases = read_cases(path)
    stale = [seed for seed in seeds if cases.get(seed, {}).get("code") != code]
    print(f"{len(seeds) - len(stale)} of {len(seeds)} cases are in {path}", flush=True)
    with ProcessPoolExecutor(processes) as pool, path.open("a", encoding="utf-8") as file:
        futures = {pool.submit(run_case, seed, folder, cases.get(seed)): seed for seed in stale}
        for future in as_completed(futures):
            if future.cancelled():
                continue
            record = future.result()
            file.write(json.dumps(record) + "\n")
            file.flush()
            cases[record["seed"]] = record
            print(progress_line(record), flush=True)
            if time.monotonic() > end:
                for other in futures:
                    other.cancel()


def current(folder: Path) -> list[Record]:
    """Return the records in the cache whose verdicts are those of the present rules."""
    cases, code = read_cases(folder / "cases.jsonl"), code_fingerprint()
    return [cases[seed] for seed in sorted(cases) if cases[seed]["code"] == code]


def progress_line(record: Record) -> str:
    """Return a finished case in one line."""
    seconds, label = sum(record["seconds"].values()), record["truth"]["label"]
    start = f"{record['seed']:5} {seconds:5.1f} s  {label:9}"
    if label == "unhealthy":
        return start
    rules = ", ".join(warnings_of(record["findings"])) or "healthy"
    alarm = "  FALSE ALARM: " + ", ".join(warnings_of(record["healthy_findings"]))
    cure = f"  regained {record['fix']['regained']:.0%}" if "fix" in record else ""
    return (
        f"{start} {record['from']:7} {record['kind']:18} {record['mutation']:16} {rules}{cure}"
        f"{alarm if warnings_of(record['healthy_findings']) else ''}"
    )


def section(records: Sequence[Record], command: str) -> list[str]:
    """Return the lines of the page about the generated set."""
    usable = [record for record in records if record["truth"]["label"] != "unhealthy"]
    labels = Counter(record["truth"]["label"] for record in records)
    code = sorted({record["code"] for record in records})
    lines = [
        f"`{command}`, with the cases that the cache held: {len(records)} cases, of which "
        f"{labels['fault']} are faults, {labels['harmless']} "
        f"harmless mutations, {labels['undecided']} undecided, and {labels['unhealthy']} had no "
        "healthy training.",
        f"The hash of the judging code is {', '.join(code)}.",
        "",
        "A case draws a healthy training, and a mutation of it. Each runs with three seeds on the",
        f"same test rows. The mutation is a fault if it costs more than {100 * MARGIN:g} points of",
        "accuracy beyond two standard errors. *Cured* means that `fix` regains "
        f"{100 * CURED_SHARE:g} % of the loss;",
        "it is asked only of runs, and of mutations that a configuration can undo. If classes have",
        "lost rows, it is the part of the loss that the best of eight trainings with class weights",
        "regains. *Told* means a warning or an error. Thresholds may",
        "be chosen on even seeds; odd seeds are the report.",
        "",
    ]
    groups = {
        f"{parity} seeds, {origin}": [
            record
            for record in usable
            if record["seed"] % 2 == odd and origin.endswith(record["from"])
        ]
        for odd, parity in enumerate(("even", "odd"))
        for origin in ("from the run", "from the weights")
    }
    lines += table(
        ["", *groups],
        [
            [name, *(rate(*count(group, question)) for group in groups.values())]
            for name, question in QUESTIONS.items()
        ],
    )
    for key, title in (("mutation", "mutation"), ("kind", "data")):
        lines += ["", f"### Generated, by {title}", "", *by_group(usable, key, title)]
    lines += ["", "### Generated, by rule", "", *by_rule(usable)]
    return [*lines, "", *time_report(records)]


def by_group(records: Sequence[Record], key: str, title: str) -> list[str]:
    """Return a table with a row for each value of a key of the records."""
    groups = {value: [r for r in records if r[key] == value] for value in _values(records, key)}
    return table(
        [title, "cases", *QUESTIONS],
        [
            [name, str(len(group))]
            + [
                f"{yes} of {all_}" if all_ else ""
                for yes, all_ in (count(group, question) for question in QUESTIONS.values())
            ]
            for name, group in groups.items()
        ],
    )


def by_rule(records: Sequence[Record]) -> list[str]:
    """Return a table of how often each rule comes first, and how often it is right."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    harmless: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    for record in records:
        alarms.update(warnings_of(record["healthy_findings"])[:1])
        first = warnings_of(record["findings"])[:1]
        if record["truth"]["label"] == "harmless":
            harmless.update(first)
        elif is_fault(record):
            (right if told_first(record) else wrong).update(first)
    return table(
        ["rule, told first", "names the cause", "another cause", "harmless mutation", "healthy"],
        [
            [rule, *(str(each[rule]) for each in (right, wrong, harmless, alarms))]
            for rule in sorted({*right, *wrong, *harmless, *alarms})
        ],
    )


def _values(records: Sequence[Record], key: str) -> list[str]:
    return sorted({record[key] for record in records})


def time_report(records: Sequence[Record]) -> list[str]:
    """Return the CPU seconds of a case, by stage."""
    stages = dict.fromkeys(stage for record in records for stage in record["seconds"])
    totals = [sum(record["seconds"].values()) for record in records]
    parts = [
        f"{stage} {sum(record['seconds'].get(stage, 0) for record in records):.0f} s"
        for stage in stages
    ]
    mean, longest = sum(totals) / max(1, len(totals)), max(totals, default=0)
    return [
        f"CPU time: {', '.join(parts)}; {mean:.1f} s a case on average, {longest:.1f} s at most."
    ]
