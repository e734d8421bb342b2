"""Learning curves: loss, accuracy and rate over the epochs, with the epoch that was kept."""

import math
from collections.abc import Iterator, Sequence

from actcli.html.charts import Chart, Curve, Format, legend, short
from actcli.html.markup import Content, Markup
from actcli.html.page import Section, columns, details, figure, paragraph, table
from actcli.html.scales import Scale, level, logarithmic, upright
from actcli.pages.cells import count, figure_of, percentages, share
from actcli.store.run_report import RunReport
from actcli.training.events import EpochDone

PLOT = (300, 150)  # width and height of a plot, for its ticks
STEEP = 100.0  # a loss whose largest value is this many times the smallest is drawn on a log scale
AS_IT_LEARNT = "The training loss and accuracy are measured while the network learns."


def curve_section(report: RunReport) -> Section:
    """Return the learning curves of a run."""
    return Section("curves", "Learning curves", list(_contents(report)))


def _contents(report: RunReport) -> Iterator[Content]:
    epochs = report.epochs
    if not epochs:
        yield paragraph("No epoch was trained.")
        return
    kept = report.result.kept_epoch if report.result else 0
    after = f" after the fix ({report.fix['after']['run']})" if report.fix and report.cure else ""
    losses = [Curve("training", [(each.epoch, each.train.loss) for each in epochs], 0)]
    shares = [Curve("training", [(each.epoch, 100 * each.train.accuracy) for each in epochs], 0)]
    if any(each.validation for each in epochs):
        losses.append(Curve("validation", validation_points(epochs, "loss"), 1))
        shares.append(Curve("validation", validation_points(epochs, "accuracy"), 1))
    if report.cure:
        losses.append(Curve(f"validation{after}", validation_points(report.cure, "loss"), 2))
        shares.append(Curve(f"validation{after}", validation_points(report.cure, "accuracy"), 2))
    rates = [Curve("rate", [(each.epoch, each.learning_rate) for each in epochs], 0)]
    yield columns(
        figure("Loss", *epoch_chart("Loss", "loss", losses, kept), about=_about_kept(kept)),
        figure(
            "Accuracy",
            *epoch_chart("Accuracy", "accuracy in %", shares, kept, percentages),
            about=AS_IT_LEARNT,
        ),
        figure(
            "Learning rate",
            *epoch_chart("Learning rate", "rate", rates, kept),
            about="Mean of the steps of each epoch.",
        ),
    )
    yield details("The numbers of the epochs", _table(epochs))


def _about_kept(kept: int) -> str:
    return f"The network is that of epoch {kept}." if kept else ""


def validation_points(epochs: Sequence[EpochDone], name: str) -> list[tuple[float, float | None]]:
    """Return the validation loss, or the validation accuracy in per cent, over the epochs."""
    factor = 100 if name == "accuracy" else 1
    return [
        (each.epoch, factor * getattr(each.validation, name) if each.validation else None)
        for each in epochs
    ]


def epoch_chart(
    title: str,
    label: str,
    curves: Sequence[Curve],
    kept: int = 0,
    y_text: Format = short,
    log: bool = False,
) -> Iterator[Markup]:
    """Yield a chart over the epochs and, if it has several curves, their names.

    Args:
        title: of the chart, for screen readers.
        label: of the vertical axis, with its unit.
        curves: over the epochs.
        kept: an epoch to mark; 0 for none.
        y_text: writes a value.
        log: whether the vertical axis is logarithmic, if all values are above 0.
    """
    last = max((x for curve in curves for x, _ in curve.points), default=1.0)
    first = min((x for curve in curves for x, _ in curve.points), default=1.0)
    x = level("epoch", first, last, PLOT[0], whole=True)
    y = fitting(label, curves, log)
    names = ", ".join(curve.name for curve in curves)
    chart = Chart(f"{title} over the epochs: {names}" if len(curves) > 1 else title, x, y)
    marks = [chart.curve(curve, y_text=y_text) for curve in curves]
    if kept and kept >= x.low and kept <= x.high and last > first:
        marks.insert(0, chart.rule(kept, "kept"))
    if len(curves) > 1:
        yield legend(curves)
    yield chart.draw(*marks)


def fitting(label: str, curves: Sequence[Curve], log: bool = False) -> Scale:
    """Return a vertical axis for curves; a logarithmic one if it is wanted, or for steep losses."""
    values = [y for curve in curves for _, y in curve.points if y is not None and math.isfinite(y)]
    positive = [value for value in values if value > 0]
    is_steep = label == "loss" and positive and max(positive) > STEEP * min(positive)
    if positive and (log or is_steep):
        return logarithmic(label, min(positive), max(positive))
    if not values:
        return upright(label, 0.0, 1.0, PLOT[1])
    return upright(label, min(values), max(values), PLOT[1])


def _table(epochs: Sequence[EpochDone]) -> Markup:
    headings = ["epoch", "rate", "training loss", "training accuracy"]
    headings += ["validation loss", "validation accuracy", "seconds"]
    rows: list[list[Content]] = []
    for each in epochs:
        score = each.validation
        rows.append(
            [
                count(each.epoch),
                figure_of(each.learning_rate),
                figure_of(each.train.loss),
                share(each.train.accuracy, 2),
                figure_of(score.loss if score else None),
                share(score.accuracy if score else None, 2),
                figure_of(each.seconds, 3),
            ]
        )
    return table("Epochs", headings, rows)
