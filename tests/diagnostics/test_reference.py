"""The reference: what simple classifiers reach, on data whose best accuracy is known."""

import math
import time

import numpy as np
import pytest

from actcli.datasets.batches import Split
from actcli.datasets.dataset import load_dataset
from actcli.diagnostics.reference import measure_reference, minimise
from actcli.diagnostics.significance import is_clearly_better, standard_error


def split(pixels: np.ndarray, labels: np.ndarray) -> Split:
    return Split(pixels, labels.astype(np.intp), np.arange(len(pixels)))


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_digits_are_learnt_quickly_and_always_the_same() -> None:
    train = load_dataset("mnist").train
    start = time.process_time()
    found = measure_reference(train, 10)
    assert time.process_time() - start < 1  # 0.2 s on an idle core
    assert found is not None
    assert (found.rows, found.judged) == (4000, 1000)
    assert 0.86 < found.linear < 0.92
    assert 0.9 < found.neighbours < 0.96
    assert found.accuracy == found.neighbours
    assert measure_reference(train, 10) == found


def test_overlapping_classes_reach_the_accuracy_of_bayes() -> None:
    labels = rng().integers(2, size=6000)
    distance = 1.35  # between the means of two Gaussians: half of it is a quantile
    pixels = rng().normal(size=(6000, 2)) + distance * labels[:, np.newaxis] / math.sqrt(2)
    bayes = 0.5 * (1 + math.erf(distance / 2 / math.sqrt(2)))
    found = measure_reference(split(pixels, labels), 2)
    assert found is not None
    assert found.linear == pytest.approx(bayes, abs=3 * standard_error(bayes, found.judged))


def test_neighbours_learn_what_no_line_separates() -> None:
    labels = np.arange(600) % 2
    radius = 1 + labels
    angle = rng().uniform(0, 2 * np.pi, 600)
    rings = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    found = measure_reference(split(rings, labels), 2)
    assert found is not None
    assert found.judged == 600  # few rows: each one is judged
    assert found.linear < 0.7
    assert found.neighbours > 0.98


def test_columns_of_different_scale_count_alike() -> None:
    labels = np.arange(300) % 3
    useful = labels + rng().normal(scale=0.2, size=300)
    noise = 1000 * rng().normal(size=300)
    found = measure_reference(split(np.stack([useful, noise], axis=1), labels), 3)
    assert found is not None
    assert min(found.linear, found.neighbours) > 0.9


def test_shuffled_labels_cannot_be_learnt() -> None:
    pixels, labels = rng().normal(size=(2000, 20)), rng().integers(4, size=2000)
    found = measure_reference(split(pixels, labels), 4)
    assert found is not None
    assert found.accuracy < 0.33


def test_few_rows_give_no_reference() -> None:
    assert measure_reference(split(rng().normal(size=(19, 2)), np.arange(19) % 2), 2) is None
    constant = measure_reference(split(np.ones((20, 2)), np.arange(20) % 2), 2)
    assert constant is not None
    assert constant.accuracy <= 0.5


def test_numbers_at_the_limit_of_float32_are_no_trouble() -> None:
    pixels = np.array([[-3e38, 1.0], [3e38, 0.0]] * 20, np.float32)
    assert measure_reference(split(pixels, np.arange(40) % 2), 2) is not None


def test_minimise_solves_a_least_squares_problem() -> None:
    matrix = rng().normal(size=(20, 5)).astype(np.float32)
    target = rng().normal(size=20).astype(np.float32)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        rest = matrix @ x - target
        return float(rest @ rest / 2), matrix.T @ rest

    expected = np.linalg.lstsq(matrix, target, rcond=None)[0]
    assert minimise(loss, np.zeros(5, np.float32), 50) == pytest.approx(expected, abs=1e-3)


def test_the_error_of_an_accuracy_is_never_0() -> None:
    assert standard_error(0.5, 10_000) == pytest.approx(0.005, rel=0.01)
    assert standard_error(1.0, 17) > 0.05


def test_one_classifier_is_clearly_better_if_it_gains_far_more_rows_than_it_loses() -> None:
    old, new = np.zeros(100, bool), np.zeros(100, bool)
    old[:40], new[36:80] = True, True  # 40 rows gained, 36 lost
    assert not is_clearly_better(new, old, 0.5)
    new[:30] = True  # 40 gained, 6 lost: 34 is 5.01 standard errors of √46
    assert is_clearly_better(new, old, 5.0)
    assert not is_clearly_better(new, old, 5.1)
    assert not is_clearly_better(old, new, 0.0)
