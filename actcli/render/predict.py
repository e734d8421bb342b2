"""Images beside what a network says of them: a bar for each class, and what it comes to."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.explore.predict import Prediction, Predictions
from actcli.term.bars import bar
from actcli.term.canvas import Canvas
from actcli.term.image import digit
from actcli.term.numbers import fixed, grouped, percent, significant
from actcli.term.table import GAP, Column, beside, cut, lines, needed, numbers, paragraph

MOST_CLASSES = 12
LARGEST = 10  # outputs that are shown where there are more classes
BETWEEN = 3  # columns between the image and its outputs
WIDEST_BAR, NARROWEST_BAR = 30, 9
MARKS = (("▶", "◆"), (">", "@"))  # of the answer and the true class; in ASCII
NATS = {"binary-cross-entropy", "kl-divergence"}  # losses with this unit
LABEL = 16  # columns of a mark and a name


@dataclass(frozen=True)
class PredictView:
    """The result of `actcli predict`."""

    found: Predictions

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, canvas = self.found, Canvas.of(options)
        yield _titled(found, canvas)
        for prediction in found.predictions:
            yield Text()
            title = paragraph(_title(found, prediction), canvas)
            title.stylize("bold" if prediction.right is False else "")
            yield title
            for line in self._beside(prediction, console, options):
                line.rstrip()
                yield line

    def _beside(
        self, prediction: Prediction, console: Console, options: ConsoleOptions
    ) -> list[Text]:
        """The image and its outputs; one below the other where it is narrow."""
        found, canvas = self.found, Canvas.of(options)
        if prediction.image is None:
            return _outputs(found, prediction, canvas)
        image = digit(prediction.image.tolist(), console, canvas)
        room = canvas.width - image[0].cell_len - BETWEEN
        if room < _least(found):
            return [*image, *_outputs(found, prediction, canvas)]
        return beside(image, _outputs(found, prediction, canvas.resized(room)), BETWEEN)


def _titled(found: Predictions, canvas: Canvas) -> Text:
    """What was asked, and beside it or below what the marks mean."""
    head = paragraph(_head(found), canvas)
    head.stylize("bold", 0, len(canvas.plain(found.model)))
    answer, true = MARKS[canvas.ascii]
    legend = f"{answer} answer"
    if any(prediction.true_class is not None for prediction in found.predictions):
        legend += f"{' ' * GAP}{true} true class"
    if not found.predictions:
        return head
    last = head.plain.rpartition("\n")[2]
    beside = cell_len(last) + GAP + cell_len(legend) <= canvas.width
    return head.append(" " * GAP if beside else "\n").append(legend, "not bold dim")


def _head(found: Predictions) -> str:
    where = f"{found.model} on {found.dataset}"
    if found.split is None:
        return f"{where}: an image from elsewhere"
    if found.rows is None or found.mistakes is None:
        return f"{where}, {found.split}"
    if not found.mistakes:
        return f"{where}, {found.split}: none of {grouped(found.rows)} rows is wrong"
    shown = len(found.predictions)
    return (
        f"{where}, {found.split}: {grouped(found.mistakes)} of {grouped(found.rows)} rows are "
        f"wrong ({percent(found.mistakes / found.rows, 2)}); here "
        f"{'is the one' if shown == 1 else f'are the {shown}'} it was surest of"
    )


def _title(found: Predictions, prediction: Prediction) -> str:
    answer = found.classes[prediction.answer]
    where = "the image" if prediction.index is None else f"row {prediction.index}"
    if prediction.true_class is None:
        return f"{where}: answered {answer}"
    true = found.classes[prediction.true_class]
    if prediction.right:
        return f"{where}: answered {answer}, right"
    return f"{where}: answered {answer}, WRONG: it is {true}"


def _least(found: Predictions) -> int:
    """Columns that the outputs need, beside an image."""
    return min(LABEL, 3 + max(map(cell_len, found.classes))) + 2 * GAP + 9 + NARROWEST_BAR


def _outputs(found: Predictions, prediction: Prediction, canvas: Canvas) -> list[Text]:
    rows = _rows(found, prediction)
    values = [float(prediction.outputs[row]) for row in rows]
    columns = [
        Column("   class", [_name(found, prediction, row, canvas) for row in rows], left=True),
        numbers(_heading(found), [_value(found, value) for value in values]),
    ]
    room = min(WIDEST_BAR, canvas.width - needed(columns) - GAP)
    if found.output != "identity" and room >= NARROWEST_BAR:
        bars = [bar(value, room, canvas) for value in values]
        columns.append(Column(f"0{'100 %'.rjust(room - 1)}", bars, left=True, style="cyan"))
    styles = ["bold" if row == prediction.answer else "" for row in rows]
    table = lines(columns, styles)
    left_out = len(found.classes) - len(rows)
    if left_out:
        table.append(Text(f"   {canvas.plain('…')} and {grouped(left_out)} smaller ones"))
    return [*table, Text(), *_facts(found, prediction, canvas)]


def _rows(found: Predictions, prediction: Prediction) -> list[int]:
    """Which classes to show: all in their order or, of very many, the largest, and the true one."""
    if len(found.classes) <= MOST_CLASSES:
        return list(range(len(found.classes)))
    rows: list[int] = (-prediction.outputs).argsort(kind="stable")[:LARGEST].tolist()
    if prediction.true_class is not None and prediction.true_class not in rows:
        rows[-1] = prediction.true_class
    return rows


def _heading(found: Predictions) -> str:
    return "score" if found.output == "identity" else found.output


def _value(found: Predictions, value: float) -> str:
    return fixed(value) if found.output == "identity" else percent(value, 2)


def _facts(found: Predictions, prediction: Prediction, canvas: Canvas) -> Iterator[Text]:
    second = prediction.second
    value = _value(found, float(prediction.outputs[second]))
    entries = {"second choice": f"{found.classes[second]}, {value}"}
    if prediction.cross_entropy is not None:
        entries["cross-entropy"] = f"{_cost(prediction.cross_entropy)} nats"
    if prediction.loss is not None and (found.loss != "cross-entropy"):
        unit = " nats" if found.loss in NATS else ""
        entries[f"loss, {found.loss}"] = f"{_cost(prediction.loss)}{unit}"
    indent = max(map(len, entries)) + GAP
    for name, text in entries.items():
        shown = paragraph(text, canvas, f"   {name.ljust(indent)}")
        yield from shown.split("\n")


def _cost(value: float) -> str:
    return "infinite" if value == float("inf") else significant(value)


def _name(found: Predictions, prediction: Prediction, row: int, canvas: Canvas) -> str:
    """A class, marked as the answer and as the true one; a long name is cut, and ends in ~."""
    triangle, diamond = MARKS[canvas.ascii]
    mark = triangle if row == prediction.answer else " "
    mark += diamond if row == prediction.true_class else " "
    name = f"{mark} {canvas.plain(found.classes[row])}"
    return cut(name, LABEL)
