"""Gradient flow per layer, now and over the epochs; dead and silent units: when did they die?"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from actcli.diagnostics.gradients import LayerGradient
from actcli.diagnostics.report import Diagnosis
from actcli.html.charts import Chart, Curve
from actcli.html.markup import Content, Markup
from actcli.html.page import Section, columns, details, figure, paragraph, table
from actcli.html.scales import logarithmic, named
from actcli.pages.cells import count, figure_of, percentages, share
from actcli.pages.curve_section import epoch_chart
from actcli.render.gradients import reach
from actcli.render.units import dead
from actcli.store.run_report import RunReport
from actcli.training.events import EpochDone

MAX_CURVES = 5  # layers with a colour of their own; of more, the others are grey
ABOUT_FLOW = "δ = ∂loss/∂z of a row; its norm, averaged over the rows, is the error at a layer."
ABOUT_SILENT = "Units that no row of a small fixed sample activates; every dead unit is among them."


def flow_section(report: RunReport) -> Section:
    """Return the gradient flow and the states of the units."""
    return Section("flow", "Gradient flow and units", list(_contents(report)))


def _contents(report: RunReport) -> Iterator[Content]:
    diagnosis, epochs = report.diagnosis, report.epochs
    figures: list[Markup] = []
    if diagnosis:
        yield paragraph(reach(diagnosis.gradients))
        if diagnosis.units:
            yield paragraph(dead(diagnosis.units))
        figures += _flow_now(diagnosis.gradients)
    measured = [each for each in epochs if each.health and each.health.delta_norm]
    if measured:
        figures += _flow_over_epochs(measured)
        figures += silent_chart(measured, layer_sizes(report))
        figures += _saturated_chart(report)
        for sentence in dying(measured, layer_sizes(report)):
            yield paragraph(sentence)
    elif epochs:
        yield paragraph("The training recorded no measurements of the layers.")
    yield columns(*figures)
    if diagnosis:
        yield details("The numbers of the layers", *_tables(diagnosis))
    if measured:
        yield details("The numbers of the epochs", _epoch_table(measured))


def layer_sizes(report: RunReport) -> tuple[int, ...]:
    """Return the number of units of each hidden layer."""
    if report.config:
        return report.config.model.hidden
    return tuple(layer.units for layer in report.diagnosis.units) if report.diagnosis else ()


def _names(count_: int) -> list[str]:
    return [*(f"layer {number}" for number in range(1, count_)), "output"]


def _flow_now(layers: Sequence[LayerGradient]) -> Iterator[Markup]:
    norms = [layer.delta_norm for layer in layers]
    positive = [norm for norm in norms if norm > 0 and norm - norm == 0]
    if not positive:
        return
    short = [*(str(layer.layer) for layer in layers[:-1]), "output"]
    x = named("layer", short)
    chart = Chart("Norm of δ at each layer", x, logarithmic("δ norm", min(positive), max(positive)))
    points = [(index + 0.5, norm) for index, norm in enumerate(norms)]
    names = _names(len(layers))
    curve = chart.curve(
        Curve("δ norm", points), x_text=lambda value: names[int(value)].removeprefix("layer ")
    )
    yield figure("Error at each layer, now", chart.draw(curve), about=ABOUT_FLOW)


def _flow_over_epochs(epochs: Sequence[EpochDone]) -> Iterator[Markup]:
    healths = [(each.epoch, each.health) for each in epochs if each.health]
    layers = len(healths[0][1].delta_norm)
    series = [
        [(epoch, health.delta_norm[index]) for epoch, health in healths] for index in range(layers)
    ]
    curves = _styled(series, _names(layers))
    if any(y and y > 0 for curve in curves for _, y in curve.points):
        chart = epoch_chart("Norm of δ of each layer", "δ norm", curves, log=True)
        about = "On a small fixed sample of the training rows, after each epoch."
        yield figure("Error at each layer, over the epochs", *chart, about=about)


def silent_chart(
    epochs: Sequence[EpochDone], sizes: Sequence[int], of_run: str = ""
) -> Iterator[Markup]:
    """Yield the chart of the silent units of each layer over the epochs, if there are any layers.

    Args:
        epochs: with the health of the layers.
        sizes: the number of units of each hidden layer.
        of_run: stands before the title.
    """
    if not (sizes and epochs):
        return
    series = [
        [
            (each.epoch, 100 * each.health.silent[index] / size)
            for each in epochs
            if each.health and index < len(each.health.silent)
        ]
        for index, size in enumerate(sizes)
    ]
    curves = _styled(series, [f"layer {number}" for number in range(1, len(sizes) + 1)])
    chart = epoch_chart("Silent units", "silent units in % of the layer", curves, 0, percentages)
    yield figure(f"{of_run}Silent units, over the epochs", *chart, about=ABOUT_SILENT)


def _saturated_chart(report: RunReport) -> Iterator[Markup]:
    """Yield the chart of the saturated pairs of row and unit, if the activations saturate."""
    history = report.histograms
    layers = [layer for layer in history.layers if layer.saturated] if history else []
    if not (history and layers):
        return
    series = [
        [
            (epoch, 100 * part)
            for epoch, part in zip(history.epochs, layer.saturated or (), strict=True)
        ]
        for layer in layers
    ]
    curves = _styled(series, [f"layer {layer.layer}" for layer in layers])
    label = "saturated in % of rows times units"
    chart = epoch_chart("Saturated", label, curves, 0, percentages)
    about = "Pairs of a row and a unit with |f'| below 5 % of its bound."
    yield figure("Saturation, over the epochs", *chart, about=about)


def _styled(series: Sequence[Sequence[tuple[float, float]]], names: Sequence[str]) -> list[Curve]:
    """Return curves; of many layers, the first and the last ones have colours."""
    total, half = len(series), MAX_CURVES // 2
    if total <= MAX_CURVES:
        shown = list(range(total))
    else:
        shown = [*range(MAX_CURVES - half), *range(total - half, total)]
    return [
        Curve(name, points, shown.index(index) if index in shown else None)
        for index, (name, points) in enumerate(zip(names, series, strict=True))
    ]


def dying(epochs: Sequence[EpochDone], sizes: Sequence[int]) -> Iterator[str]:
    """Yield a sentence for each layer with silent units: when most of them fell silent."""
    for index, size in enumerate(sizes):
        counts = [
            (each.epoch, each.health.silent[index])
            for each in epochs
            if each.health and index < len(each.health.silent)
        ]
        if not counts or not counts[-1][1]:
            continue
        rises = [(counts[0][1], counts[0][0])]
        rises += [(now - before, epoch) for (_, before), (epoch, now) in pairwise(counts)]
        largest, epoch = max(rises, key=lambda rise: (rise[0], -rise[1]))
        yield (
            f"Layer {index + 1}: {counts[-1][1]} of {size} units are silent after epoch "
            f"{counts[-1][0]}; {largest} of them fell silent in epoch {epoch}."
        )


def _tables(diagnosis: Diagnosis) -> Iterator[Markup]:
    headings = ["layer", "units", "δ norm", "factor", "mean |f'|", "bound"]
    headings += ["weight gradient", "weight norm", "update / weight"]
    names = _names(len(diagnosis.gradients))
    yield table(
        "Gradient flow",
        headings,
        [
            [
                name,
                count(layer.units),
                figure_of(layer.delta_norm),
                figure_of(layer.backprop_factor),
                figure_of(layer.derivative_mean),
                figure_of(layer.derivative_bound),
                figure_of(layer.weight_grad_norm),
                figure_of(layer.weight_norm),
                figure_of(layer.update_ratio),
            ]
            for name, layer in zip(names, diagnosis.gradients, strict=True)
        ],
        about="factor: δ norm over that of the next layer; bound: of |f'|",
    )
    if not diagnosis.units:
        return
    headings = ["layer", "activation", "units", "dead", "born dead", "nearly dead", "always on"]
    yield table(
        "Units",
        [*headings, "active", "saturated"],
        [
            [
                str(layer.layer),
                layer.activation,
                count(layer.units),
                count(layer.dead),
                count(layer.born_dead),
                count(layer.nearly_dead),
                count(layer.always_on),
                share(layer.active_fraction),
                share(layer.saturated_fraction),
            ]
            for layer in diagnosis.units
        ],
        texts=frozenset({0, 1}),
        about="active on a row: f'(z) ≠ 0 there; dead: active on no training row",
    )


def _epoch_table(epochs: Sequence[EpochDone]) -> Markup:
    healths = [(each.epoch, each.health) for each in epochs if each.health]
    layers = len(healths[0][1].delta_norm)
    names = _names(layers)
    headings: list[Content] = ["epoch", *(f"δ norm, {name}" for name in names)]
    headings += [f"silent, {name}" for name in names[:-1]]
    rows: list[list[Content]] = [
        [count(epoch), *map(figure_of, health.delta_norm), *map(count, health.silent)]
        for epoch, health in healths
    ]
    return table("Layers after each epoch", headings, rows)
