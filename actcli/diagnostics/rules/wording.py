"""Sentences and remedies that several rules share."""

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.symptoms import majority, percent, rate_ratio
from actcli.diagnostics.units import LayerUnits


def result(evidence: Evidence) -> str:
    """How often the network is right, beside how often a constant answer is."""
    return (
        f"Accuracy is {percent(evidence.accuracy)}, where always answering the largest class gives "
        f"{percent(majority(evidence))}."
    )


def saturation(layer: LayerUnits) -> str:
    """How much of a layer is saturated."""
    fraction = percent(layer.saturated_fraction or 0)
    return f"Layer {layer.layer} is saturated for {fraction} of its units and rows."


def some(count: int, noun: str) -> str:
    """A count with its noun, in the plural where it takes one."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def usual_rate(evidence: Evidence) -> str:
    """The remedy of a learning rate that is far from the usual one, or is too much all the same."""
    training, ratio = evidence.training, rate_ratio(evidence)
    if training is None or ratio is None:
        return "[optimizer]\nlearning_rate = 0.001"
    rate = training.usual_learning_rate if not 0.5 < ratio < 2 else training.learning_rate / 10
    return f"[optimizer]\nlearning_rate = {rate:.3g}"
