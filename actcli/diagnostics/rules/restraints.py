"""Faults of restraints: regularisation or clipping so strong that the network cannot learn."""

import math

from actcli.diagnostics.evidence import Evidence, Training
from actcli.diagnostics.findings import Finding, Remedy, Rule, Severity
from actcli.diagnostics.rates import (
    FEW_EPOCH_UPDATES,
    FEW_UPDATES,
    LARGE_BATCH,
    USUAL_ROWS,
    has_few_updates,
)
from actcli.diagnostics.rules.remedies import NO_CLIPPING, NO_DECAY
from actcli.diagnostics.rules.wording import counted, result
from actcli.diagnostics.symptoms import (
    FALLING_LOSS_SHARE,
    NO_LEARNING,
    PAIRED_ERRORS_SUPPORTED,
    grade,
    is_above_reference,
    last_fall,
    learns_well,
    percent,
    untrained,
)

# Weight decays that are strong: adamw multiplies its decay by the rate, which is about 0.001; for
# the other optimizers 0.0005 is usual.
STRONG_DECAY, STRONG_DECAY_OF_ADAMW = 0.003, 0.5
# Scale of the weights (see `weight_scale`) of every hidden layer.
HELD_DOWN_SCALE = 0.6
# Dropout probabilities that are too high for any layer, and for a narrow one.
HIGH_DROPOUT, HIGH_NARROW_DROPOUT = 0.7, 0.3
# Units of the narrowest hidden layer that dropout keeps on average.
MIN_KEPT_UNITS = 16
HIGH_SMOOTHING = 0.5


class OverRegularised(Rule):
    """Regularisation that keeps the network from learning its training rows."""

    meaning = "Weight decay, dropout or label smoothing is so strong that little can be learnt."
    harm = "The network is poor on its own training rows, and longer training does not help."
    limits = (
        "Needs the configuration of the training. Not reported if the network has learnt well: a "
        "cost of a few percentage points goes unnoticed."
    )
    threshold = (
        f"The network has not learnt well, and a weight decay of {STRONG_DECAY:g} or more (adamw: "
        f"{STRONG_DECAY_OF_ADAMW:g}) has brought the weights of every hidden layer to "
        f"{HELD_DOWN_SCALE:g} times the scale of the fitting initializer or less, or "
        f"dropout is at least {HIGH_DROPOUT:g} (at least {HIGH_NARROW_DROPOUT:g} if it keeps at "
        f"most {MIN_KEPT_UNITS} units of a layer), or label smoothing is at least "
        f"{HIGH_SMOOTHING:g}. In healthy set-ups the scale is 1.0 to 2.0, and the other two are 0. "
        "On 5,000 rows of MNIST, where 94 % is reached without: adamw with decay 10 and 30 "
        "reaches 89 and 76 % at scales of 0.6 and 0.2, dropout 0.7, 0.8 and 0.95 reaches 87, 74 "
        "and 11 %, label smoothing 0.8 and 0.9 reaches 89 and 82 %."
    )
    cure = "Weight decay, dropout or label smoothing of 0, whichever is too strong."
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), sections 5.2, 7.1 and 7.12"
    explains = (
        *("no-nonlinearity", "learning-rate-too-high", "vanishing-gradient", "saturation"),
        *("bottleneck", "too-deep", "loss-output-mismatch", "dead-units", "starving-clipping"),
        *("overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        training = evidence.training
        if (
            training is None
            or untrained(evidence)
            or learns_well(evidence, PAIRED_ERRORS_SUPPORTED)
        ):
            return None
        signs = [
            *self.decay(evidence, training),
            *self.dropout(evidence, training),
            *self.smoothing(training),
        ]
        if not signs:
            return None
        # A divergence has another cause, and is not explained by a mere warning.
        severity = (
            Severity.WARNING if training.diverged else grade(evidence, PAIRED_ERRORS_SUPPORTED)
        )
        return self.finding(
            max(Severity.WARNING, severity),
            (*(sentence for sentence, _ in signs), result(evidence)),
            "The regularisation outweighs what the rows teach.",
            [remedy for _, remedy in signs],
        )

    @staticmethod
    def decay(evidence: Evidence, training: Training) -> list[tuple[str, Remedy]]:
        """Return the sign and the remedy of weight decay that holds the weights down."""
        hidden = len(evidence.units)
        scales = evidence.weight_scales[:hidden]
        initial = [scale for scale in evidence.initial_scales[:hidden] if scale is not None]
        strong = STRONG_DECAY_OF_ADAMW if training.optimizer == "adamw" else STRONG_DECAY
        if training.weight_decay < strong or not scales or max(scales) > HELD_DOWN_SCALE:
            return []
        if len(initial) == hidden and max(initial) <= HELD_DOWN_SCALE:  # they were drawn small
            return []
        numbers = ", ".join(f"{scale:.3g}" for scale in scales)
        sentence = (
            f"With a weight decay of {training.weight_decay:g}, the scale of the hidden layers' "
            f"weights is {numbers}; 1 fits the activation."
        )
        return [(sentence, NO_DECAY)]

    @staticmethod
    def dropout(evidence: Evidence, training: Training) -> list[tuple[str, Remedy]]:
        """Return the sign and the remedy of dropout that leaves too few units."""
        p = training.dropout
        if not evidence.units or p < HIGH_NARROW_DROPOUT:
            return []
        kept = (1 - p) * min(layer.units for layer in evidence.units)
        if p < HIGH_DROPOUT and kept > MIN_KEPT_UNITS:
            return []
        sentence = (
            f"Dropout of {percent(p)} leaves {kept:.3g} units of the narrowest hidden layer on "
            "average."
        )
        reason = "Without dropout, all units learn in each step."
        return [(sentence, Remedy(reason, {"model.dropout": 0.0}))]

    @staticmethod
    def smoothing(training: Training) -> list[tuple[str, Remedy]]:
        """Return the sign and the remedy of label smoothing that hides the labels."""
        share = training.label_smoothing
        if share < HIGH_SMOOTHING:
            return []
        sentence = f"Label smoothing spreads {percent(share)} of the target over all classes."
        reason = "Without smoothing, the target is the label."
        return [(sentence, Remedy(reason, {"loss.label_smoothing": 0.0}))]


class BatchTooLarge(Rule):
    """So few mini-batches that the training has hardly any updates."""

    meaning = "A mini-batch holds so many of the rows that the whole training has few updates."
    harm = "Each epoch costs the work of all rows and takes a step or two."
    limits = (
        "Needs the record of the training. Not reported if the network has learnt as well as "
        "simple classifiers."
    )
    threshold = (
        f"The mini-batch has {LARGE_BATCH} rows or more, an epoch has at most {FEW_EPOCH_UPDATES} "
        f"updates and the training at most {FEW_UPDATES}, and the network has not learnt well, or "
        "its loss was still falling and it is not clearly more accurate than simple classifiers. "
        "With nine updates, one for each epoch, digits that are learnt to 85 % otherwise are "
        "learnt to 55 %."
    )
    cure = "Mini-batches of a thirtieth of the rows, of 8 to 128 rows."
    source = "Masters, Luschi, Revisiting Small Batch Training (2018); Bengio (2012), section 3.1.1"
    explains = (
        *("small-weights", "learning-rate-too-high", "exploding-gradient", "vanishing-gradient"),
        *("too-deep", "loss-output-mismatch", "saturation", "dead-units", "starving-clipping"),
        *("overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        training = evidence.training
        if training is None or training.batch_size < LARGE_BATCH or not has_few_updates(evidence):
            return None
        is_falling = (last_fall(evidence) or 0) >= FALLING_LOSS_SHARE
        unfinished = is_falling and not is_above_reference(evidence)
        many = training.epoch_updates > FEW_EPOCH_UPDATES
        if many or (learns_well(evidence, PAIRED_ERRORS_SUPPORTED) and not unfinished):
            return None
        return self.finding(
            max(Severity.WARNING, grade(evidence, PAIRED_ERRORS_SUPPORTED)),
            (
                f"A mini-batch of {training.batch_size:,} rows, of {training.rows:,} training "
                f"rows, leaves {counted(training.epoch_updates, 'update')} an epoch and "
                f"{training.updates:,} in all.",
                result(evidence),
            ),
            "The training has too few updates: the mini-batches are too large for the rows.",
            [smaller_batches(training)],
        )


def smaller_batches(training: Training) -> Remedy:
    """Return the remedy for mini-batches that are too large: 30 or more updates an epoch."""
    rows = max(8, min(USUAL_ROWS, 2 ** int(math.log2(max(8.0, training.rows / 30)))))
    reason = f"Mini-batches of {rows} rows make {math.ceil(training.rows / rows):,} updates an "
    return Remedy(f"{reason}epoch.", {"training.batch_size": rows})


# Norm of the gradient of the mean loss over the largest norm that clipping leaves.
CLIPPED_RATIO = 1.0


class StarvingClipping(Rule):
    """Clipping that cuts every gradient to a small part."""

    meaning = "The largest allowed norm of a gradient is far below the norm of the gradients."
    harm = "Every update is a small part of what the learning rate asks for: training is too slow."
    limits = (
        "Needs the configuration of a training with sgd: adam, adamw, rmsprop and adagrad divide "
        "by the size of the gradients, so that clipping hardly changes their updates."
    )
    threshold = (
        "The optimizer is sgd, the norm of the gradient over all rows is at the end still at least "
        f"{CLIPPED_RATIO:g} times the clipping norm, and the network has not learnt well. With "
        "clipping norms of 0.001, 0.01, 0.1 and 1, 5,000 rows of MNIST are learnt to 13, 45, 86 "
        "and 94 %; the ratios are 1,000, 90, 2.6 and 0.3."
    )
    cure = "No clipping."
    source = "Pascanu, Mikolov, Bengio, On the Difficulty of Training RNNs (2013), section 3.2"
    explains = ("overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        training = evidence.training
        if training is None or not training.clip_norm or training.optimizer != "sgd":
            return None
        if untrained(evidence) or learns_well(evidence):
            return None
        norm = math.hypot(
            *(layer.weight_grad_norm for layer in evidence.gradients),
            *(layer.bias_grad_norm for layer in evidence.gradients),
        )
        if not norm >= CLIPPED_RATIO * training.clip_norm:
            return None
        return self.finding(
            grade(evidence),
            (
                f"The gradient over {evidence.rows:,} rows has a norm of {norm:.3g}; clipping "
                f"leaves {training.clip_norm:g}.",
                result(evidence),
            ),
            "Clipping makes every update many times smaller than the learning rate would.",
            [NO_CLIPPING],
        )
