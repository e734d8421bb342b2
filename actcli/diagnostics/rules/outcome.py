"""Faults of the predictions: all the same, mostly wrong, or more confident than right."""

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Remedy, Rule, Severity
from actcli.diagnostics.rules.remedies import (
    ADAM,
    FITTING_WEIGHTS,
    NO_DECAY,
    longer_steps,
    shallower,
    temperature_scaling,
)
from actcli.diagnostics.rules.wording import result
from actcli.diagnostics.symptoms import (
    IMBALANCED_SHARE,
    LITTLE_SKILL,
    NO_SKILL,
    ONE_CLASS_EXCESS,
    ONE_CLASS_SHARE,
    OVERCONFIDENCE,
    OVERCONFIDENCE_NOTED,
    REFERENCE_MARGIN,
    SIGNIFICANT_ERRORS,
    answers_one_class,
    grade,
    is_below_reference,
    is_overconfident,
    learnable,
    learns_well,
    majority,
    overconfidence,
    percent,
    reference_margin,
    skill,
    untrained,
)


class CollapsedOutput(Rule):
    """One class is predicted for almost every row."""

    meaning = "The network predicts one class for almost every row."
    harm = "The prediction hardly depends on the input."
    limits = (
        "Not reported for an untrained network, or if about as many rows belong to the class as "
        "are predicted for it."
    )
    threshold = (
        f"One class is predicted for {percent(ONE_CLASS_SHARE)} of the rows or more, and the share "
        f"of rows that belong to it is at least {100 * ONE_CLASS_EXCESS:g} percentage points "
        "lower. Healthy set-ups on MNIST predict no class for more than 11.3 % of the rows."
    )
    cure = "No weight decay; then Adam at its default rate."
    source = (
        "Karpathy, A Recipe for Training Neural Networks (2019), the input-independent baseline"
    )
    explains = ("not-learning", "underfitting", "overconfident")

    def check(self, evidence: Evidence) -> Finding | None:
        count = max(evidence.predicted)
        true = evidence.class_rows[evidence.predicted.index(count)]
        part = count / evidence.rows
        if untrained(evidence) or not answers_one_class(evidence):
            return None
        return self.finding(
            Severity.ERROR,
            (
                f"One class is predicted for {percent(part)} of the rows; "
                f"{percent(true / evidence.rows)} of the rows belong to it.",
                result(evidence),
            ),
            "The logits depend on the biases of the last layer, and hardly on the input.",
            [NO_DECAY, ADAM],
        )


class NotLearning(Rule):
    """Predictions hardly better than a constant."""

    meaning = "The trained network is hardly more accurate than a constant prediction."
    harm = "The network has learnt little or nothing."
    limits = (
        "Reported only if no other rule explains the low accuracy. Not reported for an untrained "
        "network, or if simple classifiers are not clearly more accurate: then the data are hard."
    )
    threshold = (
        f"The skill is below {percent(LITTLE_SKILL)}; below {percent(NO_SKILL)} the finding is an "
        "error. Skill is the part of the way from the accuracy of a constant prediction to 100 %. "
        "Healthy set-ups have a skill of 98 % or more, networks trained on shuffled labels 5 to 9 "
        f"%. Where simple classifiers have a skill of {percent(NO_SKILL)} or more, the network "
        "must be clearly less accurate than they are."
    )
    cure = (
        "Adam at its default rate; then fitting weights. If simple classifiers learn nothing "
        "either, the labels have to be compared with the rows."
    )
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 11.5"
    explains = ("underfitting", "overconfident")

    def check(self, evidence: Evidence) -> Finding | None:
        if untrained(evidence) or not skill(evidence) < LITTLE_SKILL:
            return None
        if learnable(evidence) is not None and learns_well(evidence):
            return None
        if majority(evidence) >= IMBALANCED_SHARE and not evidence.class_weights:
            return None  # the accuracy means little
        cause, remedies = self.advice(evidence)
        return self.finding(
            grade(evidence),
            (
                result(evidence),
                f"The mean loss is {evidence.loss_value:.4g}"
                + (f", initially {evidence.initial_loss:.4g}." if evidence.initial_loss else "."),
            ),
            cause,
            remedies,
        )

    @staticmethod
    def advice(evidence: Evidence) -> tuple[str, list[Remedy]]:
        """Return cause and remedies, which depend on what simple classifiers learn."""
        compare = Remedy("Compare some rows with their labels: wrong labels cannot be learnt.")
        if evidence.reference is None:
            return (
                "No other rule explains this; wrong labels in the training data could.",
                [ADAM, compare],
            )
        if learnable(evidence) is None:
            return (
                "Simple classifiers hardly learn anything from these rows either: the labels may "
                "be shuffled, or not depend on the inputs.",
                [compare, ADAM],
            )
        return (
            "Simple classifiers learn these rows, and so the fault is in the network or in its "
            "training.",
            [ADAM, *shallower(evidence), FITTING_WEIGHTS],
        )


class Underfitting(Rule):
    """A network that learns less than simple classifiers do."""

    meaning = "A linear classifier or nearest neighbours are more accurate than the network."
    harm = "The network has learnt less than can be learnt from these rows."
    limits = (
        "Reported only if no other rule explains it. The simple classifiers are fitted to a sample "
        "of at most 4,000 rows, so that a network may learn less than it could, unnoticed. A "
        "network without a hidden layer is compared with a linear classifier only."
    )
    threshold = (
        "The better of a linear classifier and of five nearest neighbours, each fitted to a sample "
        "and judged on other rows, is more accurate than the network by at least "
        f"{100 * REFERENCE_MARGIN:g} percentage points and {SIGNIFICANT_ERRORS:g} standard errors. "
        "On MNIST the linear classifier reaches 88 to 90 %, nearest neighbours 92 to 93 %; healthy "
        "set-ups have 97.8 % or more. A note if the network has hidden layers, and is at most so "
        "much better than the linear classifier."
    )
    cure = "Steps of the usual length with twice as many epochs; then Adam and fitting weights."
    source = "Cover, Hart, Nearest Neighbor Pattern Classification (IEEE Trans. IT 13, 1967)"

    def check(self, evidence: Evidence) -> Finding | None:
        reference, best = evidence.reference, learnable(evidence)
        if untrained(evidence) or reference is None or best is None:
            return None
        below, margin = is_below_reference(evidence), reference_margin(evidence)
        linear = bool(evidence.units) and reference.linear + margin < 1
        if not below and not (linear and evidence.accuracy <= reference.linear + margin):
            return None
        return self.finding(
            Severity.WARNING if below else Severity.NOTE,
            (
                result(evidence),
                f"Five nearest neighbours predict {percent(reference.neighbours)} of other rows "
                "right.",
            ),
            "The network learns less than these rows allow."
            if below
            else "The hidden layers add little to what a linear classifier learns.",
            [longer_steps(evidence), *shallower(evidence), ADAM, FITTING_WEIGHTS]
            if evidence.training
            else [ADAM, FITTING_WEIGHTS],
        )


class Overconfident(Rule):
    """Confidence above accuracy."""

    meaning = "The mean confidence of the predictions is above their accuracy."
    harm = "The probabilities mislead wherever they are used to reject, to rank or to weigh costs."
    limits = (
        "On memorised training rows a network is both confident and right: try `--split "
        "validation`, too. Temperature scaling can calibrate the network without changing any "
        "prediction."
    )
    threshold = (
        f"Mean confidence is at least {100 * OVERCONFIDENCE_NOTED:g} percentage points above the "
        "accuracy, and the expected calibration error is at least "
        f"{percent(OVERCONFIDENCE_NOTED)}; from {100 * OVERCONFIDENCE:g} points and "
        f"{percent(OVERCONFIDENCE)} on, the finding is a warning. In healthy set-ups the "
        "confidence is 0.3 to 1.5 points below the accuracy, in faulty ones 12 to 13 points above "
        "it. Guo et al. found calibration errors of 4 to 10 % typical of networks of their time."
    )
    cure = (
        "The temperature that calibrates the network on the validation rows: it changes no "
        "prediction and needs no training. Then label smoothing, or weight decay for an output "
        "that does not support it."
    )
    source = "Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks (ICML 2017)"

    def check(self, evidence: Evidence) -> Finding | None:
        outputs = evidence.outputs
        if outputs is None or untrained(evidence):
            return None
        if not overconfidence(outputs) >= OVERCONFIDENCE_NOTED:
            return None
        sentences = [
            f"Mean confidence is {percent(outputs.confidence)}, accuracy "
            f"{percent(outputs.accuracy)}.",
            f"The expected calibration error is {outputs.ece:.3g}, the maximum {outputs.mce:.3g}.",
        ]
        if outputs.temperature is not None:
            sentences.append(
                f"Dividing the logits by {outputs.temperature:.3g} calibrates them best."
            )
        smooth = evidence.output == "softmax" and evidence.loss in {
            "cross-entropy",
            "kl-divergence",
        }
        return self.finding(
            Severity.WARNING if is_overconfident(evidence) else Severity.NOTE,
            tuple(sentences),
            "The logits are larger than the accuracy justifies.",
            [
                *temperature_scaling(evidence),
                Remedy(
                    "With smoothed targets, larger logits do not lower the loss without end.",
                    {"loss.label_smoothing": 0.1},
                )
                if smooth
                else Remedy(
                    "Weight decay keeps weights, and so the logits, small.",
                    {"optimizer.weight_decay": 0.0005},
                ),
            ],
        )
