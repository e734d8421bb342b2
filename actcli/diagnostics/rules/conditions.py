"""What the training had to work with: parameters, inputs, and the length of its steps."""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import EVERYTHING, Finding, Rule, Severity
from actcli.diagnostics.rules.wording import result, saturation, usual_rate
from actcli.diagnostics.symptoms import (
    DEAD,
    FAST,
    NO_LEARNING,
    POOR_START,
    SATURATED,
    chance_loss,
    died,
    grade,
    learns_well,
    percent,
    rate_ratio,
    saturated,
    share,
    start_ratio,
)


class NonFinite(Rule):
    """NaN or inf among the parameters, or in the loss that they give."""

    meaning = "A weight or bias is NaN or infinite, or the loss that the network gives is."
    harm = "Whatever such a number touches is NaN: no output of the network means anything."
    limits = "None: one such number is a fault."
    threshold = "One number that is not finite (IEEE 754, section 6: NaN spreads)."
    source = "IEEE 754-2019, sections 6.1 and 6.2"

    explains = (EVERYTHING,)

    def check(self, evidence: Evidence) -> Finding | None:
        layers = evidence.non_finite
        if not layers and math.isfinite(evidence.loss_value):
            return None
        what = (
            f"Of layer {', '.join(map(str, layers))} some parameters are NaN or infinite."
            if layers
            else f"All parameters are finite, but the mean loss over {evidence.rows} rows is not."
        )
        return self.found(
            Severity.ERROR,
            (what,),
            "Numbers grew beyond float32, in the training or in what wrote the file.",
            "[optimizer]\nclip_norm = 1.0",
            layers,
        )


# Of the units of a hidden layer. Random initial weights give 0.
COPIES = 0.5


class SymmetricUnits(Rule):
    """Units that are copies of each other."""

    meaning = "Units of a hidden layer have the same incoming weights and bias as another unit."
    harm = (
        "They compute the same. If their outgoing weights are alike too, they get the same "
        "gradient and stay copies: many units work as one."
    )
    limits = (
        "Copies must be exact. Equal units that rounding has driven apart are not seen, nor are "
        "those that differ only in sign."
    )
    threshold = (
        f"{percent(COPIES)} of the units of a hidden layer are copies. Weights that are drawn "
        "at random give none: 0 in every healthy set-up; weights that all start at 0 give 100 %."
    )
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 8.4"
    explains = (
        *("born-dead", "vanishing-gradient", "dead-units", "loss-output-mismatch"),
        *("saturation", "overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        layers = tuple(
            layer
            for layer, copies in enumerate(evidence.duplicates[:-1], 1)
            if copies >= COPIES and evidence.gradients[layer - 1].units > 1
        )
        if not layers:
            return None
        told = tuple(
            f"In layer {layer}, {percent(evidence.duplicates[layer - 1])} of the "
            f"{evidence.gradients[layer - 1].units} units are copies of another."
            for layer in layers
        )
        return self.found(
            max(Severity.WARNING, grade(evidence)),
            (*told, result(evidence)),
            "The weights of a layer all started alike, and nothing tells its units apart.",
            '[model]\ninit = "auto"',
            layers,
        )


# Root mean square of the inputs: 0.33 for MNIST from 0 to 1, 1 for standardised pixels, 85 for raw
# bytes, 0.0013 for bytes that were divided by 255 twice.
LARGE, SMALL = 5.0, 0.02


class UnscaledInput(Rule):
    """Inputs far from the size that initial weights are made for."""

    meaning = "The inputs are much larger, or much smaller, than about 1."
    harm = (
        "Initial weights suit inputs of about 1. Larger ones saturate the first layer and make its "
        "steps too long; smaller ones starve it."
    )
    limits = (
        "It looks at all pixels together: a single column of another scale is not seen. Where the "
        "network learns well all the same, it is a note."
    )
    threshold = (
        f"Root mean square of the inputs above {LARGE:g} or below {SMALL:g}. MNIST has 0.335 in "
        "[0, 1], 1 when standardised, 85.3 as raw bytes, 0.0013 when divided by 255 twice."
    )
    source = "LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), section 4.3"
    explains = (
        *("learning-rate-too-high", "born-dead", "exploding-gradient", "dead-units"),
        *("vanishing-gradient", "loss-output-mismatch", "saturation", "poor-initial-loss"),
        *("overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        size = evidence.input_size
        if not (size > LARGE or size < SMALL):
            return None
        chance = chance_loss(evidence)
        poor = chance is not None and evidence.loss_value > chance
        return self.found(
            max(Severity.WARNING, grade(evidence)) if poor else grade(evidence),
            (
                f"The inputs have a root mean square of {size:.3g} and a mean of "
                f"{evidence.input_mean:.3g} (normalisation: {evidence.normalization}).",
                result(evidence),
            ),
            f"Pixels reach the first layer {'too large' if size > LARGE else 'too small'} for its "
            "initial weights.",
            '[data]\nnormalize = "standard"',
            (1,),
        )


# The mean loss of an epoch that ends above this many times that of the epoch before is not falling.
STEADY = 0.95


class LearningRateTooHigh(Rule):
    """Steps that overshoot."""

    meaning = "Steps are so long that the loss jumps about, or the network is thrown out of reach."
    harm = "The loss diverges, units die or saturate, or the network ends on one answer."
    limits = (
        "It needs to know the training. A rate that is too high only for the last percent is not "
        "seen. Where a bad start explains as much, that is told instead."
    )
    threshold = (
        f"The loss stopped being finite; or the network has not learnt well, the rate is {FAST:g} "
        "times the usual one of the optimizer or more, and the loss does not fall, was above the "
        "initial one, or the hidden units are dead or saturated. Healthy set-ups use 1 times."
    )
    source = "Bengio, Practical Recommendations for Gradient-Based Training (2012), section 3.1.1"
    explains = (
        *("exploding-gradient", "vanishing-gradient", "loss-output-mismatch", "saturation"),
        *("dead-units", "overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        training, ratio = evidence.training, rate_ratio(evidence)
        if training is None or ratio is None or (start_ratio(evidence) or 1) > POOR_START:
            return None
        signs = self.signs(evidence)
        if not training.diverged and (ratio < FAST or learns_well(evidence) or not signs):
            return None
        if training.diverged:
            signs = ("The loss stopped being finite.", *signs)
        rate = (
            f"The learning rate of {training.learning_rate:.3g} is {ratio:.3g} times the usual one "
            f"of {training.optimizer}, {training.usual_learning_rate:.3g}."
        )
        return self.found(
            Severity.ERROR if training.diverged else grade(evidence),
            (rate, *signs, result(evidence)),
            "Each step overshoots the place where the loss is low, and lands where it is higher.",
            usual_rate(evidence),
        )

    @staticmethod
    def signs(evidence: Evidence) -> tuple[str, ...]:
        """What a step that is too long has left."""
        signs = []
        history = evidence.training.history if evidence.training else ()
        losses = [epoch.train.loss for epoch in history]
        if losses and evidence.initial_loss and max(losses) > evidence.initial_loss:
            signs.append(
                f"The training loss of an epoch was {max(losses):.4g}, above the initial "
                f"{evidence.initial_loss:.4g}."
            )
        if len(losses) > 1 and losses[-1] > STEADY * losses[-2]:
            signs.append(f"At the end it hardly fell: {losses[-2]:.4g}, then {losses[-1]:.4g}.")
        if share(lost := sum(map(died, evidence.units)), evidence) >= DEAD:
            signs.append(f"The training killed {lost} hidden units.")
        layers = saturated(evidence)
        if layers and (layers[0].saturated_fraction or 0) >= SATURATED:
            signs.append(saturation(layers[0]))
        return tuple(signs)
