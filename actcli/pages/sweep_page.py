"""The page of a sweep: curves and maps over its keys, the table of its combinations, its runs."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from actcli.html.charts import Chart, Curve, ramp_legend
from actcli.html.colours import (
    MAGMA,
    SHADES,
    VIRIDIS,
    Colour,
    between,
    hexadecimal,
    ink_on,
    palette,
)
from actcli.html.markup import Content, Markup, element, number
from actcli.html.page import (
    Section,
    badge,
    beside,
    code,
    columns,
    details,
    figure,
    page,
    paragraph,
    table,
)
from actcli.html.scales import Scale, named, power_text, upright
from actcli.pages.cells import DASH, figure_of, percentages, share
from actcli.pages.run_page import foot
from actcli.render.sweep_axes import axis_at, round_axis
from actcli.render.sweep_values import is_number
from actcli.sweep.axes import option_of, written
from actcli.sweep.results import MeanAndDeviation, Outcome, Point, SweepTable
from actcli.term.numbers import fixed, grouped, percent, shortest

MIN_CURVE_VALUES = 3  # fewer values are clearer as bars
MAX_MAP_VALUES = 24  # of each axis
PLOT_COLUMNS = 44  # characters below a plot
FAULTS = {"diverged", "failed", "missing"}


def sweep_page(sweep: SweepTable) -> str:
    """Return the page of a sweep."""
    sections = [
        Section("pictures", "Effect of the keys", list(_pictures(sweep))),
        Section("combinations", "Combinations, the best first", _combinations(sweep)),
        Section("verdicts", "Verdicts", _verdicts(sweep)),
        Section("runs", "Runs", list(_runs(sweep))),
    ]
    return page(sweep.folder.name, _lead(sweep), sections, foot())


def _lead(sweep: SweepTable) -> Iterator[Content]:
    if sweep.shows:
        yield paragraph(sweep.shows)
    endings = Counter(outcome.status for outcome in sweep.outcomes)
    facts: list[tuple[str, Content]] = [("runs", grouped(len(sweep.outcomes)))]
    facts += [(status, grouped(times)) for status, times in endings.items()]
    for name, run in sweep.notable().items():
        if run.test is not None:
            facts.append((f"test accuracy of the {name} run", share(run.test, 2)))
    items = [element("li", element("b", content), name) for name, content in facts]
    yield element("ul", *items, class_="facts")


# Pictures -------------------------------------------------------------------------------------


def _pictures(sweep: SweepTable) -> Iterator[Content]:
    test = {point.varied: point.test for point in sweep.points if point.test}
    dead = {point.varied: point.dead for point in sweep.points if point.dead}
    if not test:
        yield paragraph("No run is finished.")
        return
    measures = [("test accuracy", test, VIRIDIS)]
    if any(mean.mean for mean in dead.values()):
        measures.append(("dead units", dead, MAGMA))
    values = [
        tuple(dict.fromkeys(outcome.varied[index] for outcome in sweep.outcomes))
        for index in range(len(sweep.axes))
    ]
    is_map = len(values) == 2 and all(2 <= len(part) <= MAX_MAP_VALUES for part in values)
    if is_map and 2 * len(sweep.points) >= math.prod(map(len, values)):
        yield beside(
            *(_map(name, sweep.axes, values, means, ramp) for name, means, ramp in measures)
        )
        return
    figures = []
    for index, axis in enumerate(sweep.axes):
        for name, means, _ in measures:
            figures.append(_over_axis(name, axis, index, values, means))
    yield columns(*figures)


Means = dict[tuple[Any, ...], MeanAndDeviation]


def _over_axis(
    name: str, axis: str, index: int, values: Sequence[tuple[Any, ...]], means: Means
) -> Markup:
    """Return a measure over one key: a curve, or dots if other keys vary, too."""
    label, of_axis = f"{name} in %", values[index]
    shares = [100 * mean.mean for mean in means.values()]
    y = upright(label, min(shares), max(shares), 150)
    is_alone = len(values) == 1
    if all(map(is_number, of_axis)) and len(of_axis) >= MIN_CURVE_VALUES:
        x = _axis(option_of(axis), sorted(of_axis))
        places = {value: float(value) for value in of_axis}
        texts = {value: shortest(float(value)) for value in of_axis}
    else:
        x = named(option_of(axis), [written(value) for value in of_axis])
        places = {value: position + 0.5 for position, value in enumerate(of_axis)}
        texts = {value: written(value) for value in of_axis}
        is_alone = False
    chart = Chart(f"{name} over {option_of(axis)}", x, y)
    points = sorted((places[varied[index]], 100 * mean.mean) for varied, mean in means.items())
    back = {place: texts[value] for value, place in places.items()}
    curve = Curve(name, points, 0, joined=is_alone)
    marks = chart.curve(curve, x_text=lambda place: back.get(place, ""), y_text=percentages)
    about = "Mean over the seeds." if is_alone else "Each dot is a combination of the keys."
    title = f"{name.capitalize()} over {option_of(axis)}"
    return figure(title, chart.draw(marks), about=about)


def _axis(label: str, values: Sequence[float]) -> Scale:
    """Return a horizontal axis with a tick at each value, or at round numbers."""
    axis = axis_at(values, PLOT_COLUMNS)
    if len(axis.ticks) > 8:
        axis = round_axis(values, PLOT_COLUMNS)
    log = bool(getattr(axis, "log", False))
    ticks = tuple(
        (tick, power_text(tick) if log and tick else axis.label(tick)) for tick in axis.ticks
    )
    return Scale(label, axis.low, axis.high, ticks, log)


def _map(
    name: str,
    axes: Sequence[str],
    values: Sequence[tuple[Any, ...]],
    means: Means,
    ramp: Sequence[Colour],
) -> Markup:
    """Return a table whose cells are coloured by their numbers."""
    down, across = (_sorted(part) for part in values)
    shares = [mean.mean for mean in means.values()]
    low, high = min(shares), max(shares)
    rows = []
    for one in down:
        cells = [element("th", element("bdi", written(one)), scope="row")]
        for other in across:
            mean = means.get((one, other))
            if mean is None:
                cells.append(element("td", DASH))
                continue
            colour = between(ramp, (mean.mean - low) / (high - low) if high > low else 1.0)
            style = f"background:{hexadecimal(colour)};color:{ink_on(colour)}"
            text = percent(mean.mean).removesuffix(" %")
            cells.append(element("td", number(mean.mean, text), style=style))
        rows.append(element("tr", *cells))
    heads = [element("th", element("bdi", written(other)), scope="col") for other in across]
    corner = element("th", f"{option_of(axes[0])} by {option_of(axes[1])}", scope="col")
    caption = element(
        "caption",
        element("strong", f"{name.capitalize()} in %"),
        ramp_legend(palette(ramp, 10 * SHADES), percent(low), percent(high)),
    )
    grid = element(
        "table",
        caption,
        element("thead", element("tr", corner, *heads)),
        element("tbody", *rows),
    )
    region = element("div", grid, class_="scroll", role="region", aria_label=name, tabindex=0)
    return element("div", region, class_="map")


def _sorted(values: tuple[Any, ...]) -> list[Any]:
    return sorted(values) if all(map(is_number, values)) else list(values)


# Tables ---------------------------------------------------------------------------------------


def _combinations(sweep: SweepTable) -> Markup:
    axes = [code(option_of(axis)) for axis in sweep.axes]
    headings = ["", *axes, "validation %", "test %", "dead %", "verdict", "seconds", "runs"]
    rows = [_point(position, point) for position, point in enumerate(sweep.points, 1)]
    varied = len(axes)
    return table(
        "Combinations",
        headings,
        rows,
        texts=frozenset({0, varied + 4}),
        about="Mean and standard deviation over the seeds",
    )


def _point(position: int, point: Point) -> list[Content]:
    return [
        str(position),
        *map(written, point.varied),
        _mean(point.validation, 2),
        _mean(point.test, 2),
        _mean(point.dead, 1),
        point.verdict,
        figure_of(point.seconds.mean if point.seconds else None, 3),
        f"{point.runs} of {point.planned}",
    ]


def _mean(mean: MeanAndDeviation | None, decimals: int) -> Content:
    if mean is None:
        return DASH
    text = number(mean.mean, percent(mean.mean, decimals).removesuffix(" %"))
    if mean.deviation is None:
        return text
    return [text, " ± ", number(mean.deviation, fixed(100 * mean.deviation, decimals))]


def _verdicts(sweep: SweepTable) -> Markup:
    counts = Counter(outcome.ending for outcome in sweep.outcomes)
    rows = [[ending, grouped(times)] for ending, times in counts.most_common()]
    return table("How the runs ended", ["verdict", "runs"], rows)


def _runs(sweep: SweepTable) -> Iterator[Content]:
    for name, run in sweep.notable().items():
        path = f"{sweep.folder.name}/{run.job}"
        yield paragraph(f"The {name} run, ", element("bdi", run.job), f" ({run.ending}): ")
        yield paragraph(code(f"actcli report {path}"))
    failed = [outcome for outcome in sweep.outcomes if outcome.error]
    if failed:
        yield table(
            "Runs without a result",
            ["run", "ending", "why"],
            list(map(_fault, failed)),
            texts=frozenset({0, 1, 2}),
        )
    if any(len(group) > 1 for group in _by_combination(sweep).values()):
        yield details("All runs", _all(sweep))


def _by_combination(sweep: SweepTable) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in sweep.outcomes:
        groups.setdefault(repr(outcome.varied), []).append(outcome)
    return groups


def _fault(outcome: Outcome) -> list[Content]:
    return [element("bdi", outcome.job), badge(outcome.status, "warning"), outcome.error]


def _all(sweep: SweepTable) -> Markup:
    headings = ["run", "seed", "validation", "test", "dead", "verdict", "seconds"]
    rows: list[list[Content]] = [
        [
            element("bdi", outcome.job),
            str(outcome.seed),
            share(outcome.validation, 2),
            share(outcome.test, 2),
            share(outcome.dead),
            outcome.ending,
            figure_of(outcome.seconds, 3),
        ]
        for outcome in sweep.outcomes
    ]
    return table("Runs", headings, rows, texts=frozenset({0, 5}))
