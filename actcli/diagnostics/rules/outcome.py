"""Faults of the predictions: all the same, mostly wrong, or more confident than right."""

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Remedy, Rule, Severity
from actcli.diagnostics.rules.remedies import ADAM, NO_DECAY
from actcli.diagnostics.rules.wording import result
from actcli.diagnostics.symptoms import (
    IMBALANCED_SHARE,
    LITTLE_SKILL,
    NO_SKILL,
    grade,
    majority,
    percent,
    skill,
    untrained,
)

# Share of the predictions that name one class, and its excess over that class's share of the rows.
ONE_CLASS_SHARE, ONE_CLASS_EXCESS = 0.9, 0.3


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
    source = (
        "Karpathy, A Recipe for Training Neural Networks (2019), the input-independent baseline"
    )
    explains = ("not-learning", "overconfident")

    def check(self, evidence: Evidence) -> Finding | None:
        count = max(evidence.predicted)
        true = evidence.class_rows[evidence.predicted.index(count)]
        part = count / evidence.rows
        if (
            untrained(evidence)
            or part < ONE_CLASS_SHARE
            or part - true / evidence.rows < ONE_CLASS_EXCESS
        ):
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
        "Reported only if no other rule explains the low accuracy: check the data first. Not "
        "reported for an untrained network."
    )
    threshold = (
        f"The skill is below {percent(LITTLE_SKILL)}; below {percent(NO_SKILL)} the finding is an "
        "error. Skill is the part of the way from the accuracy of a constant prediction to 100 %. "
        "Healthy set-ups have a skill of 98 % or more, networks trained on shuffled labels 5 to 9 "
        "%."
    )
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 11.5"
    explains = ("overconfident",)

    def check(self, evidence: Evidence) -> Finding | None:
        if untrained(evidence) or not skill(evidence) < LITTLE_SKILL:
            return None
        if majority(evidence) >= IMBALANCED_SHARE:  # then the accuracy means little
            return None
        return self.finding(
            grade(evidence),
            (
                result(evidence),
                f"The mean loss is {evidence.loss_value:.4g}"
                + (f", initially {evidence.initial_loss:.4g}." if evidence.initial_loss else "."),
            ),
            "No other rule explains this; wrong labels in the training data could.",
            [ADAM, Remedy("Compare some rows with their labels: wrong labels cannot be learnt.")],
        )


# Mean confidence minus accuracy; the expected calibration error must be as large.
OVERCONFIDENCE, OVERCONFIDENCE_NOTED = 0.1, 0.05


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
    source = "Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks (ICML 2017)"

    def check(self, evidence: Evidence) -> Finding | None:
        outputs = evidence.outputs
        if outputs is None or untrained(evidence):
            return None
        excess = outputs.confidence - outputs.accuracy
        if not min(excess, outputs.ece) >= OVERCONFIDENCE_NOTED:
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
            Severity.WARNING if min(excess, outputs.ece) >= OVERCONFIDENCE else Severity.NOTE,
            tuple(sentences),
            "The logits are larger than the accuracy justifies.",
            [
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
