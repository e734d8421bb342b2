"""Health during training: a probe after each epoch, on a few fixed training rows.

Histograms of z and y are measured in the same pass. Their edges are chosen after the first epoch.

The probe shows when a fault began, not its extent: a unit that none of these rows activates may be
active on other rows. The number of silent units is therefore at least the number of dead units.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actcli.datasets.batches import Split
from actcli.diagnostics.gradients import gradient_flow, ratio
from actcli.diagnostics.histograms import HistogramSums, LayerEdges, choose_edges
from actcli.diagnostics.probe import Probe, probe
from actcli.diagnostics.units import saturates
from actcli.model import Model
from actcli.training.events import Health, Histograms

MAX_ROWS = 500
ROWS_PER_PROBE_ROW = 100  # the probe of one row in a hundred takes about 1.5 % of an epoch's time

MAX_LAYERS = 500  # of a network with histograms: a record of an epoch has a largest size


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
    return _health(model, probe(model, rows))


def measure_layers(
    model: Model, rows: Split, before: Histograms | None = None
) -> tuple[Health, Histograms | None]:
    """Return the health and the histograms of a model; no histograms of more than 500 layers.

    Args:
        model: the model.
        rows: the rows.
        before: the histograms of an earlier epoch, whose bins are kept; None before the first ones.
    """
    edges = None
    if len(model.network.layers) <= MAX_LAYERS:
        edges = edges_of(before) if before else choose_edges(model, rows)
    sums = probe(model, rows, edges=edges)
    histograms = _histograms(model, sums, sums.histograms) if sums.histograms else None
    return _health(model, sums), histograms


def _health(model: Model, sums: Probe) -> Health:
    flow = gradient_flow(model.network, sums)
    return Health(
        delta_norm=tuple(layer.delta_norm for layer in flow),
        weight_grad_norm=tuple(layer.weight_grad_norm for layer in flow),
        silent=tuple(int(np.count_nonzero(layer.active == 0)) for layer in sums.layers[:-1]),
    )


def _histograms(model: Model, sums: Probe, histograms: HistogramSums) -> Histograms:
    hidden = histograms.edges[:-1]
    return Histograms(
        scale=tuple(layer.scale for layer in histograms.edges),
        y_range=tuple(layer.y_range for layer in hidden),
        z=tuple(tuple(counts.tolist()) for counts in histograms.z),
        y=tuple(tuple(counts.tolist()) for counts in histograms.y),
        saturated=tuple(
            float(layer.saturated.mean() / sums.rows) if saturates(f) else None
            for layer, f in zip(sums.layers, model.network.activations, strict=False)
        ),
    )


def edges_of(histograms: Histograms) -> tuple[LayerEdges, ...]:
    """Return the bins of the histograms of an epoch."""
    *hidden, output = histograms.scale
    ranges = zip(hidden, histograms.y_range, strict=True)
    bins = (LayerEdges(scale, True, y_range) for scale, y_range in ranges)
    return (*bins, LayerEdges(output, False, None))


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
