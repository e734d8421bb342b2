"""The rules: their texts, their thresholds on made-up evidence, their page.

Whether they are right about real networks is for test_verdict.py and benchmarks/verdicts.py.
"""

import importlib.util
import math
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from epochs import make_epoch

from actcli.config.sources import from_tables
from actcli.datasets.batches import Normalization, Split
from actcli.diagnostics import HEALTHY, UNTRAINED
from actcli.diagnostics.columns import column_statistics
from actcli.diagnostics.evidence import Evidence, Training
from actcli.diagnostics.findings import EVERYTHING, Finding, Severity
from actcli.diagnostics.gradients import LayerGradient
from actcli.diagnostics.nonlinearity import NonlinearGain, nonlinear_gain
from actcli.diagnostics.outputs import ClassOutputs, Outputs
from actcli.diagnostics.rates import pace_ratio, rate_ratio
from actcli.diagnostics.reference import Clarity, Comparison, Reference
from actcli.diagnostics.rules import RULES
from actcli.diagnostics.symptoms import skill
from actcli.diagnostics.units import LayerUnits
from actcli.diagnostics.verdict import judge, verdict
from actcli.training.events import EpochDone

DOCS = Path(__file__).parents[2] / "docs"
EVERY_RULE = pytest.mark.parametrize("name", RULES)
ILL = {"accuracy": 0.5}  # of ten classes of one size: a skill of 0.44


# A healthy network, and what to change of it -------------------------------------------------


def gradients(*norms: float) -> tuple[LayerGradient, ...]:
    """A table of these δ norms, for layers of 100 units."""
    last = len(norms)
    return tuple(
        LayerGradient(
            layer=layer,
            units=10 if layer == last else 100,
            delta_norm=norm,
            backprop_factor=None if layer == last else norm / norms[layer],
            compounded=norm / norms[-1],
            derivative_mean=None if layer == last else 0.4,
            derivative_bound=None if layer == last else 1.0,
            weight_grad_norm=0.01,
            bias_grad_norm=0.01,
            weight_norm=10.0,
            update_ratio=0.001,
        )
        for layer, norm in enumerate(norms, 1)
    )


def units(
    dead: tuple[int, int] = (0, 0),
    born: tuple[int, int] = (0, 0),
    saturated: float | None = None,
) -> tuple[LayerUnits, ...]:
    """Two layers of 100 units: ReLUs, or tanh units if a share of them is saturated."""
    return tuple(
        LayerUnits(
            layer=layer,
            activation="relu" if saturated is None else "tanh",
            units=100,
            dead=dead[layer - 1],
            born_dead=born[layer - 1],
            nearly_dead=0,
            always_on=0,
            active_fraction=0.2,
            saturated_fraction=saturated,
            distribution=(0,) * 10,
        )
        for layer in (1, 2)
    )


def outputs(accuracy: float = 0.98, of_classes: tuple[float, ...] = (), **changed: Any) -> Outputs:
    classes = tuple(
        ClassOutputs(str(label), 100, 0.9, 0.9, 0.1, right, None)
        for label, right in enumerate(of_classes or (accuracy,) * 10)
    )
    return replace(
        Outputs(accuracy, 0.06, accuracy, 0.1, 0.01, 0.02, 0.9, (), classes, (100,) * 10), **changed
    )


def epochs(
    *losses: float, validation_accuracy: float = 0.98, rows: float = 50_000.0
) -> tuple[EpochDone, ...]:
    return tuple(
        make_epoch(number, loss, 0.97, (0.1, validation_accuracy), examples_per_second=rows)
        for number, loss in enumerate(losses, 1)
    )


def training(**changed: Any) -> Training:
    history = changed.get("history", epochs(0.5, 0.2, 0.15))
    return replace(
        Training("sgd", 0.1, 0.1, 0.9, 128, 3, "auto", history, len(history), False), **changed
    )


def evidence(**changed: Any) -> Evidence:
    """Of a healthy network, with some fields replaced."""
    healthy = Evidence(
        model="m",
        dataset="mnist",
        split="train",
        rows=1000,
        classes=10,
        loss="cross-entropy",
        output="softmax",
        loss_value=0.06,
        input_mean=0.13,
        input_size=0.33,
        normalization="unit",
        gradients=gradients(0.06, 0.04, 0.03),
        units=units(),
        outputs=outputs(),
        accuracy=0.98,
        predicted=(100,) * 10,
        class_rows=(100,) * 10,
        non_finite=(),
        duplicates=(0.0, 0.0, 0.0),
        initial_loss=2.4,
        training=training(),
        initial_scales=(1.0, 1.0, 1.0),
        weight_scales=(1.1, 1.1, 1.4),
        inputs=784,
    )
    return replace(healthy, **changed)


def with_one_class(rows: int) -> dict[str, Any]:
    others = (1000 - rows) // 9
    return {
        "class_rows": (1000 - 9 * others, *(others,) * 9),
        "accuracy": 0.95,
        "outputs": outputs(0.95, (1.0, *(0.5,) * 9)),
    }


def with_confidence(excess: float) -> dict[str, Any]:
    return {"outputs": outputs(0.8, confidence=0.8 + excess, ece=excess), "accuracy": 0.95}


def linear(gain: float, is_significant: bool = True) -> dict[str, Any]:
    """Two layers of identity units, and what a non-linearity would gain."""
    layers = tuple(replace(layer, activation="identity") for layer in units())
    return {"units": layers, "nonlinear_gain": NonlinearGain(600, 0.8, 0.8 + gain, is_significant)}


def narrow(width: int) -> dict[str, Any]:
    return {"units": (units()[0], replace(units()[1], units=width)), **ILL}


def from_elsewhere(*scales: float, untouched: float | None = None) -> dict[str, Any]:
    """Weights of unknown origin with these scales."""
    unknown = {"training": None, "initial_loss": None, **ILL}
    return {"weight_scales": scales, "initial_scales": (untouched, None, None), **unknown}


def permuted(right: int, moved: int = 10) -> dict[str, Any]:
    """Ten classes of 100 rows, of which the first ones are predicted as the next class."""
    wrong = (100 - right) // 9
    confusion = []
    for k in range(10):
        counts = [wrong] * 10
        counts[(k + 1) % moved if k < moved else k] = 100 - 9 * wrong
        confusion.append(tuple(counts))
    accuracy = sum(confusion[k][k] for k in range(10)) / 1000
    names = tuple("abcdefghij")
    return {"confusion": tuple(confusion), "class_names": names, "accuracy": accuracy}


def steady(*losses: float) -> Training:
    """A training without momentum: the steps are a tenth as long as usual."""
    return training(history=epochs(*losses), momentum=0.0, schedule="constant")


def few_validation_rows(accuracy: float) -> Training:
    history = epochs(0.5, validation_accuracy=accuracy, rows=900)
    return training(history=history, validation_rows=17)


EASY = Reference(4000, 1000, 0.88, 0.925)


def gap(validation_accuracy: float, rows: float) -> dict[str, Any]:
    history = epochs(0.5, validation_accuracy=validation_accuracy, rows=rows)
    return {"training": training(history=history)}


def of_batches(size: int) -> dict[str, Any]:
    """1,000 rows in so large mini-batches."""
    few = epochs(0.5, 0.4, 0.35, rows=1000)
    return {"training": training(batch_size=size, history=few), **ILL}


def deep(layers: int) -> dict[str, Any]:
    hidden = tuple(replace(units()[0], layer=layer + 1) for layer in range(layers))
    return {"units": hidden, "reference": EASY, **ILL}


def clear(clearest: float) -> dict[str, Any]:
    """Of the clearest rows, this share is right; over all rows, 40 %."""
    hard = Reference(4000, 1000, 0.38, 0.39)
    return {"reference": hard, "clarity": Clarity(100, 0.4, clearest), "accuracy": 0.45}


def beside(errors: float, margin: float, **more: Any) -> dict[str, Any]:
    """A network that has learnt its own rows, and is worse than simple classifiers on others."""
    return {"held_out": Comparison(500, 0.9 - margin, 0.9, errors), "reference": EASY, **more}


HARD = Reference(4000, 1000, 0.61, 0.58)
SHORT = training(
    history=(make_epoch(1, 1.0, learning_rate=0.01, examples_per_second=50_000.0),),
    learning_rate=0.02,
    schedule="one-cycle",
)
JUMPING = epochs(0.5, 0.4, 0.6)
LEVEL = epochs(2.0, 1.3, 1.25)
LOG_10 = math.log(10)
# Of each rule: evidence at its threshold, that must give a warning, and just short of it.
CASES: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "non-finite-parameters": [({"non_finite": (2,)}, {}), ({"loss_value": math.nan}, {})],
    "permuted-labels": [(permuted(80), permuted(40)), (permuted(100, moved=2), {})],
    "wrong-labels": [(clear(0.55), clear(0.56))],
    "batch-too-large": [(of_batches(256), of_batches(255))],
    "too-deep": [(deep(10), deep(9))],
    "symmetric-units": [({"duplicates": (0.5, 0, 0)}, {"duplicates": (0.49, 0, 1)})],
    "unscaled-input": [
        ({"input_size": 5.01, **ILL}, {"input_size": 5.0, **ILL}),
        ({"input_size": 0.019, **ILL}, {"input_size": 0.02, **ILL}),
        ({"column_ratio": 10.0, **ILL}, {"column_ratio": 9.9, **ILL}),
        (
            {"column_offset": 2.5, "units": units(dead=(30, 0), born=(30, 0)), **ILL},
            {"column_offset": 2.4, "units": units(dead=(30, 0), born=(30, 0)), **ILL},
        ),
        (
            {"column_offset": 9.0, "units": units(dead=(30, 0), born=(30, 0)), **ILL},
            {"column_offset": 9.0, "units": units(dead=(29, 0), born=(29, 0)), **ILL},
        ),
        ({"input_size": 85.0, "loss_value": 2.31}, {"input_size": 85.0, "loss_value": 2.3}),
    ],
    "learning-rate-too-high": [
        (
            {"training": training(learning_rate=1.21, history=JUMPING), **ILL},
            {"training": training(learning_rate=1.19, history=JUMPING), **ILL},
        ),
        (
            {"training": training(learning_rate=0.2, history=epochs(0.5, 2.53, 0.3)), **ILL},
            {"training": training(learning_rate=0.2, history=epochs(0.5, 2.51, 0.3)), **ILL},
        ),
        ({"training": training(diverged=True)}, {}),
    ],
    "exploding-gradient": [
        ({"gradients": gradients(10, 3, 1), **ILL}, {"gradients": gradients(9.9, 3, 1), **ILL}),
    ],
    "born-dead": [
        (
            {"units": units(dead=(30, 0), born=(30, 0))},
            {"units": units(dead=(29, 0), born=(30, 0))},
        ),
    ],
    "class-imbalance": [(with_one_class(802), with_one_class(793))],
    "vanishing-gradient": [
        (
            {"gradients": gradients(0.05, 0.2, 1), **ILL},
            {"gradients": gradients(0.051, 0.2, 1), **ILL},
        ),
        (
            {"gradients": gradients(0.01, 0.1, 1), **ILL, "training": training(history=())},
            {"gradients": gradients(0.011, 0.1, 1), **ILL, "training": training(history=())},
        ),
    ],
    "loss-output-mismatch": [
        (
            {"loss": "mse", "output": "sigmoid", "accuracy": 0.909},
            {"loss": "mse", "output": "sigmoid", "accuracy": 0.911},
        ),
        ({"loss": "sse", "output": "softmax", **ILL}, {"loss": "sse", "output": "identity", **ILL}),
    ],
    "saturation": [
        (  # the network knows its own rows
            beside(2.5, 0.021, units=units(saturated=0.7)),
            beside(2.4, 0.021, units=units(saturated=0.7)),
        ),
        ({"units": units(saturated=0.7), **ILL}, {"units": units(saturated=0.69), **ILL}),
    ],
    "poor-initial-loss": [
        ({"initial_loss": 3.01 * LOG_10, **ILL}, {"initial_loss": 2.99 * LOG_10, **ILL}),
    ],
    "dead-units": [
        ({"units": units(dead=(20, 20)), **ILL}, {"units": units(dead=(20, 19)), **ILL}),
        ({"units": units(dead=(39, 1)), **ILL}, {"units": units(dead=(39, 0)), **ILL}),
        (
            {"units": units(dead=(90, 0), born=(20, 0)), **ILL},
            {"units": units(dead=(59, 0), born=(20, 0)), **ILL},
        ),
        (  # the network has learnt well, but its steps were long
            {"units": units(dead=(20, 20)), "training": training(learning_rate=1.21)},
            {"units": units(dead=(20, 20)), "training": training(learning_rate=1.19)},
        ),
    ],
    "learning-rate-too-low": [
        (
            {"training": training(learning_rate=0.02, history=LEVEL), "loss_value": 1.2, **ILL},
            {"training": training(learning_rate=0.0201, history=LEVEL), "loss_value": 1.2, **ILL},
        ),
        (
            {"training": training(learning_rate=0.005), "loss_value": 1.2, **ILL},
            {"training": training(learning_rate=0.005), "loss_value": 1.19, **ILL},
        ),
        (  # slower than usual, and no better than a simple classifier
            {"training": steady(1.0, 0.94), "accuracy": 0.93, "reference": EASY},
            {"training": steady(1.0, 0.96), "accuracy": 0.93, "reference": EASY},
        ),
        (
            {"training": steady(1.0, 0.94), "accuracy": 0.93, "reference": EASY},
            {"training": steady(1.0, 0.94), "accuracy": 0.98, "reference": EASY},
        ),
    ],
    "no-nonlinearity": [(linear(0.1), linear(0.01, False))],
    "bottleneck": [(narrow(5), narrow(6))],
    "small-weights": [
        (
            {"initial_scales": (0.2, 1.0, 1.0), **ILL},
            {"initial_scales": (0.21, 1.0, 1.0), **ILL},
        ),
        (from_elsewhere(0.1, 0.3, 1.0), from_elsewhere(0.1, 0.31, 1.0)),
    ],
    "large-weights": [
        (
            {"initial_scales": (3.0, 1.0, 1.0), **ILL},
            {"initial_scales": (2.9, 1.0, 1.0), **ILL},
        ),
        (from_elsewhere(4.0, 1.0, 1.0), from_elsewhere(3.9, 1.0, 1.0)),
        (from_elsewhere(4.0, 1.0, 1.0, untouched=1.0), from_elsewhere(2.0, 1.0, 1.0)),
    ],
    "over-regularised": [
        (
            {"training": training(weight_decay=0.1), "weight_scales": (0.6, 0.1, 1.0), **ILL},
            {"training": training(weight_decay=0.1), "weight_scales": (0.61, 0.1, 1.0), **ILL},
        ),
        (
            {"training": training(dropout=0.7), **ILL},
            {"training": training(dropout=0.69), **ILL},
        ),
        (
            {"training": training(dropout=0.3), **narrow(22)},
            {"training": training(dropout=0.3), **narrow(23)},
        ),
        (
            {"training": training(label_smoothing=0.5), **ILL},
            {"training": training(label_smoothing=0.49), **ILL},
        ),
    ],
    "starving-clipping": [
        (
            {"training": training(clip_norm=0.024), **ILL},  # the gradient has a norm of 0.0245
            {"training": training(clip_norm=0.025), **ILL},
        ),
    ],
    "collapsed-output": [
        ({"predicted": (900, *(0,) * 8, 100)}, {"predicted": (899, *(0,) * 8, 101)}),
    ],
    "not-learning": [({"accuracy": 0.459}, {"accuracy": 0.461})],
    "overfitting": [
        (
            gap(0.879, rows=999),
            gap(0.881, rows=999),
        ),
        (gap(0.879, rows=999), gap(0.879, rows=1000)),
        (gap(0.57, rows=1000), gap(0.59, rows=1000)),
        (  # simple classifiers are better on the same validation rows
            beside(2.5, 0.021, **gap(0.86, rows=1000)),
            beside(2.4, 0.021, **gap(0.86, rows=1000)),
        ),
        (  # 17 validation rows
            {"training": few_validation_rows(12 / 17)},
            {"training": few_validation_rows(14 / 17)},
        ),
    ],
    "underfitting-too-short": [
        (
            {"training": training(history=epochs(1.0, 0.89)), **ILL},
            {"training": training(history=epochs(1.0, 0.91)), **ILL},
        ),
        (
            {"training": training(history=epochs(1.0)), "loss_value": 0.89, **ILL},
            {"training": training(history=epochs(1.0)), "loss_value": 0.91, **ILL},
        ),
        (  # one epoch of a low rate
            {"training": SHORT, "loss_value": 0.99, **ILL, "reference": EASY},
            {"training": SHORT, "loss_value": 1.01, **ILL, "reference": EASY},
        ),
        (  # as good as a simple classifier, at a rate that does not fall
            {"training": steady(1.0, 0.89), "accuracy": 0.93, "reference": EASY},
            {"training": steady(1.0, 0.91), "accuracy": 0.93, "reference": EASY},
        ),
    ],
    "underfitting": [
        (
            {"accuracy": 0.889, "reference": Reference(4000, 1000, 0.88, 0.94)},
            {"accuracy": 0.891, "reference": Reference(4000, 1000, 0.88, 0.94)},
        ),
        (beside(3.5, 0.051), beside(3.4, 0.051)),
        (beside(3.5, 0.051), beside(3.5, 0.049)),
        (  # few judged rows prove little
            {"accuracy": 0.8, "reference": Reference(40, 50, 0.92, 0.9)},
            {"accuracy": 0.9, "reference": Reference(40, 50, 0.92, 0.9)},
        ),
    ],
    "overconfident": [(with_confidence(0.101), with_confidence(0.099))],
    "underconfident": [
        (
            {"outputs": outputs(0.9, confidence=0.44, ece=0.46), "training": None},
            {"outputs": outputs(0.9, confidence=0.46, ece=0.44), "training": None},
        )
    ],
}
THRESHOLDS = [
    pytest.param(name, *case, id=f"{name}-{number}")
    for name, cases in CASES.items()
    for number, case in enumerate(cases)
]


def check(name: str, **changed: Any) -> Finding | None:
    return RULES[name](name).check(evidence(**changed))


# What they find --------------------------------------------------------------------------------


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == {*RULES} - {UNTRAINED}


@EVERY_RULE
def test_silent_on_a_healthy_network(name: str) -> None:
    assert check(name) is None


@EVERY_RULE
def test_silent_on_healthy_weights_from_elsewhere(name: str) -> None:
    assert check(name, training=None, initial_loss=None, outputs=None) is None


@EVERY_RULE
def test_an_initial_network_is_not_blamed_for_knowing_nothing(name: str) -> None:
    if name == UNTRAINED:
        return
    untrained = training(history=())
    knows_nothing = outputs(0.1, confidence=0.3, ece=0.2)
    assert (
        check(name, training=untrained, accuracy=0.1, loss_value=2.4, outputs=knows_nothing) is None
    )


@pytest.mark.parametrize(("name", "at", "short"), THRESHOLDS)
def test_warns_from_its_threshold_on_and_not_before(
    name: str, at: dict[str, Any], short: dict[str, Any]
) -> None:
    found = check(name, **at)
    assert found is not None
    assert found.severity >= Severity.WARNING
    before = check(name, **short)
    assert before is None or before.severity == Severity.NOTE


@pytest.mark.parametrize(("name", "at", "_short"), THRESHOLDS)
def test_a_finding_is_complete(name: str, at: dict[str, Any], _short: dict[str, Any]) -> None:
    found = check(name, **at)
    assert found is not None
    assert found.rule == name
    assert found.source == RULES[name].source
    assert all(1 <= layer <= 3 for layer in found.layers)
    for sentence in (*found.evidence, found.cause):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    assert any(character.isdigit() for character in "".join(found.evidence))
    assert found.cause.count(". ") == 0


@pytest.mark.parametrize(("name", "at", "_short"), THRESHOLDS)
def test_a_remedy_is_a_configuration(name: str, at: dict[str, Any], _short: dict[str, Any]) -> None:
    found = check(name, **at)
    assert found is not None
    assert found.remedies
    for remedy in found.remedies:
        assert remedy.reason[0].isupper()
        assert remedy.reason.endswith(".")
        settings = from_tables(tomllib.loads(remedy.to_toml()), "remedy")
        assert {str(setting.key) for setting in settings} == set(remedy.changes)


@pytest.mark.parametrize(
    ("accuracy", "severity"),
    [(0.11, Severity.ERROR), (0.5, Severity.WARNING), (0.95, Severity.NOTE)],
)
def test_the_severity_follows_from_the_skill(accuracy: float, severity: Severity) -> None:
    found = check("unscaled-input", input_size=85.0, accuracy=accuracy)
    assert found is not None
    assert found.severity == severity


def test_skill_counts_from_the_constant_answer() -> None:
    assert skill(evidence(accuracy=0.1)) == 0
    assert skill(evidence(accuracy=0.55)) == pytest.approx(0.5)
    assert skill(evidence(accuracy=1.0)) == 1
    assert skill(evidence(accuracy=0.95, class_rows=(950, *(0,) * 8, 50))) == 0


# What is no fault ------------------------------------------------------------------------------


def test_sparse_is_not_dead() -> None:
    silent = tuple(replace(layer, active_fraction=0.02, nearly_dead=90) for layer in units())
    assert check("dead-units", units=silent) is None


@pytest.mark.parametrize("norms", [(1e-9, 1e-5, 1e-3), (1e3, 30.0, 1.0)])
def test_a_network_that_learns_is_healthy_whatever_its_gradients(norms: tuple[float, ...]) -> None:
    for name in ("vanishing-gradient", "exploding-gradient"):
        assert check(name, gradients=gradients(*norms)) is None


def test_no_absolute_size_of_a_gradient_counts() -> None:
    for scale in (1e-12, 1e12):
        small = gradients(*(scale * norm for norm in (0.9, 0.95, 1.0)))
        assert check("vanishing-gradient", gradients=small, **ILL) is None
        assert check("exploding-gradient", gradients=small, **ILL) is None


def test_saturated_units_that_learn_are_no_fault() -> None:
    assert check("saturation", units=units(saturated=0.95)) is None


def test_a_bad_start_is_not_blamed_on_the_learning_rate() -> None:
    found = check("learning-rate-too-high", training=training(diverged=True), initial_loss=100.0)
    assert found is None


@pytest.mark.parametrize(
    "training_",
    [
        training(weight_decay=0.1),
        training(dropout=0.9),
        training(label_smoothing=0.9),
        training(clip_norm=0.001),
    ],
)
def test_restraints_are_no_fault_of_a_network_that_learns(training_: Training) -> None:
    for name in ("over-regularised", "starving-clipping"):
        assert check(name, training=training_, weight_scales=(0.3, 0.3, 1.0)) is None


def test_a_usual_decay_is_not_blamed_for_small_weights() -> None:
    for optimizer, decay in (("sgd", 0.0005), ("adamw", 0.01)):
        usual = training(optimizer=optimizer, weight_decay=decay)
        assert check("over-regularised", training=usual, weight_scales=(0.1, 0.1, 1), **ILL) is None


def test_layers_with_few_inputs_may_have_weights_of_any_size() -> None:
    narrow = {"units": units()[:1], "inputs": 15}
    for name, scale in (("small-weights", 0.1), ("large-weights", 40.0)):
        assert check(name, **from_elsewhere(scale, 1.0), **narrow) is None


def test_adam_does_not_starve_by_clipping() -> None:
    adam = training(optimizer="adam", clip_norm=0.001)
    assert check("starving-clipping", training=adam, **ILL) is None


def test_each_restraint_that_is_too_strong_is_lifted() -> None:
    found = check("over-regularised", training=training(dropout=0.9, label_smoothing=0.9), **ILL)
    assert found is not None
    assert [dict(remedy.changes) for remedy in found.remedies] == [
        {"model.dropout": 0.0},
        {"loss.label_smoothing": 0.0},
    ]


def test_overconfidence_is_cured_by_a_temperature_first_if_rows_are_held_out() -> None:
    def remedies(**changed: Any) -> list[dict[str, Any]]:
        found = check("overconfident", **with_confidence(0.2), training=training(**changed))
        assert found is not None
        return [dict(remedy.changes) for remedy in found.remedies]

    assert remedies(validation_rows=100)[0] == {"training.calibrate": True}
    others = remedies()
    assert {"training.calibrate": True} not in others
    assert remedies(validation_rows=100, calibrate=True) == others


def test_relus_that_never_switch_are_linear_and_one_that_does_is_enough() -> None:
    fixed = tuple(replace(layer, always_on=90, dead=10) for layer in units())
    gain = linear(0.1)["nonlinear_gain"]
    found = check("no-nonlinearity", units=fixed, nonlinear_gain=gain)
    assert found is not None
    assert found.severity == Severity.WARNING
    switching = (fixed[0], replace(fixed[1], always_on=89))
    assert check("no-nonlinearity", units=switching, nonlinear_gain=gain) is None


def test_a_linear_network_is_not_blamed_for_a_divergence() -> None:
    found = check("no-nonlinearity", training=training(diverged=True), accuracy=0.1, **linear(0.1))
    assert found is not None
    assert found.severity == Severity.WARNING  # too little to explain the error of the rate


def test_weights_that_grew_are_blamed_on_the_rate_and_not_on_the_initializer() -> None:
    found = check("large-weights", **from_elsewhere(40.0, 20.0, 9.0, untouched=1.0))
    assert found is not None
    assert "learning rate" in found.cause
    assert "model.init" not in found.remedies[0].changes


def test_a_factor_of_the_initial_weights_is_reset_and_otherwise_not_named() -> None:
    for scale, expected in ((0.01, {"model.init_scale": 1.0}), (1.0, {})):
        found = check(
            "small-weights",
            training=training(init_scale=scale),
            initial_scales=(0.01, 0.01, 0.01),
            **ILL,
        )
        assert found is not None
        fitting = {"model.init": "auto", "model.bias_init": "zeros"}
        assert found.remedies[0].changes == fitting | expected


def test_columns_of_different_scales_are_scaled_one_by_one() -> None:
    found = check("unscaled-input", column_ratio=300.0, **ILL)
    assert found is not None
    assert found.remedies[0].changes == {"data.normalize": "column"}
    assert check("unscaled-input", column_offset=10.0) is None  # it learns


def test_the_statistics_of_columns() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3000, 4)) * [1, 2, 300, 0] + [1000, 0, 0, 0]
    split = Split(values.astype(np.float32), np.zeros(3000, np.intp), np.arange(3000))
    columns = column_statistics(split, Normalization("none", 0.0, 1.0))
    np.testing.assert_allclose(columns.deviation, [1, 2, 300, 0], rtol=0.05)
    np.testing.assert_array_equal(columns.unused, [False, False, False, True])
    assert columns.ratio == pytest.approx(150, rel=0.05)
    assert columns.offset == pytest.approx(1000 / 300, rel=0.05)


def points(kind: str, count: int = 1200) -> Split:
    """Two-dimensional rows of two classes: overlapping clouds, or spirals."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, count)
    radius = rng.uniform(0, 1, count)
    angle = np.pi * (4 * radius + labels)
    spirals = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    clouds = rng.normal(size=(count, 2)) + labels[:, np.newaxis]
    values = (spirals if kind == "spirals" else clouds).astype(np.float32)
    return Split(values, labels, np.arange(count))


def test_a_nonlinearity_helps_on_spirals_and_not_on_clouds() -> None:
    spirals, clouds = (
        nonlinear_gain(points(kind), Normalization("none", 0.0, 1.0), 2)
        for kind in ("spirals", "clouds")
    )
    assert spirals is not None
    assert clouds is not None
    assert spirals.is_significant
    assert spirals.nonlinear > 0.97
    assert spirals.linear < 0.7
    assert not clouds.is_significant
    assert nonlinear_gain(points("clouds", 7), Normalization("none", 0.0, 1.0), 2) is None


@EVERY_RULE
def test_hard_data_are_not_an_ill_network(name: str) -> None:
    """Two classes overlap so much that a linear classifier is right for 61 % of the rows."""
    hard = {"class_rows": (500, 500), "predicted": (510, 490), "outputs": outputs(0.62)}
    slow = training(history=epochs(0.7, 0.66, 0.655), learning_rate=0.3)
    found = check(name, **hard, reference=HARD, accuracy=0.62, loss_value=0.65, training=slow)
    assert found is None or found.severity == Severity.NOTE
    if name == "not-learning":
        found = check(name, **hard, reference=HARD, accuracy=0.52, training=slow)
        assert found is not None
        assert found.severity == Severity.ERROR


def test_labels_that_nothing_can_learn_are_named() -> None:
    shuffled = Reference(4000, 1000, 0.104, 0.097)
    found = check("not-learning", accuracy=0.16, reference=shuffled)
    assert found is not None
    assert "shuffled" in found.cause
    assert not found.remedies[0].changes
    found = check("not-learning", accuracy=0.16, reference=EASY)
    assert found is not None
    assert "Simple classifiers learn these rows" in found.cause


def test_hidden_layers_that_add_nothing_are_noted() -> None:
    found = check("underfitting", accuracy=0.88, reference=Reference(4000, 1000, 0.88, 0.86))
    assert found is not None
    assert found.severity == Severity.NOTE
    found = check("underfitting", accuracy=0.88, reference=Reference(4000, 1000, 0.88, 0.97))
    assert found is not None
    assert found.severity == Severity.WARNING
    linear = {"units": (), "accuracy": 0.88, "reference": Reference(4000, 1000, 0.88, 0.97)}
    assert check("underfitting", **linear) is None


def test_a_constant_answer_does_not_overfit() -> None:
    history = epochs(0.5, validation_accuracy=0.5)
    constant = {"predicted": (1000, *(0,) * 9), "training": training(history=history)}
    assert check("overfitting", **constant) is None


@pytest.mark.parametrize(
    ("changed", "of_evidence", "ratio"),
    [
        ({}, {}, 1.0),
        ({"momentum": 0.0}, {}, 0.1),
        ({"momentum": 0.99}, {}, 10.0),
        ({"momentum": 0.0, "learning_rate": 1.0}, {}, 1.0),
        ({"optimizer": "adam", "momentum": 0.0}, {"loss": "sse", "output": "identity"}, 1.0),
        ({}, {"loss": "sse", "output": "identity"}, 2.0),
        ({}, {"loss": "mse", "output": "identity"}, 0.2),
        ({}, {"loss": "binary-cross-entropy", "output": "sigmoid"}, 0.1),
        # Nielsen's 784-30-10 with a rate of 3; his quadratic cost is half of sse.
        (
            {"learning_rate": 1.5, "momentum": 0.0, "batch_size": 10},
            {"loss": "sse", "output": "sigmoid"},
            0.75,
        ),
        ({"batch_size": 1024, "learning_rate": 0.8}, {}, 1.0),
        ({"batch_size": 10}, {}, 1.0),
    ],
)
def test_steps_are_compared_and_not_rates(
    changed: dict[str, Any], of_evidence: dict[str, Any], ratio: float
) -> None:
    assert rate_ratio(evidence(training=training(**changed), **of_evidence)) == pytest.approx(ratio)


def test_the_pace_counts_rows_and_schedule() -> None:
    at = {"learning_rate": 0.05}  # the mean of one-cycle from 0.1
    history = (make_epoch(1, **at), make_epoch(2, **at))
    assert pace_ratio(evidence(training=training(history=history))) == pytest.approx(1)
    large = training(history=history, batch_size=1280)
    assert pace_ratio(evidence(training=large)) == pytest.approx(0.1)
    assert pace_ratio(evidence(training=None)) is None


def test_the_remedy_of_short_steps_makes_them_longer() -> None:
    found = check(
        "learning-rate-too-low", training=steady(1.0, 0.94), accuracy=0.93, reference=EASY
    )
    assert found is not None
    assert found.remedies[0].changes == {
        "optimizer.learning_rate": 0.1,
        "optimizer.momentum": 0.9,
        "training.epochs": 4,
    }
    sigmoid = tuple(replace(layer, derivative_bound=0.25) for layer in gradients(1, 1, 1))
    found = check(
        "learning-rate-too-low",
        training=steady(1.0, 0.94),
        accuracy=0.93,
        reference=EASY,
        gradients=sigmoid,
    )
    assert found is not None
    assert found.remedies[0].changes["optimizer.learning_rate"] == 0.4


def test_the_permutation_is_named() -> None:
    found = check("permuted-labels", **permuted(100))
    assert found is not None
    assert found.severity == Severity.ERROR
    assert "a as b, b as c" in found.evidence[1]
    assert found.evidence[2] == "With this order of the classes the accuracy is 100 %."
    assert found.remedies[0].reason.endswith("j, a, b, c, d, e, f, g, h, i.")
    swapped = check("permuted-labels", **permuted(100, moved=2))
    assert swapped is not None
    assert swapped.severity == Severity.WARNING
    assert "2 classes as others: a as b, b as a." in swapped.evidence[1]


def test_a_network_without_an_epoch_is_untrained_and_not_healthy() -> None:
    found = judge(evidence(training=training(history=()), accuracy=0.1))
    assert [each.rule for each in found if each.severity > Severity.NOTE] == []
    assert verdict(found) == UNTRAINED
    assert verdict(judge(evidence())) == HEALTHY
    found = judge(
        evidence(training=training(history=()), gradients=gradients(1e-4, 0.01, 1), **ILL)
    )
    assert verdict(found) == "vanishing-gradient"


# Their texts -----------------------------------------------------------------------------------


@EVERY_RULE
def test_texts_are_complete(name: str) -> None:
    rule = RULES[name]
    for text in (rule.meaning, rule.harm, rule.limits, rule.threshold):
        assert text[0].isupper() or text[0].isdigit() or text.startswith("|")
        assert text.endswith(".")
        assert "  " not in text
    assert (
        any(character.isdigit() for character in rule.threshold) or name == "non-finite-parameters"
    )
    assert any(character.isdigit() for character in rule.source)
    assert not rule.source.endswith(".")


@EVERY_RULE
def test_a_rule_explains_only_rules_below_it(name: str) -> None:
    below = list(RULES)[list(RULES).index(name) + 1 :]
    assert set(RULES[name].explains) <= {*below, EVERYTHING}


def test_the_page_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_rules", DOCS / "make_rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (DOCS / "rules.md").read_text(encoding="utf-8")
    assert text == module.page()
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(RULES)
