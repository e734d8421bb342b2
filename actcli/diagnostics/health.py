"""Health while training: the probe after each epoch, on a few training rows that stay the same.

It answers when a network fell ill, not how ill it is: a unit that none of these rows activates may
still be active on others, so that the number of silent units is at least that of the dead ones.
"""

from dataclasses import dataclass

import numpy as np

from actcli.datasets.batches import Split
from actcli.diagnostics.gradients import gradient_flow
from actcli.diagnostics.probe import Subject, probe

ROWS = 500  # at most
SHARE = 100  # one row of so many: the probe then takes some 1.5 % of the time of an epoch


@dataclass(frozen=True)
class Health:
    """What the probe shows after an epoch, layer by layer."""

    delta_norm: tuple[float, ...]
    weight_grad_norm: tuple[float, ...]
    silent: tuple[int, ...]  # hidden units that no row of the probe activates


def few(split: Split) -> Split:
    """Rows at equal distances: at most five hundred, and no more than one of a hundred."""
    count = max(1, min(ROWS, len(split) // SHARE))
    chosen = np.linspace(0, len(split) - 1, count).astype(np.intp)
    return Split(split.pixels, split.labels[chosen], split.rows[chosen])


def examine(subject: Subject, split: Split) -> Health:
    """Probe a network on the rows of a split, which should be few."""
    seen = probe(subject, split)
    flow = gradient_flow(subject.network, seen)
    return Health(
        delta_norm=tuple(row.delta_norm for row in flow),
        weight_grad_norm=tuple(row.weight_grad_norm for row in flow),
        silent=tuple(int(np.count_nonzero(layer.active == 0)) for layer in seen.layers[:-1]),
    )
