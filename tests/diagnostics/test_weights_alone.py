"""Findings on weights alone: candidates in place of one cause, and a plain recipe as the remedy."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from actcli.datasets.batches import NORMALIZATIONS, Split
from actcli.diagnostics.evidence import Evidence, Provenance, gather
from actcli.diagnostics.findings import Finding, Severity
from actcli.diagnostics.reference import Reference
from actcli.diagnostics.symptoms import is_below_reference
from actcli.diagnostics.verdict import judge
from actcli.model import Model
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP

ROWS, CLASSES, WIDTH = 400, 4, 50


@cache
def evidence_of(init: str = "auto") -> Evidence:
    """Return the evidence of a network with random weights, in which every rule is checked."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(ROWS, 20)).astype(np.float32)
    labels = (inputs[:, 0] > 0) + 2 * (inputs[:, 1] > 0)
    split = Split(inputs, labels.astype(np.intp), np.arange(ROWS))
    network = MLP((20, WIDTH, WIDTH, CLASSES), ("relu", "relu"))
    network.initialize(rng, init)
    loss = LOSSES["cross-entropy"]("auto", 0.0)
    model = Model(network, loss, NORMALIZATIONS["none"](split), tuple("abcd"))
    return gather(model, split, Provenance("m", "d", "train", "cross-entropy"))


def with_dead(evidence: Evidence, count: int) -> Evidence:
    """Return the same evidence with so many dead units in each hidden layer, and good outputs."""
    units = tuple(replace(layer, dead=count, born_dead=None) for layer in evidence.units)
    return replace(evidence, units=units, accuracy=0.95, loss_value=0.1, outputs=None)


def named(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.rule: finding for finding in findings}


def test_a_network_that_learns_little_gets_candidates_and_a_plain_recipe() -> None:
    finding = judge(evidence_of())[0]
    assert finding.rule == "not-learning"
    assert "do not tell which" in finding.cause
    changes = finding.remedies[0].changes
    assert changes["optimizer.name"] == "adam"
    assert changes["model.dropout"] == changes["optimizer.weight_decay"] == 0


def test_standard_normal_weights_are_recognised() -> None:
    finding = named(judge(evidence_of("standard-normal")))["large-weights"]
    assert "N(0, 1)" in finding.cause
    assert finding.remedies[0].changes["model.init"] == "auto"
    others = named(judge(replace(evidence_of("standard-normal"), weight_scales=(30.0, 9.0, 1.0))))
    assert not others.keys() & {"saturation", "exploding-gradient", "vanishing-gradient"}


@pytest.mark.parametrize(("dead", "severity"), [(15, Severity.NOTE), (20, Severity.WARNING)])
def test_dead_units_of_a_good_network_are_a_warning_only_if_there_are_many(
    dead: int, severity: Severity
) -> None:
    finding = named(judge(with_dead(evidence_of(), dead)))["dead-units"]
    assert finding.severity == severity


def test_nearest_neighbours_count_less_than_a_linear_classifier() -> None:
    below = replace(evidence_of(), accuracy=0.95, rows=10_000)
    assert not is_below_reference(replace(below, reference=Reference(4000, 1000, 0.5, 0.998)))
    assert is_below_reference(replace(below, reference=Reference(4000, 1000, 0.998, 0.5)))


def test_a_regression_on_one_hot_targets_is_told_if_it_has_learnt_no_more_than_others() -> None:
    fitted = replace(
        evidence_of(),
        loss="mse",
        output="identity",
        outputs=None,
        loss_value=0.1,
        classes=10,
        reference=Reference(400, 1000, 0.85, 0.9),
    )
    finding = named(judge(replace(fitted, accuracy=0.9)))["loss-output-mismatch"]
    assert finding.severity == Severity.WARNING
    assert finding.remedies[0].changes["loss.name"] == "cross-entropy"
    for changes in ({"accuracy": 0.99}, {"classes": 4}):
        note = named(judge(replace(fitted, **{"accuracy": 0.9, **changes})))["loss-output-mismatch"]
        assert note.severity == Severity.NOTE


def test_nobody_learns_these_rows_and_so_no_recipe_is_given() -> None:
    hard = replace(evidence_of(), reference=Reference(400, 1000, 0.27, 0.25))
    finding = named(judge(hard))["not-learning"]
    assert not any(remedy.changes for remedy in finding.remedies)
