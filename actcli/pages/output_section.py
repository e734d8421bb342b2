"""The outputs: confusion matrix, reliability, histogram of the confidence, the classes."""

from collections.abc import Iterator

from actcli.diagnostics.confusion import Confusion
from actcli.diagnostics.outputs import Bin, Outputs
from actcli.html.charts import Chart, Curve, ramp_legend
from actcli.html.colours import BLUES, SHADES, palette
from actcli.html.markup import Content, Markup, element, join, number
from actcli.html.page import Section, beside, columns, details, figure, paragraph, table
from actcli.html.scales import level, upright
from actcli.pages.cells import DASH, count, figure_of, share
from actcli.render.outputs import ABOUT, NO_PROBABILITIES
from actcli.store.run_report import RunReport, SplitOutputs
from actcli.term.numbers import grouped, percent

MAX_MATRIX = 26  # classes of a matrix; of more, only the worst pairs are shown
HUNDRED = 100.0


def output_section(report: RunReport) -> Section:
    """Return the outputs of a network on the test rows."""
    return Section("outputs", "Predictions", list(_contents(report)))


def _contents(report: RunReport) -> Iterator[Content]:
    test = report.test
    if test is None:
        yield paragraph("The predictions were not examined.")
        return
    yield paragraph(
        join("On the ", count(test.rows), f" {test.split} rows: accuracy "),
        share(test.accuracy, 2),
        *_overall(test.outputs),
        ".",
    )
    if test.outputs is None:
        yield paragraph(NO_PROBABILITIES)
    yield from _confusion(test.confusion)
    if test.outputs:
        yield columns(reliability(test.outputs.reliability), _confidence(test.outputs.reliability))
        yield details("The numbers of the bins", _bins(test.outputs.reliability))
    yield _classes(test)


def _overall(outputs: Outputs | None) -> Iterator[Content]:
    if outputs is None:
        return
    yield ", mean confidence "
    yield share(outputs.confidence, 2)
    yield ", expected calibration error "
    yield share(outputs.ece, 2)
    yield ", negative log-likelihood "
    yield figure_of(outputs.nll, 3)
    yield " nats"
    if outputs.temperature is not None:
        yield ", best temperature "
        yield figure_of(outputs.temperature, 3)


# Confusion ------------------------------------------------------------------------------------


def _confusion(confusion: Confusion) -> Iterator[Content]:
    matrix = None
    if len(confusion.classes) <= MAX_MATRIX:
        matrix = element("div", _matrix(confusion), class_="matrix")
    pairs = confusion.worst_pairs()
    if not pairs:
        yield join(matrix, paragraph("No row is predicted wrong."))
        return
    worst = table(
        "The most frequent confusions",
        ["true class", "predicted as", "rows", "of the class"],
        [
            [
                element("bdi", pair.true_class),
                element("bdi", pair.predicted),
                count(pair.rows),
                share(pair.share, 2),
            ]
            for pair in pairs
        ],
        texts=frozenset({0, 1}),
    )
    yield beside(matrix, worst)


def _matrix(confusion: Confusion) -> Markup:
    counts = confusion.counts
    worst = max(
        (rows for i, row in enumerate(counts) for j, rows in enumerate(row) if i != j), default=0
    )
    lines = []
    for true, (name, row) in enumerate(zip(confusion.classes, counts, strict=True)):
        cells = [element("th", element("bdi", name), scope="row")]
        for predicted, rows in enumerate(row):
            is_right = true == predicted
            shade = None
            if rows and not is_right:
                shade = f"h{min(SHADES - 1, int(SHADES * rows / worst))}"
            content: Content = number(rows, grouped(rows)) if rows or is_right else ""
            cells.append(element("td", content, class_="right" if is_right else shade))
        lines.append(element("tr", *cells))
    heads = [element("th", element("bdi", name), scope="col") for name in confusion.classes]
    corner = element("th", "true", scope="col")
    caption = element(
        "caption",
        element("strong", "Confusion matrix"),
        " Rows: the true class; columns: the predicted class. Right predictions are framed, "
        "mistakes are coloured by their number.",
        ramp_legend(palette(BLUES, SHADES), "0", grouped(worst)),
    )
    matrix = element(
        "table",
        caption,
        element("thead", element("tr", corner, *heads)),
        element("tbody", *lines),
    )
    return element(
        "div", matrix, class_="scroll", role="region", aria_label="Confusion matrix", tabindex=0
    )


# Confidence -----------------------------------------------------------------------------------


def reliability(bins: tuple[Bin, ...], of_run: str = "") -> Markup:
    """Return the reliability diagram: the accuracy of the rows of each confidence."""
    x = level("confidence in %", 0, HUNDRED, 300)
    chart = Chart(
        "Reliability: accuracy over confidence", x, upright("accuracy in %", 0, HUNDRED, 150)
    )
    filled = [each for each in bins if each.count and each.accuracy is not None]
    curve = Curve(
        "accuracy",
        [(HUNDRED * (each.confidence or 0), HUNDRED * (each.accuracy or 0)) for each in filled],
        1,
    )
    ends = {"x1": chart.across(0), "y1": chart.down(0)}
    ends |= {"x2": chart.across(HUNDRED), "y2": chart.down(HUNDRED)}
    diagonal = element("line", class_="diagonal", **ends)
    return figure(
        f"{of_run}Reliability",
        chart.draw(diagonal, chart.curve(curve, _percentage, _percentage)),
        about="On the dashed line, confidence and accuracy agree; below it, the network is "
        "overconfident.",
    )


def _percentage(value: float) -> str:
    return percent(value / HUNDRED)


def _confidence(bins: tuple[Bin, ...]) -> Markup:
    x = level("confidence in %", 0, HUNDRED, 300)
    total = sum(each.count for each in bins)
    top = max((each.count for each in bins), default=0) / (total or 1)
    chart = Chart("Histogram of the confidence", x, upright("% of the rows", 0, HUNDRED * top, 150))
    bars = [
        chart.bar(
            (HUNDRED * each.low, HUNDRED * each.high),
            HUNDRED * each.count / total,
            f"{_percentage(HUNDRED * each.low)} to {_percentage(HUNDRED * each.high)}: "
            f"{grouped(each.count)} rows",
            "bar",
        )
        for each in bins
        if each.count
    ]
    return figure("Confidence", chart.draw(*bars), about="How often the network is how sure.")


def _bins(bins: tuple[Bin, ...]) -> Markup:
    return table(
        "Bins of the confidence",
        ["from", "to", "rows", "mean confidence", "accuracy"],
        [
            [
                share(each.low),
                share(each.high),
                count(each.count),
                share(each.confidence, 2),
                share(each.accuracy, 2),
            ]
            for each in bins
        ],
    )


# Classes --------------------------------------------------------------------------------------


def _classes(test: SplitOutputs) -> Markup:
    headings = ["class", "rows", "precision", "recall", "F1"]
    outputs = test.outputs.classes if test.outputs else ()
    if outputs:
        headings += ["p(true)", "confidence", "entropy", "mostly confused with"]
    rows: list[list[Content]] = []
    for index, scores in enumerate(test.confusion.scores):
        cells: list[Content] = [
            element("bdi", scores.label),
            count(scores.rows),
            share(scores.precision),
            share(scores.recall),
            share(scores.f1),
        ]
        if outputs:
            each = outputs[index]
            cells += [
                share(each.probability_of_true),
                share(each.confidence),
                figure_of(each.entropy, 3),
                element("bdi", each.confused_with) if each.confused_with else DASH,
            ]
        rows.append(cells)
    about = ABOUT.get(test.output, "") if outputs else ""
    return table("Classes", headings, rows, texts=frozenset({0, 8}), about=about)
