"""Where slopes are almost 0: outputs and units that are sure and wrong, saturated, or dead."""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Rule, Severity
from actcli.diagnostics.rules.wording import result, saturation, some, usual_rate
from actcli.diagnostics.symptoms import (
    DEAD,
    DEAD_IN_LAYER,
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
    untrained,
)


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
    explains = ("poor-initial-loss", "saturation", "overconfident", *NO_LEARNING)

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
                result(evidence),
            ),
            "The output is flat where it is far from right, and a squared error does not make up "
            "for that.",
            f'[loss]\nname = "{best}"\n\n[model]\noutput = "auto"',
            (len(evidence.gradients),),
        )


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
    explains = ("poor-initial-loss", "dead-units", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        layers = [
            layer
            for layer in saturated(evidence)
            if (layer.saturated_fraction or 0) >= SATURATED and layer.activation != "leaky-relu"
        ]
        if not layers or learns_well(evidence):
            return None
        told = tuple(saturation(layer) for layer in sorted(layers, key=lambda layer: layer.layer))
        return self.found(
            grade(evidence),
            (*told, result(evidence)),
            "The weights are so large that pre-activations lie far from 0.",
            '[data]\nnormalize = "standard"\n\n[model]\ninit = "auto"',
            tuple(sorted(layer.layer for layer in layers)),
        )


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
    explains = ("dead-units", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        ratio, chance = start_ratio(evidence), chance_loss(evidence)
        if ratio is None or ratio < POOR_START:
            return None
        return self.found(
            grade(evidence),
            (
                f"The initial loss is {evidence.initial_loss:.4g}, {ratio:.3g} times the "
                f"{chance:.4g} of outputs that favour no class.",
                result(evidence),
            ),
            "The initial weights are so large that the first outputs are sure, and wrong.",
            '[model]\ninit = "auto"\nbias_init = "zeros"',
        )


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
    explains = NO_LEARNING

    def check(self, evidence: Evidence) -> Finding | None:
        layers = [layer for layer in evidence.units if died(layer)]
        if not layers:
            return None
        count, units = sum(map(died, layers)), sum(layer.units for layer in evidence.units)
        part = max(died(layer) / layer.units for layer in layers)
        bad = share(count, evidence) >= DEAD or part >= DEAD_IN_LAYER
        told = tuple(
            f"Layer {layer.layer}: {died(layer)} of {some(layer.units, 'unit')} dead "
            f"({percent(died(layer) / layer.units)}); a unit is active on "
            f"{percent(layer.active_fraction)} of the rows."
            for layer in layers
        )
        whole = f"Of {units} hidden units, {count} are dead ({percent(share(count, evidence))})."
        return self.found(
            max(Severity.WARNING, grade(evidence)) if bad else Severity.NOTE,
            (whole, *told, result(evidence)),
            self.cause(evidence),
            usual_rate(evidence)
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
