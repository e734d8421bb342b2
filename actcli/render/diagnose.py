"""The result of `actcli diagnose`: what was examined, the tables, and the verdict at the end."""

from collections.abc import Collection
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderResult
from rich.text import Text

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding
from actcli.render.findings import VerdictView
from actcli.render.gradients import GradientView
from actcli.render.history import HistoryView
from actcli.render.outputs import OutputsView
from actcli.render.units import UnitsView
from actcli.term.numbers import grouped, percent, significant
from actcli.term.table import paragraph


@dataclass(frozen=True)
class DiagnoseView:
    """Some parts of a diagnosis, a blank line between two.

    Args:
        evidence: all that was measured.
        findings: what was judged of it.
        because: why the network is healthy, if it is, else empty.
        parts: of "gradients", "units", "softmax", "history", "verdict".
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    because: str
    parts: Collection[str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        evidence = self.evidence
        head = paragraph(self._examined(), options.max_width, options.ascii_only)
        head.stylize("bold", 0, len(evidence.model))
        yield head
        units = tuple(layer.units for layer in evidence.units)
        views: dict[str, ConsoleRenderable] = {
            "gradients": GradientView(evidence.gradients),
            "units": UnitsView(evidence.units),
            "softmax": OutputsView(evidence.outputs, evidence.output),
            "history": HistoryView(evidence.training, units),
            "verdict": VerdictView(self.findings, self.because),
        }
        for name, view in views.items():
            if name in self.parts:
                yield Text()
                yield view

    def _examined(self) -> str:
        evidence = self.evidence
        return (
            f"{evidence.model} on {grouped(evidence.rows)} rows of {evidence.dataset}, "
            f"{evidence.split}: {evidence.loss} {significant(evidence.loss_value, 4)}, "
            f"accuracy {percent(evidence.accuracy, 2)}"
        )
