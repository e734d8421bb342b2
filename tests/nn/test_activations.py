"""Every activation of the registry against closed forms, finite differences and its own claims."""

import math
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from actcli.nn import normal
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.initializers import INITIALIZERS

EVERY = pytest.mark.parametrize("name", ACTIVATIONS)
DTYPES = ("float32", "float64")
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}

# Where f' jumps: f' on the left, the value that is taken, f' on the right. PyTorch takes the same:
# for each of these, torch 2.13 has y.sum().backward() leave that value in z.grad.
SCALE, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717  # of SELU
KINKS = {
    "relu": {0.0: (0.0, 0.0, 1.0)},
    "leaky-relu": {0.0: (0.01, 0.01, 1.0)},
    "selu": {0.0: (SCALE * ALPHA, SCALE * ALPHA, SCALE)},
    "relu6": {0.0: (0.0, 0.0, 1.0), 6.0: (1.0, 0.0, 0.0)},
}


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


# The definitions, for one number, with the standard library alone.
DEFINITIONS = {
    "identity": lambda z: z,
    "sigmoid": sigmoid,
    "tanh": lambda z: (math.exp(z) - math.exp(-z)) / (math.exp(z) + math.exp(-z)),
    "relu": lambda z: max(0.0, z),
    "leaky-relu": lambda z: z if z > 0 else 0.01 * z,
    "elu": lambda z: z if z > 0 else math.exp(z) - 1,
    "selu": lambda z: SCALE * (z if z > 0 else ALPHA * (math.exp(z) - 1)),
    "gelu": lambda z: z * 0.5 * math.erfc(-z / math.sqrt(2)),
    "silu": lambda z: z * sigmoid(z),
    "softplus": lambda z: math.log(1 + math.exp(z)),
    "mish": lambda z: z * math.tanh(math.log(1 + math.exp(z))),
    "softsign": lambda z: z / (1 + abs(z)),
    "relu6": lambda z: min(max(0.0, z), 6.0),
}


@EVERY
def test_value_is_the_definition(name):
    z = np.linspace(-12, 12, 2401)
    expected = [DEFINITIONS[name](float(each)) for each in z]
    np.testing.assert_allclose(ACTIVATIONS[name]()(z), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "z", "value", "slope"),
    [
        ("identity", -2.5, -2.5, 1.0),
        ("sigmoid", 0.0, 1 / 2, 1 / 4),
        ("sigmoid", math.log(3), 3 / 4, 3 / 16),
        ("tanh", 0.0, 0.0, 1.0),
        ("tanh", math.log(2), 3 / 5, 16 / 25),  # (2 - 1/2) / (2 + 1/2)
        ("relu", 2.0, 2.0, 1.0),
        ("leaky-relu", -3.0, -0.03, 0.01),
        ("elu", -math.log(2), -1 / 2, 1 / 2),
        ("elu", 0.0, 0.0, 1.0),  # no kink for α = 1
        ("selu", -math.log(2), -SCALE * ALPHA / 2, SCALE * ALPHA / 2),
        ("gelu", 0.0, 0.0, 1 / 2),
        ("gelu", 1.0, 0.8413447460685429, 1.0833154705876864),  # Φ(1), Φ(1) + φ(1)
        ("silu", 0.0, 0.0, 1 / 2),
        ("silu", math.log(3), 3 / 4 * math.log(3), 3 / 4 + 3 / 16 * math.log(3)),
        ("softplus", 0.0, math.log(2), 1 / 2),
        ("softplus", math.log(3), math.log(4), 3 / 4),
        ("mish", 0.0, 0.0, 3 / 5),  # tanh(log 2)
        ("softsign", -1.0, -1 / 2, 1 / 4),
        ("softsign", 0.0, 0.0, 1.0),
        ("relu6", 7.0, 6.0, 0.0),
        ("relu6", 5.0, 5.0, 1.0),
    ],
)
def test_closed_forms(name, z, value, slope):
    at = np.array([z])
    assert ACTIVATIONS[name]()(at)[0] == pytest.approx(value, abs=1e-14)
    assert ACTIVATIONS[name]().slope(at)[0] == pytest.approx(slope, abs=1e-14)


@EVERY
def test_derivative_is_the_finite_difference(name):
    h = 1e-5  # central differences err by h²/6 |f'''| < 1e-10, and by 1e-16 |f| / h < 1e-9
    f = ACTIVATIONS[name]()
    z = np.linspace(-12, 12, 2400)  # an even number of points: none within h of 0 or of 6
    difference = (f(z + h) - f(z - h)) / (2 * h)
    np.testing.assert_allclose(f.slope(z), difference, rtol=0, atol=2e-9)


@EVERY
def test_derivative_at_the_kinks_is_the_documented_one(name):
    f = ACTIVATIONS[name]()
    kinks = KINKS.get(name, {})
    for kink, (left, at_kink, right) in kinks.items():
        for dtype in DTYPES:
            slope = f.slope(np.array([kink, -kink], dtype))
            assert slope[0] == pytest.approx(at_kink, rel=1e-7)
        beside = np.array([np.nextafter(kink, -math.inf), np.nextafter(kink, math.inf)])
        np.testing.assert_allclose(f.slope(beside), [left, right], rtol=1e-12)
    # And the table above lists every kink: elsewhere f' makes no jump.
    z = np.linspace(-12, 12, 240_001)
    slope = f.slope(z)
    jumps = z[1:][np.abs(np.diff(slope)) > 0.01]
    near = [any(abs(jump - kink) < 2e-4 for kink in kinks) for jump in jumps]
    assert all(near)
    assert len({kink for kink in kinks for jump in jumps if abs(jump - kink) < 2e-4}) == len(kinks)


@EVERY
def test_float32_agrees_with_float64(name):
    f = ACTIVATIONS[name]()
    z = np.concatenate([np.linspace(-30, 30, 6001), np.linspace(-2, 2, 6001)]).astype(np.float32)
    assert f(z).dtype == f.slope(z).dtype == np.float32
    exact = z.astype(np.float64)
    np.testing.assert_allclose(f(z), f(exact), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(f.slope(z), f.slope(exact), rtol=1e-6, atol=1e-6)


def sweep():
    """Fine near 0, where everything happens, then out to where float64 ends."""
    far = np.logspace(1, 30, 2001)
    return np.concatenate([-far[::-1], np.linspace(-10, 10, 400_001), far])


@EVERY
def test_range_is_kept_and_approached(name):
    f = ACTIVATIONS[name]()
    low, high = f.range
    y = f(sweep())
    slack = 1e-12
    assert y.min() >= low - slack
    assert y.max() <= high + slack
    assert y.min() == pytest.approx(low, abs=1e-6) if math.isfinite(low) else y.min() < -1e6
    assert y.max() == pytest.approx(high, abs=1e-6) if math.isfinite(high) else y.max() > 1e6


@EVERY
def test_bound_is_the_supremum_of_the_derivative(name):
    f = ACTIVATIONS[name]()
    steepest = np.abs(f.slope(sweep())).max()
    assert steepest <= f.bound + 1e-12
    assert steepest == pytest.approx(f.bound, abs=1e-8)


@EVERY
def test_can_die_where_the_derivative_vanishes_on_a_half_line(name):
    f = ACTIVATIONS[name]()
    # Not further out: there rounding makes 0 of slopes that fade but never vanish.
    tails = [np.linspace(-8, -1, 701), np.linspace(6.5, 15, 851)]
    flat = [bool(np.all(f.slope(tail) == 0)) for tail in tails]
    assert f.can_die == any(flat)
    for tail, is_flat in zip(tails, flat, strict=True):
        assert is_flat or np.count_nonzero(f.slope(tail)) == tail.size


@pytest.mark.parametrize("dtype", DTYPES)
@EVERY
def test_huge_pre_activations_give_no_warning_and_no_nan(name, dtype):
    f = ACTIVATIONS[name]()
    sizes = [0, 1e-30, 1e-3, 1, 10, 40, 87, 88, 89, 104, 700, 709, 710, 745, 1e4, 1e10, 1e20, 1e30]
    z = np.array([*sizes, *(-size for size in sizes)], dtype)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        y, slope = f(z), f.slope(z)
    assert np.isfinite(y).all()
    assert np.isfinite(slope).all()
    low, high = f.range
    rounding = 4 * EPSILON[dtype]
    assert y.min() >= low * (1 + rounding)
    assert y.max() <= high * (1 + rounding)
    assert np.abs(slope).max() <= f.bound * (1 + rounding)


@pytest.mark.parametrize(
    ("dtype", "shape"), [("float32", (128, 256)), ("float64", (3, 4)), ("float32", (0, 5))]
)
@EVERY
def test_results_go_to_out_and_the_inputs_stay_unchanged(name, dtype, shape):
    f = ACTIVATIONS[name]()
    z = np.random.default_rng(1).normal(0, 3, shape).astype(dtype)
    before = z.copy()
    y, slope, scratch = (np.full(shape, np.nan, dtype) for _ in range(3))
    f.value(z, y, scratch)
    kept = y.copy()
    scratch.fill(np.nan)  # the former contents of scratch must not matter
    f.derivative(z, y, slope, scratch)
    np.testing.assert_array_equal(z, before)
    np.testing.assert_array_equal(y, kept)
    np.testing.assert_array_equal(y, f(z))
    np.testing.assert_array_equal(slope, f.slope(z))
    assert np.isfinite(y).all()
    assert np.isfinite(slope).all()


@EVERY
def test_nothing_of_the_size_of_the_input_is_allocated(name):
    f = ACTIVATIONS[name]()
    z = np.random.default_rng(1).normal(0, 3, (128, 256)).astype("float32")
    y, slope, scratch = (np.empty_like(z) for _ in range(3))

    def run():
        f.value(z, y, scratch)
        f.derivative(z, y, slope, scratch)

    run()  # GELU makes its coefficients once
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # NumPy converts comparisons through a buffer of 8,192 elements whatever the array's size; even
    # one array of Booleans would take 32,768 bytes.
    assert peak < 12_000


@EVERY
def test_every_activation_is_described(name):
    f = ACTIVATIONS[name]
    assert f.initializer in INITIALIZERS
    assert f.formula.strip()
    assert f.source.strip()
    assert f.summary.strip().endswith(".")
    assert "\n" not in f.summary
    assert f.range[0] < f.range[1]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-7), ("float64", 1e-14)])
def test_normal_distribution_is_that_of_the_error_function(dtype, tolerance):
    z = np.linspace(-12, 12, 48_001).astype(dtype)
    out, scratch = np.empty_like(z), np.empty_like(z)
    normal.distribution(z, out, scratch)
    expected = [0.5 * math.erfc(-float(each) * math.sqrt(0.5)) for each in z]
    assert np.abs(out - expected).max() < tolerance


def test_normal_distribution_at_the_quantiles_of_tables():
    # Abramowitz, Stegun, Handbook of Mathematical Functions (1964), table 26.1.
    z = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, -1.0])
    out, scratch = np.empty_like(z), np.empty_like(z)
    normal.distribution(z, out, scratch)
    table = [0.5, 0.69146246, 0.84134475, 0.93319280, 0.97724987, 0.99865010, 1 - 0.84134475]
    np.testing.assert_allclose(out, table, rtol=0, atol=5.1e-9)


def test_gates_go_from_silent_to_open():
    # Ramachandran et al. (2017), section 4: swish lies between the linear function and ReLU.
    z = np.array([20.0, 30.0, 40.0])
    for name in ("gelu", "silu", "mish", "softplus"):
        np.testing.assert_allclose(ACTIVATIONS[name]()(z), z, rtol=1e-8)
        np.testing.assert_allclose(ACTIVATIONS[name]()(-z), 0, atol=5e-8)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "elu", "softplus", "softsign"])
def test_monotone_activations_never_fall(name):
    y = ACTIVATIONS[name]()(np.linspace(-20, 20, 4001))
    assert all(before <= after for before, after in pairwise(y))
