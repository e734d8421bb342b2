"""The first layer's weights: a picture for each unit, or a heat map of units by inputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.diagnostics.first_layer import FirstLayer, UnitWeights
from actcli.term.canvas import Canvas
from actcli.term.heatmap import can_shade
from actcli.term.image import Rows
from actcli.term.numbers import grouped, percent, significant
from actcli.term.signed_image import (
    common_scale,
    signed_lines,
    signed_row,
    small_images,
)
from actcli.term.table import beside, cut, paragraph, titled

PICTURE_COLUMNS = 16  # at most, of one unit
MIN_CAPTION = 14  # columns of a caption
GAP = 2
MAX_WIDTH = 120  # columns of the pictures in a pipe, where nothing limits the width
MAX_CELL = 4  # columns of one weight in the heat map
LEGENDS = ("+ # positive, - = negative, . weak", "orange: positive, blue: negative")


@dataclass(frozen=True)
class WeightsView:
    """The weights of a sample of the units of the first layer."""

    layer: FirstLayer | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        layer = self.layer
        if layer is None:
            yield titled("Weights", "not measured", canvas)
            return
        is_coloured = can_shade(console) and not canvas.ascii
        yield titled("Weights", LEGENDS[is_coloured], canvas)
        canvas = canvas.resized(min(canvas.width, MAX_WIDTH))
        yield from (
            _pictures(layer, console, canvas) if layer.shape else _map(layer, console, canvas)
        )


def _about(layer: FirstLayer, scale: float) -> str:
    shown, units = len(layer.sample), grouped(layer.units)
    which = f"All {units} units" if shown == layer.units else f"{shown} of {units} units"
    saturates = any(unit.saturated is not None for unit in layer.sample)
    order = ", the most saturated first" if saturates else ", the least active first"
    order = order if layer.activation else ""
    return (
        f"{which} of the first layer{order}. 99 % of the weights shown lie within "
        f"±{significant(scale, 2)}, the strongest colours."
    )


def _pictures(layer: FirstLayer, console: Console, canvas: Canvas) -> Iterator[Text]:
    height, width = layer.shape or (1, layer.inputs)
    images: list[Rows] = [unit.weights.reshape(height, width).tolist() for unit in layer.sample]
    images = small_images(images, min(PICTURE_COLUMNS, canvas.width))
    scale = common_scale(images)
    factor = -(-width // min(PICTURE_COLUMNS, canvas.width))
    mean = f" A pixel is the mean of {factor} x {factor} weights." if factor > 1 else ""
    yield paragraph(_about(layer, scale) + mean, canvas)
    captions = [_caption(unit, canvas) for unit in layer.sample]
    column = max(len(images[0][0]), MIN_CAPTION, *(cell_len(text) for text in captions))
    across = max(1, (canvas.width + GAP) // (column + GAP))
    for start in range(0, len(images), across):
        yield Text()
        block: list[Text] = []
        for image, caption, unit in zip(
            images[start : start + across],
            captions[start : start + across],
            layer.sample[start : start + across],
            strict=True,
        ):
            style = "" if unit.state in {None, "active"} else "bold"
            head = Text(caption.ljust(column), style)
            picture = [head, *signed_lines(image, scale, console, canvas)]
            block = beside(block, picture, GAP) if block else picture
        for line in block:
            line.rstrip()
            yield line


def _map(layer: FirstLayer, console: Console, canvas: Canvas) -> Iterator[Text]:
    captions = [_caption(unit, canvas) for unit in layer.sample]
    side = max(map(cell_len, captions))
    room = max(1, canvas.width - side - GAP)
    group = -(-layer.inputs // room)
    means = [_means(unit.weights.tolist(), group) for unit in layer.sample]
    scale = common_scale([means])
    cell = max(1, min(MAX_CELL, room // len(means[0])))
    columns = f"Across: the {grouped(layer.inputs)} inputs"
    columns += f", means of {group} neighbours." if group > 1 else "."
    yield paragraph(f"{_about(layer, scale)} {columns}", canvas)
    for unit, caption, values in zip(layer.sample, captions, means, strict=True):
        style = "" if unit.state in {None, "active"} else "bold"
        line = Text().append(caption.ljust(side + GAP), style or None)
        line.append_text(signed_row(values, cell, scale, console, canvas))
        line.rstrip()
        yield line


def _means(values: Sequence[float], group: int) -> list[float]:
    groups = (values[start : start + group] for start in range(0, len(values), group))
    return [sum(each) / len(each) for each in groups]


def _caption(unit: UnitWeights, canvas: Canvas) -> str:
    """Return the number of a unit, or its class, with its activity."""
    if unit.state is None:
        name = unit.label if unit.label is not None else str(unit.unit)
        return cut(canvas.plain(name), MIN_CAPTION)
    if unit.state != "active":
        return f"{unit.unit} {unit.state.upper()}"
    if unit.saturated is not None:
        return f"{unit.unit} sat. {percent(unit.saturated)}"
    return f"{unit.unit} on {percent(unit.active or 0.0)}"
