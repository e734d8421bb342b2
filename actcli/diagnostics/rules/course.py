"""The course of the training: what it came to in its time, and on which rows."""

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Rule, Severity
from actcli.diagnostics.rules.wording import result, some, usual_rate
from actcli.diagnostics.symptoms import (
    grade,
    kept,
    last_fall,
    learns_well,
    percent,
    rate_ratio,
    skill,
    untrained,
)

# Of the usual rate of the optimizer.
SLOW = 0.05
# Of the initial loss that is still there at the end.
REMAINS = 0.5


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
                result(evidence),
            ),
            "Each step is too short to get anywhere in the time that there was.",
            usual_rate(evidence),
        )


# Accuracy on the training rows less that on the validation rows.
GAP, GAP_NOTED = 0.1, 0.03
# Of the validation loss at its lowest.
RISEN = 1.2


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
        if epoch is None or epoch.validation is None:
            return None
        trained = evidence.accuracy if evidence.split == "train" else epoch.train.accuracy
        gap = trained - epoch.validation.accuracy
        history = evidence.training.history if evidence.training else ()
        losses = [e.validation.loss for e in history if e.validation and e.validation.loss]
        risen = epoch.validation.loss / min(losses) if losses else 1.0
        if not (gap >= GAP_NOTED or (risen >= RISEN and gap > 0)):
            return None
        return self.found(
            Severity.WARNING if gap >= GAP else Severity.NOTE,
            (
                f"Accuracy is {percent(trained)} on the training rows and "
                f"{percent(epoch.validation.accuracy)} on the validation rows.",
                f"The validation loss is {epoch.validation.loss:.4g}, at its lowest it was "
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
                f"After {some(epochs, 'epoch')} the loss was still falling, by {percent(fall)} "
                f"{'in the last' if epochs > 1 else 'from the mean of the epoch to its end'}.",
                result(evidence),
            ),
            "The training stopped before the network had learnt what it can.",
            f"[training]\nepochs = {max(5 * epochs, 10)}",
        )
