"""Learning rates, made comparable: the size of a step, and the pace of a training.

A learning rate means little by itself. Momentum μ adds up 1/(1 - μ) steps. The gradient of a sum
of squared errors is K times that of their mean. Adam divides by the size of the gradient, so that
the loss does not count. Both numbers are ratios to the default recipe: the optimizer's default rate
with momentum 0.9, cross-entropy, mini-batches of 128 rows and the one-cycle schedule.
"""

from actcli.config.schema import IMAGE_BATCH_ROWS, OptimizerConfig
from actcli.diagnostics.evidence import Evidence, Training

# Healthy set-ups have 1. At 30 times its default, Adam still learnt 5,000 rows to 95 % with GELUs:
# the rate alone proves nothing.
HIGH_RATE_RATIO = 2.0
# Healthy generated trainings of few rows have up to 10.
VERY_HIGH_RATE_RATIO = 12.0

USUAL_MOMENTUM, USUAL_ROWS = OptimizerConfig().momentum, IMAGE_BATCH_ROWS
USUAL_MEAN_SHARE = 0.5  # mean of the one-cycle schedule over its peak
# The linear rule of Goyal et al., Accurate, Large Minibatch SGD (2017), holds within limits.
MAX_ROWS_RATIO = 16.0
# Slope of an output activation that a squared error passes back: σ' is at most 1/4, and so is
# p (1 - p) of a softmax.
SLOPES = {"identity": 1.0, "sigmoid": 0.25, "softmax": 0.25}


def loss_scale(evidence: Evidence) -> float:
    """Return the size of the gradient of the loss over that of cross-entropy, which is p - t."""
    units = evidence.gradients[-1].units
    if evidence.loss == "binary-cross-entropy":
        return 1 / units
    if evidence.loss in {"sse", "mse"}:
        scale = 2 * SLOPES.get(evidence.output, 1.0)
        return scale / units if evidence.loss == "mse" else scale
    return 1.0


def step_scale(evidence: Evidence, training: Training) -> float:
    """Return the size of a step at a learning rate, over that of the default recipe."""
    if training.optimizer != "sgd":
        return 1.0
    return loss_scale(evidence) * (1 - USUAL_MOMENTUM) / (1 - training.momentum)


# Updates of a whole training that are few, that are hardly any, and few updates of one epoch. The
# healthy set-ups have 1,500 or more, and 390. A mini-batch is large from so many rows on.
FEW_UPDATES, HARDLY_ANY_UPDATES, FEW_EPOCH_UPDATES, LARGE_BATCH = 200, 50, 8, 256


def has_few_updates(evidence: Evidence) -> bool:
    """Return whether the training is known to have made few updates."""
    training = evidence.training
    return training is not None and 0 < training.updates <= FEW_UPDATES


def rate_ratio(evidence: Evidence) -> float | None:
    """Return the size of a step at the peak of the schedule, over that of the default recipe.

    A larger mini-batch permits larger steps; a smaller one does not forbid the usual ones. The
    result is None if the rate is unknown.
    """
    training = evidence.training
    if training is None:
        return None
    rate = training.learning_rate / training.usual_learning_rate
    return rate * step_scale(evidence, training) * min(1.0, _rows_ratio(training))


def pace_ratio(evidence: Evidence) -> float | None:
    """Return the mean length of the steps for each row, over that of the default recipe.

    It is None if the rate is unknown.
    """
    training = evidence.training
    if training is None:
        return None
    rates = [epoch.learning_rate for epoch in training.history]
    mean = sum(rates) / len(rates) if rates else USUAL_MEAN_SHARE * training.learning_rate
    usual = USUAL_MEAN_SHARE * training.usual_learning_rate
    return mean / usual * step_scale(evidence, training) * _rows_ratio(training)


def _rows_ratio(training: Training) -> float:
    """Return the rows of the default mini-batch over those of the training, within limits."""
    return min(MAX_ROWS_RATIO, max(1 / MAX_ROWS_RATIO, USUAL_ROWS / training.batch_size))
