"""The weights of the first layer: a picture for each unit of a sample, or a map of all inputs."""

from collections.abc import Iterator

import numpy as np

from actcli.diagnostics.first_layer import FirstLayer, UnitWeights
from actcli.diagnostics.unit_activity import DEAD, SILENT
from actcli.html.charts import Chart, ramp_legend
from actcli.html.colours import DIVERGING, palette
from actcli.html.markup import Content, Markup, element, join
from actcli.html.page import Section, figure, paragraph
from actcli.html.png import data_uri, png
from actcli.html.scales import level, named
from actcli.pages.cells import share
from actcli.store.run_report import RunReport
from actcli.term.numbers import grouped, significant

COLOURS = palette(DIVERGING, 255)  # the middle one is 0
NOT_FINITE = (255, 0, 255)
MAP_ROW = 14  # height of a unit on the map


def weight_section(report: RunReport) -> Section:
    """Return the weights of the first layer."""
    return Section("weights", "Weights of the first layer", list(_contents(report)))


def _contents(report: RunReport) -> Iterator[Content]:
    layer = report.diagnosis.first_layer if report.diagnosis else None
    if layer is None:
        yield paragraph("The weights were not examined.")
        return
    limit = significant(layer.limit, 2)
    yield paragraph(
        f"{grouped(len(layer.sample))} of {grouped(layer.units)} units, from the least to the most "
        "active one. Strokes and stains are features; noise is what the initial weights left."
        if layer.activation
        else f"{grouped(len(layer.sample))} of {grouped(layer.units)} units of the output layer."
    )
    yield ramp_legend(COLOURS, f"−{limit}", f"+{limit}")
    if layer.shape:
        pictures = [_unit(unit, layer, layer.shape) for unit in layer.sample]
        yield element("div", *pictures, class_="units")
    else:
        yield _map(layer)


def _unit(unit: UnitWeights, layer: FirstLayer, shape: tuple[int, int]) -> Markup:
    pixels = _indices(unit, layer.limit)
    rows = [pixels[start : start + shape[1]] for start in range(0, len(pixels), shape[1])]
    state = unit.state or ""
    name = f"unit {unit.unit}" if unit.label is None else f"class {unit.label}"
    picture = element(
        "img",
        src=data_uri(png(rows, [*COLOURS, NOT_FINITE])),
        alt=f"Weights of {name}{', ' + state if state else ''}",
        width=shape[1],
        height=shape[0],
        class_="pixels",
    )
    activity: Content = None
    if unit.saturated is not None:
        activity = join(share(unit.saturated), " saturated")
    elif unit.active is not None and state not in {DEAD, SILENT}:
        activity = join(share(unit.active), " active")
    elif state:
        activity = element("strong", state, ", born dead" if unit.born_dead else None)
    is_still = state in {DEAD, SILENT}
    caption = element("figcaption", element("bdi", name), element("br"), activity)
    return element("figure", picture, caption, class_="dead" if is_still else None)


def _map(layer: FirstLayer) -> Markup:
    """Return the weights of a sample as a map: a row for each unit, a column for each input."""
    names = [
        f"unit {unit.unit}" if unit.label is None else unit.label for unit in reversed(layer.sample)
    ]
    x = level("input", 0.0, float(layer.inputs), 300, whole=True)
    height = 62 + MAP_ROW * len(names)
    chart = Chart("Weights of the first layer: units by inputs", x, named("unit", names), height)
    rows = [_indices(unit, layer.limit) for unit in layer.sample]
    picture = chart.draw(chart.image(rows, [*COLOURS, NOT_FINITE]))
    still = [str(unit.unit) for unit in layer.sample if unit.state in {DEAD, SILENT}]
    about = f"Never active: unit {', '.join(still)}." if still else None
    return figure("Units by inputs", picture, about=about)


def _indices(unit: UnitWeights, limit: float) -> bytes:
    """Return the colour of each weight: 127 is 0, 255 is not finite."""
    finite = np.isfinite(unit.weights)
    scaled = np.where(finite, unit.weights, 0.0) / (limit or 1.0)
    indices = np.rint(127 + 127 * scaled.clip(-1, 1)).astype(np.uint8)
    indices[~finite] = 255
    return bytes(indices)
