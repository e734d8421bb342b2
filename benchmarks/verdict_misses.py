"""The generated cases that went wrong, grouped, with everything that is needed to repeat them."""

from collections.abc import Iterator, Sequence
from statistics import mean

from verdict_rates import (
    Record,
    cured,
    false_alarm,
    harmless_alarm,
    made_worse,
    told,
    told_first,
    warnings_of,
)


def misses(records: Sequence[Record]) -> Iterator[str]:
    """Yield the lines of a text: faults by mutation, then alarms by the rule that raised them.

    Show only even seeds: thresholds that are chosen on a case cannot be reported on it.
    """
    usable = [record for record in records if record["truth"]["label"] != "unhealthy"]
    groups = (
        ("Told as healthy", [r for r in usable if told(r) is False]),
        ("Told with another cause", [r for r in usable if told_first(r) is False and told(r)]),
        ("Not cured", [r for r in usable if cured(r) is False]),
        ("Remedy makes it worse", [r for r in usable if made_worse(r)]),
        ("Harmless, but accused", [r for r in usable if harmless_alarm(r)]),
    )
    for title, group in groups:
        yield f"\n== {title}: {len(group)}"
        for record in sorted(group, key=lambda each: each["mutation"]):
            yield line(record)
    alarms = [record for record in usable if false_alarm(record)]
    yield f"\n== False alarms on healthy trainings: {len(alarms)}"
    for record in sorted(alarms, key=lambda each: warnings_of(each["healthy_findings"])):
        rules = ", ".join(warnings_of(record["healthy_findings"]))
        yield f"{rules}: {_start(record)}, {_percent(mean(record['truth']['healthy']))}"
        yield f"    {_settings(record)}"


def line(record: Record) -> str:
    """Return a case with its change, what it cost, the findings, and the tries of `fix`."""
    truth = record["truth"]
    found = ", ".join(warnings_of(record["findings"])) or "healthy"
    cost = f"{_percent(mean(truth['healthy']))} -> {_percent(truth['mutated'][0])}"
    text = f"{record['mutation']}: {found}: {_start(record)}, {record['change']}, {cost}"
    if "fix" in record:
        tries = "; ".join(f"{changes} {outcome}" for _, changes, outcome in record["fix"]["tries"])
        text += f"\n    fix regained {record['fix']['regained']:.0%}: {tries or 'no remedy'}"
    if "remedy" in record:
        remedy = record["remedy"]
        after = "refused" if remedy["accuracy"] is None else _percent(remedy["accuracy"])
        text += f"\n    remedy {remedy['changes']}: {after}"
    return f"{text}\n    {_settings(record)}"


def _start(record: Record) -> str:
    return f"seed {record['seed']}, {record['from']}, {record['kind']}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _settings(record: Record) -> str:
    return " ".join(f"{key}={value}" for key, value in record["settings"].items())
