"""Initializers: the distributions from which the first weights and biases are drawn.

A layer with n inputs sums n products. With weights of variance 1 its pre-activations would have
variance n, and every sigmoid would start saturated. Each rule scales the weights so that the
signal, the error, or a compromise of both keeps its variance from layer to layer.

An initializer takes a random generator, fan_out (units) and fan_in (inputs), and returns an array
of shape (fan_out, fan_in) in float64.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from actcli.registry import Registry

Weights: TypeAlias = NDArray[np.float64]
Initializer: TypeAlias = Callable[[np.random.Generator, int, int], Weights]

INITIALIZERS: Registry[Initializer] = Registry("initializer")


def _normal(rng: np.random.Generator, shape: tuple[int, int], variance: float) -> Weights:
    return rng.normal(0.0, math.sqrt(variance), shape)


def _uniform(rng: np.random.Generator, shape: tuple[int, int], variance: float) -> Weights:
    limit = math.sqrt(3 * variance)  # U(-a, a) has variance a²/3
    return rng.uniform(-limit, limit, shape)


@INITIALIZERS.register("he-normal")
def he_normal(rng: np.random.Generator, fan_out: int, fan_in: int) -> Weights:
    """N(0, 2/fan_in), for ReLUs, which pass half of the variance (He et al. 2015, equation 10)."""
    return _normal(rng, (fan_out, fan_in), 2 / fan_in)


@INITIALIZERS.register("he-uniform")
def he_uniform(rng: np.random.Generator, fan_out: int, fan_in: int) -> Weights:
    """Like he-normal, from a uniform distribution of the same variance."""
    return _uniform(rng, (fan_out, fan_in), 2 / fan_in)


@INITIALIZERS.register("glorot-normal")
def glorot_normal(rng: np.random.Generator, fan_out: int, fan_in: int) -> Weights:
    """N(0, 2/(fan_in + fan_out)), for signal and error (Glorot, Bengio 2010, equation 12)."""
    return _normal(rng, (fan_out, fan_in), 2 / (fan_in + fan_out))


@INITIALIZERS.register("glorot-uniform")
def glorot_uniform(rng: np.random.Generator, fan_out: int, fan_in: int) -> Weights:
    """Like glorot-normal, from a uniform distribution (Glorot, Bengio 2010, equation 16)."""
    return _uniform(rng, (fan_out, fan_in), 2 / (fan_in + fan_out))


@INITIALIZERS.register("lecun-normal")
def lecun_normal(rng: np.random.Generator, fan_out: int, fan_in: int) -> Weights:
    """N(0, 1/fan_in): pre-activations of unit variance (LeCun et al. 1998, equation 16)."""
    return _normal(rng, (fan_out, fan_in), 1 / fan_in)


@INITIALIZERS.register("lecun-uniform")
def lecun_uniform(rng: np.random.Generator, fan_out: int, fan_in: int) -> Weights:
    """Like lecun-normal, from a uniform distribution of the same variance."""
    return _uniform(rng, (fan_out, fan_in), 1 / fan_in)


@INITIALIZERS.register("normal")
def normal(rng: np.random.Generator, fan_out: int, fan_in: int) -> Weights:
    """N(0, 1/fan_in), lecun-normal under the name that Nielsen's text gives it (chapter 3)."""
    return lecun_normal(rng, fan_out, fan_in)


@INITIALIZERS.register("standard-normal")
def standard_normal(rng: np.random.Generator, fan_out: int, fan_in: int) -> Weights:
    """N(0, 1), to demonstrate the fault: pre-activations have a variance of fan_in."""
    return _normal(rng, (fan_out, fan_in), 1.0)


@INITIALIZERS.register("orthogonal")
def orthogonal(rng: np.random.Generator, fan_out: int, fan_in: int) -> Weights:
    """Orthonormal rows or columns, which keep lengths (Saxe, McClelland, Ganguli 2014)."""
    tall = rng.normal(size=(max(fan_out, fan_in), min(fan_out, fan_in)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))  # makes the distribution uniform (Mezzadri 2007, section 5)
    return q if fan_out >= fan_in else q.T


@INITIALIZERS.register("zeros")
def zeros(_rng: np.random.Generator, fan_out: int, fan_in: int) -> Weights:
    """All 0, to demonstrate the fault: the units of a layer stay copies of each other."""
    return np.zeros((fan_out, fan_in))


def fitting_variance(name: str, fan_out: int, fan_in: int) -> float:
    """Return the variance of the weights of an initializer that an activation names as fitting.

    Raises:
        KeyError: no activation names the initializer.
    """
    numerator, count = {
        "he-normal": (2, fan_in),
        "glorot-uniform": (2, fan_in + fan_out),
        "lecun-normal": (1, fan_in),
    }[name]
    return numerator / count


BIAS_INITIALIZERS: Registry[Callable[[np.random.Generator, int], Weights]] = Registry("bias_init")


@BIAS_INITIALIZERS.register("zeros")
def zero_biases(_rng: np.random.Generator, units: int) -> Weights:
    """All 0: no unit is favoured."""
    return np.zeros(units)


@BIAS_INITIALIZERS.register("normal")
def normal_biases(rng: np.random.Generator, units: int) -> Weights:
    """N(0, 1), as in Nielsen's text (chapter 3)."""
    return rng.normal(size=units)
