"""Gradient flow: how much of the error reaches each layer on its way back.

δ = ∂ℓ/∂z is the error that a layer is told of. Its length, layer by layer, shows where the error
shrinks (Hochreiter 1991; Glorot, Bengio, AISTATS 2010, section 4) or grows. The gradient of a
layer's weights alone does not: it is δ times what the layer receives, and can stay level while δ
vanishes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actcli.diagnostics.probe import Probe
from actcli.nn.network import MLP


@dataclass(frozen=True)
class LayerGradient:
    """One layer; the output is the last. Norms are Euclidean."""

    layer: int  # from 1
    units: int
    delta_norm: float  # mean over the rows of ‖δᵢ‖
    backprop_factor: float | None  # over that of the next layer; None for the output
    compounded: float  # over that of the output
    derivative_mean: float | None  # mean |f'(z)|; None for the output
    derivative_bound: float | None  # sup |f'|
    weight_grad_norm: float  # of the mean loss over the rows
    bias_grad_norm: float
    weight_norm: float
    update_ratio: float | None  # RMS of the last update over RMS of the weights, if known


def gradient_flow(
    network: MLP, seen: Probe, update_ratios: Sequence[float] | None = None
) -> tuple[LayerGradient, ...]:
    """A row for each layer.

    Args:
        network: the one that was probed.
        seen: the sums of the probe.
        update_ratios: of each layer, from its training.
    """
    norms = [float(layer.delta_norm) / seen.rows for layer in seen.layers]
    gradients = network.views(seen.gradient / seen.rows)
    rows = []
    for index, (layer, gradient) in enumerate(zip(seen.layers, gradients, strict=True)):
        last = index == len(norms) - 1
        units = len(layer.active)
        rows.append(
            LayerGradient(
                layer=index + 1,
                units=units,
                delta_norm=norms[index],
                backprop_factor=None if last else ratio(norms[index], norms[index + 1]),
                compounded=ratio(norms[index], norms[-1]),
                derivative_mean=None if last else float(layer.slope) / (seen.rows * units),
                derivative_bound=layer.bound,
                weight_grad_norm=float(np.linalg.norm(gradient.weights)),
                bias_grad_norm=float(np.linalg.norm(gradient.biases)),
                weight_norm=float(np.linalg.norm(network.layers[index].weights.astype(float))),
                update_ratio=update_ratios[index] if update_ratios else None,
            )
        )
    return tuple(rows)


def ratio(part: float, whole: float) -> float:
    """One over the other; NaN where there is no other."""
    return part / whole if whole else float("nan")
