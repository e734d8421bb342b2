"""The verdict: how findings are merged, and whether the verdict is right about trained networks.

The set-ups are those of benchmarks/setups.py; `python benchmarks/verdicts.py` runs all of them.
"""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from actcli.diagnostics import HEALTHY
from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Severity
from actcli.diagnostics.rules import RULES
from actcli.diagnostics.verdict import healthy_because, judge, merge, verdict

NOTE, WARNING, ERROR = Severity.NOTE, Severity.WARNING, Severity.ERROR


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where dataclasses look up their module
    spec.loader.exec_module(module)
    return module


SETUPS = load(Path(__file__).parents[2] / "benchmarks" / "setups.py")


# Merging ---------------------------------------------------------------------------------------


def finding(rule: str, severity: Severity = ERROR) -> Finding:
    return Finding(rule, severity, (), (f"Sign of {rule}.",), "Cause.", "", "Source")


def rules(findings: tuple[Finding, ...]) -> list[str]:
    return [each.rule for each in findings]


def merged(*names: str) -> tuple[Finding, ...]:
    return merge([finding(name) for name in RULES if name in names])


def test_findings_that_share_a_cause_are_one() -> None:
    effects = ("exploding-gradient", "dead-units", "collapsed-output", "not-learning")
    (found,) = merged("learning-rate-too-high", *effects)
    assert found.rule == "learning-rate-too-high"
    assert found.evidence[0] == "Sign of learning-rate-too-high."
    for name in effects:
        assert f"Hence {name}: Sign of {name}." in found.evidence


@pytest.mark.parametrize(
    ("cause", "effects"),
    [
        ("vanishing-gradient", ("saturation", "not-learning", "collapsed-output")),
        ("unscaled-input", ("learning-rate-too-high", "saturation", "poor-initial-loss")),
        ("symmetric-units", ("vanishing-gradient", "not-learning")),
        ("born-dead", ("dead-units", "collapsed-output")),
        ("class-imbalance", ("overfitting", "overconfident")),
        (next(iter(RULES)), tuple(RULES)[1:]),
    ],
)
def test_the_cause_is_reported_and_its_effects_are_not(
    cause: str, effects: tuple[str, ...]
) -> None:
    assert rules(merged(cause, *effects)) == [cause]


def test_findings_of_different_causes_stay_apart() -> None:
    assert rules(merged("class-imbalance", "dead-units")) == ["class-imbalance", "dead-units"]


def test_a_finding_explains_no_worse_one() -> None:
    findings = [finding("born-dead", NOTE), finding("dead-units", WARNING)]
    assert rules(merge(findings)) == ["dead-units", "born-dead"]


def test_the_worst_is_first_and_causes_go_before_effects() -> None:
    findings = [
        finding("class-imbalance", WARNING),
        finding("saturation", NOTE),
        finding("dead-units", ERROR),
        finding("overfitting", NOTE),
    ]
    assert rules(merge(findings)) == ["dead-units", "class-imbalance", "saturation"]


@pytest.mark.parametrize(
    ("severities", "expected"),
    [((), HEALTHY), ((NOTE,), HEALTHY), ((WARNING, NOTE), "dead-units"), ((ERROR,), "dead-units")],
)
def test_a_note_is_healthy(severities: tuple[Severity, ...], expected: str) -> None:
    assert verdict([finding("dead-units", severity) for severity in severities]) == expected


# Networks that were trained --------------------------------------------------------------------


QUICK_EPOCHS = 20  # of 5,000 rows


def first_of_each_rule() -> list[Any]:
    """A set-up of each rule that trains on few rows; one of many epochs is slow."""
    chosen: dict[str, Any] = {}
    for setup in SETUPS.faulty():
        if setup.rows is not None or setup.pick is not None:
            chosen.setdefault(setup.expected, setup)
    return [
        pytest.param(
            setup,
            id=rule,
            marks=[pytest.mark.slow] if setup.resolved.training.epochs > QUICK_EPOCHS else [],
        )
        for rule, setup in chosen.items()
    ]


def lesson(name: str) -> Evidence:
    evidence: Evidence = SETUPS.examine(SETUPS.Setup("", "", config=name))
    return evidence


def test_the_table_has_every_rule_and_many_architectures() -> None:
    faulty = SETUPS.faulty()
    of_files_alone = {"underconfident"}  # a configuration names its label smoothing
    assert {setup.expected for setup in faulty} == set(RULES) - of_files_alone
    assert len({setup.resolved for setup in faulty}) >= 24
    assert len({setup.resolved.model.activation for setup in faulty}) >= 6
    assert {setup.resolved.training.seed for setup in faulty} == {0, 1}
    healthy = SETUPS.healthy()
    assert {setup.resolved.training.seed for setup in healthy} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("setup", first_of_each_rule())
def test_each_fault_is_found_first(setup: Any) -> None:
    assert rules(judge(SETUPS.examine(setup)))[0] == setup.expected


@pytest.mark.slow  # trains on 55,000 rows
def test_the_dying_relus_of_the_lesson_are_reported_though_it_learns() -> None:
    evidence = lesson("dying-relu")
    first, *_ = judge(evidence)
    assert evidence.accuracy > 0.9
    assert first.rule == "dead-units"
    assert first.severity == WARNING
    dead, units = (sum(getattr(layer, of) for layer in evidence.units) for of in ("dead", "units"))
    assert 0.3 < dead / units < 0.5
    assert "0.02" in first.cause
    assert first.remedy == "[optimizer]\nlearning_rate = 0.001"


@pytest.mark.slow  # trains on 55,000 rows
def test_the_gradient_of_the_deep_sigmoid_lesson_has_vanished() -> None:
    evidence = lesson("deep-sigmoid")
    first, *_ = judge(evidence)
    assert evidence.accuracy < 0.12
    assert first.rule == "vanishing-gradient"
    assert first.severity == ERROR
    assert verdict(judge(evidence)) == "vanishing-gradient"


@pytest.mark.slow  # trains on 55,000 rows
def test_the_default_is_healthy() -> None:
    evidence = lesson("default")
    assert verdict(judge(evidence)) == HEALTHY
    reason = healthy_because(evidence)
    assert reason.startswith("Healthy: 99.")
    assert "55,000" in reason


def test_a_bad_network_without_a_known_fault_is_not_called_healthy() -> None:
    evidence = SETUPS.examine(SETUPS.Setup("", "model.hidden=32 training.epochs=0", rows=1000))
    assert healthy_because(evidence).startswith("No fault found")
    good = replace(evidence, accuracy=0.99, training=None, held_out=None)
    assert healthy_because(good).startswith("Healthy")
