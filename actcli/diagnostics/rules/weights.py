"""Faults of the size of weights: much smaller or much larger than the fitting initializer's."""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Rule, Severity
from actcli.diagnostics.rules.remedies import NO_DECAY, fitting_weights, usual_rate
from actcli.diagnostics.rules.wording import result
from actcli.diagnostics.symptoms import LARGE_INITIAL_SCALE, NO_LEARNING, grade, learns_well

# Scale of the weights: their root mean square over that of the fitting initializer's weights.
SMALL_INITIAL_SCALE = 0.2
SMALL_SCALE, LARGE_SCALE = 0.3, 4.0
# Inputs of a layer below which trained weights may be large: few weights must carry the signal.
MIN_INPUTS = 16

# Standard deviation of the weights of a layer that were drawn from N(0, 1). Training hardly changes
# it. Fitting initial weights have at most 0.5 for 8 inputs and 0.05 for 784.
STANDARD_NORMAL_LOW, STANDARD_NORMAL_HIGH = 0.85, 1.25
MIN_NORMAL_INPUTS = 8
# Scale from which N(0, 1) weights are a fault of a network that has learnt its training rows: that
# of 98 inputs. Tanh units on 784 pixels then reach 87 % instead of 92 % of other rows.
UNMISTAKABLE_SCALE = 7.0


def is_standard_normal(evidence: Evidence) -> bool:
    """Return whether the weights of all hidden layers look as if drawn from N(0, 1)."""
    counts = (evidence.inputs, *(layer.units for layer in evidence.units))
    deviations = [
        layer.weight_norm / math.sqrt(layer.units * count)
        for layer, count in zip(evidence.gradients[:-1], counts, strict=False)
        if count >= MIN_NORMAL_INPUTS
    ]
    return bool(deviations) and all(
        STANDARD_NORMAL_LOW <= each <= STANDARD_NORMAL_HIGH for each in deviations
    )


def _numbers(scales: tuple[float | None, ...]) -> str:
    return ", ".join("unknown" if scale is None else f"{scale:.3g}" for scale in scales)


def _scales_of_wide_inputs(evidence: Evidence) -> list[float]:
    """Return the scales of the weights of the hidden layers that have enough inputs."""
    counts = (evidence.inputs, *(layer.units for layer in evidence.units))
    return [
        scale
        for scale, count in zip(evidence.weight_scales[: len(evidence.units)], counts, strict=False)
        if count >= MIN_INPUTS
    ]


class SmallWeights(Rule):
    """Weights that are so small that signal and error fade from layer to layer."""

    meaning = "The weights are much smaller than those of the initializer that fits the activation."
    harm = (
        "Each layer makes the signal and the error smaller, so that the outputs hardly depend on "
        "the inputs and the first layers hardly learn."
    )
    limits = (
        "Not reported if the network has learnt well. For weights of unknown origin it cannot be "
        "told whether they were drawn too small or whether weight decay made them small."
    )
    threshold = (
        "The scale of weights is their root mean square over that of the fitting initializer. The "
        f"initial scale of a hidden layer, or the factor of the initial weights in the "
        f"configuration, is at most {SMALL_INITIAL_SCALE:g}; if the initial "
        f"network is unknown, the scale of all hidden layers is at most {SMALL_SCALE:g}, and one "
        f"of them has {MIN_INPUTS} inputs or more; and the "
        "network has not learnt well. Healthy set-ups start at 1 and end at 1.0 to 2.0. With "
        "initial weights a tenth as large as usual MNIST is learnt to 71 instead of 94 %, a "
        "thousandth as large to 11 %."
    )
    cure = "Weights of the initializer that fits the activation; then no weight decay."
    source = "Glorot, Bengio, Understanding the Difficulty of Training (2010), section 4.2"
    explains = (
        *(
            "learning-rate-too-high",
            "born-dead",
            "vanishing-gradient",
            "too-deep",
            "loss-output-mismatch",
        ),
        *("bottleneck", "saturation", "dead-units", "starving-clipping"),
        *("overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        hidden = len(evidence.units)
        if not hidden or learns_well(evidence):
            return None
        initial = evidence.initial_scales[:hidden]
        scales = evidence.weight_scales[:hidden]
        known = [scale for scale in initial if scale is not None]
        factor = evidence.training.init_scale if evidence.training else 1.0
        drawn_small = min([factor, *known]) <= SMALL_INITIAL_SCALE
        wide = _scales_of_wide_inputs(evidence)
        if not drawn_small and (
            evidence.training is not None or not wide or max(scales) > SMALL_SCALE
        ):
            return None
        if not drawn_small:
            sentence = f"The scale of the weights of the hidden layers is {_numbers(scales)}"
            cause = "The weights were drawn too small, or weight decay has made them small."
        else:
            sentence = f"The initial scale of the hidden layers' weights is {_numbers(initial)}"
            cause = "The initial weights are too small for the activation."
        return self.finding(
            grade(evidence),
            (f"{sentence}; 1 fits the activation.", result(evidence)),
            cause,
            [fitting_weights(evidence), NO_DECAY],
            tuple(range(1, hidden + 1)),
        )


class LargeWeights(Rule):
    """Weights that are so large that outputs are extreme and updates change little."""

    meaning = "The weights are much larger than those of the initializer that fits the activation."
    harm = (
        "Pre-activations and outputs are extreme: the network starts confident and wrong, and an "
        "update changes a tiny part of each weight."
    )
    limits = (
        "Not reported if the network has learnt well. For weights of unknown origin, only the "
        "weights of inputs that are always 0 tell whether all were drawn too large or grew in "
        f"steps that were too long. Layers with fewer than {MIN_INPUTS} inputs do not count there."
    )
    threshold = (
        "The scale of weights is their root mean square over that of the fitting initializer. The "
        f"initial scale of a hidden layer is at least {LARGE_INITIAL_SCALE:g}; if the initial "
        f"network is unknown, the scale of a hidden layer is at least {LARGE_SCALE:g}; and the "
        "network has not learnt well. Healthy set-ups start at 1 and end at 1.0 to 2.0. N(0, 1) "
        "weights have a scale of 20 with MNIST's 784 inputs, rates that are 10 times too high end "
        "at 5 to 3,000. Weights of unknown origin with a standard deviation of "
        f"{STANDARD_NORMAL_LOW:g} to {STANDARD_NORMAL_HIGH:g} in all hidden layers and a scale of "
        f"{UNMISTAKABLE_SCALE:g} or more were drawn from N(0, 1), and are reported however well "
        "the training rows are learnt."
    )
    cure = (
        "Weights of the initializer that fits the activation; the usual learning rate if the "
        "weights grew during the training."
    )
    source = "LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), section 4.6"
    explains = ("dead-units", "starving-clipping", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        hidden = len(evidence.units)
        unmistakable = (
            evidence.training is None
            and max(evidence.weight_scales[:hidden], default=0) >= UNMISTAKABLE_SCALE
            and is_standard_normal(evidence)
        )
        if not hidden or (learns_well(evidence) and not unmistakable):
            return None
        initial = evidence.initial_scales[:hidden]
        known = [scale for scale in initial if scale is not None]
        factor = evidence.training.init_scale if evidence.training else 1.0
        drawn_large = max([factor, *known]) >= LARGE_INITIAL_SCALE
        grown = [scale for scale in _scales_of_wide_inputs(evidence) if scale >= LARGE_SCALE]
        if not drawn_large and (evidence.training is not None or not grown):
            return None
        sentence = (
            f"The initial scale of the hidden layers' weights is {_numbers(initial)}"
            if drawn_large
            else "The scale of the weights of the hidden layers is "
            f"{_numbers(evidence.weight_scales[:hidden])}"
        )
        cause, remedies = "The initial weights are too large.", [fitting_weights(evidence)]
        if not drawn_large and known:
            cause = (
                "The weights were drawn fitting, as those of inputs that are always 0 show, and "
                "grew because the learning rate was too high, or the inputs were not scaled."
            )
            remedies = [usual_rate(evidence)]
        elif not drawn_large:
            cause = "The weights were drawn too large, or the learning rate was too high."
            remedies += [usual_rate(evidence)]
        return self.finding(
            max(Severity.WARNING, grade(evidence)) if unmistakable else grade(evidence),
            (f"{sentence}; 1 fits the activation.", result(evidence)),
            cause,
            remedies,
            tuple(range(1, hidden + 1)),
        )
