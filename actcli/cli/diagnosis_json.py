"""A diagnosis as the fields of `actcli diagnose --json`: the same numbers as in the tables."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding
from actcli.diagnostics.outputs import Outputs
from actcli.diagnostics.verdict import verdict

# What follows from other fields.
DERIVED = {"gradients": {"compounded"}, "units": {"distribution"}, "softmax": {"predicted"}}


def fields(
    evidence: Evidence, findings: tuple[Finding, ...], parts: Collection[str]
) -> dict[str, Any]:
    """What was examined, and those of the parts that are asked for."""
    found: dict[str, Any] = {
        "model": evidence.model,
        "dataset": evidence.dataset,
        "split": evidence.split,
        "rows": evidence.rows,
    }
    if "gradients" in parts:
        found["gradients"] = [_without(asdict(each), "gradients") for each in evidence.gradients]
    if "units" in parts:
        found["units"] = [_without(asdict(each), "units") for each in evidence.units]
    if "softmax" in parts:
        found["softmax"] = evidence.outputs and _softmax(evidence.outputs)
    if "history" in parts:
        training = evidence.training
        found["history"] = [asdict(epoch) for epoch in training.history] if training else None
    if "verdict" in parts:
        found["findings"] = [
            {**asdict(finding), "severity": str(finding.severity)} for finding in findings
        ]
        found["verdict"] = verdict(findings)
    return found


def _without(values: dict[str, Any], part: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in DERIVED[part]}


def _softmax(outputs: Outputs) -> dict[str, Any]:
    """The histogram stands before the reliability, whose bins it shares."""
    values = _without(asdict(outputs), "softmax")
    classes, reliability = values.pop("classes"), values.pop("reliability")
    bins = outputs.reliability
    histogram = {
        "edges": [bins[0].low, *(each.high for each in bins)],
        "counts": [each.count for each in bins],
    }
    return {**values, "histogram": histogram, "reliability": reliability, "classes": classes}
