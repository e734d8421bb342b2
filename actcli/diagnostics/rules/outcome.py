"""The answers that came of it all: whether they differ, are right, and are as sure as right."""

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Rule, Severity
from actcli.diagnostics.rules.wording import result
from actcli.diagnostics.symptoms import (
    IMBALANCED,
    LITTLE,
    NOTHING,
    grade,
    majority,
    percent,
    skill,
    untrained,
)

# Of all answers, and how much of it must be wrong.
ONE_ANSWER, TOO_MANY = 0.9, 0.3


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
                result(evidence),
            ),
            "The scores depend on the biases of the last layer, and hardly on the input.",
            "[optimizer]\nweight_decay = 0.0",
        )


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
                result(evidence),
                f"The mean loss is {evidence.loss_value:.4g}"
                + (f", initially {evidence.initial_loss:.4g}." if evidence.initial_loss else "."),
            ),
            "No other rule explains it; labels that do not belong to their rows would.",
            "# Look at some rows beside their labels. If they are right:\n"
            '[optimizer]\nname = "adam"\nlearning_rate = "auto"',
        )


# Mean confidence less accuracy, and the calibration error that goes with it.
SURE, SURE_NOTED = 0.1, 0.05


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
