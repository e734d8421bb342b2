"""Class weights: their sums, and classes without rows."""

import numpy as np
import pytest

from actcli.nn.class_weights import CLASS_WEIGHTS


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
def test_the_weights_of_all_training_rows_have_the_mean_1(name: str) -> None:
    counts = np.array([90, 9, 0, 1])
    weights = CLASS_WEIGHTS[name](counts)
    assert np.vdot(counts, weights) == pytest.approx(100)
    assert weights[2] == 1
    if name == "balanced":
        np.testing.assert_allclose((counts * weights)[[0, 1, 3]], 100 / 3)
