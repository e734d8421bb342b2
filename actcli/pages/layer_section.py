"""Per layer: histograms of pre-activations and activations, and a strip of its units."""

from collections.abc import Iterator, Sequence

from actcli.diagnostics.histograms import LayerHistograms
from actcli.diagnostics.unit_activity import DEAD, SILENT, LayerActivity
from actcli.html.charts import Chart, ramp_legend
from actcli.html.colours import VIRIDIS, palette
from actcli.html.markup import Content, Markup, element
from actcli.html.page import Section, columns, details, figure, paragraph, table
from actcli.html.scales import Scale, level, upright
from actcli.pages.bins import middle
from actcli.pages.cells import count, figure_of, share
from actcli.pages.history_maps import history_maps
from actcli.store.run_report import RunReport
from actcli.term.numbers import grouped, percent, shortest

STRIP_HEIGHT = 92
SHOWN_UNITS = 20  # whose numbers are listed
COLOURS = palette(VIRIDIS, 101)  # one for each per cent


def layer_section(report: RunReport) -> Section:
    """Return the pictures of each layer."""
    return Section("layers", "Layers", list(_contents(report)))


def _contents(report: RunReport) -> Iterator[Content]:
    diagnosis = report.diagnosis
    if diagnosis is None:
        yield paragraph("The layers were not examined.")
        return
    yield paragraph(
        "z is the pre-activation of a unit on a row, f(z) its activation. The area of a bar is its "
        "share of the values, because some bins are wider than others."
    )
    units = {layer.layer: layer for layer in diagnosis.activity}
    history = report.histograms
    if history is None and report.epochs:
        yield paragraph("The training recorded no histograms of its epochs.")
    for layer in diagnosis.histograms:
        name = f"Layer {layer.layer}" if layer.activation else "Output layer"
        yield element("h3", name, f", {layer.activation}" if layer.activation else None)
        figures = list(histograms(layer, name))
        if history:
            recorded = history.layers[layer.layer - 1]
            maps = history_maps(recorded, history.epochs, name)
            figures = [each for pair in zip(figures, maps, strict=True) for each in pair]
        if activity := units.get(layer.layer):
            figures.append(strip(activity, name))
        yield columns(*figures)


# Histograms -----------------------------------------------------------------------------------


def histograms(layer: LayerHistograms, name: str) -> Iterator[Markup]:
    """Yield the histograms of the pre-activations and of the activations of a layer.

    Args:
        layer: the histograms.
        name: the name of the layer.
    """
    yield _histogram(f"{name}: z", "z", layer.z_edges, layer.z_counts)
    if layer.y_edges and layer.y_counts:
        yield _histogram(f"{name}: f(z)", "f(z)", layer.y_edges, layer.y_counts)


def _histogram(title: str, label: str, edges: Sequence[float], counts: Sequence[int]) -> Markup:
    total = sum(counts)
    if not total:
        return figure(title, paragraph("No value is finite."))
    shares = [number / total for number in counts]
    first, last = middle(shares)
    densities = [
        100 * part / (high - low) for part, low, high in zip(shares, edges, edges[1:], strict=False)
    ]
    x = level(label, edges[first], edges[last + 1], 300)
    unit = f"% of the values per unit of {label}"
    chart = Chart(
        f"Histogram of {title}", x, upright(unit, 0.0, max(densities[first : last + 1]), 150)
    )
    bars = [
        chart.bar(
            (edges[index], edges[index + 1]),
            densities[index],
            f"{shortest(edges[index], 3)} to {shortest(edges[index + 1], 3)}: "
            f"{percent(shares[index])} of the values",
            "bar",
        )
        for index in range(first, last + 1)
        if counts[index]
    ]
    outside = 1 - sum(shares[first : last + 1])
    about = f"{percent(outside, 2)} of the values lie beside it." if outside > 1e-12 else None
    return figure(title, chart.draw(*bars), _numbers(title, edges, counts), about=about)


def _numbers(title: str, edges: Sequence[float], counts: Sequence[int]) -> Markup:
    rows: list[list[Content]] = [
        [figure_of(low), figure_of(high), count(number)]
        for low, high, number in zip(edges, edges[1:], counts, strict=False)
    ]
    return details("Numbers", table(title, ["from", "to", "values"], rows))


# Units ----------------------------------------------------------------------------------------


def strip(layer: LayerActivity, name: str) -> Markup:
    """Return the units of a layer side by side, from the least to the most active one."""
    if layer.saturated is not None:
        what, values = "saturated", layer.saturated
    else:
        what, values = "active", layer.active
    order = layer.order
    pixels = bytes(min(100, max(0, round(100 * values[unit]))) for unit in order)
    x = level("units, sorted", 0.0, float(len(order)), 300, whole=True)
    label = f"% of the rows on which a unit is {what}"
    chart = Chart(f"{name}: {label}", x, Scale(label, 0.0, 1.0, ()), STRIP_HEIGHT)
    states = [f"{grouped(number)} {state}" for state, number in layer.counts.items() if number]
    still = sum(state in {DEAD, SILENT} for state in layer.states)
    mark = chart.rule(still, "") if still else None
    return figure(
        f"{name}: units",
        chart.draw(chart.image([pixels], COLOURS), mark),
        ramp_legend(COLOURS, "0 %", "100 %"),
        _never_active(layer),
        _unit_numbers(layer, name),
        about=f"{', '.join(states)}." + (" Left of the line: never active." if still else ""),
    )


def _never_active(layer: LayerActivity) -> Markup | None:
    still = [unit for unit in layer.order if layer.states[unit] in {DEAD, SILENT}]
    if not still:
        return None
    more = "…" if len(still) > SHOWN_UNITS else ""
    units = "unit" if len(still) == 1 else "units"
    shown = ", ".join(map(str, still[:SHOWN_UNITS]))
    return element("p", f"Never active: {units} {shown}{more}", class_="dim")


def _unit_numbers(layer: LayerActivity, name: str) -> Markup:
    headings: list[Content] = ["unit", "state", "active"]
    if layer.saturated is not None:
        headings.append("saturated")
    rows: list[list[Content]] = []
    for unit in layer.order:
        cells: list[Content] = [count(unit), layer.states[unit], share(layer.active[unit], 2)]
        if layer.saturated is not None:
            cells.append(share(layer.saturated[unit], 2))
        rows.append(cells)
    caption = f"{name}: units by activity"
    return details("Numbers", table(caption, headings, rows, texts=frozenset({0, 1})))
