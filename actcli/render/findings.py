"""The verdict: findings with evidence, cause, remedy and source; and the texts of a rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.diagnostics.findings import Finding, Severity
from actcli.diagnostics.framework_words import foreign_lines, questions
from actcli.diagnostics.rules.wording import named_layers
from actcli.term.canvas import Canvas
from actcli.term.table import command_line, paragraph, titled

# Yellow and cyan letters are illegible on white.
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "black on yellow", Severity.NOTE: "bold"}
LABEL_WIDTH = 10  # columns for the name of a part


@dataclass(frozen=True)
class VerdictView:
    """The findings, the worst first, after the reason why a network is healthy.

    Args:
        findings: the worst first.
        because: why the network is healthy, in spite of any notes; empty if it is not.
        fix: the command line that tries the remedies; empty without a run or a remedy.
        framework: the other framework in whose words the remedies are; empty for actcli's own.
    """

    findings: tuple[Finding, ...]
    because: str
    fix: str = ""
    framework: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        yield titled("Verdict", _counted(self.findings), canvas)
        if self.because:
            reason = paragraph(self.because, canvas)
            reason.highlight_regex("^Healthy", "bold green")
            yield reason
        for position, finding in enumerate(self.findings):
            if position or self.because:
                yield Text()
            yield from _finding(finding, canvas, self.framework)
        asked = questions(self.findings, self.framework) if self.framework else ()
        if asked:
            yield Text()
        for text in asked:
            yield _part("ask", text, canvas)
        if self.fix and not self.because:
            yield Text()
            yield command_line(f"{'try it':{LABEL_WIDTH}}", self.fix, canvas)


def _counted(findings: Sequence[Finding]) -> str:
    """Return the number of findings of each severity: "1 error, 2 warnings"."""
    parts = []
    for severity in sorted(Severity, reverse=True):
        count = sum(finding.severity == severity for finding in findings)
        if count:
            parts.append(f"{count} {severity}" + "s" * (count > 1))
    return ", ".join(parts)


def _finding(finding: Finding, canvas: Canvas, framework: str) -> list[Text]:
    severity = finding.severity.name
    head = Text.assemble((severity, STYLES[finding.severity]), " " * (LABEL_WIDTH - len(severity)))
    head.append(finding.rule, "bold")
    if finding.layers:
        head.append(f"  {named_layers(finding.layers)}")
    parts = {
        "evidence": "\n".join(finding.evidence),
        "cause": finding.cause,
        "remedy": foreign_lines(finding.remedies[0], framework) if framework else finding.remedy,
    }
    lines = [_part(name, text, canvas) for name, text in parts.items() if text]
    return [head, *lines, _part("source", finding.source, canvas, "dim")]


def _part(name: str, text: str, canvas: Canvas, style: str = "") -> Text:
    part = paragraph(text, canvas, f"{name:{LABEL_WIDTH}}", style)
    part.stylize("dim", 0, len(name))
    return part


@dataclass(frozen=True)
class RuleView:
    """The texts of a rule, as `--explain` prints them.

    Args:
        name: of the rule.
        texts: by their headings.
    """

    name: str
    texts: Mapping[str, str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = Canvas.of(options)
        yield Text(canvas.plain(self.name), style="bold")
        for name, text in self.texts.items():
            yield _part(name, text, canvas)
