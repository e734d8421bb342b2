"""The scale of weights: how large they are, in multiples of what the fitting initializer draws.

The initializer that fits an activation keeps signals at the same size from layer to layer. Weights
that are drawn much smaller let the signal vanish, much larger ones let it explode. Trained weights
still show how they were drawn where training cannot have moved them: the weights of an input that
is 0 on every row have no gradient.
"""

import math

import numpy as np
from numpy.typing import NDArray

from actcli.nn.activations import ACTIVATIONS
from actcli.nn.arrays import Array
from actcli.nn.initializers import fitting_variance
from actcli.nn.network import MLP

MIN_WEIGHTS = 50  # for an estimate of their scale


def weight_scales(network: MLP) -> tuple[float, ...]:
    """Return the root mean square of each layer's weights over that of the fitting initializer."""
    pairs = zip(network.layers, _fitting(network), strict=True)
    return tuple(_root_mean_square(layer.weights) / fit for layer, fit in pairs)


def untouched_scale(network: MLP, unused: NDArray[np.bool_]) -> float | None:
    """Return the scale of the first layer's weights that training cannot have moved.

    Args:
        network: the trained network.
        unused: the inputs that are 0 on every row, shape (D,).

    Returns:
        Their root mean square over that of the fitting initializer; None if there are too few.
    """
    weights = network.layers[0].weights[:, unused]
    if weights.size < MIN_WEIGHTS:
        return None
    return _root_mean_square(weights) / _fitting(network)[0]


def _fitting(network: MLP) -> list[float]:
    """Return the deviation of the weights that the fitting initializers draw, for each layer."""
    followers = (*network.activations, ACTIVATIONS["identity"]())
    return [
        math.sqrt(fitting_variance(follower.initializer, *layer.weights.shape))
        for layer, follower in zip(network.layers, followers, strict=True)
    ]


def _root_mean_square(weights: Array) -> float:
    # Row by row: a copy of all weights in float64 would be the largest array of a diagnosis.
    squares = sum(float(np.square(row, dtype=np.float64).sum()) for row in weights.T)
    return math.sqrt(squares / weights.size)
