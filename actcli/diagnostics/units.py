"""States of the hidden units: dead, nearly dead, always on, and how often active.

A unit is active on a row if its derivative on that row is not 0: only then does the row change the
unit's weights. A unit is dead if no training row activates it, so that no row can revive it
(Lu, Shin, Su, Karniadakis, Dying ReLU and Initialization, 2019, section 1). A sparse unit is not
dead: the ReLUs of a healthy layer are inactive on most rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actcli.diagnostics.probe import Probe
from actcli.diagnostics.sums import Counts
from actcli.nn.activations import Activation
from actcli.nn.network import MLP

NEARLY_DEAD_SHARE = 0.001  # a nearly dead unit is active on a smaller share of the rows
DISTRIBUTION_BINS = 10


@dataclass(frozen=True)
class LayerUnits:
    """The states of the units of one hidden layer."""

    layer: int  # from 1
    activation: str
    units: int
    dead: int  # active on no training row
    born_dead: int | None  # dead in the initial network; None if that is unknown
    nearly_dead: int  # active on fewer than 0.1 % of the rows, but on some
    always_on: int  # active on every row; 0 for an activation that is always active
    active_fraction: float  # mean share of the rows on which a unit is active
    saturated_fraction: float | None  # (row, unit) pairs with |f'| below 5 % of its bound
    distribution: tuple[int, ...]  # histogram of the units by their share of active rows, in tenths


def unit_states(
    network: MLP,
    sums: Probe,
    initial: Sequence[Counts] | None = None,
    training: Sequence[Counts] | None = None,
) -> tuple[LayerUnits, ...]:
    """Return the states of the units of each hidden layer.

    Args:
        network: the probed network.
        sums: the result of the probe.
        initial: for each hidden layer, the number of rows on which each unit of the initial network
            is active, shape (units,); None if the initial network is unknown.
        training: for each hidden layer, the number of training rows on which each unit is active,
            which decides whether it is dead; None if the probe saw all training rows.
    """
    rows = []
    for index, (f, name) in enumerate(
        zip(network.activations, network.activation_names, strict=True)
    ):
        layer = sums.layers[index]
        units, active = len(layer.active), layer.active
        dead = (active if training is None else training[index]) == 0
        rows.append(
            LayerUnits(
                layer=index + 1,
                activation=name,
                units=units,
                dead=int(np.count_nonzero(dead)),
                born_dead=None if initial is None else int(np.count_nonzero(initial[index] == 0)),
                nearly_dead=int(np.count_nonzero(~dead & (active < NEARLY_DEAD_SHARE * sums.rows))),
                always_on=int(np.count_nonzero(active == sums.rows)) if f.can_die else 0,
                active_fraction=float(active.sum() / (units * sums.rows)),
                saturated_fraction=(
                    float(layer.saturated.sum()) / (units * sums.rows) if saturates(f) else None
                ),
                distribution=tuple(
                    np.histogram(active / sums.rows, DISTRIBUTION_BINS, (0, 1))[0].tolist()
                ),
            )
        )
    return tuple(rows)


def saturates(f: Activation) -> bool:
    """Return whether f' approaches 0 where f levels off, without being exactly 0 there."""
    return not f.can_die and any(math.isfinite(end) for end in f.range)
