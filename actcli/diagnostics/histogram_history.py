"""The histograms of each layer over the epochs of a training, as the run recorded them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.diagnostics.health import edges_of
from actcli.diagnostics.histograms import Edges
from actcli.training.events import EpochDone

Matrix = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LayerHistory:
    """The histograms of one layer, with E epochs.

    Args:
        layer: from 1; the output layer is the last.
        z_edges: the 41 edges of the bins of the pre-activations.
        z: the counts of each epoch, shape (E, 40). The first and the last bin include the values
            beyond them.
        y_edges: the edges of the bins of the activations; None for the output layer.
        y: the counts of each epoch, shape (E, 40); None for the output layer.
        saturated: for each epoch, the share of the (row, unit) pairs that are saturated; None for
            an activation that does not saturate, and for the output layer.
    """

    layer: int
    z_edges: Edges
    z: Matrix
    y_edges: Edges | None
    y: Matrix | None
    saturated: tuple[float, ...] | None


@dataclass(frozen=True, eq=False)
class HistogramHistory:
    """The histograms of each layer after each recorded epoch.

    Args:
        epochs: their numbers, ascending; an epoch of an earlier version of actcli has none.
        layers: the output layer is the last.
    """

    epochs: tuple[int, ...]
    layers: tuple[LayerHistory, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all counts for JSON."""
        return {
            "epochs": self.epochs,
            "layers": [
                {name: getattr(layer, name) for name in LayerHistory.__dataclass_fields__}
                for layer in self.layers
            ],
        }


def histogram_history(history: Sequence[EpochDone]) -> HistogramHistory | None:
    """Return the histograms of the epochs that have some; None if no epoch has.

    Args:
        history: the epochs; all of them have the same bins.
    """
    recorded = [(epoch.epoch, epoch.histograms) for epoch in history if epoch.histograms]
    if not recorded:
        return None
    first = recorded[0][1]
    layers = []
    for index, edges in enumerate(edges_of(first)):
        may_saturate = edges.has_y and first.saturated[index] is not None
        layers.append(
            LayerHistory(
                layer=index + 1,
                z_edges=edges.z,
                z=np.array([each.z[index] for _, each in recorded]),
                y_edges=edges.y,
                y=np.array([each.y[index] for _, each in recorded]) if edges.has_y else None,
                saturated=tuple(each.saturated[index] or 0.0 for _, each in recorded)
                if may_saturate
                else None,
            )
        )
    return HistogramHistory(tuple(epoch for epoch, _ in recorded), tuple(layers))
