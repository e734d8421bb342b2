"""Findings about the labels, and about a network that has not been trained."""

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Remedy, Rule, Severity
from actcli.diagnostics.rules.wording import result
from actcli.diagnostics.significance import standard_error
from actcli.diagnostics.symptoms import (
    IMBALANCED_SHARE,
    LITTLE_SKILL,
    NO_LEARNING,
    NO_SKILL,
    majority,
    percent,
    skill,
    untrained,
)


class Untrained(Rule):
    """A network with its initial parameters."""

    meaning = "The network has its initial parameters: no epoch has been trained."
    harm = "The predictions are arbitrary. It is not a fault, but it is not health either."
    limits = "Needs the record of the training. Faults of the initial network are reported as well."
    threshold = "The training has 0 epochs."
    cure = "Training: 6 epochs or more."
    source = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 8.4"

    def check(self, evidence: Evidence) -> Finding | None:
        if not untrained(evidence):
            return None
        return self.finding(
            Severity.NOTE,
            ("The training has 0 epochs.", result(evidence)),
            "The network has not been trained yet.",
            [Remedy("Each epoch is a pass over all training rows.", {"training.epochs": 6})],
        )


# Share of a class's rows that are predicted as one other class, and gain in accuracy.
MOVED_SHARE, PERMUTATION_GAIN = 0.5, 0.1
NAMED_CLASSES = 10  # of a permutation, at most


class PermutedLabels(Rule):
    """Labels that mean other classes than those of the network."""

    meaning = "The predictions would be right if the classes had another order."
    harm = "Every number that compares predictions with labels is wrong, and so is its use."
    limits = (
        "A network that was trained on permuted labels has learnt them, and is right: only labels "
        "that differ from those of its training are found. Each class must have rows."
    )
    threshold = (
        f"Of the rows of each class, {percent(MOVED_SHARE)} or more are predicted as one class, "
        "these classes are all different, not all are the true ones, and with them the accuracy is "
        f"at least {100 * PERMUTATION_GAIN:g} percentage points higher. Shifted labels of MNIST "
        "leave 0.1 % accuracy, and 98 % after the permutation. In healthy set-ups the most "
        "frequent prediction is the true class for every class."
    )
    cure = "Labels in the order of the training. No key of the configuration changes labels."
    source = "Northcutt, Jiang, Chuang, Confident Learning (JAIR 70, 2021), section 3.1"
    explains = ("overfitting", "overconfident", *NO_LEARNING)

    def check(self, evidence: Evidence) -> Finding | None:
        order = permutation(evidence)
        if order is None or untrained(evidence):
            return None
        rows = zip(evidence.confusion, order, strict=True)
        after = sum(counts[other] for counts, other in rows) / evidence.rows
        if after - evidence.accuracy < PERMUTATION_GAIN:
            return None
        names = evidence.class_names
        moved = [f"{names[k]} as {names[other]}" for k, other in enumerate(order) if k != other]
        more = len(moved) - NAMED_CLASSES
        listed = ", ".join(moved[:NAMED_CLASSES]) + (f" and {more} more" if more > 0 else "")
        return self.finding(
            Severity.ERROR if skill(evidence) < NO_SKILL else Severity.WARNING,
            (
                result(evidence),
                f"The network predicts {len(moved):,} classes as others: {listed}.",
                f"With this order of the classes the accuracy is {percent(after)}.",
            ),
            "The labels number the classes in another order than in the training.",
            [
                Remedy(
                    "Number the labels as in the training: the network's outputs 0, 1, … are "
                    f"{', '.join(names[order.index(k)] for k in range(len(order)))}."
                )
            ],
        )


# Standard errors by which simple classifiers are better than a constant prediction.
CLEAR_ERRORS = 3.0
# Ratio of the clearest rows' accuracy to the best accuracy that is known, for few and for many
# classes. Networks and neighbours learn two or three shuffled classes evenly.
FEW_CLASSES, MAX_CLARITY_RATIO_OF_FEW, MAX_CLARITY_RATIO = 3, 1.3, 1.6


class WrongLabels(Rule):
    """Labels of which a large share is wrong."""

    meaning = "Simple classifiers are often wrong, even where the neighbours of a row agree most."
    harm = "The network learns errors, or learns little; what it has learnt cannot be measured."
    limits = (
        "Fewer wrong labels than about half go unnoticed, and so do shuffled labels of which "
        "nothing can be learnt: see not-learning. Needs 200 rows."
    )
    threshold = (
        f"The skill of simple classifiers is below {percent(LITTLE_SKILL)}, but above 0 by "
        f"{CLEAR_ERRORS:g} standard errors. Of the tenth of the rows on whose class their 30 "
        "nearest neighbours agree most, at most 1/2 + 1/(2K) are right for K classes, and this is "
        f"at most {MAX_CLARITY_RATIO:g} times the accuracy over all rows (up to "
        f"{FEW_CLASSES} classes: {MAX_CLARITY_RATIO_OF_FEW:g} times). If half of the labels "
        "are drawn at random, no row can be clearer. Where classes overlap, the clearest rows are "
        "much clearer than the others: three Gaussian classes that are learnt to 49 % have 73 % "
        "there."
    )
    cure = "Labels that are right. No key of the configuration changes labels."
    source = "Northcutt, Jiang, Chuang, Confident Learning (JAIR 70, 2021), section 3.1"
    explains = (
        *("learning-rate-too-high", "vanishing-gradient", "saturation", "overfitting"),
        *("overconfident", *NO_LEARNING),
    )

    def check(self, evidence: Evidence) -> Finding | None:
        clarity, classes = evidence.clarity, evidence.classes
        if clarity is None or untrained(evidence) or majority(evidence) >= IMBALANCED_SHARE:
            return None
        held_out = (evidence.held_out.network,) if evidence.held_out else ()
        best = max(clarity.accuracy, evidence.reference_accuracy or 0, *held_out)
        chance = majority(evidence)
        gain = best - chance
        if gain <= CLEAR_ERRORS * standard_error(chance, 10 * clarity.rows):
            return None
        if gain < NO_SKILL * (1 - chance):
            return None
        ratio = MAX_CLARITY_RATIO_OF_FEW if classes <= FEW_CLASSES else MAX_CLARITY_RATIO
        if clarity.clearest > min(0.5 + 0.5 / classes, ratio * best):
            return None
        return self.finding(
            Severity.WARNING,
            (
                f"The 30 nearest neighbours of a row predict {percent(clarity.accuracy)} of the "
                f"labels, and only {percent(clarity.clearest)} where they agree most.",
                result(evidence),
            ),
            "About half of the labels or more seem to be wrong: no part of the rows is clear.",
            [Remedy("Compare some rows with their labels: wrong labels cannot be learnt.")],
        )


def permutation(evidence: Evidence) -> list[int] | None:
    """Return the class that is predicted for most rows of each class, if it is a permutation."""
    order = []
    for counts in evidence.confusion:
        most, total = max(counts), sum(counts)
        if not total or most < MOVED_SHARE * total:
            return None
        order.append(counts.index(most))
    is_permutation = sorted(order) == list(range(len(order)))
    return order if is_permutation and order != sorted(order) else None
