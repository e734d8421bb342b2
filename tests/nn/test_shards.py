"""Shares: together they are the parameter vector, and each collects its part of the gradient."""

import numpy as np
import pytest

from actcli.nn.network import MLP
from actcli.nn.shards import cut_shards

SIZES = [(784, 256, 128, 10), (7, 3), (5, 4, 4, 4, 4, 3), (3, 100, 2), (1, 1, 1)]


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("sizes", SIZES)
def test_shares_are_the_whole_vector(sizes, count):
    network = MLP(sizes, ("relu",) * (len(sizes) - 2))
    shares = cut_shards(network.shapes, count)
    seen = np.zeros_like(network.parameters)
    for share in shares:
        seen[share.span] += 1
    np.testing.assert_array_equal(seen, 1)
    assert [share.biases for share in shares] == [False] * (count - 1) + [True]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("sizes", SIZES)
def test_each_share_collects_its_stretch_of_the_gradient(sizes, count):
    network = MLP(sizes, ("tanh",) * (len(sizes) - 2), "float64")
    rng = np.random.default_rng(0)
    network.initialize(rng)
    inputs, trace = rng.normal(size=(9, sizes[0])), network.trace(9)
    network.forward(inputs, trace)
    trace.passes[-1].delta[...] = rng.normal(size=(9, sizes[-1]))
    whole = np.zeros_like(network.parameters)
    network.backward(inputs, trace, network.views(whole))
    for share in cut_shards(network.shapes, count):
        part = np.full_like(whole, np.nan)
        network.collect(inputs, trace, network.views(part), share)
        np.testing.assert_allclose(part[share.span], whole[share.span], atol=1e-12)
        assert np.isnan(part).sum() == part.size - len(part[share.span])  # and nothing else


def test_shares_are_about_the_same_size():
    first, second = cut_shards(MLP((784, 256, 128, 10), ("relu", "relu")).shapes, 2)
    lengths = [share.span.stop - share.span.start for share in (first, second)]
    assert max(lengths) < 1.01 * min(lengths)
