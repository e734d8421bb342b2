"""Properties and curves of activations, compared with closed forms."""

import math

import numpy as np
import pytest

from actcli.errors import UsageError
from actcli.explore.activations import ActivationCurve, facts, span, study
from actcli.nn.activations import ACTIVATIONS

HALF = 1 / math.sqrt(2 * math.pi)  # the mean of max(0, z)


def normal_tail(z: float) -> float:
    """P(Z > z)."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def density(z: float) -> float:
    return math.exp(-z * z / 2) * HALF


# E f(Z) for a standard normal Z, worked out by hand. E e^Z over Z < 0 is e^½ P(Z > 1); E Z Φ(Z) is
# E φ(Z) by Stein's lemma, the density at 0 of a normal of variance 2.
MEANS = {
    "identity": 0,
    "sigmoid": 0.5,
    "tanh": 0,
    "relu": HALF,
    "leaky-relu": 0.99 * HALF,
    "elu": HALF + math.exp(0.5) * normal_tail(1) - 0.5,
    "selu": 0,  # what λ and α were chosen for
    "gelu": 1 / (2 * math.sqrt(math.pi)),
    "softsign": 0,
    "relu6": HALF - density(6) + 6 * normal_tail(6),
}
ZERO_CENTRED = {"identity", "tanh", "selu", "softsign"}


@pytest.mark.parametrize("name", MEANS)
def test_the_mean_under_a_standard_normal(name: str) -> None:
    assert facts(name).mean == pytest.approx(MEANS[name], abs=1e-13)


def test_the_means_without_a_closed_form() -> None:
    # By Riemann's sum on a fine grid, which for smooth functions is exact to rounding.
    z = np.linspace(-12, 12, 100_001)
    weight = np.exp(-z * z / 2) * HALF * (z[1] - z[0])
    for name in ACTIVATIONS.keys() - MEANS.keys():
        expected = float((ACTIVATIONS[name]()(z) * weight).sum())
        assert facts(name).mean == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_zero_centred(name: str) -> None:
    assert facts(name).zero_centred == (name in ZERO_CENTRED)


def test_the_sigmoid_of_the_course() -> None:
    (sigmoid,) = study(["sigmoid"], [-2, 0, 0.5])
    e = math.e
    assert sigmoid.values == pytest.approx([1 / (1 + e**2), 0.5, 1 / (1 + e**-0.5)], rel=1e-14)
    assert sigmoid.slopes == pytest.approx(
        [e**2 / (1 + e**2) ** 2, 0.25, e**-0.5 / (1 + e**-0.5) ** 2], rel=1e-14
    )
    assert sigmoid.remark == (
        "The derivative is at most 0.25, so n layers pass back at most 0.25^n of the error: "
        "10 layers, 0.0000010."
    )  # 1 / 4^10 = 1 / 1,048,576


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("identity", "n linear layers compute no more than one"),
        (
            "tanh",
            f"at |z| = 2 it is {1 / math.cosh(2) ** 2:.3g}, and 10 layers with all units there",
        ),
        ("tanh", f"pass back {(1 / math.cosh(2) ** 2) ** 10:.2g} of the error"),
        ("relu", "A silent unit passes nothing back"),
        ("leaky-relu", "never falls below 0.01"),
        ("elu", f"at z = -2 it is {math.exp(-2):.3g}"),
        ("softplus", f"at z = -2 it is {1 / (1 + math.e**2):.3g}"),
        ("softsign", f"at |z| = 2 it is {1 / 9:.3g}"),
        ("selu", "at most 1.758^n of the error, which may even grow: 10 layers, 282.1."),
        ("gelu", "at most 1.129^n of the error"),
        ("relu6", "a unit that is silent for every input is dead"),
    ],
)
def test_the_remark_on_the_error(name: str, says: str) -> None:
    assert says in study([name], [])[0].remark


def jumps(course: ActivationCurve) -> list[float]:
    return [z for z, y in zip(course.z, course.y, strict=True) if math.isnan(y)]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_curve_is_parted_where_it_jumps_and_only_there(name: str) -> None:
    at = {"relu": [0], "leaky-relu": [0], "selu": [0], "relu6": [0, 6]}.get(name, [])
    (found,) = study([name], [])
    assert jumps(found.value_course) == []
    assert jumps(found.slope_course) == pytest.approx(at, abs=1e-12)
    for course, function in (
        (found.value_course, ACTIVATIONS[name]()),
        (found.slope_course, ACTIVATIONS[name]().slope),
    ):
        known = [(z, y) for z, y in zip(course.z, course.y, strict=True) if not math.isnan(y)]
        z, y = np.array(known).T
        np.testing.assert_array_equal(function(z), y)


@pytest.mark.parametrize(
    ("names", "at", "ends"),
    [
        (["sigmoid"], [], (-5, 5)),
        (["sigmoid"], [-7.5, 0], (-8, 5)),
        (["relu6"], [], (-8, 8)),  # or its ceiling would not be seen
        (["relu", "relu6"], [], (-8, 8)),
        (["relu"], [1e9, -20], (-20, 5)),
    ],
)
def test_how_far_curves_reach(names: list[str], at: list[float], ends: tuple[float, float]) -> None:
    assert span(names, at) == ends


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_far_off_nothing_overflows(name: str) -> None:
    (found,) = study([name], [-1e300, 1e300, -750, 750])
    assert not np.isnan([*found.values, *found.slopes]).any()
    assert "-0.0" not in str((found.values, found.slopes))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_point_must_be_finite(wrong: float) -> None:
    with pytest.raises(UsageError, match="--at: point 2 is"):
        study(["relu"], [0, wrong])
