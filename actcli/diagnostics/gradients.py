"""Gradient flow: how much of the error reaches each layer in the backward pass.

δ = ∂ℓ/∂z is the error that reaches a layer. Its norm, layer by layer, shows where the error
shrinks (Hochreiter 1991; Glorot, Bengio, AISTATS 2010, section 4) or grows. The gradient of a
layer's weights does not show this: it is δ times the inputs of the layer, and its norm can stay
level while δ vanishes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actcli.diagnostics.probe import Probe
from actcli.nn.network import MLP


@dataclass(frozen=True)
class LayerGradient:
    """The gradient flow through one layer; the output layer is the last. Norms are Euclidean."""

    layer: int  # from 1
    units: int
    delta_norm: float  # mean over the rows of ‖δᵢ‖
    backprop_factor: float | None  # delta_norm over the next layer's; None for the output layer
    compounded: float  # delta_norm over the output layer's
    derivative_mean: float | None  # mean |f'(z)|; None for the output layer
    derivative_bound: float | None  # sup |f'|; None for the output layer
    weight_grad_norm: float  # gradient of the mean loss over the rows
    bias_grad_norm: float
    weight_norm: float
    update_ratio: float | None  # RMS of the last update over RMS of the weights; None if unknown


def gradient_flow(
    network: MLP, sums: Probe, update_ratios: Sequence[float] | None = None
) -> tuple[LayerGradient, ...]:
    """Return the gradient flow through each layer.

    Args:
        network: the probed network.
        sums: the result of the probe.
        update_ratios: for each layer, the `update_ratio` of the training; None if unknown.
    """
    norms = [float(layer.delta_norm) / sums.rows for layer in sums.layers]
    gradients = network.views(sums.gradient / sums.rows)
    rows = []
    for index, (layer, gradient) in enumerate(zip(sums.layers, gradients, strict=True)):
        last = index == len(norms) - 1
        units = len(layer.active)
        rows.append(
            LayerGradient(
                layer=index + 1,
                units=units,
                delta_norm=norms[index],
                backprop_factor=None if last else ratio(norms[index], norms[index + 1]),
                compounded=ratio(norms[index], norms[-1]),
                derivative_mean=None if last else float(layer.slope) / (sums.rows * units),
                derivative_bound=layer.bound,
                weight_grad_norm=float(np.linalg.norm(gradient.weights)),
                bias_grad_norm=float(np.linalg.norm(gradient.biases)),
                weight_norm=float(np.linalg.norm(network.layers[index].weights.astype(float))),
                update_ratio=update_ratios[index] if update_ratios else None,
            )
        )
    return tuple(rows)


def ratio(part: float, whole: float) -> float:
    """Return part / whole; NaN if the whole is 0."""
    return part / whole if whole else float("nan")
