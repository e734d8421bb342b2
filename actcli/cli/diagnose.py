"""`actcli diagnose`: what goes wrong inside a network, how that is known, and what to change."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actcli.cli import ExitStatus
from actcli.cli.downloads import downloads
from actcli.cli.options import KindType, runs_dir_option
from actcli.cli.parameter_types import NamesType, TargetType, override_options, rule_names
from actcli.config.values import Integer
from actcli.errors import UsageError
from actcli.machine import worker_count

if TYPE_CHECKING:
    from actcli.cli.targets import Target
    from actcli.datasets.batches import Split
    from actcli.diagnostics.evidence import Evidence
    from actcli.diagnostics.findings import Finding

PARTS = ("gradients", "units", "softmax", "verdict")
SEVERITIES = ("note", "warning", "error")
SPLITS = ("train", "validation", "test")


@click.command(
    epilog="""\b
Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 3 a finding that --fail-on asks for.

\b
Examples:
  actcli train --epochs 1 -q && actcli diagnose
  actcli diagnose deep-sigmoid --at-init --only gradients,units
  actcli diagnose --explain dead-units
""",
)
@click.argument("target", required=False, type=TargetType())
@runs_dir_option
@override_options
@click.option(
    "--at-init", is_flag=True, help="The network before any training; of a run or a CONFIG."
)
@click.option(
    "--split",
    type=NamesType("split", SPLITS),
    metavar="|".join(SPLITS),
    default="train",
    help="The rows to examine it on.  [train]",
)
@click.option(
    "--rows",
    type=KindType(Integer(1)),
    metavar="N",
    help="Only N of them, drawn at random, always the same ones: units that are active on others "
    "then look dead.  [all]",
)
@click.option(
    "--only",
    type=NamesType("part", PARTS, several=True),
    metavar="PART,…",
    help=f"Show only these parts: {', '.join(PARTS)}.",
)
@click.option("--history", is_flag=True, help="Show how it went over the epochs, too.")
@click.option(
    "--fail-on",
    type=NamesType("severity or rule", (*SEVERITIES, *rule_names())),
    metavar="SEVERITY|RULE",
    help="Exit with 3 on a finding of this severity (note, warning, error) or a higher one, or of "
    "this rule.",
)
@click.option(
    "--explain",
    type=NamesType("rule", rule_names()),
    metavar="RULE",
    help="Tell what a rule means and where its threshold comes from; examine nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Tell nothing of downloads.")
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
    quiet: bool,
    overrides: dict[str, Any],
) -> None:
    """Tell what is wrong inside a network, and why.

    TARGET is a run, by its name or folder, or else a .safetensors or .npz file with the weights of
    a multilayer perceptron. Without it, the newest run is examined. Every row of the split counts.
    """
    if explain:
        explain_rule(explain, as_json)
        return
    from actcli.cli.targets import Overrides, find_target
    from actcli.diagnostics.verdict import judge

    with downloads(quiet) as progress:
        found = find_target(target, runs_dir, Overrides(**overrides), at_init, progress)
    evidence = examine(found, split, rows)
    findings = judge(evidence)
    parts = (*(only or PARTS), *(["history"] if history else []))
    (write_json if as_json else write_tables)(evidence, findings, parts)
    if fail_on and any(counts(finding, fail_on) for finding in findings):
        ctx.exit(ExitStatus.FINDING)


def examine(target: "Target", split: str, rows: int | None) -> "Evidence":
    """Measure the target on a split, or on some of its rows.

    Raises:
        UsageError: the split is empty.
    """
    from actcli.diagnostics.evidence import Provenance, gather

    examined: Split = getattr(target.dataset, split)
    if not len(examined):
        kept = " or ".join(name for name in SPLITS if len(getattr(target.dataset, name)))
        raise UsageError(f"--split: {target.dataset.name} has no {split} rows", f"Allowed: {kept}")
    names = Provenance(target.name, target.dataset.name, split, target.model.loss_name)
    chosen = examined if rows is None else examined.sample(rows)
    initial, training, workers = target.initial, target.training, worker_count()
    return gather(target.model, chosen, names, initial, training, workers=workers)


def counts(finding: "Finding", fail_on: str) -> bool:
    """Whether a finding is what `--fail-on` asks for."""
    if fail_on in SEVERITIES:
        return SEVERITIES.index(str(finding.severity)) >= SEVERITIES.index(fail_on)
    return finding.rule == fail_on


def explain_rule(name: str, as_json: bool) -> None:
    """Write the texts of a rule to stdout."""
    from actcli.diagnostics.rules import RULES
    from actcli.render.findings import RuleView, texts

    if as_json:
        from actcli.jsonlines import dumps

        click.echo(dumps({"rule": name, **texts(RULES[name])}))
        return
    from actcli.term.console import stdout_console

    stdout_console().print(RuleView(name, RULES[name]))


def write_tables(
    evidence: "Evidence", findings: tuple["Finding", ...], parts: tuple[str, ...]
) -> None:
    """For people."""
    from actcli.diagnostics import HEALTHY
    from actcli.diagnostics.verdict import healthy_because, verdict
    from actcli.render.diagnose import DiagnoseView
    from actcli.term.console import stdout_console

    because = healthy_because(evidence) if verdict(findings) == HEALTHY else ""
    stdout_console().print(DiagnoseView(evidence, findings, because, parts))


def write_json(
    evidence: "Evidence", findings: tuple["Finding", ...], parts: tuple[str, ...]
) -> None:
    """For programs."""
    from actcli.cli.diagnosis_json import fields
    from actcli.jsonlines import dumps

    click.echo(dumps(fields(evidence, findings, parts)))
