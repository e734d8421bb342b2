"""Faults in the course of a training: too slow, too short, or good on the training rows only."""

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Remedy, Rule, Severity
from actcli.diagnostics.rules.remedies import ADAM, usual_rate
from actcli.diagnostics.rules.wording import counted, result
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

# Learning rate over the optimizer's default.
LOW_RATE_RATIO = 0.05
# Share of the initial loss that remains at the end.
REMAINING_LOSS_SHARE = 0.5


class LearningRateTooLow(Rule):
    """Updates so small that the loss hardly moves."""

    meaning = "Updates are so small that the loss has hardly fallen by the end of the training."
    harm = "The training takes as long as any other and learns almost nothing."
    limits = "Needs the configuration of the training and the initial network."
    threshold = (
        f"The rate is at most {percent(LOW_RATE_RATIO)} of the optimizer's default, "
        f"{percent(REMAINING_LOSS_SHARE)} or more of the initial loss is left at the end, and the "
        "network has not learnt well. Healthy set-ups use the default rate and end with 0.5 to 3.2 "
        "% of the initial loss, faulty ones with 52 to 100 %."
    )
    source = "Bengio, Practical Recommendations for Gradient-Based Training (2012), section 3.1.1"
    explains = ("not-learning", "collapsed-output", "underfitting-too-short", "overconfident")

    def check(self, evidence: Evidence) -> Finding | None:
        training, ratio, start = evidence.training, rate_ratio(evidence), evidence.initial_loss
        if (
            training is None
            or ratio is None
            or ratio > LOW_RATE_RATIO
            or not start
            or untrained(evidence)
        ):
            return None
        if evidence.loss_value < REMAINING_LOSS_SHARE * start or learns_well(evidence):
            return None
        return self.finding(
            grade(evidence),
            (
                f"The learning rate of {training.learning_rate:.3g} is {ratio:.3g} times the "
                f"default of {training.optimizer}, {training.usual_learning_rate:.3g}.",
                f"The loss went from {start:.4g} to {evidence.loss_value:.4g}.",
                result(evidence),
            ),
            "Each update is too small to make progress in the given number of epochs.",
            [usual_rate(evidence), ADAM],
        )


# Accuracy on the training rows minus accuracy on the validation rows.
ACCURACY_GAP, ACCURACY_GAP_NOTED = 0.1, 0.03
# Validation loss over its lowest value.
RISEN_LOSS_RATIO = 1.2


class Overfitting(Rule):
    """The network has memorised its training rows."""

    meaning = "The network is much better on its training rows than on other rows."
    harm = "The network has memorised details of the training rows that do not hold for new rows."
    limits = "Needs the history of a training with validation rows."
    threshold = (
        f"The accuracy on the training rows is at least {100 * ACCURACY_GAP:g} percentage points "
        f"above the accuracy on the validation rows. A note from {100 * ACCURACY_GAP_NOTED:g} "
        f"points on, or if the validation loss is {RISEN_LOSS_RATIO:g} times its lowest value. "
        "Healthy set-ups on MNIST have gaps of 0.7 to 1.9 points, networks trained on 300 to 500 "
        "rows gaps of 13 to 15 points."
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
        if not (gap >= ACCURACY_GAP_NOTED or (risen >= RISEN_LOSS_RATIO and gap > 0)):
            return None
        return self.finding(
            Severity.WARNING if gap >= ACCURACY_GAP else Severity.NOTE,
            (
                f"Accuracy is {percent(trained)} on the training rows and "
                f"{percent(epoch.validation.accuracy)} on the validation rows.",
                f"The validation loss is {epoch.validation.loss:.4g}; its lowest value was "
                f"{min(losses):.4g}."
                if losses
                else "The validation loss is 0.",
            ),
            "There are too few training rows for this many parameters and epochs.",
            [
                Remedy(
                    "Dropout and weight decay keep the network from memorising rows, and patience "
                    "keeps the epoch with the best validation loss.",
                    {
                        "model.dropout": 0.3,
                        "optimizer.weight_decay": 0.0005,
                        "training.patience": 3,
                    },
                ),
            ],
        )


# Share by which the training loss fell over the last epoch.
FALLING_LOSS_SHARE = 0.1
# Skill from which the finding is a note.
NOTE_SKILL = 0.8


class UnderfittingTooShort(Rule):
    """A training that ended while the network was still improving."""

    meaning = "The loss was still falling when the training ended, and the accuracy is low."
    harm = "More epochs would have given a better network."
    limits = (
        "Needs the history of the training. A schedule that lowers the learning rate to 0 makes "
        "any loss level off: a one-cycle run that was too short may go unnoticed."
    )
    threshold = (
        f"The training loss fell by {percent(FALLING_LOSS_SHARE)} or more over the last epoch, and "
        "the network has not learnt well. If there was only one epoch, its mean loss is compared "
        "with the loss of the trained network. The finding is a note if the skill is "
        f"{percent(NOTE_SKILL)} or more."
    )
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), sections 5.2 and 11.4.1"
    explains = ("not-learning", "overconfident")

    def check(self, evidence: Evidence) -> Finding | None:
        fall, training = last_fall(evidence), evidence.training
        if fall is None or training is None or fall < FALLING_LOSS_SHARE or learns_well(evidence):
            return None
        epochs = len(training.history)
        return self.finding(
            Severity.NOTE if skill(evidence) >= NOTE_SKILL else Severity.WARNING,
            (
                f"After {counted(epochs, 'epoch')} the loss was still falling: by {percent(fall)} "
                f"{'in the last epoch' if epochs > 1 else 'from its mean to its end'}.",
                result(evidence),
            ),
            "The training ended before the loss had levelled off.",
            [
                Remedy(
                    "The loss was still falling: more epochs let it level off.",
                    {"training.epochs": max(5 * epochs, 10)},
                ),
                usual_rate(evidence),
            ],
        )
