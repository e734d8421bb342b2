"""The learning-rate range test: suggestion and divergence, against theory and against trainings."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import actcli
from actcli.explore.lr_find import RangeTest, steps_per_decade
from actcli.explore.rate_curve import ConstantAnswer, MovingAverage
from actcli.model import make_loss
from actcli.nn.losses import LOSSES
from actcli.nn.optimizers import OPTIMIZERS

Blobs = Callable[..., Path]


def find(path: Path, **changes: Any) -> RangeTest:
    return actcli.lr_find(dataset=str(path), **{"hidden": (8,), "batch_size": 64, **changes})


def accuracy(path: Path, rate: float, **changes: Any) -> float:
    """Return the accuracy on the training rows after ten epochs."""
    data = actcli.load_data(str(path))
    training = actcli.fit(data, epochs=10, lr=rate, **{"hidden": (8,), "batch_size": 64, **changes})
    return actcli.evaluate(training.run().model, data, "train").accuracy


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_suggestion_lies_below_the_divergence_and_trains_well(
    blobs: Blobs, optimizer: str
) -> None:
    path = blobs(classes=5, rows=1000, noise=60)  # the clouds overlap: the loss does not become 0
    test = find(path, optimizer=optimizer)
    assert test.suggestion is not None
    assert test.valley is not None
    assert test.divergence is not None
    assert test.divergence / 100 < test.suggestion < test.divergence
    assert test.valley[0] < test.suggestion < test.valley[1] < test.divergence
    assert test.default_rate == OPTIMIZERS[optimizer].default_learning_rate
    low, good, high = (
        accuracy(path, factor * test.suggestion, optimizer=optimizer) for factor in (0.1, 1, 10)
    )
    assert good > low + 0.1
    assert good > high - 0.05


@pytest.mark.parametrize("loss", LOSSES)
def test_each_loss_has_a_suggestion(blobs: Blobs, loss: str) -> None:
    path = blobs()
    test = find(path, loss=loss)
    assert test.suggestion is not None
    assert test.lowest_loss < test.constant_loss < 1.1 * test.initial_loss
    assert accuracy(path, test.suggestion, loss=loss) > 0.95


def test_a_valley_ends_where_the_training_rows_are_learnt(blobs: Blobs) -> None:
    """With a loss of almost 0 the gradient is almost 0, and no rate does harm."""
    test = find(blobs())
    assert test.divergence is None
    assert test.rates[-1] == pytest.approx(1000)
    assert test.valley is not None
    assert test.suggestion is not None
    assert test.suggestion < test.valley[1] < 5


def test_gradient_descent_on_a_quadratic_diverges_at_two_over_the_largest_eigenvalue(
    blobs: Blobs,
) -> None:
    """LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), section 5.1."""
    path = blobs(rows=60)
    data = actcli.load_data(str(path), normalize="standard")
    quadratic = {"hidden": (), "loss": "mse", "output": "identity", "momentum": 0.0}
    test = actcli.lr_find(None, data, batch_size=60, **quadratic)
    x = data.normalization.scale * (data.train.pixels[data.train.rows] - data.normalization.shift)
    augmented = np.hstack([x, np.ones((len(x), 1))])
    # The Hessian of 1/K Σ (w·x - t)², averaged over the rows, for the weights of one unit.
    hessian = 2 / len(data.classes) * augmented.T @ augmented / len(x)
    bound = 2 / np.linalg.eigvalsh(hessian)[-1]
    assert test.divergence is not None
    assert bound < test.divergence < 4 * bound  # it takes a few steps to grow
    assert test.suggestion is not None
    assert bound / 30 < test.suggestion < bound


def test_the_result_depends_on_the_seed_alone(blobs: Blobs) -> None:
    path = blobs()
    first, again = find(path, dropout=0.2), find(path, dropout=0.2)
    assert first.to_dict() == again.to_dict()
    assert find(path, dropout=0.2, seed=1).losses != first.losses
    other = find(path, dropout=0.2, lr=7.0, schedule="constant", epochs=0)
    assert other.losses == first.losses
    assert other.configured_rate == 7


def test_a_network_that_cannot_learn_has_no_suggestion(blobs: Blobs) -> None:
    nothing = np.zeros((300, 12), np.uint8)
    test = find(blobs(x_train=nothing, x_test=nothing))
    assert (test.suggestion, test.valley, test.steepest) == (None, None, None)
    assert test.reason.startswith("No rate is suggested: in ")
    assert "did not become better than a constant answer" in test.reason
    assert f"a constant answer has {test.constant_loss:.2f}" in test.reason
    assert test.steps > 1000, "a network that does not learn is tested with more steps"


def test_a_loss_that_is_never_finite_is_named(blobs: Blobs) -> None:
    with np.load(blobs()) as arrays:
        huge = {name: 1e36 * arrays[name].astype(np.float64) for name in ("x_train", "x_test")}
    test = find(blobs(**huge), normalize="none", loss="mse", output="identity")
    assert test.suggestion is None
    assert test.divergence == test.rates[0]
    assert test.divergence_reason == "the loss is not finite"
    assert "the loss diverges even at a rate of 1e-20; the inputs may need" in test.reason


def test_a_range_that_starts_too_high_is_moved_down(blobs: Blobs) -> None:
    path = blobs()
    with np.load(path) as arrays:
        large = {name: 1e7 * arrays[name].astype(np.float64) for name in ("x_train", "x_test")}
    plain, test = find(path, normalize="none"), find(blobs(**large), normalize="none")
    assert plain.rates[0] == pytest.approx(1e-8)
    assert test.rates[0] == pytest.approx(1e-14)
    assert test.suggestion is not None
    assert test.valley is not None
    assert test.valley[0] < 1e-9


@pytest.mark.parametrize("loss", LOSSES)
def test_no_constant_answer_is_better(blobs: Blobs, loss: str) -> None:
    labels = np.repeat([0, 1, 2], [180, 90, 30])
    data = actcli.load_data(str(blobs(y_train=labels, y_test=labels)))
    rule = make_loss(actcli.Config().with_("loss", loss).resolve())
    best = ConstantAnswer.of(rule, data)
    shares = np.bincount(data.train.labels) / len(data.train)
    targets = rule.targets(3)
    values = np.linspace(-3, 3, 9)
    for logits in itertools.product(values, values, values):
        rows = np.tile(logits, (3, 1))
        assert best.loss <= shares @ rule(rows, targets, rows.copy(), rows.copy()) + 1e-9
    assert best.accuracy == shares.max()


def test_the_moving_average_weighs_all_values_and_forgets() -> None:
    average = MovingAverage(2)
    assert [average.add(3.0), average.add(3.0)] == pytest.approx([3, 3])
    weights = np.exp(-np.arange(5)[::-1] / 2)
    average, values = MovingAverage(2), [1.0, 5.0, 2.0, 8.0, 3.0]
    assert [average.add(value) for value in values][-1] == pytest.approx(
        np.average(values, weights=weights)
    )
    assert math.isnan(average.add(math.nan))


def test_small_mini_batches_take_more_steps() -> None:
    assert [steps_per_decade(rows) for rows in (1, 8, 32, 64, 128, 1000, 1001)] == [
        *(192, 192, 48, 24, 24, 24),
        12,
    ]
