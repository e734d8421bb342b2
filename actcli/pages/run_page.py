"""The page of one run, or of one file of weights: ordered like a doctor's letter."""

from collections.abc import Iterator

from actcli import __version__
from actcli.diagnostics import FAULTLESS
from actcli.html.markup import Content, Markup, element, join
from actcli.html.page import badge, page, paragraph
from actcli.pages.cells import count, figure_of, share
from actcli.pages.curve_section import curve_section
from actcli.pages.flow_section import flow_section
from actcli.pages.layer_section import layer_section
from actcli.pages.mistake_section import mistake_section
from actcli.pages.output_section import output_section
from actcli.pages.setup_section import setup_section
from actcli.pages.verdict_section import KINDS, verdict_section
from actcli.pages.weight_section import weight_section
from actcli.store.run_report import RunReport

OF_RUN = (
    verdict_section,
    curve_section,
    flow_section,
    layer_section,
    weight_section,
    output_section,
    mistake_section,
    setup_section,
)
OF_TRAINING = (curve_section,)  # sections that need the records of a training
OF_NETWORK = (layer_section, weight_section, output_section, mistake_section)


def run_page(report: RunReport) -> str:
    """Return the page of a run or of a file of weights."""
    makers = [
        make
        for make in OF_RUN
        if not (report.kind == "file" and make in OF_TRAINING)
        and not (report.diagnosis is None and make in OF_NETWORK)
        and not (report.kind == "file" and report.diagnosis is None and make is flow_section)
    ]
    return page(report.name, _lead(report), [make(report) for make in makers], foot())


def foot() -> Markup:
    """Return the last line of a page."""
    return join(f"Made by actcli {__version__}. This page is one file: it loads nothing.")


def _lead(report: RunReport) -> Iterator[Content]:
    """Yield what the model is, and its most important numbers."""
    diagnosis = report.diagnosis
    if diagnosis:
        evidence = diagnosis.evidence
        layers = " → ".join([str(evidence.inputs), *(str(u.units) for u in diagnosis.gradients)])
        activations = ", ".join(dict.fromkeys(layer.activation for layer in diagnosis.units))
        yield paragraph(
            f"A network {layers} ({activations or 'linear'}, {evidence.output}) with the loss "
            f"{evidence.loss} on ",
            element("bdi", evidence.dataset),
            ", examined on ",
            count(evidence.rows),
            f" {evidence.split} rows.",
        )
    facts = [element("li", element("b", content), name) for name, content in _facts(report)]
    yield element("ul", *facts, class_="facts")


def _kind(report: RunReport) -> str:
    """Return the kind of the badge of a verdict: how bad the worst finding is."""
    if report.verdict in FAULTLESS:
        return "good"
    return KINDS[report.diagnosis.findings[0].severity] if report.diagnosis else "error"


def _facts(report: RunReport) -> Iterator[tuple[str, Content]]:
    if report.verdict:
        yield "verdict", badge(report.verdict, _kind(report))
    if report.test:
        yield "test accuracy", share(report.test.accuracy, 2)
    elif report.result and report.result.test:
        yield "test accuracy", share(report.result.test.accuracy, 2)
    if diagnosis := report.diagnosis:
        yield f"{diagnosis.evidence.split} accuracy", share(diagnosis.evidence.accuracy, 2)
        if diagnosis.units:
            dead = sum(layer.dead for layer in diagnosis.units)
            units = sum(layer.units for layer in diagnosis.units)
            yield f"of {units:,} hidden units are dead", f"{dead:,}"
    if report.result and report.result.parameters:
        yield "parameters", count(report.result.parameters)
        yield "epochs", count(report.result.epochs)
        yield "seconds of training", figure_of(report.result.seconds, 3)
