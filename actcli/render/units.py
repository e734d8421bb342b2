"""Units as a table: dead, nearly dead and always-on units, and their distribution."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.diagnostics.units import LayerUnits
from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped, percent
from actcli.term.sparklines import strip
from actcli.term.table import Column, fit, lines, numbers, optional, paragraph, titled

ABOUT = "active on a row: f'(z) ≠ 0 there; right: histogram of the units by share of active rows"


@dataclass(frozen=True)
class UnitsView:
    """The units: a row for each hidden layer, and a sentence on dead units."""

    layers: tuple[LayerUnits, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        yield titled("Units", ABOUT, canvas)
        if not self.layers:
            yield Text("The network has no hidden layer.")
            return
        yield from lines(fit(_columns(self.layers, canvas), canvas.width))
        yield paragraph(dead(self.layers), canvas)


def _columns(layers: Sequence[LayerUnits], canvas: Canvas) -> list[Column]:
    born = [optional(layer.born_dead, grouped, canvas) for layer in layers]
    saturated = [optional(layer.saturated_fraction, percent, canvas) for layer in layers]
    columns = [
        Column("layer", [str(layer.layer) for layer in layers], left=True),
        Column("activation", [layer.activation for layer in layers], rank=3, left=True),
        numbers("units", [grouped(layer.units) for layer in layers]),
        numbers("dead", [grouped(layer.dead) for layer in layers]),
        numbers("born dead", born, rank=2),
        numbers("nearly dead", [grouped(layer.nearly_dead) for layer in layers], rank=4),
        numbers("always on", [grouped(layer.always_on) for layer in layers], rank=5),
        Column("active", [percent(layer.active_fraction) for layer in layers]),
        Column("saturated", saturated, rank=1),
        Column(
            "0 to 100 %",
            [strip(layer.distribution, canvas) for layer in layers],
            left=True,
            style="cyan",
        ),
    ]
    absent = {
        "born dead": all(layer.born_dead is None for layer in layers),
        "saturated": all(layer.saturated_fraction is None for layer in layers),
    }
    return [column for column in columns if not absent.get(column.heading)]


def dead(layers: Sequence[LayerUnits]) -> str:
    """Return a sentence on the number of dead units, and of units that were born dead."""
    count = sum(layer.dead for layer in layers)
    units = sum(layer.units for layer in layers)
    if not count:
        return f"None of the {grouped(units)} units is dead."
    of_units = "unit" if units == 1 else "units"
    verb = "is" if count == 1 else "are"
    now = f"{grouped(count)} of {grouped(units)} {of_units} {verb} dead ({percent(count / units)})"
    born = [layer.born_dead for layer in layers if layer.born_dead is not None]
    if len(born) < len(layers):
        return f"{now}."
    past = "was" if sum(born) == 1 else "were"
    return f"{now}; {grouped(sum(born))} {past} dead before the training."
