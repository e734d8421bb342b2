"""Histograms of a layer over the epochs, as maps: a column for each epoch, values upwards."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from actcli.diagnostics.histogram_history import LayerHistory, Matrix
from actcli.diagnostics.histograms import Edges
from actcli.html.charts import Chart, ramp_legend
from actcli.html.colours import VIRIDIS, palette
from actcli.html.markup import Markup
from actcli.html.page import figure
from actcli.html.scales import Scale, level, upright
from actcli.pages.bins import middle
from actcli.term.numbers import shortest

COLOURS = palette(VIRIDIS)
PIXELS = 120  # rows of a map
ABOUT = "After each epoch, on a small fixed sample of the training rows."


def history_maps(layer: LayerHistory, epochs: Sequence[int], name: str) -> Iterator[Markup]:
    """Yield the map of the pre-activations and the one of the activations of a layer.

    Args:
        layer: its histograms after each epoch.
        epochs: their numbers.
        name: the name of the layer.
    """
    yield _map(f"{name}: z over the epochs", "z", layer.z_edges, layer.z, epochs)
    if layer.y_edges is not None and layer.y is not None:
        yield _map(f"{name}: f(z) over the epochs", "f(z)", layer.y_edges, layer.y, epochs)


def _map(title: str, label: str, edges: Edges, counts: Matrix, epochs: Sequence[int]) -> Markup:
    totals = counts.sum(axis=1)
    shares = counts / totals.clip(1)[:, None]
    first, last = middle(shares.max(axis=0).tolist())
    y = upright(label, edges[first], edges[last + 1], 150)
    x = _epoch_axis(epochs)
    densities = [
        [100 * part / (high - low) for part, low, high in zip(row, edges, edges[1:], strict=False)]
        for row in shares.tolist()
    ]
    top = max(max(row[first : last + 1]) for row in densities)
    chart = Chart(f"{title}: the colour is the share of the values", x, y)
    picture = chart.image(_pixels(densities, edges, y, top), COLOURS)
    most = f"{shortest(top, 3)} % of the values per unit of {label}; the scale is a square root"
    return figure(title, chart.draw(picture), ramp_legend(COLOURS, "0", most), about=ABOUT)


def _epoch_axis(epochs: Sequence[int]) -> Scale:
    """Return an axis with a place for each epoch; a tick stands below the middle of its place."""
    if len(epochs) == 1 or epochs[-1] - epochs[0] != len(epochs) - 1:
        ticks = tuple((index + 0.5, str(epoch)) for index, epoch in enumerate(epochs))
        return Scale("epoch", 0.0, float(len(epochs)), ticks)
    whole = level("epoch", epochs[0], epochs[-1], 300, whole=True)
    return Scale("epoch", epochs[0] - 0.5, epochs[-1] + 0.5, whole.ticks)


def _pixels(
    densities: Sequence[Sequence[float]], edges: Edges, y: Scale, top: float
) -> list[bytes]:
    """Return the rows of a map from its top: the colour of the bin that each row lies in."""
    rows = []
    for position in range(PIXELS):
        value = y.high - (position + 0.5) / PIXELS * (y.high - y.low)
        index = bisect_right(edges, value) - 1
        inside = 0 <= index < len(edges) - 1
        rows.append(
            bytes(
                min(255, round(255 * (row[index] / top) ** 0.5)) if inside and top else 0
                for row in densities
            )
        )
    return rows
