"""The activity of every single hidden unit: its state, and on how many rows it is active.

`units` counts the units of a layer by their states; here each unit has its own numbers, for
pictures of single units.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from actcli.diagnostics.probe import Probe
from actcli.diagnostics.sums import Counts
from actcli.diagnostics.units import saturates
from actcli.nn.network import MLP

DEAD, SILENT, SATURATED, ACTIVE = STATES = ("dead", "silent", "saturated", "active")
SATURATED_SHARE = 0.95  # a unit is saturated if |f'| is below 5 % of its bound on so many rows


@dataclass(frozen=True)
class LayerActivity:
    """The activity of each unit of a hidden layer. The lists have one entry for each unit.

    Args:
        layer: from 1.
        activation: its name.
        states: "dead" if no training row activates the unit; "silent" if no examined row does;
            "saturated" if |f'| is below 5 % of its bound on 95 % of the rows; otherwise "active".
        active: the share of the rows on which the unit is active.
        saturated: the share of the rows on which |f'| is below 5 % of its bound; None for an
            activation that does not saturate.
        born_dead: whether the unit was dead in the initial network; None if that is unknown.
    """

    layer: int
    activation: str
    states: tuple[str, ...]
    active: tuple[float, ...]
    saturated: tuple[float, ...] | None
    born_dead: tuple[bool, ...] | None

    @property
    def order(self) -> list[int]:
        """The units, numbered from 0, from the least to the most active one."""
        activity = self.active if self.saturated is None else [-share for share in self.saturated]
        return sorted(range(len(activity)), key=lambda unit: (activity[unit], unit))

    @property
    def counts(self) -> dict[str, int]:
        """The number of units in each state."""
        return {state: self.states.count(state) for state in STATES}

    def to_dict(self) -> dict[str, Any]:
        """Return the lists and the number of units in each state for JSON."""
        return {
            "layer": self.layer,
            "activation": self.activation,
            "counts": self.counts,
            "states": self.states,
            "active": self.active,
            "saturated": self.saturated,
            "born_dead": self.born_dead,
            "order": self.order,
        }

    def csv_rows(self) -> Iterator[list[Any]]:
        """Yield a row of the CSV for each unit."""
        for unit, (state, active) in enumerate(zip(self.states, self.active, strict=True)):
            saturated = None if self.saturated is None else self.saturated[unit]
            born_dead = None if self.born_dead is None else self.born_dead[unit]
            yield [self.layer, unit, state, active, saturated, born_dead]


def unit_activity(
    network: MLP,
    sums: Probe,
    initial: Sequence[Counts] | None = None,
    training: Sequence[Counts] | None = None,
) -> tuple[LayerActivity, ...]:
    """Return the activity of each unit of each hidden layer; see `units.unit_states`."""
    layers = []
    functions = zip(network.activations, network.activation_names, strict=True)
    for index, (f, name) in enumerate(functions):
        layer = sums.layers[index]
        active = layer.active / sums.rows
        saturated = layer.saturated / sums.rows
        dead = (layer.active if training is None else training[index]) == 0
        may_saturate = saturates(f)
        states = np.where(may_saturate & (saturated >= SATURATED_SHARE), SATURATED, ACTIVE)
        states = np.where(dead, DEAD, np.where(layer.active == 0, SILENT, states))
        layers.append(
            LayerActivity(
                layer=index + 1,
                activation=name,
                states=tuple(states.tolist()),
                active=tuple(active.tolist()),
                saturated=tuple(saturated.tolist()) if may_saturate else None,
                born_dead=None if initial is None else tuple((initial[index] == 0).tolist()),
            )
        )
    return tuple(layers)
