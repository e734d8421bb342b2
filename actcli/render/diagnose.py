"""The result of `actcli diagnose`: the examined model, the tables, and the verdict at the end."""

import io
from collections.abc import Collection
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderResult
from rich.text import Text

from actcli.diagnostics import LABELS, PARTS
from actcli.diagnostics.report import Diagnosis
from actcli.render.confusion_matrix import ConfusionView
from actcli.render.doubts import DoubtsView
from actcli.render.findings import VerdictView
from actcli.render.gradients import GradientView
from actcli.render.history import HistoryView
from actcli.render.layer_histograms import ActivationsView
from actcli.render.outputs import OutputsView
from actcli.render.units import UnitsView
from actcli.render.weight_pictures import WeightsView
from actcli.term.canvas import Canvas
from actcli.term.numbers import grouped, percent, significant
from actcli.term.table import paragraph

NOTEBOOK_COLUMNS = 100

# The template that rich uses for notebooks, but with fonts in which all bar characters have the
# same width.
NOTEBOOK_HTML = (
    '<pre style="white-space:pre;overflow-x:auto;line-height:normal;'
    "font-family:Menlo,'DejaVu Sans Mono',consolas,'Courier New',monospace\">{code}</pre>"
)


@dataclass(frozen=True)
class DiagnoseView:
    """Parts of a diagnosis, separated by blank lines.

    Args:
        diagnosis: to show.
        parts: of "gradients", "units", "softmax", "confusion", "activations", "weights", "history",
            "labels", "verdict".
        fix: the command line that tries the remedies of the verdict; empty without a run.
    """

    diagnosis: Diagnosis
    parts: Collection[str] = PARTS
    fix: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        diagnosis, evidence = self.diagnosis, self.diagnosis.evidence
        head = paragraph(self._heading(), Canvas.of(options))
        head.stylize("bold", 0, len(evidence.model))
        yield head
        assumptions = diagnosis.assumptions
        for sentence in assumptions.sentences if assumptions else ():
            yield paragraph(sentence, Canvas.of(options))
        units = tuple(layer.units for layer in diagnosis.units)
        views: dict[str, ConsoleRenderable] = {
            "gradients": GradientView(diagnosis.gradients),
            "units": UnitsView(diagnosis.units),
            "softmax": OutputsView(diagnosis.outputs, evidence.output),
            "confusion": ConfusionView(diagnosis.confusion),
            "activations": ActivationsView(diagnosis.histograms, diagnosis.activity),
            "weights": WeightsView(diagnosis.first_layer),
            "history": HistoryView(diagnosis.training, units, diagnosis.histogram_history),
            **({"labels": DoubtsView(diagnosis.doubts)} if diagnosis.doubts else {}),
            "verdict": VerdictView(
                diagnosis.findings,
                diagnosis.healthy_because,
                self.fix,
                assumptions.framework if assumptions else "",
            ),
        }
        for name, view in views.items():
            if name in self.parts or (name == LABELS and "verdict" in self.parts):
                yield Text()
                yield view

    def _heading(self) -> str:
        evidence = self.diagnosis.evidence
        weighted = "class-weighted " if evidence.class_weights else ""
        return (
            f"{evidence.model} on {grouped(evidence.rows)} rows of {evidence.dataset}, "
            f"{evidence.split}: {weighted}{evidence.loss} {significant(evidence.loss_value, 4)}, "
            f"accuracy {percent(evidence.accuracy, 2)}"
        )


def notebook_html(diagnosis: Diagnosis) -> str:
    """Return the tables of a diagnosis as HTML for a notebook."""
    console = Console(record=True, width=NOTEBOOK_COLUMNS, file=io.StringIO())
    console.print(DiagnoseView(diagnosis))
    return console.export_html(inline_styles=True, code_format=NOTEBOOK_HTML)
