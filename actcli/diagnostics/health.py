"""Health during training: a probe after each epoch, on a few fixed training rows.

The probe shows when a fault began, not its extent: a unit that none of these rows activates may be
active on other rows. The number of silent units is therefore at least the number of dead units.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actcli.datasets.batches import Split
from actcli.diagnostics.gradients import gradient_flow, ratio
from actcli.diagnostics.probe import probe
from actcli.model import Model
from actcli.training.events import Health

MAX_ROWS = 500
ROWS_PER_PROBE_ROW = 100  # the probe of one row in a hundred takes about 1.5 % of an epoch's time


@dataclass(frozen=True)
class LayerHealth:
    """The health of one layer after an epoch; the output layer is the last."""

    layer: int  # from 1
    delta_norm: float
    factor: float | None  # delta_norm over the next layer's; None for the output layer
    compounded: float  # delta_norm over the output layer's
    units: int
    silent: int | None  # number of units that no row activates; None for the output layer

    @property
    def silent_share(self) -> float | None:
        """The share of the units that are silent; None for the output layer."""
        return None if self.silent is None else self.silent / self.units


def sample_rows(split: Split) -> Split:
    """Return one row in a hundred, at most 500, at equal distances."""
    count = max(1, min(MAX_ROWS, len(split) // ROWS_PER_PROBE_ROW))
    return split.subset(np.linspace(0, len(split) - 1, count).astype(np.intp))


def measure_health(model: Model, rows: Split) -> Health:
    """Return the health of a model, measured on a few rows; see `sample_rows`."""
    sums = probe(model, rows)
    flow = gradient_flow(model.network, sums)
    return Health(
        delta_norm=tuple(layer.delta_norm for layer in flow),
        weight_grad_norm=tuple(layer.weight_grad_norm for layer in flow),
        silent=tuple(int(np.count_nonzero(layer.active == 0)) for layer in sums.layers[:-1]),
    )


def layer_health(health: Health | None, units: Sequence[int]) -> tuple[LayerHealth, ...]:
    """Return the health of each layer after an epoch; an empty tuple if it was not measured.

    Args:
        health: the health of the epoch; None if it was not measured.
        units: number of units of each layer.
    """
    if health is None:
        return ()
    norms, last = health.delta_norm, len(health.delta_norm) - 1
    return tuple(
        LayerHealth(
            layer=index + 1,
            delta_norm=norm,
            factor=None if index == last else ratio(norm, norms[index + 1]),
            compounded=ratio(norm, norms[-1]),
            units=units[index],
            silent=None if index == last else health.silent[index],
        )
        for index, norm in enumerate(norms)
    )
