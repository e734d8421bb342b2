"""Columns that are 0 in every row can be left out: the same logits, the same gradient."""

import numpy as np
import pytest

from actcli.nn.active_columns import ActiveColumns, find_active_columns
from actcli.nn.network import MLP


@pytest.mark.parametrize("inactive", [0, 0.5, 1])
@pytest.mark.parametrize("sizes", [(40, 9, 5, 3), (40, 3)])
def test_leaving_out_inactive_columns_changes_nothing(sizes, inactive):
    rng = np.random.default_rng(0)
    network = MLP(sizes, ("tanh",) * (len(sizes) - 2), "float64")
    network.initialize(rng, bias_init="normal")
    inputs = rng.normal(size=(7, 40)) * (rng.random(40) >= inactive)
    columns = find_active_columns(inputs)
    assert len(columns) < 40 or not inactive
    values = np.ascontiguousarray(inputs[:, columns])
    active = ActiveColumns(values, columns, np.empty((40, sizes[1])))

    whole, part = network.trace(7), network.trace(7)
    expected = network.forward(inputs, whole)
    np.testing.assert_allclose(network.forward(active, part), expected, rtol=1e-12)

    gradient, same = (np.full_like(network.parameters, np.nan) for _ in range(2))
    delta = rng.normal(size=(7, sizes[-1]))
    for trace in (whole, part):
        trace.layers[-1].delta[...] = delta
    network.backward(inputs, whole, network.views(gradient))
    network.backward(active, part, network.views(same))
    np.testing.assert_allclose(same, gradient, rtol=1e-10, atol=1e-12)
