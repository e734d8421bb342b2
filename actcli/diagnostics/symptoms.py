"""Symptoms: numbers that the rules compute from the evidence, and their shared thresholds.

The first question is whether the network has learnt. Accuracy alone does not answer this question:
a constant prediction of the largest class is right for that class's share of the rows. The skill
of a network is therefore 0 if it does no better than this prediction, and 1 if every row is
predicted right. This is Cohen's kappa (Educational and Psychological Measurement 20 (1960), page
40), with the constant prediction as chance.
"""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Severity
from actcli.diagnostics.outputs import Outputs
from actcli.diagnostics.significance import standard_error
from actcli.diagnostics.units import LayerUnits
from actcli.training.events import EpochDone

# On MNIST an accuracy below 20 %. Networks that predict one class have a skill of 0, networks
# trained on shuffled labels up to 0.09, healthy ones 0.97 or more (docs/verdicts.md).
NO_SKILL = 0.1
# On MNIST an accuracy of 47 %.
LITTLE_SKILL = 0.4
# On MNIST an accuracy of 91 %: about that of a network without a hidden layer. It counts only if no
# reference says what can be learnt.
GOOD_SKILL = 0.9

# The difference of two accuracies counts from two of its standard errors on. Between a network and
# a reference it must also be 2 percentage points.
SIGNIFICANT_ERRORS, REFERENCE_MARGIN = 2.0, 0.02
# With weights alone, and nearest neighbours as the reference: on two-dimensional data they are
# right for every row where small healthy networks are right for 95 %.
NEIGHBOURS_MARGIN = 0.06
# On the same rows, simple classifiers are clearly better from so many standard errors on: healthy
# networks have up to 2.5. Less is enough if the configuration says by itself what is wrong, more is
# needed, and a large difference, if nothing else speaks of a fault.
PAIRED_ERRORS, PAIRED_ERRORS_SUPPORTED, PAIRED_ERRORS_ALONE = 2.5, 2.0, 3.5
LARGE_MARGIN = 0.05

# Rules that report that nothing is learnt, whatever the reason.
NO_LEARNING = (
    "not-learning",
    "collapsed-output",
    "learning-rate-too-low",
    "underfitting-too-short",
    "underfitting",
)

# Thresholds that several rules share.

# Share of the predictions that name one class, and its excess over that class's share of the rows.
ONE_CLASS_SHARE, ONE_CLASS_EXCESS = 0.9, 0.3
# Mean confidence minus accuracy; the expected calibration error must be as large.
OVERCONFIDENCE, OVERCONFIDENCE_NOTED = 0.1, 0.05
# Initial loss over the loss at chance. Healthy set-ups have 0.98 to 1.2.
POOR_START_RATIO = 3.0
# Share of the largest class from which a constant prediction has the accuracy of a good network.
IMBALANCED_SHARE = 0.8
# Share of a layer's (row, unit) pairs with |f'| below 5 % of its bound. Healthy set-ups have up to
# 34 %, N(0, 1) weights give 87 % or more.
SATURATED_SHARE = 0.7
# Dead share of all hidden units, and of one layer. Healthy set-ups have 0; Adam at 20 times its
# default rate has 38 % of 3 x 128 units, and still 95 % accuracy.
DEAD_SHARE, DEAD_SHARE_OF_LAYER = 0.2, 0.4


# Mean |f'| above which the activation passes the error: ReLUs have 0.3 to 0.6, sigmoids at most
# 0.25.
STEEP_SLOPE = 0.28
# Share by which the training loss fell over the last epoch of a training that ended too early.
FALLING_LOSS_SHARE = 0.1
# Scale of initial weights (see `weight_scale`) that are too large.
LARGE_INITIAL_SCALE = 3.0
# Share of a layer's units that were born dead. He initialization and zero biases left 0 or 1 of
# 100 units dead.
BORN_DEAD_SHARE = 0.3
# Units of a hidden layer that are too few whatever the number of classes.
NARROW_WIDTH = 2


def percent(share: float) -> str:
    """Return a share as a percentage with four significant digits."""
    return f"{100 * share:.4g} %"


def majority(evidence: Evidence) -> float:
    """Return the share of the largest class: the accuracy of a constant prediction."""
    return max(evidence.class_rows) / evidence.rows


def skill(evidence: Evidence) -> float:
    """Return the skill: 0 for the accuracy of a constant prediction, 1 for 100 %.

    Class weights ask for the mean accuracy of the classes, which is 1/K for a constant prediction.
    """
    if evidence.class_weights:
        accuracies = class_accuracies(evidence)
        base = 1 / len(accuracies)
        return (sum(accuracies) * base - base) / (1 - base) if base < 1 else 1.0
    base = majority(evidence)
    return (evidence.accuracy - base) / (1 - base) if base < 1 else 1.0


def class_accuracies(evidence: Evidence) -> tuple[float, ...]:
    """Return the accuracy of each class that has rows."""
    pairs = enumerate(evidence.class_rows)
    return tuple(evidence.confusion[k][k] / rows for k, rows in pairs if rows)


def untrained(evidence: Evidence) -> bool:
    """Return whether the network is known to be untrained: its lack of skill is not a fault."""
    training = evidence.training
    return training is not None and not training.history and not training.diverged


def learnable(evidence: Evidence) -> float | None:
    """Return the accuracy that simple classifiers reach; None if it tells nothing.

    It tells nothing if it is unknown, or hardly above the accuracy of a constant prediction, or if
    class weights ask for another accuracy.
    """
    accuracy, base = evidence.reference_accuracy, majority(evidence)
    if accuracy is None or evidence.class_weights or accuracy - base < NO_SKILL * (1 - base):
        return None
    return accuracy


def reference_margin(evidence: Evidence, least: float = REFERENCE_MARGIN) -> float:
    """Return the difference from the reference, above which two accuracies differ clearly.

    Args:
        evidence: of the network.
        least: the smallest difference that counts.
    """
    reference = evidence.reference
    if reference is None:
        return least
    errors = (
        standard_error(evidence.reference_accuracy or 0, reference.judged),
        standard_error(evidence.accuracy, evidence.rows),
    )
    return max(least, SIGNIFICANT_ERRORS * math.hypot(*errors))


def is_below_reference(evidence: Evidence) -> bool:
    """Return whether simple classifiers are clearly more accurate than the network."""
    accuracy, reference = learnable(evidence), evidence.reference
    if accuracy is None or reference is None:
        return False
    if evidence.training is None:  # only weights: nearest neighbours count less
        is_below_linear = evidence.accuracy < reference.linear - reference_margin(evidence)
        margin = reference_margin(evidence, NEIGHBOURS_MARGIN)
        return is_below_linear or evidence.accuracy < accuracy - margin
    return evidence.accuracy < accuracy - reference_margin(evidence)


def is_below_same_rows(evidence: Evidence, errors: float = PAIRED_ERRORS) -> bool:
    """Return whether simple classifiers are clearly more accurate on the same rows.

    A network without a hidden layer is not compared so.

    Args:
        evidence: the evidence.
        errors: the number of standard errors of the difference that count as clear.
    """
    return any(
        each.errors >= errors and each.reference - each.network >= REFERENCE_MARGIN
        for each in (evidence.held_out, evidence.trained_on)
        if each is not None and evidence.units
    )


def falls_short(evidence: Evidence, errors: float = PAIRED_ERRORS) -> bool:
    """Return whether simple classifiers are clearly more accurate, on training or other rows.

    Args:
        evidence: the evidence.
        errors: the number of standard errors that count as clear on the same rows.
    """
    return is_below_reference(evidence) or is_below_same_rows(evidence, errors)


def falls_far_short(evidence: Evidence) -> bool:
    """Return whether a network falls so far short that this alone proves a fault."""
    accuracy = learnable(evidence)
    is_far = accuracy is not None and accuracy - evidence.accuracy >= LARGE_MARGIN
    if is_far and is_below_reference(evidence):
        return True
    return any(
        each.errors >= PAIRED_ERRORS_ALONE and each.reference - each.network >= LARGE_MARGIN
        for each in (evidence.held_out, evidence.trained_on)
        if each is not None and evidence.units
    )


def is_above_reference(evidence: Evidence) -> bool:
    """Return whether the network is clearly more accurate than simple classifiers.

    Without a reference, the network has to be as skilled as a good one. It has to be more accurate
    on validation rows, too, where these are known.
    """
    accuracy, held_out = learnable(evidence), evidence.held_out
    if held_out is not None and held_out.network < held_out.reference < 1:
        return False
    if accuracy is None:
        return skill(evidence) >= GOOD_SKILL
    return evidence.accuracy > accuracy + min(reference_margin(evidence), (1 - accuracy) / 2)


def learns_well(evidence: Evidence, errors: float = PAIRED_ERRORS) -> bool:
    """Return whether the network has learnt well: what simple classifiers learn, or more.

    Without a reference, its skill has to be that of a good network.

    Args:
        evidence: the evidence.
        errors: by how many standard errors simple classifiers are better on the same rows if the
            network has not learnt well.
    """
    if is_below_same_rows(evidence, errors):
        return False
    if learnable(evidence) is None:
        return skill(evidence) >= GOOD_SKILL
    return not is_below_reference(evidence)


def grade(evidence: Evidence, errors: float = PAIRED_ERRORS) -> Severity:
    """Return the severity of a fault, which depends on what the network has learnt.

    Args:
        evidence: the evidence.
        errors: see `learns_well`.
    """
    if learns_well(evidence, errors):
        return Severity.NOTE
    if untrained(evidence):
        return Severity.WARNING
    is_useless = skill(evidence) < NO_SKILL or answers_one_class(evidence)
    return Severity.ERROR if is_useless else Severity.WARNING


def answers_one_class(evidence: Evidence) -> bool:
    """Return whether one class is predicted for far more rows than belong to it."""
    count = max(evidence.predicted)
    true = evidence.class_rows[evidence.predicted.index(count)]
    part = count / evidence.rows
    return part >= ONE_CLASS_SHARE and part - true / evidence.rows >= ONE_CLASS_EXCESS


def overconfidence(outputs: Outputs) -> float:
    """Return confidence minus accuracy, or the expected calibration error if that is smaller."""
    return min(outputs.confidence - outputs.accuracy, outputs.ece)


def is_overconfident(evidence: Evidence) -> bool:
    """Return whether the confidence is clearly above the accuracy."""
    outputs = evidence.outputs
    return outputs is not None and overconfidence(outputs) >= OVERCONFIDENCE


def chance_loss(evidence: Evidence) -> float | None:
    """Return the loss of outputs that favour no class; None for a bounded loss."""
    if evidence.loss in {"cross-entropy", "kl-divergence"}:
        return math.log(evidence.classes)
    return math.log(2) if evidence.loss == "binary-cross-entropy" else None


def start_ratio(evidence: Evidence) -> float | None:
    """Return the initial loss over the loss at chance; None if either is unknown."""
    chance = chance_loss(evidence)
    if chance is None or evidence.initial_loss is None:
        return None
    return evidence.initial_loss / chance


def bottleneck_width(evidence: Evidence) -> int:
    """Return the number of units up to which a hidden layer is too narrow for the classes."""
    return max(NARROW_WIDTH, evidence.classes // 2)


def narrow_layers(evidence: Evidence) -> tuple[LayerUnits, ...]:
    """Return the hidden layers that are too narrow for the classes."""
    width = bottleneck_width(evidence)
    return tuple(layer for layer in evidence.units if layer.units <= width)


def born(layer: LayerUnits) -> int:
    """Return the number of dead units that were dead before the training; 0 if that is unknown."""
    return min(layer.dead, layer.born_dead or 0)


def died(layer: LayerUnits) -> int:
    """Return the number of units that died in training; all dead units if that is unknown."""
    return layer.dead - born(layer)


def share(count: int, evidence: Evidence) -> float:
    """Return a number of units as a share of all hidden units."""
    return count / max(1, sum(layer.units for layer in evidence.units))


def reaches_first(evidence: Evidence) -> float:
    """Return the δ norm of the first layer over the δ norm of the output layer."""
    return evidence.gradients[0].compounded


def kept(evidence: Evidence) -> EpochDone | None:
    """Return the epoch whose network is examined; None if it is unknown."""
    training = evidence.training
    epochs = training.history if training else ()
    return next(
        (epoch for epoch in epochs if training and epoch.epoch == training.kept_epoch), None
    )


def last_fall(evidence: Evidence) -> float | None:
    """Return the share by which the training loss fell over the last epoch; None if unknown.

    The training loss of an epoch is a mean over its steps. If there is only one epoch, its loss is
    compared with the loss of the trained network.
    """
    epochs = evidence.training.history if evidence.training else ()
    losses = [epoch.train.loss for epoch in epochs]
    if len(losses) == 1:
        losses.append(evidence.loss_value)
    if len(losses) < 2 or not losses[-2] > 0 or not math.isfinite(losses[-1]):
        return None
    return 1 - losses[-1] / losses[-2]


def saturated(evidence: Evidence) -> tuple[LayerUnits, ...]:
    """Return the layers that can saturate, the most saturated first."""
    layers = [layer for layer in evidence.units if layer.saturated_fraction is not None]
    return tuple(sorted(layers, key=lambda layer: -(layer.saturated_fraction or 0)))
