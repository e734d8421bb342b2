"""The page of several runs side by side: what differs comes first."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from actcli.diagnostics import FAULTLESS
from actcli.explore.compare import ComparedRun, Comparison
from actcli.html.charts import Curve
from actcli.html.markup import Content, Markup, element
from actcli.html.page import (
    Section,
    badge,
    code,
    columns,
    details,
    figure,
    listing,
    page,
    paragraph,
    table,
)
from actcli.pages.cells import DASH, count, figure_of, percentages, share
from actcli.pages.curve_section import epoch_chart
from actcli.pages.flow_section import layer_sizes, silent_chart
from actcli.pages.output_section import reliability
from actcli.pages.run_page import foot
from actcli.pages.verdict_section import finding_block
from actcli.render.compare import ROW_NAMES, written
from actcli.store.run_report import RunReport
from actcli.store.runs_report import RunsReport, loss_curve
from actcli.term.numbers import grouped

MAX_COLUMNS = 6  # runs that stand side by side; more have a row each
COLOURED = 5  # curves with a colour; of more runs, these are the most accurate ones


def runs_page(report: RunsReport) -> str:
    """Return the page of several runs."""
    comparison = report.comparison
    sections = [
        Section("differences", "What differs", list(_differences(comparison))),
        Section("results", "Results", _results(comparison)),
        Section("curves", "Learning curves", list(_curves(report))),
    ]
    if report.reports:
        sections += [
            Section("verdicts", "Verdicts", list(_verdicts(report.reports))),
            Section("units", "Units and confidence", list(_pictures(report.reports))),
            Section("classes", "Classes", list(_classes(report.reports))),
            Section("setup", "How to repeat the runs", list(_commands(report.reports))),
        ]
    title = f"{grouped(len(comparison.runs))} runs side by side"
    return page(title, None, sections, foot())


def _differences(comparison: Comparison) -> Iterator[Content]:
    if not comparison.differences:
        yield paragraph("Nothing: the configurations are the same.")
        return
    names = [element("bdi", run.name) for run in comparison.runs]
    differences = comparison.differences
    if len(names) <= MAX_COLUMNS:
        yield table(
            "Configuration",
            ["key", *names],
            [[code(key), *map(written, values)] for key, values in differences.items()],
            texts=frozenset(range(len(names) + 1)),
        )
        return
    yield table(
        "Configuration",
        ["run", *map(code, differences)],
        [
            [name, *(written(values[index]) for values in differences.values())]
            for index, name in enumerate(names)
        ],
        texts=frozenset(range(len(differences) + 1)),
    )


def _results(comparison: Comparison) -> Markup:
    goal = f"epochs to {100 * comparison.goal:g} %"
    headings = ["run", "verdict", "test accuracy", "test loss", "dead", "silent", "epochs", goal]
    rows: list[list[Content]] = [
        [
            element("bdi", run.name),
            _ending(run),
            share(run.test_accuracy, 2),
            figure_of(run.test_loss),
            share(run.dead),
            share(run.silent),
            str(len(run.history)),
            count(reached) if reached else DASH,
        ]
        for run, reached in zip(comparison.runs, comparison.reached, strict=True)
    ]
    about = "dead: no training row activates the unit; silent: no row of a small sample"
    return table("Results", headings, rows, texts=frozenset({0, 1}), about=about)


def _ending(run: ComparedRun) -> Markup:
    """Return the verdict of a run or, without one, how it ended."""
    if run.verdict and run.state == "finished":
        return badge(run.verdict, "good" if run.verdict in FAULTLESS else "error")
    return badge(run.state, "warning")


def _curves(report: RunsReport) -> Iterator[Content]:
    comparison = report.comparison
    styles = _styles(comparison)
    accuracies, losses = [], []
    for index, (run, curve) in enumerate(zip(comparison.runs, comparison.curves, strict=True)):
        epochs = [epoch.epoch for epoch in run.history]
        shares = [100 * part for part in curve]
        points = list(zip(epochs, shares, strict=True))
        accuracies.append(Curve(run.name, points, styles[index]))
        points = list(zip(epochs, loss_curve(comparison, index), strict=True))
        losses.append(Curve(run.name, points, styles[index]))
    order = sorted(range(len(styles)), key=lambda index: styles[index] is not None)
    accuracies, losses = ([curves[index] for index in order] for curves in (accuracies, losses))
    rows = ROW_NAMES[comparison.rows]
    many = len(styles) > COLOURED
    about = f"On the {rows}." + (" The most accurate runs have colours." if many else "")
    if not any(comparison.curves):
        yield paragraph("No run has finished an epoch.")
        return
    yield columns(
        figure(
            "Accuracy",
            *epoch_chart("Accuracy", "accuracy in %", accuracies, 0, percentages),
            about=about,
        ),
        figure("Loss", *epoch_chart("Loss", "loss", losses), about=about),
    )
    if len(styles) <= MAX_COLUMNS:
        yield details("The numbers of the epochs", *_numbers(comparison))


def _numbers(comparison: Comparison) -> Iterator[Markup]:
    """Yield a table of the accuracies and one of the losses, with a column for each run."""
    headings: list[Content] = ["epoch", *(element("bdi", run.name) for run in comparison.runs)]
    losses = [loss_curve(comparison, index) for index in range(len(comparison.runs))]
    accuracies = [[share(part, 2) for part in curve] for curve in comparison.curves]
    columns_ = {"Accuracy": accuracies, "Loss": [list(map(figure_of, curve)) for curve in losses]}
    for caption, cells in columns_.items():
        rows = zip_longest(range(1, max(map(len, cells)) + 1), *cells, fillvalue="")
        yield table(caption, headings, [[str(epoch), *rest] for epoch, *rest in rows])


def _styles(comparison: Comparison) -> list[int | None]:
    """Return the number of the colour of each run; None for those that are grey."""
    total = len(comparison.runs)
    if total <= COLOURED:
        return list(range(total))
    ends = [curve[-1] if curve else 0.0 for curve in comparison.curves]
    best = sorted(range(total), key=lambda index: -ends[index])[:COLOURED]
    return [best.index(index) if index in best else None for index in range(total)]


def _verdicts(reports: Sequence[RunReport]) -> Iterator[Content]:
    for report in reports:
        yield element("h3", element("bdi", report.name))
        for note in report.notes:
            yield paragraph(note)
        if diagnosis := report.diagnosis:
            if diagnosis.healthy_because:
                yield paragraph(badge("healthy", "good"), " ", diagnosis.healthy_because)
            yield from map(finding_block, diagnosis.findings)


def _pictures(reports: Sequence[RunReport]) -> Iterator[Content]:
    figures: list[Markup] = []
    for report in reports:
        measured = [each for each in report.epochs if each.health and each.health.delta_norm]
        figures += silent_chart(measured, layer_sizes(report), f"{report.name}: ")
    for report in reports:
        if report.test and report.test.outputs:
            figures.append(reliability(report.test.outputs.reliability, f"{report.name}: "))
    yield columns(*figures)


def _classes(reports: Sequence[RunReport]) -> Iterator[Content]:
    """Yield a table of the recall of each class, if the runs have the same classes."""
    tested = [(report.name, report.test) for report in reports if report.test]
    names = {test.confusion.classes for _, test in tested}
    if len(names) != 1:
        yield paragraph("The runs have different classes.")
        return
    rows: list[list[Content]] = [
        [
            element("bdi", label),
            *(share(test.confusion.scores[index].recall) for _, test in tested),
        ]
        for index, label in enumerate(names.pop())
    ]
    headings: list[Content] = ["class", *(element("bdi", name) for name, _ in tested)]
    yield table("Recall", headings, rows, about="Share of the test rows of a class that are right")


def _commands(reports: Sequence[RunReport]) -> Iterator[Content]:
    for report in reports:
        yield element("h3", element("bdi", report.name))
        yield listing(report.command)
        if report.config:
            yield details("The whole configuration", listing(report.config.to_toml()))
