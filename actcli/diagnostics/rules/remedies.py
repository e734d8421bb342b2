"""Remedies that several rules share."""

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Remedy
from actcli.diagnostics.symptoms import rate_ratio

FITTING_WEIGHTS = Remedy(
    "Weights of the initializer that fits the activation keep signals at the same size in all "
    "layers.",
    {"model.init": "auto", "model.bias_init": "zeros"},
)
CLIPPING = Remedy(
    "Clipping limits the size of every update, however large the gradient is.",
    {"optimizer.clip_norm": 1.0},
)
ADAM = Remedy(
    "Adam adapts the step of each parameter to its gradient, and depends least on the rate.",
    {"optimizer.name": "adam", "optimizer.learning_rate": "auto"},
)
NO_DECAY = Remedy(
    "Weight decay holds the weights near 0, so that the outputs hardly depend on the inputs.",
    {"optimizer.weight_decay": 0.0},
)
LEAKY = Remedy(
    "A leaky ReLU has a gradient on both sides of 0, so that its units cannot die.",
    {"model.activation": "leaky-relu"},
)


def usual_rate(evidence: Evidence) -> Remedy:
    """Return the remedy for a wrong learning rate.

    It is the optimizer's default, or a tenth of the rate if the rate is near the default.
    """
    training, ratio = evidence.training, rate_ratio(evidence)
    if training is None or ratio is None:
        return Remedy(
            "Smaller updates do not overshoot the minimum.", {"optimizer.learning_rate": 0.001}
        )
    usual = not 0.5 < ratio < 2
    rate = float(f"{training.usual_learning_rate if usual else training.learning_rate / 10:.3g}")
    reason = (
        f"It is the default of {training.optimizer}, which suits most networks."
        if usual
        else "A tenth of the rate makes updates that do not overshoot the minimum."
    )
    return Remedy(reason, {"optimizer.learning_rate": rate})


def lower_rate(evidence: Evidence) -> Remedy:
    """Return the remedy for updates that stay too large: a tenth of the rate of `usual_rate`."""
    rate = usual_rate(evidence).changes["optimizer.learning_rate"]
    reason = "Smaller updates do not throw weights and biases that far."
    return Remedy(reason, {"optimizer.learning_rate": float(f"{rate / 10:.3g}")})
