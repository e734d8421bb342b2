"""Divergence: a loss that stops being finite, where it went wrong first, and what to try."""

from collections.abc import Sequence

import numpy as np

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.batches import Split
from actcli.errors import DivergedError
from actcli.model import Model
from actcli.nn.network import LayerTrace
from actcli.nn.optimizers import OPTIMIZERS


def lost(passes: Sequence[LayerTrace]) -> int | None:
    """The first layer, from 1, with a pre-activation that is not finite."""
    layers = (number for number, at in enumerate(passes, 1) if not np.isfinite(at.z).all())
    return next(layers, None)


def first_lost(model: Model, split: Split) -> Sequence[LayerTrace]:
    """The passes of the first batch of a split in which a layer is lost, else of the last batch."""
    passes: Sequence[LayerTrace] = ()
    for batch in model.forward_batches(split):
        passes = batch.trace.passes
        if lost(passes):
            break
    return passes


def diverged(config: ResolvedConfig, when: str, passes: Sequence[LayerTrace]) -> DivergedError:
    """What to tell of a loss that is not finite: when, in which layer first, and what to try."""
    layer, chosen = lost(passes), config.optimizer
    where = f"layer {layer} of {len(passes)}" if layer else "the loss, not in a layer"
    usual = OPTIMIZERS[chosen.name].learning_rate
    rate = float(chosen.learning_rate)
    advice = [f"--lr {min(rate / 10, usual):g}"]
    if not chosen.clip_norm and rate <= 10 * usual:  # above, clipped steps are too long as well
        advice.append("--clip-norm 1")
    if float(chosen.weight_decay) * rate > 1:  # each step throws the weights beyond 0
        advice.append("--weight-decay 0")
    if config.data.normalize == "none":
        advice.append("--normalize unit")
    return DivergedError(
        f"the loss stopped being finite {when}, first in {where}", f"Try {' or '.join(advice)}"
    )
