"""Faults of derivatives near 0: flat outputs, saturated units and dead units."""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Remedy, Rule, Severity
from actcli.diagnostics.rates import HIGH_RATE_RATIO, VERY_HIGH_RATE_RATIO, rate_ratio
from actcli.diagnostics.rules.remedies import LEAKY, fitting_weights, lower_rate, usual_rate
from actcli.diagnostics.rules.wording import be, counted, result, saturation
from actcli.diagnostics.symptoms import (
    DEAD_SHARE,
    DEAD_SHARE_OF_LAYER,
    LARGE_INITIAL_SCALE,
    NO_LEARNING,
    POOR_START_RATIO,
    SATURATED_SHARE,
    chance_loss,
    died,
    falls_short,
    grade,
    is_above_reference,
    is_overconfident,
    learns_well,
    percent,
    saturated,
    share,
    skill,
    start_ratio,
    untrained,
)

# Classes from which a regression on one-hot targets hides some of them (Hastie, Tibshirani,
# Friedman, The Elements of Statistical Learning, 2009, section 4.2).
MANY_CLASSES = 5


class LossOutputMismatch(Rule):
    """A squared error behind an output activation that saturates."""

    meaning = (
        "The loss is a squared error of sigmoid or softmax outputs, or of the logits, and learning "
        "is slow."
    )
    harm = (
        "The gradient contains the derivative of the output, p (1 - p) for a sigmoid. This factor "
        "is almost 0 where the network is confident and wrong, so that the network learns slowest "
        "where it errs most."
    )
    limits = (
        "Not reported if the network has learnt well anyway. Binary cross-entropy suits the "
        "sigmoid even if the classes exclude each other, and is not reported either."
    )
    threshold = (
        "The loss is sse or mse, the output sigmoid or softmax, and the network has not learnt "
        "well; without an output activation, simple classifiers must be clearly better, or, for a "
        "network of unknown origin, the logits are those of a regression on one-hot targets and "
        "simple classifiers are about as accurate. The derivative of the output is at most 0.25; "
        "in configs/quadratic-cost.toml it passes 15 % of the error."
    )
    cure = (
        "Cross-entropy for several output units, binary cross-entropy for one: their gradient "
        "does not vanish where the output is wrong."
    )
    source = "Nielsen, Neural Networks and Deep Learning (2015), chapter 3, the cross-entropy cost"
    explains = ("poor-initial-loss", "saturation", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        squared = evidence.loss in {"sse", "mse"}
        if squared and evidence.output == "identity" and evidence.training is None:
            return self.regression(evidence)
        if not squared or learns_well(evidence) or untrained(evidence):
            return None
        if evidence.output == "identity":
            return self.regression(evidence)
        passed = "nothing"
        if evidence.loss_value > 0:
            # δ of mse has the factor 1/K; the root of its loss has only the root of that factor.
            units = evidence.gradients[-1].units if evidence.loss == "mse" else 1
            distance = 2 * math.sqrt(evidence.loss_value * units) / units
            passed = percent(evidence.gradients[-1].delta_norm / distance)
        best = "cross-entropy" if evidence.gradients[-1].units > 1 else "binary-cross-entropy"
        return self.finding(
            grade(evidence),
            (
                f"The loss is {evidence.loss}, the output activation {evidence.output}: {passed} "
                "of the error passes the output in the backward pass.",
                result(evidence),
            ),
            "The output activation is flat where the output is far from its target, and a squared "
            "error does not compensate for that.",
            [
                Remedy(
                    "The gradient of this loss has no factor that vanishes where the output is "
                    "wrong.",
                    {"loss.name": best, "model.output": "auto"},
                ),
            ],
            (len(evidence.gradients),),
        )

    def regression(self, evidence: Evidence) -> Finding | None:
        """Return the finding on a network that predicts one-hot targets as numbers."""
        scales = [scale for scale in evidence.initial_scales if scale is not None]
        drawn_large = bool(scales) and max(scales) >= LARGE_INITIAL_SCALE
        if evidence.training is not None and (drawn_large or not falls_short(evidence)):
            return None
        masked = evidence.classes >= MANY_CLASSES and not is_above_reference(evidence)
        return self.finding(
            max(Severity.WARNING, grade(evidence)) if masked else grade(evidence),
            (
                f"The loss is {evidence.loss} of the logits: each one should be 0 or 1.",
                result(evidence),
            ),
            "A squared error punishes logits that are right and large, and its gradient is small "
            "for many classes.",
            [
                Remedy(
                    "Cross-entropy asks only that the logit of the true class is the largest.",
                    {"loss.name": "cross-entropy", "model.output": "auto"},
                ),
            ],
            (len(evidence.gradients),),
        )


class Saturation(Rule):
    """Units that work where their activation is flat."""

    meaning = "Most units of a layer work where the derivative of their activation is almost 0."
    harm = "Such a unit passes back almost no error, and its own weights get almost no gradient."
    limits = (
        "Not reported if the network has learnt well, because confident sigmoid and tanh units "
        "saturate in healthy networks, too. ReLUs do not count here; see dead-units."
    )
    threshold = (
        f"|f'| is below 5 % of its bound in {percent(SATURATED_SHARE)} or more of the (row, unit) "
        "pairs of a layer, and the network has not learnt well. In healthy set-ups it is up to 34 "
        "% of the pairs, in tanh and sigmoid layers with N(0, 1) weights 87 to 89 %."
    )
    cure = "Standardised inputs and fitting weights; then the usual learning rate."
    source = "Glorot, Bengio, Understanding the Difficulty of Training (2010), section 3"
    explains = (
        *("poor-initial-loss", "large-weights", "dead-units", "overconfident"),
        *NO_LEARNING,
    )

    def check(self, evidence: Evidence) -> Finding | None:
        layers = [
            layer
            for layer in saturated(evidence)
            if (layer.saturated_fraction or 0) >= SATURATED_SHARE
            and layer.activation != "leaky-relu"
        ]
        if not layers or learns_well(evidence):
            return None
        sentences = tuple(
            saturation(layer) for layer in sorted(layers, key=lambda layer: layer.layer)
        )
        return self.finding(
            grade(evidence),
            (*sentences, result(evidence)),
            "The weights are so large that the pre-activations lie far from 0.",
            [
                Remedy(
                    "Standardised inputs and fitting weights keep the pre-activations near 0.",
                    {"data.normalize": "standard", **fitting_weights(evidence).changes},
                ),
                usual_rate(evidence),
            ],
            tuple(sorted(layer.layer for layer in layers)),
        )


# Length of steps, over that of the default recipe, that cannot even undo a poor start.
TINY_RATE_RATIO = 0.05


class PoorInitialLoss(Rule):
    """An initial network that is confident and wrong."""

    meaning = "The initial loss is much higher than that of a network that favours no class."
    harm = (
        "The network starts confident and wrong. The first and largest updates only undo this bad "
        "start."
    )
    limits = (
        "Needs the initial network and a loss with a known value at chance: cross-entropy, "
        "kl-divergence or binary-cross-entropy. Label smoothing does not change this value."
    )
    threshold = (
        f"The initial loss is at least {POOR_START_RATIO:g} times the loss at chance: ln K for K "
        "classes, ln 2 per unit for binary cross-entropy. The finding is a note if the network has "
        "learnt well and is not overconfident. Healthy set-ups start at 0.98 to 1.2 times the loss "
        "at chance, ReLU networks with N(0, 1) weights at 25 times or more."
    )
    cure = "Weights of the initializer that fits the activation."
    source = "Karpathy, CS231n (Stanford), Neural Networks part 3, sanity checks"
    explains = ("large-weights", "dead-units", "starving-clipping", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        ratio, chance = start_ratio(evidence), chance_loss(evidence)
        if ratio is None or ratio < POOR_START_RATIO:
            return None
        usual = max((scale or 1 for scale in evidence.initial_scales), default=1)
        if usual < LARGE_INITIAL_SCALE and (rate_ratio(evidence) or 1) <= TINY_RATE_RATIO:
            severity = Severity.NOTE  # steps of a usual length undo such a start
        elif is_overconfident(evidence):
            severity = max(Severity.WARNING, grade(evidence))
        else:
            severity = grade(evidence)
        return self.finding(
            severity,
            (
                f"The initial loss is {evidence.initial_loss:.4g}, {ratio:.3g} times the "
                f"{chance:.4g} of outputs that favour no class.",
                result(evidence),
            ),
            "The initial weights are so large that the first outputs are confident and wrong.",
            [fitting_weights(evidence)],
        )


# Skill of a network that does not miss its dead units: it is right for almost all of its rows.
PERFECT_SKILL = 0.99


class DeadUnits(Rule):
    """Units that no row of the split activates any more."""

    meaning = (
        "The derivative of a unit is 0 on every training row: for a ReLU, no row activates it."
    )
    harm = "A dead unit gets no gradient, so that no row can revive it. Its capacity is lost."
    limits = (
        "Dead means inactive on all training rows, whatever split or sample is examined. A unit "
        "that is inactive on most rows is sparse, not dead. If the initial network is unknown, "
        "units that were born dead count, too."
    )
    threshold = (
        f"{percent(DEAD_SHARE)} or more of all hidden units are dead, or "
        f"{percent(DEAD_SHARE_OF_LAYER)} of a layer, and the network has not learnt well, or the "
        f"steps are at least {VERY_HIGH_RATE_RATIO:g} times as long as usual and its skill is "
        f"below {percent(PERFECT_SKILL)}, or its training is unknown; a note from one unit on. "
        "Healthy set-ups have no dead units, though their ReLUs are inactive on 55 to 70 % of the "
        "rows. In faulty set-ups 31 to 44 % are dead; in configs/dying-relu.toml 38 %, with 95 % "
        "accuracy."
    )
    cure = (
        "The usual learning rate, or a tenth of it, if the steps were long; leaky ReLUs, which "
        "cannot die."
    )
    source = "Lu, Shin, Su, Karniadakis, Dying ReLU and Initialization (2019), section 1"
    explains = NO_LEARNING

    def check(self, evidence: Evidence) -> Finding | None:
        layers = [layer for layer in evidence.units if died(layer)]
        if not layers:
            return None
        count, units = sum(map(died, layers)), sum(layer.units for layer in evidence.units)
        part = max(died(layer) / layer.units for layer in layers)
        bad = share(count, evidence) >= DEAD_SHARE or part >= DEAD_SHARE_OF_LAYER
        training, ratio = evidence.training, rate_ratio(evidence)
        is_due = training is None or training.diverged or (ratio or 0) >= VERY_HIGH_RATE_RATIO
        is_due = is_due and (training is None or skill(evidence) < PERFECT_SKILL)
        bad = bad and (is_due or not learns_well(evidence))
        sentences = tuple(
            f"Layer {layer.layer}: {died(layer)} of {counted(layer.units, 'unit')} "
            f"{be(died(layer))} dead ({percent(died(layer) / layer.units)}); on average a unit is "
            f"active on {percent(layer.active_fraction)} of the rows."
            for layer in layers
        )
        whole = (
            f"Of {counted(units, 'hidden unit')}, {count:,} {be(count)} dead "
            f"({percent(share(count, evidence))})"
            + ("." if evidence.split == "train" else ": no training row activates them.")
        )
        return self.finding(
            max(Severity.WARNING, grade(evidence)) if bad else Severity.NOTE,
            (whole, *sentences, result(evidence)),
            self.cause(evidence),
            self.remedies(evidence),
            tuple(layer.layer for layer in layers),
        )

    @staticmethod
    def remedies(evidence: Evidence) -> list[Remedy]:
        """Return the remedies: the rate first if it may be high, for it is then the cause."""
        if evidence.training is None:
            return [usual_rate(evidence), LEAKY]
        if (rate_ratio(evidence) or 1) >= HIGH_RATE_RATIO:
            return [usual_rate(evidence), lower_rate(evidence), LEAKY]
        return [LEAKY, usual_rate(evidence)]

    @staticmethod
    def cause(evidence: Evidence) -> str:
        """Return the cause: the learning rate, if it is known to be high."""
        training, ratio = evidence.training, rate_ratio(evidence)
        if training is None or ratio is None or ratio < HIGH_RATE_RATIO:
            return "Updates pushed weights and biases so far that no row activates the units."
        return (
            f"At a learning rate of {training.learning_rate:.3g}, which makes the steps "
            f"{ratio:.3g} times as long as usual, updates pushed the units' weights and biases so "
            "far that no row activates the units."
        )
