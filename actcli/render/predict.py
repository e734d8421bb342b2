"""Images beside the outputs of a network: a bar for each class, and the cross-entropy."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.explore.predict import Prediction, Predictions
from actcli.term.bars import bar
from actcli.term.canvas import Canvas
from actcli.term.image import image_lines
from actcli.term.numbers import fixed, grouped, percent, significant
from actcli.term.table import GAP, Column, beside, cut, lines, numbers, paragraph, total_width

MAX_CLASSES = 12
LARGEST_OUTPUTS = 10  # number of shown outputs if there are more than MAX_CLASSES
IMAGE_GAP = 3  # columns between the image and its outputs
MAX_BAR_COLUMNS, MIN_BAR_COLUMNS = 30, 9
MARKS = (("▶", "◆"), (">", "@"))  # of the answer and the true class; in ASCII
LOSSES_IN_NATS = {"binary-cross-entropy", "kl-divergence"}
MAX_LABEL_COLUMNS = 16  # of a mark and a name


@dataclass(frozen=True)
class PredictView:
    """The result of `actcli predict`."""

    result: Predictions

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        result, canvas = self.result, Canvas.of(options)
        yield _titled(result, canvas)
        if result.steps:
            yield paragraph(f"{'; '.join(result.steps)}", canvas)
        for prediction in result.predictions:
            yield Text()
            title = paragraph(_title(result, prediction), canvas)
            title.stylize("bold" if prediction.right is False else "")
            yield title
            for line in self._beside(prediction, console, options):
                line.rstrip()
                yield line

    def _beside(
        self, prediction: Prediction, console: Console, options: ConsoleOptions
    ) -> list[Text]:
        """Return the image beside its outputs, or above them on a narrow canvas."""
        result, canvas = self.result, Canvas.of(options)
        if prediction.image is None:
            return _outputs(result, prediction, canvas)
        image = image_lines(prediction.image.tolist(), console, canvas)
        room = canvas.width - image[0].cell_len - IMAGE_GAP
        if room < _min_columns(result):
            return [*image, *_outputs(result, prediction, canvas)]
        return beside(image, _outputs(result, prediction, canvas.resized(room)), IMAGE_GAP)


def _titled(result: Predictions, canvas: Canvas) -> Text:
    """Return the heading, with the legend of the marks beside or below it."""
    head = paragraph(_head(result), canvas)
    head.stylize("bold", 0, len(canvas.plain(result.model)))
    answer, true = MARKS[canvas.ascii]
    legend = f"{answer} answer"
    if any(prediction.true_class is not None for prediction in result.predictions):
        legend += f"{' ' * GAP}{true} true class"
    if not result.predictions:
        return head
    last = head.plain.rpartition("\n")[2]
    fits = cell_len(last) + GAP + cell_len(legend) <= canvas.width
    return head.append(" " * GAP if fits else "\n").append(legend, "not bold dim")


def _head(result: Predictions) -> str:
    where = f"{result.model} on {result.dataset}"
    if result.split is None:
        return f"{where}: an image file"
    if result.rows is None or result.mistakes is None:
        return f"{where}, {result.split}"
    if not result.mistakes:
        return f"{where}, {result.split}: none of {grouped(result.rows)} rows is wrong"
    shown = len(result.predictions)
    return (
        f"{where}, {result.split}: {grouped(result.mistakes)} of {grouped(result.rows)} rows are "
        f"wrong ({percent(result.mistakes / result.rows, 2)}); here "
        f"{'is the' if shown == 1 else f'are the {shown}'} most confident"
    )


def _title(result: Predictions, prediction: Prediction) -> str:
    answer = result.classes[prediction.answer]
    where = "the image" if prediction.index is None else f"row {prediction.index}"
    if prediction.true_class is None:
        return f"{where}: answered {answer}"
    true = result.classes[prediction.true_class]
    if prediction.right:
        return f"{where}: answered {answer}, right"
    return f"{where}: answered {answer}, WRONG: it is {true}"


def _min_columns(result: Predictions) -> int:
    """Return the number of columns that the outputs need beside an image."""
    return (
        min(MAX_LABEL_COLUMNS, 3 + max(map(cell_len, result.classes)))
        + 2 * GAP
        + 9
        + MIN_BAR_COLUMNS
    )


def _outputs(result: Predictions, prediction: Prediction, canvas: Canvas) -> list[Text]:
    rows = _rows(result, prediction)
    values = [float(prediction.outputs[row]) for row in rows]
    columns = [
        Column("   class", [_name(result, prediction, row, canvas) for row in rows], left=True),
        numbers(_heading(result), [_value(result, value) for value in values]),
    ]
    room = min(MAX_BAR_COLUMNS, canvas.width - total_width(columns) - GAP)
    if result.output != "identity" and room >= MIN_BAR_COLUMNS:
        bars = [bar(value, room, canvas) for value in values]
        columns.append(Column(f"0{'100 %'.rjust(room - 1)}", bars, left=True, style="cyan"))
    styles = ["bold" if row == prediction.answer else "" for row in rows]
    table = lines(columns, styles)
    left_out = len(result.classes) - len(rows)
    if left_out:
        table.append(Text(f"   {canvas.plain('…')} and {grouped(left_out)} smaller ones"))
    return [*table, Text(), *_facts(result, prediction, canvas)]


def _rows(result: Predictions, prediction: Prediction) -> list[int]:
    """Return the classes to show: all, or the largest outputs together with the true class."""
    if len(result.classes) <= MAX_CLASSES:
        return list(range(len(result.classes)))
    rows: list[int] = (-prediction.outputs).argsort(kind="stable")[:LARGEST_OUTPUTS].tolist()
    if prediction.true_class is not None and prediction.true_class not in rows:
        rows[-1] = prediction.true_class
    return rows


def _heading(result: Predictions) -> str:
    return "logit" if result.output == "identity" else result.output


def _value(result: Predictions, value: float) -> str:
    return fixed(value) if result.output == "identity" else percent(value, 2)


def _facts(result: Predictions, prediction: Prediction, canvas: Canvas) -> Iterator[Text]:
    second = prediction.second
    value = _value(result, float(prediction.outputs[second]))
    entries = {"second choice": f"{result.classes[second]}, {value}"}
    if prediction.cross_entropy is not None:
        entries["cross-entropy"] = f"{_cost(prediction.cross_entropy)} nats"
    if prediction.loss is not None and (result.loss != "cross-entropy"):
        unit = " nats" if result.loss in LOSSES_IN_NATS else ""
        entries[f"loss, {result.loss}"] = f"{_cost(prediction.loss)}{unit}"
    indent = max(map(len, entries)) + GAP
    for name, text in entries.items():
        shown = paragraph(text, canvas, f"   {name.ljust(indent)}")
        yield from shown.split("\n")


def _cost(value: float) -> str:
    return "infinite" if value == float("inf") else significant(value)


def _name(result: Predictions, prediction: Prediction, row: int, canvas: Canvas) -> str:
    """Return a class with its marks; a long name is cut and ends in ~."""
    triangle, diamond = MARKS[canvas.ascii]
    mark = triangle if row == prediction.answer else " "
    mark += diamond if row == prediction.true_class else " "
    name = f"{mark} {canvas.plain(result.classes[row])}"
    return cut(name, MAX_LABEL_COLUMNS)
