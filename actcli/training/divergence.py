"""Divergence: the loss stops being finite. The error names the first bad layer and remedies."""

from collections.abc import Sequence

import numpy as np

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.batches import Split
from actcli.errors import DivergedError
from actcli.model import Model
from actcli.nn.network import LayerTrace
from actcli.nn.optimizers import OPTIMIZERS


def first_non_finite(layers: Sequence[LayerTrace]) -> int | None:
    """Return the first layer, from 1, with a pre-activation that is not finite, if there is one."""
    numbers = (number for number, layer in enumerate(layers, 1) if not np.isfinite(layer.z).all())
    return next(numbers, None)


def first_lost(model: Model, split: Split) -> Sequence[LayerTrace]:
    """Return the trace of the first mini-batch with a layer that is not finite.

    If all layers are finite on every mini-batch, the trace of the last mini-batch is returned.
    """
    layers: Sequence[LayerTrace] = ()
    for batch in model.forward_batches(split):
        layers = batch.trace.layers
        if first_non_finite(layers):
            break
    return layers


def divergence_error(
    config: ResolvedConfig, when: str, layers: Sequence[LayerTrace]
) -> DivergedError:
    """Return the error for a loss that is not finite.

    Args:
        config: the configuration of the run; the remedies depend on it.
        when: the time in words, such as "in epoch 1, step 3 of 5".
        layers: the trace in which the first layer that is not finite is searched.
    """
    layer, optimizer = first_non_finite(layers), config.optimizer
    where = f"layer {layer} of {len(layers)}" if layer else "the loss, not in a layer"
    default = OPTIMIZERS[optimizer.name].default_learning_rate
    rate = optimizer.learning_rate
    advice = [f"--lr {min(rate / 10, default):g}"]
    # Above ten times the default rate, clipped steps are too long as well.
    if not optimizer.clip_norm and rate <= 10 * default:
        advice.append("--clip-norm 1")
    if optimizer.weight_decay * rate > 1:  # each step moves the weights past 0
        advice.append("--weight-decay 0")
    if config.data.normalize == "none":
        advice.append("--normalize unit")
    return DivergedError(
        f"the loss stopped being finite {when}, first in {where}", f"Try {' or '.join(advice)}"
    )
