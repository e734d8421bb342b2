"""Symptoms: what the rules ask of the evidence, each a number with a meaning.

First of all: has the network learnt? Accuracy alone does not tell. Always answering the largest
class is right for its share of the rows, so that skill counts from there: 0 for a constant answer,
1 where every row is right. This is Cohen's kappa (Educational and Psychological Measurement 20
(1960), page 40) with the constant answer as what chance can do.
"""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Severity
from actcli.diagnostics.units import LayerUnits
from actcli.training.events import EpochDone

# Of MNIST, below 20 % right. Networks that answer one class have a skill of 0, those trained on
# shuffled labels up to 0.09, healthy ones 0.97 and more (docs/verdicts.md).
NOTHING = 0.1
# Of MNIST, 47 % right: a network that has learnt to the end and is no better has missed most.
LITTLE = 0.4
# Of MNIST, 91 % right: about what a network without a hidden layer reaches.
WELL = 0.9

# Rules that follow where nothing is learnt, whatever the reason.
NO_LEARNING = (
    "not-learning",
    "collapsed-output",
    "learning-rate-too-low",
    "underfitting-too-short",
)

# Thresholds that several rules share.

# Times the usual rate of the optimizer. Healthy set-ups have 1; at 30 times its rate Adam still
# learnt 5,000 rows to 95 % with GELUs, so that the rate alone tells nothing.
FAST = 2.0
# Healthy set-ups start at 0.98 to 1.2 times the loss of chance.
POOR_START = 3.0
# Of the rows: above, the accuracy of a constant answer looks like a good network.
IMBALANCED = 0.8
# (row, unit) pairs with a slope below 5 % of its bound. In the healthy set-ups a layer has up to
# 34 %, N(0, 1) weights give 87 % and more.
SATURATED = 0.7
# Of all hidden units, and of one layer's. Healthy set-ups have 0; Adam at 20 times its rate
# on 3 x 128 units 38 %, and still 95 % accuracy.
DEAD, DEAD_IN_LAYER = 0.2, 0.4


def percent(share: float) -> str:
    """A share of 1, for a sentence."""
    return f"{100 * share:.4g} %"


def majority(evidence: Evidence) -> float:
    """Share of the largest class: the accuracy of a constant answer."""
    return max(evidence.class_rows) / evidence.rows


def skill(evidence: Evidence) -> float:
    """From 0, as right as a constant answer, to 1, always right."""
    base = majority(evidence)
    return (evidence.accuracy - base) / (1 - base) if base < 1 else 1.0


def untrained(evidence: Evidence) -> bool:
    """Whether this is known to be an initial network, of which no skill can be expected."""
    training = evidence.training
    return training is not None and not training.history and not training.diverged


def learns_well(evidence: Evidence) -> bool:
    """Whether there is nothing to complain of in what the network does."""
    return skill(evidence) >= WELL


def grade(evidence: Evidence) -> Severity:
    """How bad a fault is, by what it has done to the network."""
    if learns_well(evidence):
        return Severity.NOTE
    if skill(evidence) < NOTHING and not untrained(evidence):
        return Severity.ERROR
    return Severity.WARNING


def chance_loss(evidence: Evidence) -> float | None:
    """The loss of outputs that favour no class; None for a loss that cannot start much higher."""
    if evidence.loss in {"cross-entropy", "kl-divergence"}:
        return math.log(evidence.classes)
    return math.log(2) if evidence.loss == "binary-cross-entropy" else None


def start_ratio(evidence: Evidence) -> float | None:
    """The initial loss over that of outputs that favour no class, where both are known."""
    chance = chance_loss(evidence)
    if chance is None or evidence.initial_loss is None:
        return None
    return evidence.initial_loss / chance


def born(layer: LayerUnits) -> int:
    """Units that are dead and were so before the training, as far as is known."""
    return min(layer.dead, layer.born_dead or 0)


def died(layer: LayerUnits) -> int:
    """Units that the training has killed, or that were born dead if that is not known."""
    return layer.dead - born(layer)


def share(count: int, evidence: Evidence) -> float:
    """Of all hidden units."""
    return count / max(1, sum(layer.units for layer in evidence.units))


def reaches_first(evidence: Evidence) -> float:
    """δ norm of the first layer over that of the output: what comes of the error on its way."""
    return evidence.gradients[0].compounded


def rate_ratio(evidence: Evidence) -> float | None:
    """The learning rate over the usual one of the optimizer."""
    training = evidence.training
    return None if training is None else training.learning_rate / training.usual_learning_rate


def kept(evidence: Evidence) -> EpochDone | None:
    """The epoch whose network is examined."""
    training = evidence.training
    epochs = training.history if training else ()
    return next((each for each in epochs if training and each.epoch == training.kept_epoch), None)


def last_fall(evidence: Evidence) -> float | None:
    """By what share the loss fell at the end: over the last epoch, or within the only one.

    The training loss of an epoch is a mean over its steps; that of the only epoch is compared with
    the loss of the network that came of it.
    """
    epochs = evidence.training.history if evidence.training else ()
    losses = [epoch.train.loss for epoch in epochs]
    if len(losses) == 1:
        losses.append(evidence.loss_value)
    if len(losses) < 2 or not losses[-2] > 0 or not math.isfinite(losses[-1]):
        return None
    return 1 - losses[-1] / losses[-2]


def saturated(evidence: Evidence) -> tuple[LayerUnits, ...]:
    """The layers that can saturate, the fullest first."""
    layers = [layer for layer in evidence.units if layer.saturated_fraction is not None]
    return tuple(sorted(layers, key=lambda layer: -(layer.saturated_fraction or 0)))
