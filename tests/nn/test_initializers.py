"""Each initializer against the variance, the shape and the limits that its source gives."""

import math

import numpy as np
import pytest

from actcli.nn.activations import ACTIVATIONS
from actcli.nn.initializers import BIAS_INITIALIZERS, INITIALIZERS, fitting_variance

# The variance of a weight, of fan_out and fan_in; the excess kurtosis identifies the distribution:
# 0 for a normal, -6/5 for a uniform one.
NORMAL, UNIFORM = 0.0, -1.2
EXPECTED = {
    # He, Zhang, Ren, Sun, Delving Deep into Rectifiers (ICCV 2015), equation 10
    "he-normal": (NORMAL, lambda fan_out, fan_in: 2 / fan_in),
    "he-uniform": (UNIFORM, lambda fan_out, fan_in: 2 / fan_in),
    # Glorot, Bengio (AISTATS 2010), equations 12 and 16
    "glorot-normal": (NORMAL, lambda fan_out, fan_in: 2 / (fan_in + fan_out)),
    "glorot-uniform": (UNIFORM, lambda fan_out, fan_in: 2 / (fan_in + fan_out)),
    # LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), equation 16
    "lecun-normal": (NORMAL, lambda fan_out, fan_in: 1 / fan_in),
    "lecun-uniform": (UNIFORM, lambda fan_out, fan_in: 1 / fan_in),
    # Nielsen, Neural Networks and Deep Learning (2015), chapter 3: N(0, 1/n), n inputs
    "normal": (NORMAL, lambda fan_out, fan_in: 1 / fan_in),
    # N(0, 1), not divided by the root of the inputs: a fault to demonstrate
    "standard-normal": (NORMAL, lambda fan_out, fan_in: 1.0),
    # A column of a random orthogonal matrix is a random direction: of variance 1/n, almost normal
    "orthogonal": (NORMAL, lambda fan_out, fan_in: 1 / max(fan_out, fan_in)),
    "zeros": (None, lambda fan_out, fan_in: 0.0),
}
EVERY = pytest.mark.parametrize("name", INITIALIZERS)
SHAPES = [(300, 200), (200, 300), (250, 250)]
UNIFORMS = [name for name, (kurtosis, _) in EXPECTED.items() if kurtosis == UNIFORM]


@EVERY
def test_variance_and_mean_are_those_of_the_source(name):
    for fan_out, fan_in in SHAPES:
        weights = INITIALIZERS[name](np.random.default_rng(0), fan_out, fan_in)
        assert weights.shape == (fan_out, fan_in)
        assert weights.dtype == np.float64
        variance = EXPECTED[name][1](fan_out, fan_in)
        # The variance of n normal draws has a relative standard deviation of √(2/n), of uniform
        # draws a smaller one; their mean has √(variance/n). Five of each.
        n = weights.size
        assert weights.var() == pytest.approx(variance, rel=5 * math.sqrt(2 / n), abs=0)
        assert abs(weights.mean()) <= 5 * math.sqrt(variance / n)


@pytest.mark.parametrize("name", sorted({entry.initializer for entry in ACTIVATIONS.values()}))
def test_the_variance_of_a_fitting_initializer_is_that_of_the_source(name):
    for shape in SHAPES:
        assert fitting_variance(name, *shape) == EXPECTED[name][1](*shape)


@EVERY
def test_the_distribution_is_normal_or_uniform_as_named(name):
    weights = INITIALIZERS[name](np.random.default_rng(0), 300, 200)
    expected, variance = EXPECTED[name]
    if expected is None:
        assert not weights.any()
        return
    kurtosis = np.mean(weights**4) / variance(300, 200) ** 2 - 3
    # Of n normal draws it has a standard deviation of about √(96/n).
    assert kurtosis == pytest.approx(expected, abs=5 * math.sqrt(96 / weights.size))


@pytest.mark.parametrize("name", UNIFORMS)
def test_uniform_weights_stay_within_their_limits_and_approach_them(name):
    for fan_out, fan_in in SHAPES:
        weights = INITIALIZERS[name](np.random.default_rng(0), fan_out, fan_in)
        limit = math.sqrt(3 * EXPECTED[name][1](fan_out, fan_in))  # U(-a, a) has variance a²/3
        assert np.abs(weights).max() <= limit
        # The largest of n lies within 20/n of the limit, but for a chance of e^-20.
        for edge in (weights.max(), -weights.min()):
            assert edge > limit * (1 - 2 * 20 / weights.size)


def test_the_limit_of_glorot_uniform_for_mnist():
    # Glorot, Bengio (2010), equation 16: √6 / √(784 + 256) = 0.0759555.
    weights = INITIALIZERS["glorot-uniform"](np.random.default_rng(0), 256, 784)
    assert np.abs(weights).max() == pytest.approx(0.0759555, rel=1e-4)


@pytest.mark.parametrize(("fan_out", "fan_in"), [(12, 5), (5, 12), (7, 7), (1, 4), (4, 1), (1, 1)])
def test_orthogonal_rows_or_columns_are_orthonormal(fan_out, fan_in):
    q = INITIALIZERS["orthogonal"](np.random.default_rng(0), fan_out, fan_in)
    assert q.shape == (fan_out, fan_in)
    small = q @ q.T if fan_out <= fan_in else q.T @ q
    np.testing.assert_allclose(small, np.eye(min(fan_out, fan_in)), rtol=0, atol=1e-14)


def test_orthogonal_matrices_are_drawn_evenly():
    # Mezzadri, How to Generate Random Matrices from the Classical Compact Groups (2007), section 5:
    # the Q of a plain QR factorisation is not. LAPACK's, for one, has only one sign at top left.
    rng = np.random.default_rng(0)
    corners = np.array([INITIALIZERS["orthogonal"](rng, 4, 4)[0, 0] for _ in range(1000)])
    assert corners.mean() == pytest.approx(0, abs=5 * math.sqrt(1 / 4 / 1000))
    assert corners.var() == pytest.approx(1 / 4, rel=5 * math.sqrt(2 / 1000))


@EVERY
def test_draws_come_from_the_generator_alone(name):
    first, same, other = (
        INITIALIZERS[name](np.random.default_rng(seed), 6, 5) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert np.array_equal(first, other) == (name == "zeros")


@EVERY
def test_a_layer_may_have_a_single_unit_or_input(name):
    for shape in ((1, 1), (1, 9), (9, 1)):
        weights = INITIALIZERS[name](np.random.default_rng(0), *shape)
        assert weights.shape == shape
        assert np.isfinite(weights).all()


def test_every_initializer_is_documented():
    assert [name for name, rule in INITIALIZERS.items() if not (rule.__doc__ or "").strip()] == []


@pytest.mark.parametrize("name", BIAS_INITIALIZERS)
def test_biases_have_the_variance_of_their_source(name):
    variance = {"zeros": 0.0, "normal": 1.0}[name]
    biases = BIAS_INITIALIZERS[name](np.random.default_rng(0), 50_000)
    assert biases.shape == (50_000,)
    assert biases.var() == pytest.approx(variance, rel=5 * math.sqrt(2 / 50_000), abs=0)
    assert abs(biases.mean()) <= 5 * math.sqrt(variance / 50_000)
    assert BIAS_INITIALIZERS[name].__doc__.strip()


@pytest.mark.parametrize(
    ("name", "kept"),
    # A ReLU passes half of the mean square: He's 2/n makes up for it (2015, section 2.2),
    # LeCun's 1/n loses half of it at every layer.
    [("he-normal", 1.0), ("he-uniform", 1.0), ("lecun-normal", 0.5), ("lecun-uniform", 0.5)],
)
def test_the_share_of_the_mean_square_that_a_relu_layer_keeps(name, kept):
    rng = np.random.default_rng(0)
    inputs = np.abs(rng.normal(size=(400, 500)))
    z = inputs @ INITIALIZERS[name](rng, 2000, 500).T
    assert np.mean(np.maximum(z, 0) ** 2) / np.mean(inputs**2) == pytest.approx(kept, rel=0.1)
