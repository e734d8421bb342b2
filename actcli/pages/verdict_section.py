"""The verdict in words: evidence, cause and remedy of each finding, and what a fix has tried."""

from collections.abc import Iterator
from typing import Any

from actcli.config.schema import toml_value
from actcli.diagnostics.findings import Finding, Severity
from actcli.diagnostics.framework_words import foreign_lines, questions
from actcli.diagnostics.rules.wording import named_layers
from actcli.html.markup import Content, Markup, element, join
from actcli.html.page import Section, badge, code, details, listing, paragraph, table
from actcli.pages.cells import DASH, share
from actcli.store.run_report import RunReport
from actcli.term.numbers import fixed

KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def verdict_section(report: RunReport) -> Section:
    """Return the verdict of a run or of a file of weights."""
    return Section("verdict", "Verdict", list(_contents(report)))


def _contents(report: RunReport) -> Iterator[Content]:
    for note in report.notes:
        yield paragraph(badge("note", "warning"), " ", note)
    diagnosis = report.diagnosis
    if diagnosis is None:
        if report.verdict:
            yield paragraph("The verdict at the end of the training: ", code(report.verdict), ".")
        return
    framework = ""
    if assumptions := diagnosis.assumptions:
        framework = assumptions.framework
        yield from map(paragraph, assumptions.sentences)
    if diagnosis.healthy_because:
        yield paragraph(badge("healthy", "good"), " ", diagnosis.healthy_because)
    for finding in diagnosis.findings:
        yield finding_block(finding, framework)
    asked = questions(diagnosis.findings, framework) if framework else ()
    if asked:
        yield element("h3", "What the weights cannot show")
        yield element("ul", *(element("li", text) for text in asked))
    if report.fix:
        yield from fix_contents(report.fix)


def finding_block(finding: Finding, framework: str = "") -> Markup:
    """Return a finding with its evidence, cause, remedies and source.

    Args:
        finding: the finding.
        framework: the other framework in whose words the remedies are; empty for actcli's own.
    """
    kind = KINDS[finding.severity]
    where = f" {named_layers(finding.layers)}" if finding.layers else ""
    first, *others = finding.remedies
    remedy = foreign_lines(first, framework) if framework else first.to_toml()
    facts = [
        ("Evidence", element("ul", *(element("li", text) for text in finding.evidence))),
        ("Cause", finding.cause),
        ("Remedy", join(listing(remedy), paragraph(first.reason) if first.changes else None)),
    ]
    if others:
        rest = [
            join(listing(foreign_lines(each, framework) if framework else each.to_toml()))
            + (paragraph(each.reason) if each.changes else "")
            for each in others
        ]
        facts.append(("Or", details(f"{len(others)} more", *map(Markup, rest))))
    facts.append(("Source", element("span", finding.source, class_="dim")))
    heading = element("h3", badge(str(finding.severity), kind), " ", code(finding.rule), where)
    parts = [part for name, fact in facts for part in (element("dt", name), element("dd", fact))]
    return element("article", heading, element("dl", *parts), class_=f"finding {kind}")


def fix_contents(fix: dict[str, Any]) -> Iterator[Content]:
    """Yield what a fix has tried, and the run before and after it."""
    before, after, tries = fix["before"], fix["after"], fix["tries"]
    yield element("h3", "Fix: ", _outcome(fix))
    measure = fix.get("measure", "accuracy")
    name = f"{before['rows']} accuracy"
    if measure == "class_accuracy":
        name = f"mean {name} of the classes"
    yield table(
        "Tries",
        ["try", "change", "why", "verdict", name, "gain", "outcome", "run"],
        [_try(each, measure) for each in tries],
        texts=frozenset({0, 1, 2, 3, 6, 7}),
        about=f"gain: points of {name} over the run whose configuration was changed",
    )
    if before["run"] != after["run"]:
        yield table(
            "Before and after",
            ["", element("bdi", before["run"]), element("bdi", after["run"])],
            [
                ["verdict", code(before["verdict"]), code(after["verdict"])],
                *(
                    [label, share(before.get(key), 2), share(after.get(key), 2)]
                    for label, key in (
                        (name, measure),
                        ("test accuracy", "test"),
                        ("dead units", "dead"),
                    )
                ),
            ],
        )


def _outcome(fix: dict[str, Any]) -> str:
    count, before = len(fix["tries"]), fix["before"]
    tries = "1 try" if count == 1 else f"{count} tries"
    cured = "cured" if fix.get("healthy") else "not cured"
    return f"{before['run']} {cured} of {before['verdict']} in {tries}"


def _try(attempt: dict[str, Any], measure: str) -> list[Content]:
    after = attempt["after"]
    changes = [
        element("div", code(f"{path} = {toml_value(value)}"))
        for path, value in attempt["changes"].items()
    ]
    accuracy = share(after.get(measure), 2) if after else DASH
    gain = attempt["gain"]
    return [
        str(attempt["number"]),
        changes,
        attempt["reason"],
        code(after["verdict"]) if after else DASH,
        accuracy,
        DASH if gain is None else element("data", _points(gain), value=repr(float(gain))),
        attempt["outcome"],
        element("bdi", after["run"]) if after else DASH,
    ]


def _points(gain: float) -> str:
    """Return a gain in percentage points with its sign."""
    return f"{'+' if gain >= 0 else '−'}{fixed(abs(100 * gain), 2)}"
