"""Divergence: the error for a loss that stops being finite, with its first layer and remedies."""

from collections.abc import Sequence

import numpy as np

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.batches import Split
from actcli.errors import DivergedError
from actcli.model import Model
from actcli.nn.network import LayerTrace
from actcli.nn.optimizers import OPTIMIZERS


def first_non_finite(layers: Sequence[LayerTrace]) -> int | None:
    """Return the first layer, from 1, with a pre-activation that is not finite."""
    numbers = (number for number, at in enumerate(layers, 1) if not np.isfinite(at.z).all())
    return next(numbers, None)


def first_lost(model: Model, split: Split) -> Sequence[LayerTrace]:
    """Return the trace of the first mini-batch with a layer that is not finite, else the last."""
    layers: Sequence[LayerTrace] = ()
    for batch in model.forward_batches(split):
        layers = batch.trace.layers
        if first_non_finite(layers):
            break
    return layers


def divergence_error(
    config: ResolvedConfig, when: str, layers: Sequence[LayerTrace]
) -> DivergedError:
    """Return the error for a loss that is not finite: it names time, first layer and remedies."""
    layer, optimizer = first_non_finite(layers), config.optimizer
    where = f"layer {layer} of {len(layers)}" if layer else "the loss, not in a layer"
    default = OPTIMIZERS[optimizer.name].default_learning_rate
    rate = optimizer.learning_rate
    advice = [f"--lr {min(rate / 10, default):g}"]
    if (
        not optimizer.clip_norm and rate <= 10 * default
    ):  # above that, clipped steps are too long as well
        advice.append("--clip-norm 1")
    if optimizer.weight_decay * rate > 1:  # each step moves the weights past 0
        advice.append("--weight-decay 0")
    if config.data.normalize == "none":
        advice.append("--normalize unit")
    return DivergedError(
        f"the loss stopped being finite {when}, first in {where}", f"Try {' or '.join(advice)}"
    )
