"""Sentences that several rules share."""

from collections.abc import Sequence

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.rates import USUAL_MOMENTUM, rate_ratio
from actcli.diagnostics.symptoms import majority, percent
from actcli.diagnostics.units import LayerUnits


def result(evidence: Evidence) -> str:
    """Return the accuracy, and that of a constant prediction and of a linear classifier."""
    reference = evidence.reference
    linear = f", a linear classifier {percent(reference.linear)}" if reference else ""
    return (
        f"Accuracy is {percent(evidence.accuracy)}; a constant prediction gives "
        f"{percent(majority(evidence))}{linear}."
    )


def step_length(evidence: Evidence) -> str:
    """Return the learning rate and how long it makes the steps, as a sentence."""
    training, ratio = evidence.training, rate_ratio(evidence)
    if training is None or ratio is None:
        return "The learning rate is unknown."
    usual = f"{training.usual_learning_rate:.3g}"
    if training.optimizer != "sgd":
        return (
            f"The learning rate of {training.learning_rate:.3g} is {ratio:.3g} times the default "
            f"of {training.optimizer}, {usual}."
        )
    return (
        f"A learning rate of {training.learning_rate:.3g} with momentum {training.momentum:.3g} "
        f"makes the steps {ratio:.3g} times as long as usual; {training.optimizer} has a rate of "
        f"{usual} and momentum {USUAL_MOMENTUM} by default."
    )


def saturation(layer: LayerUnits) -> str:
    """Return the saturated share of a layer, as a sentence."""
    fraction = percent(layer.saturated_fraction or 0)
    return f"Layer {layer.layer} is saturated in {fraction} of its (row, unit) pairs."


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless the count is 1."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def be(count: int) -> str:
    """Return the form of "to be" that goes with a count."""
    return "is" if count == 1 else "are"


def named_layers(layers: Sequence[int]) -> str:
    """Return layers in words, such as "layer 2", "layers 1 to 4" or "layers 1 and 3"."""
    if len(layers) == 1:
        return f"layer {layers[0]}"
    if len(layers) > 2 and list(layers) == list(range(layers[0], layers[-1] + 1)):
        return f"layers {layers[0]} to {layers[-1]}"
    return f"layers {', '.join(map(str, layers[:-1]))} and {layers[-1]}"
