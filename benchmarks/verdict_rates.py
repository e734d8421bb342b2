"""The questions that the generated set answers; a rate is the share of yes among the answers."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from generated_cases import CURED_SHARE
from mutations import MUTATIONS

Record = dict[str, Any]
WORSE = 0.02  # accuracy that a remedy costs if it makes a network worse


def warnings_of(findings: Iterable[Sequence[str]]) -> list[str]:
    """Return the rules of the findings that are worse than a note, worst first."""
    return [rule for rule, severity in findings if severity != "note"]


# A question about a record; the answer is None if it does not apply.
Question = Callable[[Record], bool | None]


def is_fault(record: Record) -> bool:
    """Return whether the mutation is a fault."""
    return bool(record["truth"]["label"] == "fault")


def told_first(record: Record) -> bool | None:
    """Return whether the first finding names the cause."""
    if not is_fault(record):
        return None
    return (warnings_of(record["findings"]) or [""])[0] in MUTATIONS[record["mutation"]].accepted


def named(record: Record) -> bool | None:
    """Return whether any finding names the cause."""
    if not is_fault(record):
        return None
    return bool(MUTATIONS[record["mutation"]].accepted & set(warnings_of(record["findings"])))


def told(record: Record) -> bool | None:
    """Return whether the verdict is not "healthy"."""
    return bool(warnings_of(record["findings"])) if is_fault(record) else None


def cured(record: Record) -> bool | None:
    """Return whether `fix` regains enough of what the fault cost."""
    if "fix" not in record or not MUTATIONS[record["mutation"]].curable:
        return None
    return bool(record["fix"]["regained"] >= CURED_SHARE)


def false_alarm(record: Record) -> bool | None:
    """Return whether the healthy training is accused."""
    return bool(warnings_of(record["healthy_findings"]))


def harmless_alarm(record: Record) -> bool | None:
    """Return whether a mutation that costs nothing is accused."""
    return bool(warnings_of(record["findings"])) if record["truth"]["label"] == "harmless" else None


def made_worse(record: Record) -> bool | None:
    """Return whether the first remedy of a weights file makes the network worse."""
    remedy = record.get("remedy")
    if remedy is None or remedy["accuracy"] is None:
        return None
    return bool(remedy["accuracy"] < record["truth"]["mutated"][0] - WORSE)


QUESTIONS: dict[str, Question] = {
    "cause told first": told_first,
    "cause among the findings": named,
    "told at all (not healthy)": told,
    "cured by `fix`": cured,
    "remedy makes it worse": made_worse,
    "false alarms, healthy": false_alarm,
    "alarms, harmless mutation": harmless_alarm,
}


def count(records: Iterable[Record], question: Question) -> tuple[int, int]:
    """Return for how many records the answer is yes, and to how many the question applies."""
    answers = [answer for answer in map(question, records) if answer is not None]
    return sum(answers), len(answers)
