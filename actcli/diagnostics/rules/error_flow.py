"""Faults of the backward pass: the error grows, is blocked, serves one class only, or shrinks."""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Remedy, Rule, Severity
from actcli.diagnostics.rules.remedies import (
    ADAM,
    BALANCED,
    LEAKY,
    MORE_ROWS,
    balanced_and_longer,
    fitting_weights,
    shallower,
    usual_rate,
    wider_layers,
)
from actcli.diagnostics.rules.wording import be, counted, result
from actcli.diagnostics.symptoms import (
    BORN_DEAD_SHARE,
    IMBALANCED_SHARE,
    NO_LEARNING,
    PAIRED_ERRORS,
    PAIRED_ERRORS_SUPPORTED,
    STEEP_SLOPE,
    born,
    grade,
    learns_well,
    majority,
    narrow_layers,
    percent,
    reaches_first,
    untrained,
)


def _per_layer(evidence: Evidence) -> str:
    """Return the range of the factors by which layers multiply the error, such as "0.1 to 0.3"."""
    factors = [layer.backprop_factor for layer in evidence.gradients[:-1]]
    finite = [factor for factor in factors if factor is not None and math.isfinite(factor)]
    if not finite:
        return "0"
    low, high = f"{min(finite):.3g}", f"{max(finite):.3g}"
    return low if low == high else f"{low} to {high}"


# δ norm of the first layer over that of the output. Healthy set-ups have 1.8 to 3.1; sigmoid nets
# that do not learn 0.004 (four hidden layers) and 0.0002 (five).
VANISHED_RATIO, EXPLODED_RATIO = 0.05, 10.0


class ExplodingGradient(Rule):
    """An error that grows from layer to layer in the backward pass."""

    meaning = (
        "The error (the norm of δ) grows from layer to layer in the backward pass, and is huge in "
        "the first layer."
    )
    harm = "Each update changes the first layers far too much: the loss jumps or becomes infinite."
    limits = "Not reported if the network has learnt well, however much the error grows."
    threshold = (
        f"The δ norm of the first layer is at least {EXPLODED_RATIO:g} times that of the output, "
        "there are at least two hidden layers, and the network has not learnt well. In healthy "
        "set-ups the ratio is 1.8 to 3.1. N(0, 1) weights in layers of 100 ReLUs multiply δ by "
        "√(100/2) = 7 per layer."
    )
    cure = (
        "Weights of the fitting initializer and a largest norm of the gradient; then the usual "
        "learning rate."
    )
    source = "Glorot, Bengio, Understanding the Difficulty of Training (2010), section 4.2"
    explains = (
        *("too-deep", "loss-output-mismatch", "saturation", "poor-initial-loss", "large-weights"),
        *("dead-units", "starving-clipping", "overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        factor = reaches_first(evidence)
        if not factor >= EXPLODED_RATIO or len(evidence.units) < 2 or learns_well(evidence):
            return None
        return self.finding(
            grade(evidence),
            (
                f"The first layer gets {factor:.3g} times the error at the output: each layer "
                f"multiplies δ by {_per_layer(evidence)} in the backward pass.",
                result(evidence),
            ),
            "The weights are so large that most layers multiply the error by more than 1.",
            [
                Remedy(
                    "Fitting weights pass the error on at the same size, and clipping limits what "
                    "is left.",
                    {**fitting_weights(evidence).changes, "optimizer.clip_norm": 1.0},
                ),
                usual_rate(evidence),
            ],
            tuple(
                layer.layer for layer in evidence.gradients if layer.compounded >= EXPLODED_RATIO
            ),
        )


class BornDead(Rule):
    """Units that no row activates, from before the first update."""

    meaning = "Units were dead in the initial network and still are: no row activates them."
    harm = (
        "The weights and biases of dead units get no gradient. If a whole layer is born dead, no "
        "layer before it can learn."
    )
    limits = (
        "Needs the initial network. Narrow, deep networks are born dead by chance: another seed "
        "may avoid it."
    )
    threshold = (
        f"{percent(BORN_DEAD_SHARE)} or more of the units of a hidden layer; a note from one unit "
        "on. With zero biases, a ReLU network of width N and depth H is dead for an input with "
        "probability 1 - (1 - 2^-N)^H, which is about 0 for 100 units. Healthy set-ups have 0 % in "
        "every layer, faulty ones 67 % or more."
    )
    cure = "Leaky ReLUs, which cannot die, or fitting weights. Layers of too few units: wider ones."
    source = "Lu, Shin, Su, Karniadakis, Dying ReLU and Initialization (2019), section 3"
    explains = ("bottleneck", "vanishing-gradient", "too-deep", "dead-units", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        layers = [layer for layer in evidence.units if born(layer)]
        if not layers:
            return None
        worst = max(layers, key=lambda layer: born(layer) / layer.units)
        bad = born(worst) / worst.units >= BORN_DEAD_SHARE
        sentences = tuple(
            f"Layer {layer.layer}: {born(layer)} of {counted(layer.units, 'unit')} "
            f"{be(born(layer))} born dead."
            for layer in layers
        )
        narrow = min(layer.units for layer in evidence.units)
        return self.finding(
            max(Severity.WARNING, grade(evidence)) if bad else Severity.NOTE,
            (*sentences, result(evidence)),
            f"In a network with {counted(len(evidence.units), 'hidden layer')}, at the narrowest "
            f"of {counted(narrow, 'unit')}, the initial weights keep the pre-activations of some "
            "units below zero for every row.",
            [
                *(wider_layers(evidence) if narrow_layers(evidence) else ()),
                LEAKY,
                fitting_weights(evidence),
            ],
            tuple(layer.layer for layer in layers),
        )


# Accuracy minus the mean accuracy of the classes.
HIDDEN_ERRORS_GAP = 0.1


class ClassImbalance(Rule):
    """One class that outweighs the others."""

    meaning = "One class has almost all rows, and the others are predicted badly."
    harm = "The small classes hardly count in the loss, and the accuracy hides their errors."
    limits = (
        "The finding is only a note if the small classes are predicted about as well as the large "
        "one."
    )
    threshold = (
        f"The largest class has {percent(IMBALANCED_SHARE)} of the rows or more. The finding is a "
        f"warning if the mean accuracy of the classes is at least {100 * HIDDEN_ERRORS_GAP:g} "
        "percentage points below the accuracy over all rows. MNIST's largest class has 11 % of the "
        "rows."
    )
    cure = (
        "Class weights, with which the rows of each class have the same share of the loss; then "
        "four times as many epochs, because few steps see the small classes. More rows of the "
        "small classes help most."
    )
    source = "He, Garcia, Learning from Imbalanced Data (IEEE TKDE 2009), sections 2 and 4"
    explains = ("overfitting", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        if majority(evidence) < IMBALANCED_SHARE:
            return None
        sentences = [
            f"The largest class has {percent(majority(evidence))} of {evidence.rows:,} rows.",
            f"Accuracy is {percent(evidence.accuracy)}.",
        ]
        is_weighted = evidence.training and evidence.training.class_weight != "none"
        severity = Severity.NOTE if learns_well(evidence) else Severity.WARNING
        if evidence.outputs is not None:
            accuracies = [
                row.accuracy for row in evidence.outputs.classes if row.accuracy is not None
            ]
            mean = sum(accuracies) / len(accuracies)
            sentences.append(f"The mean accuracy of the classes is {percent(mean)}.")
            is_hidden = evidence.accuracy - mean >= HIDDEN_ERRORS_GAP
            # A network that predicts the large class only has this cause, not too short steps.
            severity = max(Severity.WARNING, grade(evidence)) if is_hidden else Severity.NOTE
        return self.finding(
            severity,
            tuple(sentences),
            "The small classes have too few rows to influence the weights.",
            [MORE_ROWS] if is_weighted else [BALANCED, *balanced_and_longer(evidence), MORE_ROWS],
        )


# The same ratio for an untrained network: four sigmoid layers have 0.004.
VANISHED_RATIO_AT_START = 0.01
# A sigmoid passes back at most a quarter of the error. So many layers of it lose the error from the
# start, and a network that found its way later is slower for it.
FLAT_BOUND, FLAT_LAYERS = 0.25, 3
# Dead share of a layer from which the layer blocks the error: then the error has not vanished.
BLOCKING_DEAD_SHARE = 0.9


class VanishingGradient(Rule):
    """An error that shrinks from layer to layer in the backward pass."""

    meaning = (
        "The error (the norm of δ) shrinks from layer to layer in the backward pass, so that "
        "little of it reaches the first layer."
    )
    harm = (
        "The first layers hardly learn, and the later layers must work with the nearly random "
        "features of the first ones."
    )
    limits = (
        f"Not reported if the network has learnt well, or if {percent(BLOCKING_DEAD_SHARE)} of a "
        "layer are dead: that layer blocks the error, which has not vanished. For an untrained "
        "network, the finding is a forecast that long training may refute."
    )
    threshold = (
        f"The δ norm of the first layer is at most {VANISHED_RATIO:g} times that of the output "
        f"(untrained network: {VANISHED_RATIO_AT_START:g}), and the network has not learnt well; "
        f"or {FLAT_LAYERS} or more layers whose activation has a derivative of at most "
        f"{FLAT_BOUND:g} started so. "
        "In healthy set-ups the ratio is 1.8 to 3.1, for configs/sigmoid.toml it is 0.63. For "
        "sigmoid networks that learn nothing it is 0.004 with four hidden layers and 0.0002 with "
        "five. The norms of weight gradients do not count: they can stay level while δ vanishes."
    )
    cure = (
        "An activation that passes the error, such as a ReLU, or fitting weights. A network of "
        "more than eight hidden layers: two of them."
    )
    source = "Hochreiter (1991); Glorot, Bengio, AISTATS 2010, section 4.2; Nielsen (2015), ch. 5"
    explains = ("too-deep", "loss-output-mismatch", "saturation", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        factor, start = reaches_first(evidence), self.at_start(evidence)
        limit = VANISHED_RATIO_AT_START if untrained(evidence) else VANISHED_RATIO
        errors = PAIRED_ERRORS_SUPPORTED if start else PAIRED_ERRORS
        if not (0 < factor <= limit or start) or learns_well(evidence, errors):
            return None
        if any(layer.dead >= BLOCKING_DEAD_SHARE * layer.units for layer in evidence.units):
            return None
        slopes = [
            f"{layer.derivative_mean:.3g} in layer {layer.layer}"
            for layer in evidence.gradients
            if layer.derivative_mean is not None
        ]
        cause, remedies = self.advice(evidence)
        return self.finding(
            grade(evidence, errors),
            (
                f"Of the error at the output, {percent(factor)} reaches the first layer: each "
                f"layer multiplies δ by {_per_layer(evidence)} in the backward pass.",
                *(() if factor <= limit else start),
                f"The mean derivative of the activation is {', '.join(slopes)}.",
                result(evidence),
            ),
            cause,
            remedies,
            tuple(layer.layer for layer in evidence.gradients if layer.compounded <= limit),
        )

    @staticmethod
    def at_start(evidence: Evidence) -> tuple[str, ...]:
        """Return a sentence if a deep network with flat activations started with a lost error."""
        flow = evidence.initial_flow
        bounds = [layer.derivative_bound or 1.0 for layer in evidence.gradients[:-1]]
        if flow is None or not 0 < flow <= VANISHED_RATIO or len(bounds) < FLAT_LAYERS:
            return ()
        if max(bounds) > FLAT_BOUND:
            return ()
        return (f"In the initial network, {percent(flow)} of the error reached the first layer.",)

    @staticmethod
    def advice(evidence: Evidence) -> tuple[str, list[Remedy]]:
        """Return cause and remedies. The cause is the activation, or weights that are too small."""
        names = " and ".join(sorted({layer.activation for layer in evidence.units}))
        slopes = [layer.derivative_mean for layer in evidence.gradients[:-1]]
        if min(slope for slope in slopes if slope is not None) < STEEP_SLOPE:
            return (
                f"Each of the {counted(len(evidence.units), 'hidden layer')} ({names}) passes "
                "back only a fraction of the error.",
                [
                    Remedy(
                        "An active ReLU passes the whole error back through any number of layers.",
                        {"model.activation": "relu", "model.init": "auto"},
                    ),
                    *shallower(evidence),
                    ADAM,
                ],
            )
        return (
            f"The derivative of {names} is large enough to pass the error, but the weights are too "
            "small.",
            [
                Remedy(
                    "Fitting weights pass the error on at the same size, if no decay shrinks them.",
                    {"model.init": "auto", "optimizer.weight_decay": 0.0},
                ),
                *shallower(evidence),
            ],
        )
