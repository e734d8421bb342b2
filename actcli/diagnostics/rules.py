"""The rules: from evidence to findings, each with its cause, its remedy and its source.

No number alone tells an ill network from a healthy one: a rule combines what it looks for with
whether the network learns, and must not fire on a network that is healthy. Thresholds that were
measured were measured on the set-ups of `benchmarks/setups.py`.

The order is that of causes: what stands further up may account for what stands below it, and goes
first among findings that are equally bad.
"""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import EVERYTHING, Finding, Rule, Severity
from actcli.diagnostics.symptoms import (
    LITTLE,
    NOTHING,
    born,
    chance_loss,
    died,
    grade,
    kept,
    last_fall,
    learns_well,
    majority,
    percent,
    rate_ratio,
    reaches_first,
    saturated,
    share,
    skill,
    start_ratio,
    untrained,
)
from actcli.diagnostics.units import LayerUnits
from actcli.registry import Registry

__all__ = ["RULES", "Finding", "Rule", "Severity"]

RULES: Registry[type[Rule]] = Registry("rule")

# What follows where nothing is learnt, whatever the reason.
IDLE = ("not-learning", "collapsed-output", "learning-rate-too-low", "underfitting-too-short")


def _result(evidence: Evidence) -> str:
    return (
        f"Accuracy is {percent(evidence.accuracy)}, where always answering the largest class gives "
        f"{percent(majority(evidence))}."
    )


def _saturation(layer: LayerUnits) -> str:
    fraction = percent(layer.saturated_fraction or 0)
    return f"Layer {layer.layer} is saturated for {fraction} of its units and rows."


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _usual_rate(evidence: Evidence) -> str:
    """The remedy of a learning rate that is far from the usual one, or is too much all the same."""
    training, ratio = evidence.training, rate_ratio(evidence)
    if training is None or ratio is None:
        return "[optimizer]\nlearning_rate = 0.001"
    rate = training.usual_learning_rate if not 0.5 < ratio < 2 else training.learning_rate / 10
    return f"[optimizer]\nlearning_rate = {rate:.3g}"


def _per_layer(evidence: Evidence) -> str:
    """The smallest and the largest factor of a layer."""
    factors = [layer.backprop_factor for layer in evidence.gradients[:-1]]
    known = [factor for factor in factors if factor is not None and math.isfinite(factor)]
    if not known:
        return "0"
    low, high = f"{min(known):.3g}", f"{max(known):.3g}"
    return low if low == high else f"{low} to {high}"


@RULES.register("non-finite-parameters")
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


@RULES.register("symmetric-units")
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
        *("saturation", "overconfident", *IDLE),
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
            (*told, _result(evidence)),
            "The weights of a layer all started alike, and nothing tells its units apart.",
            '[model]\ninit = "auto"',
            layers,
        )


# Root mean square of the inputs: 0.33 for MNIST from 0 to 1, 1 for standardised pixels, 85 for raw
# bytes, 0.0013 for bytes that were divided by 255 twice.
LARGE, SMALL = 5.0, 0.02


@RULES.register("unscaled-input")
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
        *("overconfident", *IDLE),
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
                _result(evidence),
            ),
            f"Pixels reach the first layer {'too large' if size > LARGE else 'too small'} for its "
            "initial weights.",
            '[data]\nnormalize = "standard"',
            (1,),
        )


# Times the usual rate of the optimizer. Healthy set-ups have 1; at 30 times its rate Adam still
# learnt 5,000 rows to 95 % with GELUs, so that the rate alone tells nothing.
FAST = 2.0
# Healthy set-ups start at 0.98 to 1.2 times the loss of chance.
POOR_START = 3.0
# The mean loss of an epoch that ends above this many times that of the epoch before is not falling.
STEADY = 0.95


@RULES.register("learning-rate-too-high")
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
        *("dead-units", "overconfident", *IDLE),
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
            (rate, *signs, _result(evidence)),
            "Each step overshoots the place where the loss is low, and lands where it is higher.",
            _usual_rate(evidence),
        )

    @staticmethod
    def signs(evidence: Evidence) -> tuple[str, ...]:
        """What a step that is too long has left."""
        signs = []
        history = evidence.training.history if evidence.training else ()
        losses = [epoch.train_loss for epoch in history]
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
            signs.append(_saturation(layers[0]))
        return tuple(signs)


# δ norm of the first layer over that of the output. Healthy set-ups have 1.8 to 3.1; sigmoid nets
# that do not learn 0.004 (four hidden layers) and 0.0002 (five).
VANISHED, EXPLODED = 0.05, 10.0


@RULES.register("exploding-gradient")
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
        *("overconfident", *IDLE),
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
                _result(evidence),
            ),
            "The weights are so large that each layer multiplies the error by more than 1.",
            '[model]\ninit = "auto"\n\n[optimizer]\nclip_norm = 1.0',
            tuple(layer.layer for layer in evidence.gradients if layer.compounded >= EXPLODED),
        )


# Share of a layer's units. He's initial weights and zero biases left 0 or 1 of 100 dead.
BORN_DEAD = 0.3


@RULES.register("born-dead")
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
    explains = ("vanishing-gradient", "dead-units", *IDLE)

    def check(self, evidence: Evidence) -> Finding | None:
        layers = [layer for layer in evidence.units if born(layer)]
        if not layers:
            return None
        worst = max(layers, key=lambda layer: born(layer) / layer.units)
        bad = born(worst) / worst.units >= BORN_DEAD
        told = tuple(
            f"Layer {layer.layer}: {born(layer)} of {_some(layer.units, 'unit')} born dead."
            for layer in layers
        )
        narrow = min(layer.units for layer in evidence.units)
        return self.found(
            max(Severity.WARNING, grade(evidence)) if bad else Severity.NOTE,
            (*told, _result(evidence)),
            f"With layers of {_some(narrow, 'unit')} at the narrowest and "
            f"{_some(len(evidence.units), 'hidden layer')}, the initial weights leave some units "
            "below zero for every row.",
            '[model]\nactivation = "leaky-relu"',
            tuple(layer.layer for layer in layers),
        )


# Of the rows: above, the accuracy of a constant answer looks like a good network.
IMBALANCED = 0.8
# How far below the accuracy the mean over the classes lies.
HIDDEN = 0.1


@RULES.register("class-imbalance")
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
    explains = ("overfitting", "overconfident", *IDLE)

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


@RULES.register("vanishing-gradient")
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
    explains = ("loss-output-mismatch", "saturation", "overconfident", *IDLE)

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
                _result(evidence),
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
                f"Each hidden layer ({_some(len(evidence.units), 'layer')} of {names}) passes back "
                "only a fraction of the error.",
                '[model]\nactivation = "relu"\ninit = "auto"',
            )
        return (
            f"The slopes of {names} let the error through, but the weights are too small to.",
            '[model]\ninit = "auto"\n\n[optimizer]\nweight_decay = 0.0',
        )


@RULES.register("loss-output-mismatch")
class LossOutputMismatch(Rule):
    """A squared error behind a link that flattens out."""

    meaning = "A squared error is taken of sigmoid or softmax outputs, and learning is slow."
    harm = (
        "The gradient carries the slope of the output, p (1 - p) for a sigmoid: it is almost 0 "
        "where the network is sure and wrong, so that it learns slowest where it errs most."
    )
    limits = (
        "Silent where the network learns well in spite of it. Binary cross-entropy on classes that "
        "exclude each other fits its sigmoid, and is not reported."
    )
    threshold = (
        "Loss sse or mse with output sigmoid or softmax, and the network has not learnt well. The "
        "slope is at most 0.25; in configs/quadratic-cost.toml 15 % of the error passes it."
    )
    source = "Nielsen, Neural Networks and Deep Learning (2015), chapter 3, the cross-entropy cost"
    explains = ("poor-initial-loss", "saturation", "overconfident", *IDLE)

    def check(self, evidence: Evidence) -> Finding | None:
        squared = evidence.loss in {"sse", "mse"}
        if not squared or evidence.output not in {"sigmoid", "softmax"}:
            return None
        if learns_well(evidence) or untrained(evidence):
            return None
        passed = "nothing"
        if evidence.loss_value > 0:  # 1/K is in the δ and in the loss of mse, but under a root here
            units = evidence.gradients[-1].units if evidence.loss == "mse" else 1
            distance = 2 * math.sqrt(evidence.loss_value * units) / units
            passed = percent(evidence.gradients[-1].delta_norm / distance)
        best = "cross-entropy" if evidence.gradients[-1].units > 1 else "binary-cross-entropy"
        return self.found(
            grade(evidence),
            (
                f"The loss is {evidence.loss}, the output {evidence.output}: of the error, "
                f"{passed} passes the output on its way back.",
                _result(evidence),
            ),
            "The output is flat where it is far from right, and a squared error does not make up "
            "for that.",
            f'[loss]\nname = "{best}"\n\n[model]\noutput = "auto"',
            (len(evidence.gradients),),
        )


# (row, unit) pairs with a slope below 5 % of its bound. In the healthy set-ups a layer has up to
# 34 %, N(0, 1) weights give 87 % and more.
SATURATED = 0.7


@RULES.register("saturation")
class Saturation(Rule):
    """Units that work where their activation is flat."""

    meaning = "Most units of a layer work where the slope of their activation is almost 0."
    harm = "Such a unit passes back next to nothing, and gets next to nothing to learn from."
    limits = (
        "Silent where the network learns well: some saturation is how sigmoid and tanh units come "
        "to a decision. ReLUs are not looked at here, see dead-units."
    )
    threshold = (
        f"|f'| is below 5 % of its bound for {percent(SATURATED)} of the pairs of row and unit "
        "of a layer, and the network has not learnt well. Healthy set-ups have up to 34 %; "
        "tanh and sigmoid layers with N(0, 1) weights 87 to 89 %."
    )
    source = "Glorot, Bengio, Understanding the Difficulty of Training (2010), section 3"
    explains = ("poor-initial-loss", "dead-units", "overconfident", *IDLE)

    def check(self, evidence: Evidence) -> Finding | None:
        layers = [
            layer
            for layer in saturated(evidence)
            if (layer.saturated_fraction or 0) >= SATURATED and layer.activation != "leaky-relu"
        ]
        if not layers or learns_well(evidence):
            return None
        told = tuple(_saturation(layer) for layer in sorted(layers, key=lambda layer: layer.layer))
        return self.found(
            grade(evidence),
            (*told, _result(evidence)),
            "The weights are so large that pre-activations lie far from 0.",
            '[data]\nnormalize = "standard"\n\n[model]\ninit = "auto"',
            tuple(sorted(layer.layer for layer in layers)),
        )


@RULES.register("poor-initial-loss")
class PoorInitialLoss(Rule):
    """A start that is sure and wrong."""

    meaning = "The initial network has a much higher loss than one that favours no class."
    harm = "It starts sure and wrong: the first steps, and the largest, go into unlearning that."
    limits = (
        "It needs the initial network, and a loss for which chance has a value: cross-entropy, "
        "kl-divergence and binary-cross-entropy. With label smoothing the value is the same."
    )
    threshold = (
        f"{POOR_START:g} times the loss of chance, ln K for K classes (ln 2 a unit for binary "
        "cross-entropy), and the network has not learnt well (else a note). Healthy set-ups start "
        "at 0.98 to 1.2 times it, ReLU networks with N(0, 1) weights at 25 times and more."
    )
    source = "Karpathy, CS231n (Stanford), Neural Networks part 3, sanity checks"
    explains = ("dead-units", "overconfident", *IDLE)

    def check(self, evidence: Evidence) -> Finding | None:
        ratio, chance = start_ratio(evidence), chance_loss(evidence)
        if ratio is None or ratio < POOR_START:
            return None
        return self.found(
            grade(evidence),
            (
                f"The initial loss is {evidence.initial_loss:.4g}, {ratio:.3g} times the "
                f"{chance:.4g} of outputs that favour no class.",
                _result(evidence),
            ),
            "The initial weights are so large that the first outputs are sure, and wrong.",
            '[model]\ninit = "auto"\nbias_init = "zeros"',
        )


# Of all hidden units, and of one layer's. Healthy set-ups have 0; Adam at 20 times its rate
# on 3 x 128 units 38 %, and still 95 % accuracy.
DEAD, DEAD_IN_LAYER = 0.2, 0.4


@RULES.register("dead-units")
class DeadUnits(Rule):
    """Units that no row of the split activates any more."""

    meaning = "The derivative of a unit is 0 on every row: for a ReLU, no row activates it."
    harm = "It gets no gradient, so that nothing in the data can bring it back: capacity is lost."
    limits = (
        "Dead means dead on all rows of the split, so that few rows overstate it. A unit that is "
        "silent on most rows is sparse, not dead. Where the initial network is unknown, units that "
        "were born dead count too."
    )
    threshold = (
        f"{percent(DEAD)} of all hidden units, or {percent(DEAD_IN_LAYER)} of a layer (a note: "
        "one unit). Healthy set-ups have 0, though their ReLUs are silent on 55 to 70 % of rows; "
        "faulty ones have 31 to 44 %, configs/dying-relu.toml 38 % with 95 % accuracy."
    )
    source = "Lu, Shin, Su, Karniadakis, Dying ReLU and Initialization (2019), section 1"
    explains = IDLE

    def check(self, evidence: Evidence) -> Finding | None:
        layers = [layer for layer in evidence.units if died(layer)]
        if not layers:
            return None
        count, units = sum(map(died, layers)), sum(layer.units for layer in evidence.units)
        part = max(died(layer) / layer.units for layer in layers)
        bad = share(count, evidence) >= DEAD or part >= DEAD_IN_LAYER
        told = tuple(
            f"Layer {layer.layer}: {died(layer)} of {_some(layer.units, 'unit')} dead "
            f"({percent(died(layer) / layer.units)}); a unit is active on "
            f"{percent(layer.active_fraction)} of the rows."
            for layer in layers
        )
        whole = f"Of {units} hidden units, {count} are dead ({percent(share(count, evidence))})."
        return self.found(
            max(Severity.WARNING, grade(evidence)) if bad else Severity.NOTE,
            (whole, *told, _result(evidence)),
            self.cause(evidence),
            _usual_rate(evidence)
            if (rate_ratio(evidence) or 1) >= FAST
            else '[model]\nactivation = "leaky-relu"',
            tuple(layer.layer for layer in layers),
        )

    @staticmethod
    def cause(evidence: Evidence) -> str:
        """The learning rate, if it is known to be high."""
        training, ratio = evidence.training, rate_ratio(evidence)
        if training is None or ratio is None or ratio < FAST:
            return "A step too long threw weights and biases to where no row activates the unit."
        return (
            f"The learning rate of {training.learning_rate:.3g}, {ratio:.3g} times the usual one "
            f"of {training.optimizer}, threw weights and biases to where no row activates the unit."
        )


# Of the usual rate of the optimizer.
SLOW = 0.05
# Of the initial loss that is still there at the end.
REMAINS = 0.5


@RULES.register("learning-rate-too-low")
class LearningRateTooLow(Rule):
    """Steps so short that nothing happens."""

    meaning = "The steps are so short that the loss has hardly moved by the end."
    harm = "Time is spent on next to nothing."
    limits = "It needs to know the training and the initial network."
    threshold = (
        f"The rate is at most {percent(SLOW)} of the usual one of the optimizer, of the initial "
        f"loss {percent(REMAINS)} or more is left at the end, and the network has not learnt well. "
        "Healthy set-ups use the usual rate and keep 0.5 to 3.2 %; faulty ones keep 52 to 100 %."
    )
    source = "Bengio, Practical Recommendations for Gradient-Based Training (2012), section 3.1.1"
    explains = ("not-learning", "collapsed-output", "underfitting-too-short", "overconfident")

    def check(self, evidence: Evidence) -> Finding | None:
        training, ratio, start = evidence.training, rate_ratio(evidence), evidence.initial_loss
        if training is None or ratio is None or ratio > SLOW or not start or untrained(evidence):
            return None
        if evidence.loss_value < REMAINS * start or learns_well(evidence):
            return None
        return self.found(
            grade(evidence),
            (
                f"The learning rate of {training.learning_rate:.3g} is {ratio:.3g} times the usual "
                f"one of {training.optimizer}, {training.usual_learning_rate:.3g}.",
                f"The loss went from {start:.4g} to {evidence.loss_value:.4g}.",
                _result(evidence),
            ),
            "Each step is too short to get anywhere in the time that there was.",
            _usual_rate(evidence),
        )


# Accuracy on the training rows less that on the validation rows.
GAP, GAP_NOTED = 0.1, 0.03
# Of the validation loss at its lowest.
RISEN = 1.2


@RULES.register("overfitting")
class Overfitting(Rule):
    """The training rows are known by heart."""

    meaning = "The network does much better on the rows that it was trained on than on others."
    harm = "What it has learnt beyond the pattern is of no use for new rows."
    limits = "It needs the history of the training, with validation rows."
    threshold = (
        f"Accuracy on training rows is {percent(GAP)} above that on validation rows (a note: "
        f"{percent(GAP_NOTED)}, or a validation loss {RISEN:g} times its lowest). Healthy set-ups "
        "of MNIST have gaps of 0.7 to 1.9 %, networks trained on 300 to 500 rows 13 to 15 %."
    )
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), sections 5.2 and 7.8"
    explains = ("overconfident",)

    def check(self, evidence: Evidence) -> Finding | None:
        epoch = kept(evidence)
        if epoch is None or epoch.validation_accuracy is None or epoch.validation_loss is None:
            return None
        trained = evidence.accuracy if evidence.split == "train" else epoch.train_accuracy
        gap = trained - epoch.validation_accuracy
        history = evidence.training.history if evidence.training else ()
        losses = [e.validation_loss for e in history if e.validation_loss]
        risen = epoch.validation_loss / min(losses) if losses else 1.0
        if not (gap >= GAP_NOTED or (risen >= RISEN and gap > 0)):
            return None
        return self.found(
            Severity.WARNING if gap >= GAP else Severity.NOTE,
            (
                f"Accuracy is {percent(trained)} on the training rows and "
                f"{percent(epoch.validation_accuracy)} on the validation rows.",
                f"The validation loss is {epoch.validation_loss:.4g}, at its lowest it was "
                f"{min(losses):.4g}."
                if losses
                else "The validation loss is 0.",
            ),
            "There are few rows for so many parameters and epochs.",
            "[model]\ndropout = 0.3\n\n[optimizer]\nweight_decay = 0.0005\n\n"
            "[training]\npatience = 3",
        )


# Of the training loss: how much it fell over the last epoch.
FALLING = 0.1
# Skill of a network that is far from done.
FAR = 0.8


@RULES.register("underfitting-too-short")
class UnderfittingTooShort(Rule):
    """A training that ended while it was still getting better."""

    meaning = "The loss was still falling when the training ended, and the accuracy is low."
    harm = "More epochs would have given a better network."
    limits = (
        "It needs the history of the training. A schedule that lowers the learning rate to 0 makes "
        "any loss level off: a one-cycle run that was too short may not be seen."
    )
    threshold = (
        f"The training loss fell by {percent(FALLING)} or more over the last epoch (or, if there "
        "was one, from its mean to that of the trained network), and the network has not learnt "
        f"well; a note where it has gone {percent(FAR)} of the way from a constant answer to 100 % "
        "accuracy."
    )
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), sections 5.2 and 11.4.1"
    explains = ("not-learning", "overconfident")

    def check(self, evidence: Evidence) -> Finding | None:
        fall, training = last_fall(evidence), evidence.training
        if fall is None or training is None or fall < FALLING or learns_well(evidence):
            return None
        epochs = len(training.history)
        return self.found(
            Severity.NOTE if skill(evidence) >= FAR else Severity.WARNING,
            (
                f"After {_some(epochs, 'epoch')} the loss was still falling, by {percent(fall)} "
                f"{'in the last' if epochs > 1 else 'from the mean of the epoch to its end'}.",
                _result(evidence),
            ),
            "The training stopped before the network had learnt what it can.",
            f"[training]\nepochs = {max(5 * epochs, 10)}",
        )


# Of all answers, and how much of it must be wrong.
ONE_ANSWER, TOO_MANY = 0.9, 0.3


@RULES.register("collapsed-output")
class CollapsedOutput(Rule):
    """The same answer for everything."""

    meaning = "The network gives one class for almost every row."
    harm = "It does not look at its input."
    limits = "Silent for an initial network, and where that class has about that many rows."
    threshold = (
        f"One class is the answer for {percent(ONE_ANSWER)} of the rows or more, and has "
        f"{percent(TOO_MANY)} fewer. In healthy set-ups of MNIST no class is given for more "
        "than 11.3 %."
    )
    source = (
        "Karpathy, A Recipe for Training Neural Networks (2019), the input-independent baseline"
    )
    explains = ("not-learning", "overconfident")

    def check(self, evidence: Evidence) -> Finding | None:
        answered = max(evidence.predicted)
        true = evidence.class_rows[evidence.predicted.index(answered)]
        part = answered / evidence.rows
        if untrained(evidence) or part < ONE_ANSWER or part - true / evidence.rows < TOO_MANY:
            return None
        return self.found(
            Severity.ERROR,
            (
                f"One class is the answer for {percent(part)} of the rows; "
                f"{percent(true / evidence.rows)} have it.",
                _result(evidence),
            ),
            "The scores depend on the biases of the last layer, and hardly on the input.",
            "[optimizer]\nweight_decay = 0.0",
        )


@RULES.register("not-learning")
class NotLearning(Rule):
    """No better than a constant answer."""

    meaning = "After its training the network is not much more often right than a constant answer."
    harm = "It has learnt nothing, or little."
    limits = (
        "This is what is left when no other rule explains it: look at the data first. Silent for "
        "an initial network."
    )
    threshold = (
        f"Of the way from the largest class's share to 100 % accuracy it has gone less than "
        f"{percent(LITTLE)}; an error below {percent(NOTHING)}. The healthy "
        "set-ups have gone 98 % and more; networks trained on "
        "shuffled labels 5 to 9 %."
    )
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 11.5"
    explains = ("overconfident",)

    def check(self, evidence: Evidence) -> Finding | None:
        if untrained(evidence) or not skill(evidence) < LITTLE:
            return None
        if majority(evidence) >= IMBALANCED:  # where accuracy says nothing
            return None
        return self.found(
            grade(evidence),
            (
                _result(evidence),
                f"The mean loss is {evidence.loss_value:.4g}"
                + (f", initially {evidence.initial_loss:.4g}." if evidence.initial_loss else "."),
            ),
            "No other rule explains it; labels that do not belong to their rows would.",
            "# Look at some rows beside their labels. If they are right:\n"
            '[optimizer]\nname = "adam"\nlearning_rate = "auto"',
        )


# Mean confidence less accuracy, and the calibration error that goes with it.
SURE, SURE_NOTED = 0.1, 0.05


@RULES.register("overconfident")
class Overconfident(Rule):
    """Surer than it is right."""

    meaning = "The network is on average surer of its answers than it is right."
    harm = "Its probabilities cannot be used as such: to reject, to rank, or to decide by cost."
    limits = (
        "On the training rows a network that knows them by heart is sure and right: look at "
        "`--split validation` too. Temperature scaling changes no answer."
    )
    threshold = (
        f"Mean confidence is {percent(SURE_NOTED)} above the accuracy, and the expected "
        f"calibration error is as large (a warning: {percent(SURE)}). In healthy set-ups the "
        "confidence is 0.3 to 1.5 % below the accuracy, in faulty ones 12 to 13 % above; Guo et "
        "al. found errors of 4 to 10 % to be typical of networks of their time."
    )
    source = "Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks (ICML 2017)"

    def check(self, evidence: Evidence) -> Finding | None:
        seen = evidence.outputs
        if seen is None or untrained(evidence):
            return None
        excess = seen.confidence - seen.accuracy
        if not min(excess, seen.ece) >= SURE_NOTED:
            return None
        told = [
            f"Mean confidence is {percent(seen.confidence)}, accuracy {percent(seen.accuracy)}.",
            f"The expected calibration error is {seen.ece:.3g}, the maximum {seen.mce:.3g}.",
        ]
        if seen.temperature is not None:
            told.append(f"Dividing the scores by {seen.temperature:.3g} calibrates them best.")
        smooth = evidence.output == "softmax" and evidence.loss in {
            "cross-entropy",
            "kl-divergence",
        }
        return self.found(
            Severity.WARNING if min(excess, seen.ece) >= SURE else Severity.NOTE,
            tuple(told),
            "The scores are larger than what the network knows.",
            "[loss]\nlabel_smoothing = 0.1" if smooth else "[optimizer]\nweight_decay = 0.0005",
        )
