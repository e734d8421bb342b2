"""Remedies that several rules share."""

from dataclasses import replace

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
NO_CLIPPING = Remedy(
    "Without clipping, updates are as large as the learning rate asks for.",
    {"optimizer.clip_norm": 0.0},
)
RELU = Remedy(
    "A ReLU bends the map of its layer, so that the network is more than a linear classifier.",
    {"model.activation": "relu", "model.init": "auto"},
)
LEAKY = Remedy(
    "A leaky ReLU has a gradient on both sides of 0, so that its units cannot die.",
    {"model.activation": "leaky-relu"},
)


def fitting_weights(evidence: Evidence) -> Remedy:
    """Return the remedy for weights of a wrong size; it resets a factor of the initial weights."""
    training = evidence.training
    if training is None or training.init_scale == 1:
        return FITTING_WEIGHTS
    return replace(FITTING_WEIGHTS, changes={**FITTING_WEIGHTS.changes, "model.init_scale": 1.0})


# Units of a hidden layer that are enough for tens of classes, and layers that are deep.
WIDE_LAYER, DEEP_LAYERS = 64, 4


def wider_layers(evidence: Evidence) -> list[Remedy]:
    """Return the remedies for layers that are too narrow: wider layers, or two of them."""
    widths = tuple(max(layer.units, WIDE_LAYER) for layer in evidence.units)
    wider = Remedy(
        f"Layers of {WIDE_LAYER} units pass on enough for many classes.", {"model.hidden": widths}
    )
    if len(widths) <= 2:
        return [wider]
    reason = "Two wide layers pass on enough for many classes, and the error reaches both."
    fewer = Remedy(reason, {"model.hidden": widths[:2]})
    return [fewer, wider] if len(widths) > DEEP_LAYERS else [wider, fewer]


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
