"""Inputs that are 0 in every row can be left out: the same scores, the same gradient."""

import numpy as np
import pytest

from actcli.nn.active_columns import ActiveColumns
from actcli.nn.network import MLP
from actcli.nn.shards import cut_shards


@pytest.mark.parametrize("dark", [0, 0.5, 1])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(40, 9, 5, 3), (40, 3)])
def test_what_is_dark_changes_nothing(sizes, count, dark):
    rng = np.random.default_rng(0)
    network = MLP(sizes, ("tanh",) * (len(sizes) - 2), "float64")
    network.initialize(rng, bias_init="normal")
    inputs = rng.normal(size=(7, 40)) * (rng.random(40) >= dark)
    delta = rng.normal(size=(7, sizes[-1]))
    lit = ActiveColumns(np.flatnonzero(inputs.any(axis=0)), np.empty((40, sizes[1])))
    assert len(lit.columns) < 40 or not dark
    bright = np.ascontiguousarray(inputs[:, lit.columns])

    whole, part = network.trace(7), network.trace(7)
    expected = network.forward(inputs, whole)
    np.testing.assert_allclose(network.forward(bright, part, lit), expected, rtol=1e-12)

    gradient, collected = (np.full_like(network.parameters, np.nan) for _ in range(2))
    for trace in (whole, part):
        trace.passes[-1].delta[...] = delta
    network.backward(inputs, whole, network.views(gradient))
    network.send_back(part)
    for share in cut_shards(network.shapes, count):
        network.collect(bright, part, network.views(collected), share, lit)
    np.testing.assert_allclose(collected, gradient, rtol=1e-10, atol=1e-12)
    alone = np.full_like(gradient, np.nan)
    network.collect(bright, part, network.views(alone), lit=lit)
    np.testing.assert_allclose(alone, gradient, rtol=1e-10, atol=1e-12)
