"""The error on its way back: whether it grows, is stopped, speaks for one class only, or fades."""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Rule, Severity
from actcli.diagnostics.rules.wording import result, some
from actcli.diagnostics.symptoms import (
    IMBALANCED,
    NO_LEARNING,
    born,
    grade,
    learns_well,
    majority,
    percent,
    reaches_first,
    untrained,
)


def _per_layer(evidence: Evidence) -> str:
    """The smallest and the largest factor of a layer."""
    factors = [layer.backprop_factor for layer in evidence.gradients[:-1]]
    known = [factor for factor in factors if factor is not None and math.isfinite(factor)]
    if not known:
        return "0"
    low, high = f"{min(known):.3g}", f"{max(known):.3g}"
    return low if low == high else f"{low} to {high}"


# δ norm of the first layer over that of the output. Healthy set-ups have 1.8 to 3.1; sigmoid nets
# that do not learn 0.004 (four hidden layers) and 0.0002 (five).
VANISHED, EXPLODED = 0.05, 10.0


class ExplodingGradient(Rule):
    """An error that grows from layer to layer on its way back."""

    meaning = "The error grows from layer to layer on its way back, and the first gets a huge one."
    harm = "Each step throws the first layers far away: the loss jumps, or stops being finite."
    limits = "Judged together with whether the network learns: one that does is not ill."
    threshold = (
        f"The δ norm of the first layer is {EXPLODED:g} times that of the output or more, there "
        "are two hidden layers or more, and the network has not learnt well. Healthy set-ups have "
        "1.8 to 3.1; N(0, 1) weights in layers of 100 ReLUs multiply it by √(100/2) = 7 per layer."
    )
    source = "Glorot, Bengio, Understanding the Difficulty of Training (2010), section 4.2"
    explains = (
        *("loss-output-mismatch", "saturation", "poor-initial-loss", "dead-units"),
        *("overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        factor = reaches_first(evidence)
        if not factor >= EXPLODED or len(evidence.units) < 2 or learns_well(evidence):
            return None
        return self.found(
            grade(evidence),
            (
                f"The first layer gets {factor:.3g} times the error of the output; δ is multiplied "
                f"by {_per_layer(evidence)} per layer on its way back.",
                result(evidence),
            ),
            "The weights are so large that each layer multiplies the error by more than 1.",
            '[model]\ninit = "auto"\n\n[optimizer]\nclip_norm = 1.0',
            tuple(layer.layer for layer in evidence.gradients if layer.compounded >= EXPLODED),
        )


# Share of a layer's units. He's initial weights and zero biases left 0 or 1 of 100 dead.
BORN_DEAD = 0.3


class BornDead(Rule):
    """ReLUs that no row ever activates, from before the first step."""

    meaning = "Units were dead in the initial network already, and still are."
    harm = "No row teaches them. Where a whole layer is born dead, nothing before it can learn."
    limits = (
        "It needs the initial network. Narrow and deep networks are born dead by bad luck: with "
        "another seed the same set-up may live."
    )
    threshold = (
        f"{percent(BORN_DEAD)} of a hidden layer (a note: one unit). A ReLU network of width N and "
        "depth H is dead for an input with probability 1 - (1 - 2^-N)^H at zero biases; for "
        "100 units that is nil. Healthy set-ups have 0 in every layer, faulty ones 67 % and more."
    )
    source = "Lu, Shin, Su, Karniadakis, Dying ReLU and Initialization (2019), section 3"
    explains = ("vanishing-gradient", "dead-units", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        layers = [layer for layer in evidence.units if born(layer)]
        if not layers:
            return None
        worst = max(layers, key=lambda layer: born(layer) / layer.units)
        bad = born(worst) / worst.units >= BORN_DEAD
        told = tuple(
            f"Layer {layer.layer}: {born(layer)} of {some(layer.units, 'unit')} born dead."
            for layer in layers
        )
        narrow = min(layer.units for layer in evidence.units)
        return self.found(
            max(Severity.WARNING, grade(evidence)) if bad else Severity.NOTE,
            (*told, result(evidence)),
            f"With layers of {some(narrow, 'unit')} at the narrowest and "
            f"{some(len(evidence.units), 'hidden layer')}, the initial weights leave some units "
            "below zero for every row.",
            '[model]\nactivation = "leaky-relu"',
            tuple(layer.layer for layer in layers),
        )


# How far below the accuracy the mean over the classes lies.
HIDDEN = 0.1


class ClassImbalance(Rule):
    """One class that drowns the others."""

    meaning = "One class has almost all rows, and the others are answered badly."
    harm = "The loss hardly counts the small classes, and the accuracy hides that they are missed."
    limits = "A note where the small classes are answered about as well as the large one."
    threshold = (
        f"The largest class has {percent(IMBALANCED)} of the rows or more; a warning if the mean "
        f"accuracy over the classes is {percent(HIDDEN)} or more below that over the rows. MNIST's "
        "largest class has 11 %."
    )
    source = "He, Garcia, Learning from Imbalanced Data (IEEE TKDE 2009), sections 2 and 4"
    explains = ("overfitting", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        if majority(evidence) < IMBALANCED:
            return None
        told = [
            f"The largest class has {percent(majority(evidence))} of {evidence.rows} rows.",
            f"Accuracy is {percent(evidence.accuracy)}.",
        ]
        severity = Severity.NOTE if learns_well(evidence) else Severity.WARNING
        if evidence.outputs is not None:
            known = [
                each.accuracy for each in evidence.outputs.classes if each.accuracy is not None
            ]
            mean = sum(known) / len(known)
            told.append(f"The mean accuracy over the classes is {percent(mean)}.")
            hides = evidence.accuracy - mean >= HIDDEN
            severity = Severity.WARNING if hides else Severity.NOTE
        return self.found(
            severity,
            tuple(told),
            "The rows of the small classes are too few to move the weights.",
            "# [data]: take fewer rows of the largest class, or repeat those of the others.",
        )


# At initialisation, where no learning can be seen yet: four sigmoid layers have 0.004.
VANISHED_AT_START = 0.01
# Of the units of a layer that are dead: what stops the error there is no vanishing.
SEVERED = 0.9
# Mean |f'| from which a layer lets the error through: ReLUs have 0.3 to 0.6, sigmoids up to 0.25.
STEEP = 0.28


class VanishingGradient(Rule):
    """An error that shrinks from layer to layer on its way back."""

    meaning = "The error shrinks from layer to layer on its way back; little reaches the first."
    harm = "The first layers hardly move, and the last ones learn from what they pass on unlearnt."
    limits = (
        "Judged together with whether the network learns. Of an initial network, it tells what "
        "will be hard to learn, which long training may overcome. Where a layer is "
        f"dead for {percent(SEVERED)} of its units, the error is stopped, and has not vanished."
    )
    threshold = (
        f"The δ norm of the first layer is at most {VANISHED:g} of that of the output, and the "
        f"network has not learnt well (initial network: {VANISHED_AT_START:g}). Healthy set-ups "
        "have 1.8 to 3.1, configs/sigmoid.toml 0.63; sigmoid nets that learn nothing 0.004 "
        "with four hidden layers and 0.0002 with five. Norms of weight gradients are not looked "
        "at: they can stay level while δ vanishes."
    )
    source = "Hochreiter (1991); Glorot, Bengio, AISTATS 2010, section 4.2; Nielsen (2015), ch. 5"
    explains = ("loss-output-mismatch", "saturation", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        factor = reaches_first(evidence)
        limit = VANISHED_AT_START if untrained(evidence) else VANISHED
        if not 0 < factor <= limit or learns_well(evidence):
            return None
        if any(layer.dead >= SEVERED * layer.units for layer in evidence.units):
            return None
        slopes = [
            f"{layer.derivative_mean:.3g} in layer {layer.layer}"
            for layer in evidence.gradients
            if layer.derivative_mean is not None
        ]
        cause, remedy = self.advice(evidence)
        return self.found(
            grade(evidence),
            (
                f"Of the error at the output, {percent(factor)} reaches the first layer; δ is "
                f"multiplied by {_per_layer(evidence)} per layer on its way back.",
                f"The mean derivative of the activation is {', '.join(slopes)}.",
                result(evidence),
            ),
            cause,
            remedy,
            tuple(layer.layer for layer in evidence.gradients if layer.compounded <= limit),
        )

    @staticmethod
    def advice(evidence: Evidence) -> tuple[str, str]:
        """Cause and remedy: the activation, or weights that are too small for it."""
        names = " and ".join(sorted({layer.activation for layer in evidence.units}))
        slopes = [layer.derivative_mean for layer in evidence.gradients[:-1]]
        if min(slope for slope in slopes if slope is not None) < STEEP:
            return (
                f"Each hidden layer ({some(len(evidence.units), 'layer')} of {names}) passes back "
                "only a fraction of the error.",
                '[model]\nactivation = "relu"\ninit = "auto"',
            )
        return (
            f"The slopes of {names} let the error through, but the weights are too small to.",
            '[model]\ninit = "auto"\n\n[optimizer]\nweight_decay = 0.0',
        )
