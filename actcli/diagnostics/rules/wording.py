"""Sentences that several rules share."""

from collections.abc import Sequence

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.symptoms import majority, percent
from actcli.diagnostics.units import LayerUnits


def result(evidence: Evidence) -> str:
    """Return the accuracy and the accuracy of a constant prediction, as a sentence."""
    return (
        f"Accuracy is {percent(evidence.accuracy)}; always predicting the largest class gives "
        f"{percent(majority(evidence))}."
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
