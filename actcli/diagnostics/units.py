"""Units: which are dead, which never rest, and on how many rows each is active.

A unit is active on a row where its derivative is not 0 there: only then does the row teach it. It
is dead if no row of the split does: nothing that is in the data can bring it back (Lu, Shin, Su,
Karniadakis, Dying ReLU and Initialization, 2019, section 1). Sparse is not dead: a healthy layer of
ReLUs is silent on most rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actcli.diagnostics.probe import Probe
from actcli.diagnostics.sums import Counts
from actcli.nn.activations import Activation
from actcli.nn.network import MLP

NEARLY = 0.001  # share of the rows on which a nearly dead unit is active, at most
STRIP = 10  # bins of the distribution over the units


@dataclass(frozen=True)
class LayerUnits:
    """One hidden layer."""

    layer: int  # from 1
    activation: str
    units: int
    dead: int  # active on no row
    born_dead: int | None  # dead in the initial network already; None if that is not known
    nearly_dead: int  # active on fewer than 0.1 % of the rows, but on some
    always_on: int  # active on every row, for an activation that can be silent
    active_fraction: float  # mean share of the rows on which a unit is active
    saturated_fraction: float | None  # (row, unit) pairs with |f'| below 5 % of its bound
    distribution: tuple[int, ...]  # units by their share of active rows, in tenths


def unit_states(
    network: MLP, seen: Probe, initial: Sequence[Counts] | None = None
) -> tuple[LayerUnits, ...]:
    """A row for each hidden layer.

    Args:
        network: the one that was probed.
        seen: the sums of the probe.
        initial: rows on which each unit of the initial network is active, layer by layer.
    """
    rows = []
    for index, (f, name) in enumerate(
        zip(network.activations, network.activation_names, strict=True)
    ):
        layer = seen.layers[index]
        units, active = len(layer.active), layer.active
        rows.append(
            LayerUnits(
                layer=index + 1,
                activation=name,
                units=units,
                dead=int(np.count_nonzero(active == 0)),
                born_dead=None if initial is None else int(np.count_nonzero(initial[index] == 0)),
                nearly_dead=int(np.count_nonzero((active > 0) & (active < NEARLY * seen.rows))),
                always_on=int(np.count_nonzero(active == seen.rows)) if f.can_die else 0,
                active_fraction=float(active.sum() / (units * seen.rows)),
                saturated_fraction=(
                    float(layer.saturated) / (units * seen.rows) if _saturates(f) else None
                ),
                distribution=tuple(np.histogram(active / seen.rows, STRIP, (0, 1))[0].tolist()),
            )
        )
    return tuple(rows)


def _saturates(f: Activation) -> bool:
    """Whether f' fades away on a side where f levels off, without being exactly 0 there."""
    return not f.can_die and any(math.isfinite(end) for end in f.range)
