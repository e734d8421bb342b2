"""`actcli diagnose`: find the faults inside a network, their causes and their remedies."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actcli.cli import ExitStatus
from actcli.cli.downloads import downloads
from actcli.cli.options import KindType, runs_dir_option
from actcli.cli.output import ALL, CsvCommand, csv_table_option, emit, json_option, save_option
from actcli.cli.parameter_types import NamesType, TargetType, override_options, rule_names
from actcli.cli.watch import as_argument
from actcli.config.values import Integer
from actcli.diagnostics import LABELS, PARTS, PICTURES, SEVERITIES, SPLITS
from actcli.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.cli.targets import Target
    from actcli.diagnostics.findings import Finding, Remedy
    from actcli.diagnostics.report import Diagnosis


@click.command(
    cls=CsvCommand,
    epilog="""\b
Exit codes: 0 success, 1 failure, 2 wrong usage or configuration, 3 a finding that matches
--fail-on.

\b
Examples:
  actcli train --epochs 1 -q && actcli diagnose
  actcli diagnose deep-sigmoid --at-init --only gradients,units
  actcli train -q && actcli diagnose --only confusion,weights
""",
)
@click.argument("target", required=False, type=TargetType())
@runs_dir_option
@override_options
@click.option(
    "--at-init", is_flag=True, help="Examine the untrained network of a run or configuration."
)
@click.option(
    "--split",
    type=NamesType("split", SPLITS),
    metavar="|".join(SPLITS),
    default="train",
    help="Split to examine.  [train]",
)
@click.option(
    "--rows",
    type=KindType(Integer(1)),
    metavar="N",
    help="Number of rows to examine, a fixed random sample of the split. Dead units are those "
    "that no training row activates, in the sample or not.  [all rows]",
)
@click.option(
    "--only",
    type=NamesType("part", (*PARTS, *PICTURES, LABELS), several=True),
    metavar="PART,…",
    help=f"Parts to show: {', '.join(PARTS)}; {', '.join(PICTURES)}; or {LABELS}: the rows whose "
    "label the network doubts most.  [the first four, and labels if they may be wrong]",
)
@click.option("--history", is_flag=True, help="Show the training history, too.")
@click.option(
    "--fail-on",
    type=NamesType("severity or rule", (*SEVERITIES, *rule_names())),
    metavar="SEVERITY|RULE",
    help="Severity (note, warning, error) or rule. The command exits with 3 on a finding of this "
    "rule, or of this or a higher severity.",
)
@click.option(
    "--explain",
    type=NamesType("rule", rule_names()),
    metavar="RULE",
    help="Rule to explain, with the source of its threshold; nothing is examined.",
)
@json_option
@csv_table_option("number", "actcli.diagnostics.wide_form.TABLES")
@save_option
@click.option("-q", "--quiet", is_flag=True, help="Show no download progress.")
@click.pass_context
def diagnose(
    ctx: click.Context,
    /,
    target: str | None,
    runs_dir: Path,
    at_init: bool,
    split: str,
    rows: int | None,
    only: tuple[str, ...] | None,
    history: bool,
    fail_on: str | None,
    explain: str | None,
    as_json: bool,
    as_csv: str | None,
    quiet: bool,
    overrides: dict[str, Any],
) -> None:
    """Find the faults inside a network, with their causes and remedies.

    TARGET is the name or folder of a run (SWEEP/RUN in a sweep), or a file with the weights of a
    multilayer perceptron: .pt, .safetensors, .onnx, .keras, .h5 or .npz; by default the newest run.
    Every row of the split is examined. With --at-init, TARGET may also be a configuration: a TOML
    file or the name of an example.
    """
    if explain:
        if as_csv:
            raise UsageError("--explain takes no --csv", "A rule is a text and not a table")
        explain_rule(explain, as_json)
        return
    if at_init and history:
        raise UsageError(
            "--at-init examines the untrained network, which has no history",
            "Give --at-init or --history",
        )
    from actcli.cli.targets import Overrides, find_target

    with downloads(quiet) as progress:
        examined = find_target(target, runs_dir, Overrides(**overrides), at_init, progress)
    from actcli.diagnostics.wide_form import HOLDERS

    table = as_csv if as_csv != ALL else None
    parts = (*(only or PARTS), *(["history"] if history else []))
    if table:
        parts = (*parts, HOLDERS.get(table, table))
    diagnosis = examine(examined, split, rows, parts)
    fix = ""
    if examined.folder and any(remedy.changes for remedy in remedies_of(diagnosis.findings)):
        fix = f"actcli fix {as_argument(examined.folder)}"
    result = DiagnosisParts(diagnosis, parts, fix, table)
    emit(result, diagnosis_view, as_json, as_csv is not None)
    if fail_on and any(matches(finding, fail_on) for finding in diagnosis.findings):
        ctx.exit(ExitStatus.FINDING)


def examine(
    target: "Target",
    split: str = "train",
    rows: int | None = None,
    parts: "Collection[str]" = PARTS,
) -> "Diagnosis":
    """Return the diagnosis of a target on a split, or on a sample of its rows.

    Args:
        target: the model and its data set.
        split: the name of the split.
        rows: number of rows of the sample; None for all rows.
        parts: the parts that will be shown.

    Raises:
        UsageError: the split is empty.
    """
    from actcli.diagnostics.foreign import examine_assumptions
    from actcli.diagnostics.report import diagnose
    from actcli.machine import worker_count

    model, assumptions = target.model, None
    if target.foreign:
        model, assumptions = examine_assumptions(model, target.dataset, target.foreign)
    return diagnose(
        model,
        target.dataset,
        split=split,
        rows=rows,
        name=target.name,
        initial=target.initial,
        training=target.training,
        workers=worker_count(),
        assumptions=assumptions,
        parts=parts,
    )


@dataclass(frozen=True)
class DiagnosisParts:
    """The result of `actcli diagnose`: the parts of a diagnosis that are shown."""

    diagnosis: "Diagnosis"
    parts: tuple[str, ...]
    fix: str  # the command line that tries the remedies; empty without a run or a remedy
    table: str | None = None  # the table for `--csv`; None for all numbers in long form

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the parts."""
        return self.diagnosis.to_dict(self.parts)

    def csv_rows(self) -> "Iterator[Sequence[Any]]":
        """Yield the header of the CSV, and a row for each number, or those of the table."""
        from actcli.diagnostics.long_form import long_rows
        from actcli.diagnostics.wide_form import wide_rows

        if self.table:
            return wide_rows(self.table, self.to_dict())
        return long_rows(self.to_dict())


def diagnosis_view(result: DiagnosisParts) -> "RenderableType":
    """Return the view of some parts of a diagnosis."""
    from actcli.render.diagnose import DiagnoseView

    return DiagnoseView(result.diagnosis, result.parts, result.fix)


def remedies_of(findings: "Sequence[Finding]") -> "Iterator[Remedy]":
    """Yield the remedies of all findings."""
    return (remedy for finding in findings for remedy in finding.remedies)


def matches(finding: "Finding", fail_on: str) -> bool:
    """Return whether a finding has the rule, or at least the severity, of `--fail-on`."""
    if fail_on in SEVERITIES:
        return SEVERITIES.index(str(finding.severity)) >= SEVERITIES.index(fail_on)
    return finding.rule == fail_on


def explain_rule(name: str, as_json: bool) -> None:
    """Write the texts of a rule and its measured counts to stdout."""
    from actcli.diagnostics.measured import measured
    from actcli.diagnostics.rules import RULES

    counts = measured(name)
    texts = {**RULES[name].texts(), "measured": counts.describe()}

    def rule_view(_: object) -> "RenderableType":
        from actcli.render.findings import RuleView

        return RuleView(name, texts)

    emit({"rule": name, **texts, "counts": asdict(counts)}, rule_view, as_json)
