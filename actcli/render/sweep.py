"""The view of a sweep: a table with the best combination first, and plots over the axes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.render.sweep_pictures import pictures
from actcli.render.sweep_values import is_number, value_text
from actcli.sweep.axes import option_of
from actcli.sweep.results import MeanAndDeviation, Point, SweepTable
from actcli.term.canvas import Canvas
from actcli.term.numbers import align_points, fixed, grouped, percent, significant
from actcli.term.table import (
    GAP,
    Column,
    cut,
    cut_names,
    fit,
    lines,
    numbers,
    optional,
    paragraph,
    titled,
    total_width,
)

MAX_ROWS = 20  # of the table, so that it fits one screen together with its plots
MAX_TEXT_WIDTH = 96
LABEL = "next  "
KEY_RANK = 1  # of the columns of keys; the first key is always shown
ENDINGS = {"diverged": "bold", "failed": "red", "missing": "dim"}


@dataclass(frozen=True)
class SweepView:
    """The result of `actcli sweep`.

    Args:
        table: the result of the sweep.
        next_commands: commands that examine a run, each with what the run is.
        complete: whether to show all rows.
    """

    table: SweepTable
    next_commands: Sequence[tuple[str, str]]
    complete: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table, canvas = self.table, Canvas.of(options)
        name = cut(canvas.printable(table.folder.name), canvas.width)
        shown = table.points if self.complete else table.points[:MAX_ROWS]
        columns, has_deviations = _fitted(table, shown, canvas)
        about = next(
            (
                text
                for text in _abouts(table, has_deviations)
                if len(name) + GAP + len(text) <= canvas.width
            ),
            "",
        )
        yield titled(name, about, canvas)
        styles = [_style(point) for point in shown]
        yield from lines(columns, styles)
        yield from left_out(table.axes, columns)
        if hidden := len(table.points) - len(shown):
            yield Text(canvas.plain(f"… {grouped(hidden)} more: --all or --csv"), "dim")
        yield from pictures(table, canvas.width, console)
        text = min(canvas.width, MAX_TEXT_WIDTH)
        if table.shows:
            yield Text()
            yield paragraph(table.shows, canvas.resized(text))
        if self.next_commands:
            yield Text()
            yield from self._next(canvas)

    def _next(self, canvas: Canvas) -> Iterator[Text]:
        """Yield the commands to try next; with what each run is, if there are several."""
        commands = [canvas.plain(command) for command, _ in self.next_commands]
        abouts = [canvas.plain(about) for _, about in self.next_commands]
        width = max(map(cell_len, commands))
        room = canvas.width - len(LABEL) - width - GAP
        if max(map(cell_len, abouts)) > room:
            abouts = [about.partition(":")[0] for about in abouts]
        has_room = max(map(cell_len, abouts)) <= room
        for number, (command, about) in enumerate(zip(commands, abouts, strict=True)):
            line = Text(" " * len(LABEL) if number else LABEL)
            line.append(command, "bold")
            if has_room and len(commands) > 1:
                line.append(f"{' ' * (width - cell_len(command) + GAP)}{about}", "dim")
            yield line


def left_out(axes: Sequence[str], columns: Sequence[Column]) -> Iterator[Text]:
    """Yield a line that says how many keys have no column, if there are any."""
    if count := len(axes[1:]) - sum(column.rank == KEY_RANK for column in columns):
        yield Text(f"{count} key{'s' * (count > 1)} not shown: --csv", "dim")


def _abouts(table: SweepTable, has_deviations: bool) -> Iterator[str]:
    """Yield headings, from the most complete to the shortest: counts, deviation, order."""
    total = len(table.outcomes)
    counts = [f"{grouped(total)} run{'s' * (total != 1)}"]
    endings = Counter(outcome.status for outcome in table.outcomes)
    counts += [f"{grouped(endings[ending])} {ending}" for ending in ENDINGS if endings[ending]]
    split = "validation" if any(point.validation for point in table.points) else "test"
    order = [f"best {split} first"] if len(table.points) > 1 and endings["finished"] else []
    deviation = ["mean ± standard deviation over seeds"] if has_deviations else []
    yield ", ".join([*counts, *deviation, *order])
    yield ", ".join([*counts, *deviation])
    yield ", ".join([*counts, *order])
    yield ", ".join(counts)


def _style(point: Point) -> str:
    return next((style for word, style in ENDINGS.items() if point.verdict.startswith(word)), "")


def _fitted(
    table: SweepTable, points: Sequence[Point], canvas: Canvas
) -> tuple[list[Column], bool]:
    """Return the columns that fit the canvas, and whether they have deviations.

    On a narrow canvas, first some columns are left out, then words are cut, then deviations and at
    last keys are left out.
    """
    has_deviations = any(point.test and point.test.deviation is not None for point in points)
    for deviations in (True, False) if has_deviations else (False,):
        columns = _columns(table, points, canvas, deviations)
        columns = cut_names(fit(columns, canvas.width, min_rank=3), canvas.width)
        if total_width(columns) <= canvas.width:
            return columns, deviations
    return fit(columns, canvas.width), False


def _columns(
    table: SweepTable, points: Sequence[Point], canvas: Canvas, deviations: bool
) -> list[Column]:
    columns = [Column("", [str(number + 1) for number in range(len(points))], rank=7)]
    for position, axis in enumerate(table.axes):
        varied = [point.varied[position] for point in points]
        columns.append(varied_column(axis, varied, canvas, rank=KEY_RANK if position else 0))
    if any(point.validation for point in table.points):
        cells = _means([point.validation for point in points], 2, canvas, deviations)
        columns.append(Column("validation %", cells, rank=5))
    columns += [
        Column("test %", _means([point.test for point in points], 2, canvas, deviations)),
        Column("dead %", _means([point.dead for point in points], 1, canvas, deviations), rank=2),
        Column("verdict", [canvas.plain(point.verdict) for point in points], 3, left=True),
    ]
    if any(point.runs < point.planned for point in table.points):
        runs = [f"{point.runs} of {point.planned}" for point in points]
        columns.append(Column("finished", runs, rank=4))
    seconds = [optional(point.seconds, _seconds, canvas) for point in points]
    names = [canvas.plain(point.name or f"{point.job}, …") for point in points]
    return [
        *columns,
        numbers("seconds", seconds, rank=6),
        Column("run", names, rank=8, left=True),
    ]


def varied_column(axis: str, values: Sequence[object], canvas: Canvas, rank: int = 0) -> Column:
    """Return the column of an axis, titled with the name of its option."""
    texts = [value_text(value, canvas) for value in values]
    if all(map(is_number, values)):
        return numbers(option_of(axis), texts, rank)
    return Column(option_of(axis), texts, rank, left=True)


def _means(
    means: Sequence[MeanAndDeviation | None], decimals: int, canvas: Canvas, deviations: bool
) -> list[str]:
    """Return aligned percentages, possibly with standard deviations in percentage points."""
    left = [
        canvas.plain("–") if measure is None else percent(measure.mean, decimals).removesuffix(" %")
        for measure in means
    ]
    right = [
        ""
        if measure is None or measure.deviation is None or not deviations
        else fixed(100 * measure.deviation, decimals)
        for measure in means
    ]
    if not any(right):
        return align_points(left)
    sign = canvas.plain("±")
    signs = [f" {sign} " if text else " " * (len(sign) + 2) for text in right]
    parts = zip(align_points(left), signs, align_points(right), strict=True)
    return ["".join(part) for part in parts]


def _seconds(time: MeanAndDeviation) -> str:
    return significant(time.mean, 3)
