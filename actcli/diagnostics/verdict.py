"""The verdict: all findings, merged by cause.

A fault rarely comes alone: too high a learning rate kills units, makes the error explode and leaves
one prediction for every row. Each rule declares the rules that it explains. If one finding explains
another, the explained finding becomes a sentence of its evidence. The causes remain, worst first.
"""

from collections.abc import Sequence
from dataclasses import replace

from actcli.diagnostics import HEALTHY, UNTRAINED
from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import EVERYTHING, Finding, Severity
from actcli.diagnostics.rules import RULES
from actcli.diagnostics.symptoms import learns_well, percent, reaches_first, share, untrained
from actcli.diagnostics.weights_alone import of_weights_alone


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """Return the faults that the evidence shows: one finding for each cause, the worst first."""
    checked = (rule(name).check(evidence) for name, rule in RULES.items())
    findings = [finding for finding in checked if finding]
    return merge(of_weights_alone(findings, evidence) if evidence.training is None else findings)


def merge(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Merge each finding into the finding that explains it, and sort by severity, the worst first.

    Args:
        findings: in the order of RULES, in which a rule explains only rules below it.
    """
    causes: list[Finding] = []
    for finding in findings:
        index = next((i for i, cause in enumerate(causes) if _explains(cause, finding)), None)
        if index is None:
            causes.append(finding)
            continue
        cause = causes[index]
        causes[index] = replace(cause, evidence=(*cause.evidence, _effect(cause, finding)))
    return tuple(sorted(causes, key=lambda finding: -finding.severity))


def _effect(cause: Finding, effect: Finding) -> str:
    """Return the effect as a sentence of evidence for its cause.

    The sentence quotes the first evidence of the effect that the cause does not have yet.
    """
    new = next((sentence for sentence in effect.evidence if sentence not in cause.evidence), None)
    return f"Hence {effect.rule}: {new}" if new else f"Hence {effect.rule}."


def _explains(cause: Finding, effect: Finding) -> bool:
    """Return whether the cause explains the effect. A more severe effect is never explained."""
    explained = RULES[cause.rule].explains
    return cause.severity >= effect.severity and bool({EVERYTHING, effect.rule} & set(explained))


def verdict(findings: Sequence[Finding]) -> str:
    """Return the rule of the worst finding.

    If none is worse than a note, it is "healthy", or "untrained" for a network of 0 epochs.
    """
    if findings and findings[0].severity >= Severity.WARNING:
        return findings[0].rule
    return UNTRAINED if any(finding.rule == UNTRAINED for finding in findings) else HEALTHY


def healthy_because(evidence: Evidence) -> str:
    """Return one sentence with the reasons why no finding is worse than a note."""
    parts = [f"{percent(evidence.accuracy)} of {evidence.rows:,} rows are predicted right"]
    if evidence.initial_loss and evidence.initial_loss != evidence.loss_value:
        parts.append(f"the loss went from {evidence.initial_loss:.3g} to {evidence.loss_value:.3g}")
    if evidence.units:
        factor, dead = reaches_first(evidence), sum(layer.dead for layer in evidence.units)
        parts.append(f"the first layer gets {factor:.3g} times the error at the output")
        parts.append(f"{percent(share(dead, evidence))} of the hidden units are dead")
    if evidence.reference:
        parts.append(f"a linear classifier reaches {percent(evidence.reference.linear)}")
    well = learns_well(evidence) and not untrained(evidence)
    return f"{'Healthy' if well else 'No fault found'}: {'; '.join(parts)}."
