"""Faults of the architecture: nothing that bends, or a layer too narrow for the classes."""

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Rule, Severity
from actcli.diagnostics.nonlinearity import is_linear
from actcli.diagnostics.rules.remedies import RELU, fitting_weights, shallower, wider_layers
from actcli.diagnostics.rules.wording import counted, named_layers, result
from actcli.diagnostics.symptoms import (
    NO_LEARNING,
    STEEP_SLOPE,
    bottleneck_width,
    falls_short,
    grade,
    learns_well,
    narrow_layers,
    percent,
    untrained,
)


class NoNonlinearity(Rule):
    """Hidden layers that are all linear."""

    meaning = (
        "All hidden layers are linear: their activation is the identity, or each of their ReLUs is "
        "on for every row or off for every row."
    )
    harm = (
        "A chain of linear layers is one linear layer: the hidden layers add no capacity, and the "
        "classes are separated by planes only."
    )
    limits = (
        "A network without hidden layers is linear on purpose and is not reported. The finding is "
        "a note if a non-linearity brings nothing measurable on a sample of the rows."
    )
    threshold = (
        "Every hidden layer is linear on every row. The finding is a warning if, learnt on 600 "
        "rows, a Gaussian kernel classifier predicts 600 other rows better than a linear one, by "
        "more than 3 standard errors (McNemar's test). On MNIST they reach 89 and 80 %, on two "
        "spirals 99 and 54 %, on overlapping Gaussian classes 76 % both. With identity "
        "activations the default network reaches 92.8 % on MNIST instead of 98.3 %."
    )
    cure = (
        "ReLUs. If the activation is not the identity, fitting weights first, so that units "
        "reach the bend."
    )
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.1"
    explains = (
        *(
            "learning-rate-too-high",
            "vanishing-gradient",
            "too-deep",
            "loss-output-mismatch",
            "dead-units",
        ),
        *("bottleneck", "overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        if not evidence.units or not all(map(is_linear, evidence.units)):
            return None
        gain, training = evidence.nonlinear_gain, evidence.training
        costs = (gain is not None and gain.is_significant) or falls_short(evidence)
        diverged = training is not None and training.diverged
        names = " and ".join(sorted({layer.activation for layer in evidence.units}))
        sentences = [
            f"The slope of no unit of {counted(len(evidence.units), 'hidden layer')} ({names}) "
            f"changes on {evidence.rows:,} rows: the network is linear."
        ]
        if gain is not None:
            sentences.append(
                f"On a sample, a linear classifier reaches {percent(gain.linear)}, and a "
                f"non-linear one {percent(gain.nonlinear)}."
            )
        if untrained(evidence) or not costs:
            severity = Severity.NOTE
        else:  # a divergence has another cause
            severity = max(Severity.WARNING, Severity.WARNING if diverged else grade(evidence))
        identity = any(layer.activation == "identity" for layer in evidence.units)
        return self.finding(
            severity,
            (*sentences, result(evidence)),
            "Without a non-linearity between them, all layers together are one linear map.",
            [RELU] if identity else [fitting_weights(evidence), RELU],
            tuple(layer.layer for layer in evidence.units),
        )


# Hidden layers from which a plain network is hard to train. He et al. (2016) saw it at 20 layers.
DEEP = 10


class TooDeep(Rule):
    """More hidden layers than a plain network can be trained with."""

    meaning = "The network has many hidden layers, and learns less than simple classifiers do."
    harm = (
        "Signals and errors pass through every layer, and each one distorts them. Plain networks "
        "become worse with more layers, on their own training rows, too."
    )
    limits = (
        "Needs the record of the training. Not reported if the network has learnt well, or if "
        "another rule says what the depth does: vanishing-gradient, exploding-gradient, born-dead "
        "or bottleneck."
    )
    threshold = (
        f"The network has {DEEP} hidden layers or more, and simple classifiers are clearly more "
        "accurate. With 18 layers of 16 GELUs, four Gaussian classes are learnt to 74 instead of "
        "99 %, though a third of the error reaches the first layer."
    )
    cure = "Two of the hidden layers; then fitting weights."
    source = "He, Zhang, Ren, Sun, Deep Residual Learning (CVPR 2016), section 1: degradation"
    explains = ("loss-output-mismatch", "saturation", "dead-units", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        if len(evidence.units) < DEEP or untrained(evidence) or not falls_short(evidence):
            return None
        if evidence.training is None:
            return None
        widths = [layer.units for layer in evidence.units]
        return self.finding(
            grade(evidence),
            (f"The network has {counted(len(widths), 'hidden layer')}.", result(evidence)),
            "A plain network of this depth is hard to train, whatever its weights and its rate.",
            [*shallower(evidence), fitting_weights(evidence)],
        )


class Bottleneck(Rule):
    """A hidden layer that is too narrow for the classes."""

    meaning = "A hidden layer has so few units that it cannot tell the classes apart."
    harm = (
        "Later layers see only what the narrow layer passes on. In deep narrow networks all units "
        "of a layer may die, too."
    )
    limits = (
        "Not reported if the network has learnt well. If two or more layers have an activation of "
        "small derivative, as sigmoids have, vanishing-gradient is reported instead."
    )
    threshold = (
        "The narrowest hidden layer has at most half as many units as there are classes, or at "
        "most 2, and the network has not learnt well. On 5,000 rows of MNIST one hidden layer of "
        "4, 5, 8 and 16 units reaches 69, 79, 86 and 91 %; a layer of 3 units between two layers "
        "of 128 units reaches 69 %; twelve layers of 3 units reach 11 %."
    )
    cure = "Layers of 64 units; in a deep network, two of them."
    source = "Johnson, Deep, Skinny Neural Networks Are Not Universal Approximators (ICLR 2019)"
    explains = (
        *("vanishing-gradient", "too-deep", "loss-output-mismatch", "saturation", "dead-units"),
        *("overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        narrow = narrow_layers(evidence)
        slopes = [
            layer.derivative_mean
            for layer in evidence.gradients
            if layer.derivative_mean is not None
        ]
        if not narrow or learns_well(evidence) or untrained(evidence):
            return None
        is_flat = evidence.units[0].activation in {"sigmoid", "softsign"}
        if len(slopes) > 1 and is_flat and min(slopes) < STEEP_SLOPE:
            return None
        fewest = min(layer.units for layer in narrow)
        return self.finding(
            grade(evidence),
            (
                f"The narrowest of {counted(len(evidence.units), 'hidden layer')} has "
                f"{counted(fewest, 'unit')}, for {evidence.classes} classes; up to "
                f"{bottleneck_width(evidence)} are too few.",
                result(evidence),
            ),
            f"Only {counted(fewest, 'number')} of each row passes "
            f"{named_layers(tuple(layer.layer for layer in narrow))}.",
            wider_layers(evidence),
            tuple(layer.layer for layer in narrow),
        )
