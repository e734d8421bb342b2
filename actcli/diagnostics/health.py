"""Health while training: the probe after each epoch, on a few training rows that stay the same.

It answers when a network fell ill, not how ill it is: a unit that none of these rows activates may
still be active on others, so that the number of silent units is at least that of the dead ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actcli.datasets.batches import Split
from actcli.diagnostics.gradients import gradient_flow, ratio
from actcli.diagnostics.probe import probe
from actcli.model import Model

ROWS = 500  # at most
SHARE = 100  # one row of so many: the probe then takes some 1.5 % of the time of an epoch


@dataclass(frozen=True)
class Health:
    """What the probe shows after an epoch, layer by layer."""

    delta_norm: tuple[float, ...]
    weight_grad_norm: tuple[float, ...]
    silent: tuple[int, ...]  # hidden units that no row of the probe activates


@dataclass(frozen=True)
class LayerHealth:
    """One layer after an epoch; the output is the last."""

    layer: int  # from 1
    delta_norm: float
    factor: float | None  # the δ norm over that of the next layer; None for the output
    compounded: float  # over that of the output
    units: int
    silent: int | None  # None for the output

    @property
    def silent_share(self) -> float | None:
        """Of its units."""
        return None if self.silent is None else self.silent / self.units


def few(split: Split) -> Split:
    """Rows at equal distances: at most five hundred, and no more than one of a hundred."""
    count = max(1, min(ROWS, len(split) // SHARE))
    chosen = np.linspace(0, len(split) - 1, count).astype(np.intp)
    return split.part(chosen)


def examine(model: Model, split: Split) -> Health:
    """Probe a network on the rows of a split, which should be few."""
    seen = probe(model, split)
    flow = gradient_flow(model.network, seen)
    return Health(
        delta_norm=tuple(row.delta_norm for row in flow),
        weight_grad_norm=tuple(row.weight_grad_norm for row in flow),
        silent=tuple(int(np.count_nonzero(layer.active == 0)) for layer in seen.layers[:-1]),
    )


def by_layer(
    delta_norm: Sequence[float], silent: Sequence[int], units: Sequence[int]
) -> tuple[LayerHealth, ...]:
    """What a recorded epoch tells of each layer; nothing where none was recorded.

    Args:
        delta_norm: of each layer.
        silent: of each hidden layer, how many units.
        units: of each layer, how many there are.
    """
    found = []
    for index, norm in enumerate(delta_norm):
        is_output = index == len(delta_norm) - 1
        found.append(
            LayerHealth(
                layer=index + 1,
                delta_norm=norm,
                factor=None if is_output else ratio(norm, delta_norm[index + 1]),
                compounded=ratio(norm, delta_norm[-1]),
                units=units[index],
                silent=None if is_output else silent[index],
            )
        )
    return tuple(found)
