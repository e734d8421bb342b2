"""Configuration, environment, and how to repeat a run."""

from collections.abc import Iterator
from typing import Any

from actcli.config.schema import toml_value
from actcli.html.markup import Content, element, join
from actcli.html.page import Section, code, details, listing, paragraph, table
from actcli.pages.cells import count, figure_of
from actcli.store.run_report import RunReport


def setup_section(report: RunReport) -> Section:
    """Return what a run was made with; of a file of weights, what it holds."""
    if report.kind == "file":
        return Section("file", "What the file holds", list(_file(report)))
    return Section("setup", "Configuration and environment", list(_run(report)))


def _run(report: RunReport) -> Iterator[Content]:
    yield paragraph("This command repeats the training:")
    yield listing(report.command)
    if report.config:
        yield details("The whole configuration", listing(report.config.to_toml()))
    if report.environment:
        yield table(
            "Environment",
            ["", ""],
            [[name, _text(value)] for name, value in report.environment.items() if value != []],
            texts=frozenset({0, 1}),
        )


def _text(value: Any) -> Content:
    if isinstance(value, dict):
        return join(*(element("div", f"{name}: {part}") for name, part in value.items()))
    if isinstance(value, list):
        return join(*(element("div", _text(part)) for part in value))
    return code(value) if isinstance(value, str) else toml_value(value)


def _file(report: RunReport) -> Iterator[Content]:
    yield table(
        "Layers",
        ["layer", "inputs", "units", "mean weight", "deviation", "largest |weight|", "mean bias"],
        [
            [
                str(layer.layer),
                count(layer.inputs),
                count(layer.units),
                figure_of(layer.weight_mean),
                figure_of(layer.weight_deviation),
                figure_of(layer.largest_weight),
                figure_of(layer.bias_mean),
            ]
            for layer in report.layers
        ],
    )
