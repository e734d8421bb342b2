"""The verdict: all rules together, told as few stories.

A fault rarely comes alone: too high a learning rate kills units, blows up the error and leaves one
answer for everything. Each rule declares which others it accounts for; a finding that another one
accounts for becomes part of its evidence. What remains is what the user should look at, worst
first.
"""

from collections.abc import Sequence
from dataclasses import replace

from actcli.diagnostics import HEALTHY
from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import EVERYTHING, Finding, Severity
from actcli.diagnostics.rules import RULES
from actcli.diagnostics.symptoms import learns_well, percent, reaches_first, share


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """What is wrong: one finding for each cause, worst first."""
    checked = (rule(name).check(evidence) for name, rule in RULES.items())
    return tell([finding for finding in checked if finding])


def tell(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Fold findings that others account for into these, and put the worst first.

    Args:
        findings: in the order of RULES. As a rule explains only what stands below it, each finding
            is folded into one that is a cause of all that it takes in.
    """
    stories: list[Finding] = []
    for finding in findings:
        index = next((i for i, root in enumerate(stories) if _explains(root, finding)), None)
        if index is None:
            stories.append(finding)
            continue
        root = stories[index]
        stories[index] = replace(root, evidence=(*root.evidence, _effect(root, finding)))
    return tuple(sorted(stories, key=lambda finding: -finding.severity))


def _effect(root: Finding, other: Finding) -> str:
    """The other finding as a sentence of the story: the first that it does not yet have."""
    new = next((each for each in other.evidence if each not in root.evidence), None)
    return f"Hence {other.rule}: {new}" if new else f"Hence {other.rule}."


def _explains(root: Finding, other: Finding) -> bool:
    """Whether the one accounts for the other: what is lesser explains nothing that is worse."""
    explained = RULES[root.rule].explains
    return root.severity >= other.severity and bool({EVERYTHING, other.rule} & set(explained))


def verdict(findings: Sequence[Finding]) -> str:
    """The rule of the first finding, or "healthy" where nothing is worse than a note."""
    worst = findings[0] if findings else None
    return HEALTHY if worst is None or worst.severity < Severity.WARNING else worst.rule


def healthy_because(evidence: Evidence) -> str:
    """Why there is nothing to warn of, in one line."""
    parts = [f"{percent(evidence.accuracy)} of {evidence.rows:,} rows are right"]
    if evidence.initial_loss and evidence.initial_loss != evidence.loss_value:
        parts.append(f"the loss went from {evidence.initial_loss:.3g} to {evidence.loss_value:.3g}")
    if evidence.units:
        factor, dead = reaches_first(evidence), sum(layer.dead for layer in evidence.units)
        parts.append(f"the first layer gets {factor:.3g} times the error of the output")
        parts.append(f"{percent(share(dead, evidence))} of the hidden units are dead")
    return f"{'Healthy' if learns_well(evidence) else 'No fault found'}: {'; '.join(parts)}."
