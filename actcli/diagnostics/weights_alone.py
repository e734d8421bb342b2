"""Findings on weights alone: nobody says how the network was trained.

Weights show what is wrong, and often not why. A learning rate that was too high, gradients that
added up, and inputs that were not scaled leave the same weights. So a finding names the candidates
in the order of their frequency, and its first remedy is a plain recipe that replaces all of them: a
remedy for one candidate would make a network worse that has another fault.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Remedy, Severity
from actcli.diagnostics.rules.remedies import LEAKY, RELU, wider_layers
from actcli.diagnostics.rules.weights import is_standard_normal
from actcli.diagnostics.symptoms import learnable, learns_well, narrow_layers, share

# Dead units of a network that has learnt what can be learnt: their share, and the number of hidden
# units from which it counts. Healthy networks have up to 34 %, and those of 32 to 48 units on
# two-dimensional data up to 50 %; configs/dying-relu.toml has 38 % of 384.
DEAD_SHARE_OF_GOOD, MIN_UNITS_OF_GOOD = 0.36, 100

# Steps of a plain recipe with mini-batches of 32 rows, and its epochs.
RECIPE_ROWS, RECIPE_STEPS, MIN_EPOCHS, MAX_EPOCHS = 32, 3000, 10, 100

STEPS_TOO_LONG = (
    "The weights alone do not tell which: a learning rate that was too high, gradients that added "
    "up from step to step, inputs that were not scaled, or weights that were drawn too large."
)
STEPS_TOO_SHORT = (
    "The weights alone do not tell which: too few or too short steps, inputs that were not scaled, "
    "much dropout or weight decay, gradients that added up, or labels that were wrong in training."
)
HELD_DOWN = "Weight decay held the weights down, or they were drawn too small."
CANDIDATES = {
    "exploding-gradient": STEPS_TOO_LONG,
    "saturation": STEPS_TOO_LONG,
    "large-weights": STEPS_TOO_LONG,
    "dead-units": STEPS_TOO_LONG,
    "small-weights": HELD_DOWN,
    "collapsed-output": STEPS_TOO_SHORT,
    "not-learning": STEPS_TOO_SHORT,
    "underfitting": STEPS_TOO_SHORT,
}
# Rules whose remedy is the plain recipe; those of the other rules remove a cause that is seen.
UNSEEN_CAUSE = {*CANDIDATES, "non-finite-parameters", "vanishing-gradient"}
EFFECTS_OF_LARGE_WEIGHTS = {"exploding-gradient", "vanishing-gradient", "saturation", "dead-units"}


def plain_recipe(evidence: Evidence) -> Remedy:
    """Return the remedy that replaces everything about a training that weights do not show."""
    epochs = math.ceil(RECIPE_STEPS * RECIPE_ROWS / evidence.rows)
    return Remedy(
        "A plain recipe without anything that may hold the training back shows what the network "
        "can learn; then return to yours step by step.",
        {
            "optimizer.name": "adam",
            "optimizer.learning_rate": "auto",
            "optimizer.weight_decay": 0.0,
            "optimizer.clip_norm": 0.0,
            "model.init": "auto",
            "model.bias_init": "zeros",
            "model.init_scale": 1.0,
            "model.dropout": 0.0,
            "loss.label_smoothing": 0.0,
            "training.batch_size": RECIPE_ROWS,
            "training.epochs": min(MAX_EPOCHS, max(MIN_EPOCHS, epochs)),
        },
    )


def of_weights_alone(findings: Sequence[Finding], evidence: Evidence) -> list[Finding]:
    """Return the findings, before they are merged, with candidates and remedies for weights alone.

    Args:
        findings: of all rules, in their order.
        evidence: what they were found in.
    """
    large = any(finding.rule == "large-weights" for finding in findings)
    adapted = []
    for finding in findings:
        if large and finding.rule in EFFECTS_OF_LARGE_WEIGHTS:
            continue
        adapted.append(_adapted(finding, evidence))
    return adapted


def _adapted(finding: Finding, evidence: Evidence) -> Finding:
    rule, well = finding.rule, learns_well(evidence)
    if rule == "dead-units" and well:
        dead = sum(layer.dead for layer in evidence.units)
        units = sum(layer.units for layer in evidence.units)
        if share(dead, evidence) < DEAD_SHARE_OF_GOOD or units < MIN_UNITS_OF_GOOD:
            return replace(finding, severity=Severity.NOTE)
    if rule == "large-weights" and is_standard_normal(evidence):
        cause = "The weights were drawn from N(0, 1), whatever the number of inputs of a layer."
        fitting = plain_recipe(evidence)
        return replace(finding, cause=cause, remedies=(fitting,))
    if rule not in UNSEEN_CAUSE:
        return finding
    if rule == "not-learning" and evidence.reference and learnable(evidence) is None:
        # Nobody learns these rows: another training would not, either.
        look = tuple(remedy for remedy in finding.remedies if not remedy.changes)
        return replace(finding, remedies=look)
    return replace(
        finding,
        cause=CANDIDATES.get(rule, finding.cause),
        remedies=tuple(_remedies(finding, evidence)),
    )


def _remedies(finding: Finding, evidence: Evidence) -> list[Remedy]:
    recipe = plain_recipe(evidence)
    if finding.rule == "vanishing-gradient":
        activation = next(iter(finding.remedies[0].changes), "")
        if activation == "model.activation":
            changes = {**recipe.changes, **RELU.changes}
            return [Remedy(finding.remedies[0].reason, changes), recipe]
    if finding.rule == "dead-units":
        return [recipe, LEAKY]
    if narrow_layers(evidence):
        return [recipe, *wider_layers(evidence)]
    return [recipe]
