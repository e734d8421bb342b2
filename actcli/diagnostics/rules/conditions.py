"""Faults in the conditions of a training: parameters, inputs, and the size of its steps."""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import EVERYTHING, Finding, Remedy, Rule, Severity
from actcli.diagnostics.rates import HIGH_RATE_RATIO, VERY_HIGH_RATE_RATIO, rate_ratio
from actcli.diagnostics.rules.remedies import (
    CLIPPING,
    FITTING_WEIGHTS,
    lower_rate,
    shallower,
    usual_rate,
)
from actcli.diagnostics.rules.wording import (
    counted,
    named_layers,
    result,
    saturation,
    step_length,
)
from actcli.diagnostics.symptoms import (
    BORN_DEAD_SHARE,
    DEAD_SHARE,
    NO_LEARNING,
    POOR_START_RATIO,
    SATURATED_SHARE,
    born,
    chance_loss,
    died,
    grade,
    is_below_reference,
    learnable,
    learns_well,
    percent,
    saturated,
    share,
    start_ratio,
)


class NonFinite(Rule):
    """A parameter or the mean loss is NaN or infinite."""

    meaning = "A weight, a bias or the mean loss of the network is NaN or infinite."
    harm = "NaN spreads to every number computed from it: the outputs are meaningless."
    limits = "None."
    threshold = "One number that is not finite; by IEEE 754, section 6, NaN spreads."
    cure = "The usual learning rate, or a tenth of it; then a largest norm of the gradient."
    source = "IEEE 754-2019, sections 6.1 and 6.2"

    explains = (EVERYTHING,)

    def check(self, evidence: Evidence) -> Finding | None:
        layers = evidence.non_finite
        if not layers and math.isfinite(evidence.loss_value):
            return None
        sentence = (
            f"Some parameters of {named_layers(layers)} are NaN or infinite."
            if layers
            else f"All parameters are finite, but the mean loss over {evidence.rows:,} rows is not."
        )
        return self.finding(
            Severity.ERROR,
            (sentence,),
            "Numbers exceeded the range of float32, in the training or before the file was "
            "written.",
            [usual_rate(evidence), CLIPPING],
            layers,
        )


# Share of the units of a hidden layer that are copies. Random initial weights give 0.
COPIES_SHARE = 0.5


class SymmetricUnits(Rule):
    """Hidden units are exact copies of each other."""

    meaning = "Units of a hidden layer have the same incoming weights and bias as another unit."
    harm = (
        "Copies compute the same output. If their outgoing weights are equal too, they receive the "
        "same gradient and stay copies: many units work as one."
    )
    limits = "Copies must be exact. Units that differ by rounding, or only in sign, do not count."
    threshold = (
        f"{percent(COPIES_SHARE)} or more of the units of a hidden layer are copies. With random "
        "initial weights there are no copies: 0 % in every healthy set-up. Weights that all start "
        "at 0 give 100 %."
    )
    cure = "Random weights of the initializer that fits the activation."
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 8.4"
    explains = (
        *("small-weights", "born-dead", "vanishing-gradient", "dead-units"),
        *("too-deep", "loss-output-mismatch", "bottleneck"),
        *("saturation", "overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        layers = tuple(
            layer
            for layer, copies in enumerate(evidence.duplicates[:-1], 1)
            if copies >= COPIES_SHARE and evidence.gradients[layer - 1].units > 1
        )
        if not layers:
            return None
        sentences = tuple(
            f"In layer {layer}, {percent(evidence.duplicates[layer - 1])} of the "
            f"{evidence.gradients[layer - 1].units} units are copies of another unit."
            for layer in layers
        )
        return self.finding(
            max(Severity.WARNING, grade(evidence)),
            (*sentences, result(evidence)),
            "All weights of a layer started with the same value, so that its units receive the "
            "same updates.",
            [FITTING_WEIGHTS],
            layers,
        )


# Root mean square of the inputs: 0.33 for MNIST from 0 to 1, 1 for standardised pixels, 85 for raw
# bytes, 0.0013 for bytes that were divided by 255 twice.
LARGE_INPUT, SMALL_INPUT = 5.0, 0.02
# Largest deviation of a column over the median one: 1.9 for MNIST, 1 for standardised columns.
UNEVEN_COLUMNS_RATIO = 10.0
# Root mean square of the columns' means over that of their deviations: 0.9 for MNIST, 0 if
# standardised.
OFFSET_RATIO = 2.5


STANDARDISED = Remedy(
    "Inputs of mean 0 and deviation 1 suit the initial weights.", {"data.normalize": "standard"}
)
BY_COLUMN = Remedy(
    "If every column has mean 0 and deviation 1, every column counts from the start.",
    {"data.normalize": "column"},
)


class UnscaledInput(Rule):
    """Inputs whose scale does not suit the initial weights."""

    meaning = (
        "The root mean square of the inputs is far above or far below 1, or the columns of a table "
        "have different scales, or lie far from 0."
    )
    harm = (
        "Initial weights suit inputs of about 1. Larger inputs saturate the first layer and make "
        "its updates too large. Smaller inputs make its activations and its updates tiny. A column "
        "that varies far more than the others hides them, and far from 0 most ReLUs never switch."
    )
    limits = (
        "A few columns that vary far less than the others go unnoticed. The finding is a note if "
        "the network has learnt well anyway, and far columns alone are then not reported."
    )
    threshold = (
        f"The root mean square of the inputs is above {LARGE_INPUT:g} or below {SMALL_INPUT:g}; or "
        f"a column deviates at least {UNEVEN_COLUMNS_RATIO:g} times as much as the median column; "
        "or the root mean square of the columns' means is at least "
        f"{OFFSET_RATIO:g} times that of their deviations, and {percent(BORN_DEAD_SHARE)} of the "
        "units of the first layer were born dead. "
        "For MNIST it is 0.335 with pixels in [0, 1], 1 if standardised, 85.3 for raw bytes, and "
        "0.0013 for bytes divided by 255 twice; the two ratios are 1.9 and 0.9. A table of 13 "
        "measurements of wine has a column that deviates 500 times as much as the median: 67 "
        "instead of 100 % is learnt. Four lengths of flowers lie 4 deviations from 0: 89 instead "
        "of 99 %."
    )
    cure = "Inputs of mean 0 and deviation 1: of the whole data set, or of each column of a table."
    source = "LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), section 4.3"
    explains = (
        *("learning-rate-too-high", "born-dead", "exploding-gradient", "dead-units"),
        *("no-nonlinearity", "large-weights", "starving-clipping"),
        *(
            "vanishing-gradient",
            "too-deep",
            "loss-output-mismatch",
            "saturation",
            "poor-initial-loss",
        ),
        *("overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        size, ratio, offset = (
            evidence.input_size,
            evidence.column_ratio,
            evidence.column_offset,
        )
        is_uneven = ratio >= UNEVEN_COLUMNS_RATIO
        is_far = offset >= OFFSET_RATIO and not learns_well(evidence) and self.born_dead(evidence)
        if not (size > LARGE_INPUT or size < SMALL_INPUT or is_uneven or is_far):
            return None
        chance = chance_loss(evidence)
        poor = chance is not None and evidence.loss_value > chance
        sentences = [
            f"The inputs have a root mean square of {size:.3g} and a mean of "
            f"{evidence.input_mean:.3g} (normalisation: {evidence.normalization})."
        ]
        cause, remedy = (
            f"The inputs are too {'large' if size > LARGE_INPUT else 'small'} for the initial "
            "weights of the first layer.",
            STANDARDISED,
        )
        if is_far:
            sentences.append(f"The columns lie {offset:.3g} times their deviation from 0.")
            cause, remedy = "The columns lie far from 0.", BY_COLUMN
        if is_uneven:
            sentences.append(f"One column deviates {ratio:.3g} times as much as the median column.")
            cause = "The columns have different scales, and the largest ones hide the others."
            remedy = BY_COLUMN
        return self.finding(
            max(Severity.WARNING, grade(evidence)) if poor else grade(evidence),
            (*sentences, result(evidence)),
            cause,
            [remedy],
            (1,),
        )

    @staticmethod
    def born_dead(evidence: Evidence) -> bool:
        """Return whether many units of the first layer were born dead."""
        return any(born(layer) >= BORN_DEAD_SHARE * layer.units for layer in evidence.units[:1])


# A training loss of this many times the initial loss has risen.
RISEN_LOSS = 1.05
# A training loss above this share of the previous epoch's loss counts as not falling.
STEADY_LOSS_RATIO = 0.95


class LearningRateTooHigh(Rule):
    """Updates so large that they overshoot."""

    meaning = (
        "Updates are so large that the loss jumps, or that the parameters end where training "
        "cannot recover."
    )
    harm = "The loss diverges, units die or saturate, or one class is predicted for every row."
    limits = (
        "Needs the configuration and the history of the training. A rate that costs only the last "
        "percent of accuracy goes unnoticed. If the initial loss was poor as well, "
        "poor-initial-loss is reported instead."
    )
    threshold = (
        "The loss stopped being finite. Or three things together: the network has not learnt well, "
        f"the steps are at least {HIGH_RATE_RATIO:g} times as long as those of the default recipe, "
        "and there is a symptom. Symptoms are a loss that rose above its initial value, and hidden "
        "units that died or are saturated. A loss that did not fall in the last epoch is a symptom "
        f"only of steps that are at least {VERY_HIGH_RATE_RATIO:g} times as long: schedules end "
        "with short steps, and the loss of a network that cannot learn does not fall at any rate. "
        "Healthy set-ups use the default rate."
    )
    cure = (
        "Steps of the usual length; then a tenth of them, and a largest norm of the gradient. A "
        "network of more than eight hidden layers: two of them."
    )
    source = "Bengio, Practical Recommendations for Gradient-Based Training (2012), section 3.1.1"
    explains = (
        *(
            "exploding-gradient",
            "vanishing-gradient",
            "too-deep",
            "loss-output-mismatch",
            "saturation",
        ),
        *("large-weights", "dead-units", "starving-clipping", "overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        training, ratio = evidence.training, rate_ratio(evidence)
        if training is None or ratio is None or (start_ratio(evidence) or 1) > POOR_START_RATIO:
            return None
        unknown = evidence.reference is not None and learnable(evidence) is None
        if unknown and ratio < VERY_HIGH_RATE_RATIO and not training.diverged:
            return None  # hardly anything can be learnt at any rate, as far as is known
        signs = self.signs(evidence)
        if ratio >= VERY_HIGH_RATE_RATIO or training.diverged:
            signs = (*signs, *self.steady(evidence))
        if not training.diverged and (
            ratio < HIGH_RATE_RATIO or learns_well(evidence) or not signs
        ):
            return None
        if training.diverged:
            signs = ("The loss stopped being finite.", *signs)
        rate = step_length(evidence)
        return self.finding(
            Severity.ERROR if training.diverged else grade(evidence),
            (rate, *signs, result(evidence)),
            "Each update overshoots the minimum and lands where the loss is higher.",
            [usual_rate(evidence), *shallower(evidence), lower_rate(evidence), CLIPPING],
        )

    @staticmethod
    def signs(evidence: Evidence) -> tuple[str, ...]:
        """Return a sentence for each symptom of updates that are too large."""
        signs = []
        history = evidence.training.history if evidence.training else ()
        losses = [epoch.train.loss for epoch in history]
        if losses and evidence.initial_loss and max(losses) > RISEN_LOSS * evidence.initial_loss:
            signs.append(
                f"The training loss of an epoch rose to {max(losses):.4g}, above the initial "
                f"{evidence.initial_loss:.4g}."
            )
        lost = sum(map(died, evidence.units))
        # Of a network that has learnt, dead units are a fault of their own; the rate is its remedy.
        poor = is_below_reference(evidence) or learnable(evidence) is None
        if poor and share(lost, evidence) >= DEAD_SHARE:
            signs.append(f"{counted(lost, 'hidden unit')} died during the training.")
        layers = saturated(evidence)
        if layers and (layers[0].saturated_fraction or 0) >= SATURATED_SHARE:
            signs.append(saturation(layers[0]))
        return tuple(signs)

    @staticmethod
    def steady(evidence: Evidence) -> tuple[str, ...]:
        """Return a sentence if the loss did not fall in the last epoch."""
        history = evidence.training.history if evidence.training else ()
        losses = [epoch.train.loss for epoch in history[-2:]]
        if learnable(evidence) is not None and not is_below_reference(evidence):
            return ()  # it has learnt its training rows
        if len(losses) < 2 or losses[1] <= STEADY_LOSS_RATIO * losses[0]:
            return ()
        return (
            f"The training loss hardly fell in the last epoch: from {losses[0]:.4g} to "
            f"{losses[1]:.4g}.",
        )
