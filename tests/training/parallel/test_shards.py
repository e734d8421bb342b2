"""Shards cover the parameter vector once, and each one gets its part of the gradient."""

import numpy as np
import pytest

from actcli.nn.active_columns import ActiveColumns, find_active_columns
from actcli.nn.network import MLP
from actcli.training.parallel.shards import cut_shards

CASES = [
    ((784, 256, 128, 10), 2),
    ((7, 3), 3),
    ((5, 4, 4, 4, 4, 3), 1),
    ((5, 4, 4, 4, 4, 3), 8),
    ((3, 100, 2), 2),
    ((1, 1, 1), 3),
]


@pytest.mark.parametrize(("sizes", "count"), CASES)
def test_shards_cover_the_vector_once(sizes, count):
    network = MLP(sizes, ("relu",) * (len(sizes) - 2))
    shards = cut_shards(network.shapes, count)
    covered = np.zeros_like(network.parameters)
    for shard in shards:
        covered[shard.span] += 1
    np.testing.assert_array_equal(covered, 1)
    assert [shard.biases for shard in shards] == [False] * (count - 1) + [True]


@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize(("sizes", "count"), CASES)
def test_the_gradient_of_a_shard_is_its_part_of_the_whole(sizes, count, active):
    network = MLP(sizes, ("tanh",) * (len(sizes) - 2), "float64")
    rng = np.random.default_rng(0)
    network.initialize(rng)
    inputs, trace = rng.normal(size=(9, sizes[0])), network.trace(9)
    inputs[:, ::2] = 0
    network.forward(inputs, trace)
    trace.layers[-1].delta[...] = rng.normal(size=(9, sizes[-1]))
    whole = np.zeros_like(network.parameters)
    network.backward(inputs, trace, network.views(whole))
    if active:
        columns = find_active_columns(inputs)
        scratch = np.empty((sizes[0], sizes[1]))
        inputs = ActiveColumns(np.ascontiguousarray(inputs[:, columns]), columns, scratch)
    for shard in cut_shards(network.shapes, count):
        part = np.full_like(whole, np.nan)
        views = network.views(part)
        network.compute_gradient(inputs, trace, views, shard.columns, shard.biases)
        np.testing.assert_allclose(part[shard.span], whole[shard.span], atol=1e-12)
        assert np.isnan(part).sum() == part.size - len(part[shard.span])  # nothing else is written


def test_shards_have_about_the_same_size():
    first, second = cut_shards(MLP((784, 256, 128, 10), ("relu", "relu")).shapes, 2)
    lengths = [shard.span.stop - shard.span.start for shard in (first, second)]
    assert max(lengths) < 1.01 * min(lengths)
