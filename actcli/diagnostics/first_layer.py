"""The weights of the first layer, one picture for each unit: what a unit responds to.

A unit of the first layer has a weight for each input, so that its weights have the shape of an
image. Stains and strokes are features; noise that looks like the initial weights was never learned
(Zeiler, Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section 3).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.diagnostics.unit_activity import LayerActivity
from actcli.model import Model

SAMPLE_UNITS = 24
MIN_SIDE = 4  # pixels: inputs that would form a smaller square are not an image


@dataclass(frozen=True, eq=False)
class UnitWeights:
    """The weights of one unit of the first layer.

    Args:
        unit: its number, from 0.
        label: the class of the unit, if the first layer is the output layer; None otherwise.
        state: see `LayerActivity`; None in the output layer, as the next three.
        active: the share of the rows on which the unit is active.
        saturated: the share of the rows on which it is saturated; None if it cannot saturate.
        born_dead: whether it was dead in the initial network; None if that is unknown.
        bias: its bias.
        weights: for each input, shape (D,).
    """

    unit: int
    label: str | None
    state: str | None
    active: float | None
    saturated: float | None
    born_dead: bool | None
    bias: float
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FirstLayer:
    """The weights of a sample of the units of the first layer.

    Args:
        activation: its name; None if the first layer is the output layer.
        units: number of units of the layer.
        inputs: D, number of inputs.
        shape: the rows and columns of an image; None for inputs that are not an image.
        limit: the largest finite |weight| of the sample: all pictures share one scale of colours.
        sample: the units, from the least to the most active one; in the output layer by number.
    """

    activation: str | None
    units: int
    inputs: int
    shape: tuple[int, int] | None
    limit: float
    sample: tuple[UnitWeights, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the sample for JSON; the weights of a unit are one list."""
        return {
            "activation": self.activation,
            "units": self.units,
            "inputs": self.inputs,
            "shape": self.shape,
            "limit": self.limit,
            "sample": [
                {name: getattr(unit, name) for name in UnitWeights.__dataclass_fields__}
                for unit in self.sample
            ],
        }


def first_layer(
    model: Model, shape: tuple[int, ...], activity: tuple[LayerActivity, ...]
) -> FirstLayer:
    """Return the weights of a sample of the units of the first layer.

    Args:
        model: the model.
        shape: of one input of the data set.
        activity: of the hidden layers of the model.
    """
    network = model.network
    weights, biases = network.layers[0].weights, network.layers[0].biases
    layer = activity[0] if activity else None
    order = layer.order if layer else range(len(weights))
    count = min(SAMPLE_UNITS, len(weights))
    spaced = np.linspace(0, len(weights) - 1, count).round().astype(int).tolist()
    is_labelled = not layer and len(weights) == len(model.classes)
    sample = tuple(
        UnitWeights(
            unit=unit,
            label=model.classes[unit] if is_labelled else None,
            state=layer.states[unit] if layer else None,
            active=layer.active[unit] if layer else None,
            saturated=layer.saturated[unit] if layer and layer.saturated else None,
            born_dead=layer.born_dead[unit] if layer and layer.born_dead else None,
            bias=float(biases[unit]),
            weights=weights[unit].astype(np.float64),
        )
        for unit in (order[position] for position in spaced)
    )
    values = np.abs([unit.weights for unit in sample])
    return FirstLayer(
        activation=layer.activation if layer else None,
        units=len(weights),
        inputs=network.sizes[0],
        shape=picture_shape(shape, network.sizes[0]),
        limit=float(values[np.isfinite(values)].max(initial=0.0)),
        sample=sample,
    )


def picture_shape(shape: tuple[int, ...], inputs: int) -> tuple[int, int] | None:
    """Return the rows and columns of an image of these inputs, or None if they are not one.

    Inputs without a shape are an image if they fill a square of some size.
    """
    if len(shape) == 2 and math.prod(shape) == inputs and min(shape) > 1:
        return shape[0], shape[1]
    side = math.isqrt(inputs)
    return (side, side) if side >= MIN_SIDE and side * side == inputs else None
