"""The rules: from evidence to findings, each with its cause, its remedy and its source.

No number alone tells an ill network from a healthy one: a rule combines what it looks for with
whether the network learns, and must not fire on a network that is healthy. Thresholds that were
measured were measured on the set-ups of `benchmarks/setups.py`.

The order is that of causes: what stands further up may account for what stands below it, and goes
first among findings that are equally bad. Hence the order of the modules below, which is that of
their names too: to import one is to enter its rules.
"""

from actcli.diagnostics.findings import Finding, Rule, Severity
from actcli.diagnostics.rules import conditions, error_flow, flatness, history, outcome
from actcli.diagnostics.rules.registry import RULES

__all__ = [
    "RULES",
    "Finding",
    "Rule",
    "Severity",
    "conditions",
    "error_flow",
    "flatness",
    "history",
    "outcome",
]
