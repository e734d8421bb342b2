"""Remedies that several rules share."""

from dataclasses import replace

from actcli.diagnostics.evidence import Evidence, Training
from actcli.diagnostics.findings import Remedy
from actcli.diagnostics.rates import USUAL_MOMENTUM, USUAL_ROWS, rate_ratio, step_scale

MAX_RATE_FACTOR = 10.0  # a rate above ten times the default is never recommended
HIGH_MOMENTUM = 0.95  # above, a remedy for wrong steps sets the usual momentum
MIN_SLOPE = 0.25  # sup|f'| of a sigmoid

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
BALANCED = Remedy(
    "With weights, the rows of each class have the same share of the loss.",
    {"loss.class_weight": "balanced"},
)
MORE_ROWS = Remedy("Collect more rows of the small classes: a few rows cannot show a class.")
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
VERY_DEEP_LAYERS = 8  # above, more layers rarely help without skip connections
MIN_WIDTH = 8  # of a layer after a remedy
MIN_PATIENCE = 5  # epochs: a one-cycle schedule gets worse before it gets better
STRONGER_DECAY_OF_ADAMW = 0.1  # ten times its default


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


def balanced_and_longer(evidence: Evidence) -> list[Remedy]:
    """Return the remedy for classes so small that few steps see their rows."""
    training = evidence.training
    if training is None:
        return []
    reason = "Few rows of a small class are learnt only if many steps see them."
    return [Remedy(reason, {**BALANCED.changes, "training.epochs": 4 * max(1, training.epochs)})]


def shallower(evidence: Evidence) -> list[Remedy]:
    """Return the remedy for a network that is too deep to train; none for another network."""
    widths = tuple(layer.units for layer in evidence.units)
    if len(widths) <= VERY_DEEP_LAYERS:
        return []
    reason = f"The error reaches all of two layers; it hardly passes through {len(widths)}."
    return [Remedy(reason, {"model.hidden": widths[:2]})]


def less_memory(evidence: Evidence) -> list[Remedy]:
    """Return the remedies for a network that memorises its training rows."""
    training = evidence.training
    epochs = training.epochs if training else 0
    decay = STRONGER_DECAY_OF_ADAMW if training and training.optimizer == "adamw" else 0.0005
    stopping = {
        "optimizer.weight_decay": decay,
        "training.patience": max(MIN_PATIENCE, epochs // 2),
    }
    early = Remedy(
        "Weight decay keeps the network from memorising rows, and patience keeps the epoch with "
        "the best validation loss.",
        stopping,
    )
    if not evidence.units:
        return [early]
    narrowest = min(layer.units for layer in evidence.units)
    if narrowest < WIDE_LAYER or len(evidence.units) > DEEP_LAYERS:  # dropout leaves too little
        widths = tuple(max(MIN_WIDTH, layer.units // 2) for layer in evidence.units)
        fewer = Remedy("Half as many units can memorise less.", {"model.hidden": widths})
        return [early, fewer]
    dropout = Remedy(
        "Dropout and weight decay keep the network from memorising rows, and patience keeps the "
        "epoch with the best validation loss.",
        {"model.dropout": 0.3, **stopping},
    )
    return [dropout, early]


def temperature_scaling(evidence: Evidence) -> list[Remedy]:
    """Return the remedy for logits that are too large; none if they were scaled already."""
    training, outputs = evidence.training, evidence.outputs
    if training is None:
        if outputs is None or outputs.temperature is None:
            return []
        return [
            Remedy(
                f"Dividing the logits by about {outputs.temperature:.3g} changes no prediction; "
                "measure the number on rows that the network was not trained on."
            )
        ]
    if training.calibrate or not training.validation_rows:
        return []
    reason = "The temperature of the validation rows calibrates the logits, without training again."
    return [Remedy(reason, {"training.calibrate": True})]


def usual_rate(evidence: Evidence) -> Remedy:
    """Return the remedy for a wrong learning rate.

    It makes the steps as long as those of the default recipe, or a tenth of what they are if they
    have about this length already.
    """
    training, ratio = evidence.training, rate_ratio(evidence)
    if training is None or ratio is None:
        return Remedy(
            "Smaller updates do not overshoot the minimum.", {"optimizer.learning_rate": 0.001}
        )
    if 0.5 < ratio < 2:
        return Remedy(
            "A tenth of the rate makes updates that do not overshoot the minimum.",
            {"optimizer.learning_rate": rounded(training.learning_rate / 10)},
        )
    if training.optimizer != "sgd" or step_scale(evidence, training) == 1:
        reason = f"It is the default of {training.optimizer}, which suits most networks."
    else:
        reason = "With this loss and momentum, it makes steps of the usual length."
    return Remedy(reason, usual_steps(evidence, training))


def usual_steps(evidence: Evidence, training: Training, factor: float = 1.0) -> dict[str, float]:
    """Return the changes that make steps `factor` times as long as those of the default recipe.

    A momentum that is not usual is changed, too: a low one makes slow steps, and a high one carries
    updates on for as many steps as an epoch may have.
    """
    if training.optimizer != "sgd":
        return {"optimizer.learning_rate": rounded(factor * training.usual_learning_rate)}
    is_usual = USUAL_MOMENTUM <= training.momentum <= HIGH_MOMENTUM
    momentum = training.momentum if is_usual else USUAL_MOMENTUM
    scale = step_scale(evidence, replace(training, momentum=momentum))
    rate = min(MAX_RATE_FACTOR, factor / scale) * training.usual_learning_rate
    changes = {"optimizer.learning_rate": rounded(rate)}
    if momentum != training.momentum:
        changes["optimizer.momentum"] = momentum
    return changes


def longer_steps(evidence: Evidence) -> Remedy:
    """Return the remedy for steps that are too short, in a training that was still improving.

    A sigmoid passes back at most a quarter of the error, and so permits steps four times as long.
    """
    training = evidence.training
    if training is None:
        return ADAM
    bounds = [layer.derivative_bound or 1.0 for layer in evidence.gradients[:-1]]
    factor = 1 / max(MIN_SLOPE, min([1.0, *bounds])) if training.optimizer == "sgd" else 1.0
    changes: dict[str, float] = usual_steps(evidence, training, factor)
    if training.batch_size > USUAL_ROWS:
        changes["training.batch_size"] = USUAL_ROWS
    return Remedy(
        "Steps of the usual length go further, and twice as many epochs let the loss level off.",
        {**changes, "training.epochs": max(2 * len(training.history), 4)},
    )


def lower_rate(evidence: Evidence) -> Remedy:
    """Return the remedy for updates that stay too large: a tenth of the rate of `usual_rate`."""
    changes = usual_rate(evidence).changes
    reason = "Smaller updates do not throw weights and biases that far."
    rate = rounded(changes["optimizer.learning_rate"] / 10)
    return Remedy(reason, {**changes, "optimizer.learning_rate": rate})


def rounded(rate: float) -> float:
    """Return a learning rate with three significant digits."""
    return float(f"{rate:.3g}")
