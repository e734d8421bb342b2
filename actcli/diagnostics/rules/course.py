"""Faults in the course of a training: too slow, too short, or good on the training rows only."""

import math

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Remedy, Rule, Severity
from actcli.diagnostics.rates import (
    FEW_UPDATES,
    HARDLY_ANY_UPDATES,
    VERY_HIGH_RATE_RATIO,
    has_few_updates,
    pace_ratio,
    rate_ratio,
)
from actcli.diagnostics.rules.remedies import ADAM, less_memory, longer_steps, usual_rate
from actcli.diagnostics.rules.wording import counted, result, step_length
from actcli.diagnostics.significance import standard_error
from actcli.diagnostics.symptoms import (
    FALLING_LOSS_SHARE,
    GOOD_SKILL,
    IMBALANCED_SHARE,
    SIGNIFICANT_ERRORS,
    answers_one_class,
    falls_far_short,
    falls_short,
    grade,
    is_above_reference,
    is_below_reference,
    is_below_same_rows,
    is_overconfident,
    kept,
    last_fall,
    learns_well,
    majority,
    percent,
    skill,
    untrained,
)

# Length of the steps over that of the default recipe, and for a network that has learnt, the pace.
LOW_RATE_RATIO, LOW_PACE_RATIO = 0.05, 0.25
# The same, if half of the initial loss is left, or simple classifiers are far better.
LOW_RATE_RATIO_IF_FAR = 0.2
# Share of the initial loss that remains at the end.
REMAINING_LOSS_SHARE = 0.5
# Share by which the training loss fell over the last epoch of a slow training.
SLOWLY_FALLING_SHARE = 0.05


class LearningRateTooLow(Rule):
    """Updates so small that the loss hardly moves."""

    meaning = "Updates are so small that the loss has not levelled off by the end of the training."
    harm = "The training takes as long as any other and learns less."
    limits = "Needs the configuration of the training and the initial network."
    threshold = (
        f"The steps are at most {percent(LOW_RATE_RATIO_IF_FAR)} as long as those of the default "
        f"recipe, {percent(REMAINING_LOSS_SHARE)} or more of the initial loss is left at the end "
        "or simple classifiers are far better, and the network has not learnt well; at "
        f"{percent(LOW_RATE_RATIO)} or less, clearly better is enough. Healthy set-ups have the "
        "usual rate and end with 0.5 to 3.2 % of the initial loss, faulty ones with 52 to 100 %. "
        "Or the pace, the mean length of the steps for each row, is at most "
        f"{percent(LOW_PACE_RATIO)} of the default recipe's, the "
        f"loss fell by {percent(SLOWLY_FALLING_SHARE)} to {percent(FALLING_LOSS_SHARE)} over the "
        "last epoch, and the network "
        "is not clearly more accurate than simple classifiers. In configs/sigmoid.toml the pace "
        "is 20 % of the usual one: momentum 0 makes steps a tenth as long, and the rate does not "
        "fall. Momentum μ makes steps 1/(1 - μ) times as long. With SGD, the gradient of the loss "
        "counts, too: the one of sse is about K times that of mse for K classes."
    )
    cure = (
        "Steps of the usual length, in mini-batches of the usual size and with twice as many "
        "epochs if the loss was still falling; then Adam."
    )
    source = "Bengio, Practical Recommendations for Gradient-Based Training (2012), section 3.1.1"
    explains = (
        *("not-learning", "collapsed-output", "underfitting-too-short", "underfitting"),
        "overconfident",
    )

    def check(self, evidence: Evidence) -> Finding | None:
        start = evidence.initial_loss
        if not start or untrained(evidence):
            return None
        if not (self._hardly_moved(evidence) or self._is_slow(evidence)):
            return None
        return self.finding(
            max(Severity.WARNING, grade(evidence)),
            (
                step_length(evidence),
                f"The loss went from {start:.4g} to {evidence.loss_value:.4g}.",
                result(evidence),
            ),
            "Each update is too small to make progress in the given number of epochs.",
            [usual_rate(evidence), ADAM]
            if self._hardly_moved(evidence)
            else [longer_steps(evidence), ADAM],
        )

    @staticmethod
    def _hardly_moved(evidence: Evidence) -> bool:
        ratio, start = rate_ratio(evidence), evidence.initial_loss or 0
        remains = evidence.loss_value >= REMAINING_LOSS_SHARE * start
        levelled = (last_fall(evidence) or 0) < FALLING_LOSS_SHARE  # if not, it was too short
        is_far = levelled and (remains or falls_far_short(evidence))
        is_far = is_far and majority(evidence) < IMBALANCED_SHARE  # there accuracy means little
        limit = LOW_RATE_RATIO_IF_FAR if is_far else LOW_RATE_RATIO
        return (
            ratio is not None
            and ratio <= limit
            and (remains or (levelled and falls_short(evidence)))
            and not was_short(evidence)
            and not learns_well(evidence)
        )

    @staticmethod
    def _is_slow(evidence: Evidence) -> bool:
        pace, fall = pace_ratio(evidence), last_fall(evidence) or 0
        return (
            pace is not None
            and pace <= LOW_PACE_RATIO
            and SLOWLY_FALLING_SHARE <= fall < FALLING_LOSS_SHARE
            and not is_above_reference(evidence)
            and evidence.loss_value < REMAINING_LOSS_SHARE * (evidence.initial_loss or 0)
        )


# Accuracy on the training rows minus accuracy on the validation rows.
ACCURACY_GAP, ACCURACY_GAP_NOTED = 0.1, 0.03
FEW_ROWS_PER_CLASS, HUGE_ACCURACY_GAP = 100, 0.4
# Validation loss over its lowest value.
RISEN_LOSS_RATIO = 1.2


class Overfitting(Rule):
    """The network has memorised its training rows."""

    meaning = "The network is much better on its training rows than on other rows."
    harm = "The network has memorised details of the training rows that do not hold for new rows."
    limits = (
        "Needs the history of a training with validation rows. Few validation rows hide a small "
        "gap. Not reported for a network that predicts one class: it has memorised nothing."
    )
    threshold = (
        f"The accuracy on the training rows is at least {100 * ACCURACY_GAP:g} percentage points "
        "above the accuracy on the validation rows, and there are fewer than "
        f"{FEW_ROWS_PER_CLASS} training rows for each class, or the gap is at least "
        f"{100 * HUGE_ACCURACY_GAP:g} points, or simple classifiers are clearly better on the same "
        "validation rows. Otherwise the gap comes from hard data: noisy images "
        "have gaps of up to 25 points and still the best accuracy that any training reached. "
        f"A note from {100 * ACCURACY_GAP_NOTED:g} "
        f"points on, or if the validation loss is {RISEN_LOSS_RATIO:g} times its lowest value. In "
        f"each case the gap is at least {SIGNIFICANT_ERRORS:g} standard errors of both "
        "accuracies: 17 points with 17 validation rows. Healthy set-ups on MNIST have gaps of 0.7 "
        "to 1.9 points, networks trained on 300 to 500 rows gaps of 13 to 15 points."
    )
    cure = (
        "Weight decay, and patience, which keeps the epoch with the best validation loss. Wide "
        "layers: dropout, too; narrow ones: half as many units."
    )
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), sections 5.2 and 7.8"
    explains = ("overconfident",)

    def check(self, evidence: Evidence) -> Finding | None:
        epoch = kept(evidence)
        if epoch is None or epoch.validation is None or answers_one_class(evidence):
            return None
        trained = evidence.accuracy if evidence.split == "train" else epoch.train.accuracy
        gap = trained - epoch.validation.accuracy
        history = evidence.training.history if evidence.training else ()
        losses = [e.validation.loss for e in history if e.validation and e.validation.loss]
        risen = epoch.validation.loss / min(losses) if losses else 1.0
        if gap <= _gap_error(evidence, trained, epoch.validation.accuracy):
            return None
        if not (gap >= ACCURACY_GAP_NOTED or (risen >= RISEN_LOSS_RATIO and gap > 0)):
            return None
        rows = evidence.training.rows if evidence.training else 0
        is_costly = (
            rows < FEW_ROWS_PER_CLASS * evidence.classes
            or gap >= HUGE_ACCURACY_GAP
            or is_below_same_rows(evidence)
        )
        return self.finding(
            Severity.WARNING if gap >= ACCURACY_GAP and is_costly else Severity.NOTE,
            (
                f"Accuracy is {percent(trained)} on the training rows and "
                f"{percent(epoch.validation.accuracy)} on the validation rows.",
                f"The validation loss is {epoch.validation.loss:.4g}; its lowest value was "
                f"{min(losses):.4g}."
                if losses
                else "The validation loss is 0.",
            ),
            "There are too few training rows for this many parameters and epochs.",
            less_memory(evidence),
        )


def _gap_error(evidence: Evidence, trained: float, validation: float) -> float:
    """Return the difference of the two accuracies that chance alone explains."""
    rows = evidence.training.validation_rows if evidence.training else 0
    if not rows:  # unknown
        return 0.0
    errors = standard_error(trained, evidence.rows), standard_error(validation, rows)
    return SIGNIFICANT_ERRORS * math.hypot(*errors)


# Skill from which the finding is a note.
NOTE_SKILL = 0.8
# A training of so few epochs, at most at half the usual pace, was short.
FEW_EPOCHS, SHORT_PACE_RATIO = 2, 0.5
# Share of the initial loss that is left once a network has begun to learn.
BEGUN_LOSS_SHARE = 0.95
MIN_PACE_RATIO = 0.001  # below, more epochs are not the cure


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
        "the network has not learnt well; or the schedule is constant, and the network is not "
        "clearly more accurate than simple classifiers. If there was only one epoch, its mean loss "
        "is compared with the loss of the trained network. After at most "
        f"{FEW_EPOCHS} epochs at no more than {percent(SHORT_PACE_RATIO)} of the usual pace, any "
        "fall of the loss counts: with SGD at 3 % of its rate, one epoch of MNIST lowers it by "
        "less than 10 %. A training of at most "
        f"{FEW_UPDATES} updates was short, too, if the skill is below {percent(GOOD_SKILL)} and "
        "simple classifiers are clearly better and the loss has begun to fall, or it was falling "
        "and the network is not clearly better than they are, or there were at most "
        f"{HARDLY_ANY_UPDATES} updates. The finding is a note if the network has learnt well, or "
        f"if the skill is "
        f"{percent(NOTE_SKILL)} or more and simple classifiers are not far better, or if the "
        "network is overconfident: a short training leaves a network underconfident."
    )
    cure = "Five times as many epochs; then longer steps."
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), sections 5.2 and 11.4.1"
    explains = ("collapsed-output", "not-learning", "underfitting", "overconfident")

    def check(self, evidence: Evidence) -> Finding | None:
        fall, training = last_fall(evidence), evidence.training
        if fall is None or training is None:
            return None
        is_falling, well = fall >= FALLING_LOSS_SHARE, learns_well(evidence)
        few = (
            has_few_updates(evidence)
            and not is_above_reference(evidence)
            and skill(evidence) < GOOD_SKILL
        )
        hardly = few and training.updates <= HARDLY_ANY_UPDATES
        began = evidence.loss_value <= BEGUN_LOSS_SHARE * (evidence.initial_loss or 0)
        short = was_short(evidence) or (
            few and (hardly or (began and falls_short(evidence))) and keeps_steps(evidence)
        )
        slow = (pace_ratio(evidence) or 1) <= SHORT_PACE_RATIO
        steady = training.schedule == "constant" and not is_above_reference(evidence)
        stops = few or steady
        if not ((is_falling and (stops or not well)) or short):
            return None
        epochs = len(training.history)
        worse = falls_far_short(evidence) and not is_overconfident(evidence)
        poor = not well and (worse or skill(evidence) < NOTE_SKILL)
        early = (few and (is_falling or hardly)) or (is_falling and steady and slow)
        severity = Severity.WARNING if poor or early else Severity.NOTE
        more = Remedy(
            "The loss was still falling: more epochs let it level off.",
            {"training.epochs": max(5 * epochs, 10)},
        )
        return self.finding(
            max(severity, grade(evidence)) if short else severity,
            (
                f"After {counted(epochs, 'epoch')} the loss was still falling: by {percent(fall)} "
                f"{'in the last epoch' if epochs > 1 else 'from its mean to its end'}."
                if fall > 0
                else f"The training had {counted(training.updates, 'update')}.",
                result(evidence),
            ),
            "The training ended before the loss had levelled off.",
            [more, longer_steps(evidence) if slow else usual_rate(evidence)],
        )


def keeps_steps(evidence: Evidence) -> bool:
    """Return whether the steps are not so long that they may be the fault, and nothing was changed
    after the training.
    """
    training, ratio = evidence.training, rate_ratio(evidence)
    if training is None or ratio is None or training.diverged:
        return False
    losses = [epoch.train.loss for epoch in training.history]
    return ratio < VERY_HIGH_RATE_RATIO and evidence.loss_value <= 2 * max(losses)


def was_short(evidence: Evidence) -> bool:
    """Return whether a training of a few short steps ended before it could learn."""
    training, pace, fall = evidence.training, pace_ratio(evidence), last_fall(evidence)
    return (
        training is not None
        and len(training.history) <= FEW_EPOCHS
        and pace is not None
        and MIN_PACE_RATIO <= pace <= SHORT_PACE_RATIO
        and fall is not None
        and fall > 0
        and is_below_reference(evidence)
    )
