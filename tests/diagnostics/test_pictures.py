"""The numbers behind the pictures: confusion, histograms, single units, first-layer weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actcli import jsonlines
from actcli.datasets.dataset import Dataset, load_dataset
from actcli.diagnostics.confusion import Confusion
from actcli.diagnostics.first_layer import SAMPLE_UNITS, picture_shape
from actcli.diagnostics.histograms import choose_edges
from actcli.diagnostics.report import Diagnosis, diagnose
from actcli.explore.predict import confident_mistakes
from actcli.model import Model
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP
from actcli.training.events import HISTOGRAM_BINS

Blobs = Callable[..., Path]
ALL = ("confusion", "activations", "weights")


def examined(blobs: Blobs, *hidden: int, activation: str = "relu") -> tuple[Dataset, Model]:
    dataset = load_dataset(str(blobs(rows=1400, inputs=12)))
    network = MLP((dataset.inputs, *hidden, 3), [activation] * len(hidden))
    network.initialize(np.random.default_rng(1))
    if hidden:
        network.layers[0].biases[[2, 3]] = -1e3
    loss = LOSSES["cross-entropy"]()
    return dataset, Model(network, loss, dataset.normalization, dataset.classes)


def z_of(model: Model, dataset: Dataset) -> list[np.ndarray]:
    """The z of each layer on all training rows, in one mini-batch."""
    (batch,) = model.forward_batches(dataset.train, len(dataset.train))
    return [layer.z for layer in batch.trace.layers]


def test_scores_of_a_class() -> None:
    confusion = Confusion(("a", "b", "c"), ((6, 2, 0), (1, 3, 0), (0, 0, 0)))
    first, second, third = confusion.scores
    assert (first.precision, first.recall, first.f1) == (6 / 7, 6 / 8, 12 / 15)
    assert (second.precision, second.recall, second.f1) == (3 / 5, 3 / 4, 6 / 9)
    assert (third.precision, third.recall, third.f1) == (None, None, None)
    pairs = [(pair.true_class, pair.predicted, pair.share) for pair in confusion.worst_pairs()]
    assert pairs == [("a", "b", 2 / 8), ("b", "a", 1 / 4)]


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_histograms_are_those_of_numpy(blobs: Blobs, activation: str) -> None:
    dataset, model = examined(blobs, 7, 5, activation=activation)
    layers = diagnose(model, dataset, parts=ALL).histograms
    functions = (*model.network.activations, None)
    for layer, z, f in zip(layers, z_of(model, dataset), functions, strict=True):
        assert len(layer.z_edges) == HISTOGRAM_BINS + 1
        clipped = z.clip(layer.z_edges[0], layer.z_edges[-1])
        assert layer.z_counts == tuple(np.histogram(clipped, layer.z_edges)[0])
        if f is None:
            assert layer.y_edges is None
        else:
            clipped = f(z).clip(layer.y_edges[0], layer.y_edges[-1])
            assert layer.y_counts == tuple(np.histogram(clipped, layer.y_edges)[0])


def test_values_on_an_edge_beyond_the_edges_and_not_a_number(blobs: Blobs) -> None:
    dataset, model = examined(blobs, 7)
    model.network.parameters[:] = 0
    edges = choose_edges(model, dataset.train)[0].z
    values = [edges[5], edges[20], edges[-1], 1e38, -1e38, np.inf, np.nan]
    model.network.layers[0].biases[:] = np.asarray(values, np.float32)
    layer = diagnose(model, dataset, rows=10, parts=ALL).histograms[0]
    assert sum(layer.z_counts) == 60  # NaN is in no bin
    exact = np.asarray(values[:-1], np.float32).astype(np.float64)
    clipped = exact.clip(layer.z_edges[0], layer.z_edges[-1])
    assert layer.z_counts == tuple(10 * np.histogram(clipped, layer.z_edges)[0])


def test_units_of_each_state(blobs: Blobs) -> None:
    dataset, model = examined(blobs, 7)
    diagnosis = diagnose(model, dataset, initial=model)
    (layer,), (units,) = diagnosis.activity, diagnosis.units
    active = (z_of(model, dataset)[0] > 0).mean(axis=0)
    np.testing.assert_allclose(layer.active, active)
    assert [unit for unit, state in enumerate(layer.states) if state == "dead"] == (
        np.flatnonzero(active == 0).tolist()
    )
    assert layer.counts["dead"] == units.dead >= 2
    assert layer.order[:2] == [2, 3]
    assert layer.born_dead is not None
    assert layer.born_dead[2:4] == (True, True)


def test_units_that_are_saturated(blobs: Blobs) -> None:
    dataset, model = examined(blobs, 7, activation="tanh")
    (layer,) = diagnose(model, dataset).activity
    slope = 1 - np.tanh(z_of(model, dataset)[0].astype(float)) ** 2
    assert layer.saturated is not None
    np.testing.assert_allclose(layer.saturated, (slope < 0.05).mean(axis=0))
    assert layer.states[2] == "dead"  # 1 - tanh² is exactly 0 there
    assert layer.order[0] == 2


def test_first_layer_weights(blobs: Blobs) -> None:
    dataset, model = examined(blobs, 40)
    layer = diagnose(model, dataset, parts=ALL).first_layer
    assert layer is not None
    assert (layer.units, layer.inputs, layer.shape) == (40, 12, None)
    assert len({unit.unit for unit in layer.sample}) == len(layer.sample) == SAMPLE_UNITS
    assert layer.sample[0].state == "dead"
    weights = model.network.layers[0].weights
    for unit in layer.sample:
        np.testing.assert_array_equal(unit.weights, weights[unit.unit])
    assert layer.limit == max(np.abs(unit.weights).max() for unit in layer.sample)


def test_without_a_hidden_layer_the_units_are_the_classes(blobs: Blobs) -> None:
    dataset, model = examined(blobs)
    diagnosis: Diagnosis = diagnose(model, dataset, parts=ALL)
    layer = diagnosis.first_layer
    assert layer is not None
    assert [unit.label for unit in layer.sample] == list(dataset.classes)
    assert [unit.state for unit in layer.sample] == [None] * 3
    jsonlines.dumps(diagnosis.to_dict(ALL))


def test_which_inputs_are_an_image() -> None:
    assert picture_shape((28, 20), 560) == (28, 20)
    assert picture_shape((784,), 784) == picture_shape((), 784) == (28, 28)
    assert picture_shape((12,), 12) is picture_shape((9,), 9) is picture_shape((1, 12), 12) is None


def test_the_most_confident_mistakes(blobs: Blobs) -> None:
    dataset, model = examined(blobs, 7)
    outputs = model.predict_proba(dataset.test.pixels)
    result = confident_mistakes(model, dataset, "test", 3)
    wrong = np.flatnonzero(outputs.argmax(axis=1) != dataset.test.labels)
    assert (result.rows, result.mistakes) == (len(outputs), len(wrong))
    confidences = [float(each.outputs.max()) for each in result.predictions]
    np.testing.assert_allclose(confidences, np.sort(outputs[wrong].max(axis=1))[::-1][:3])
    assert all(each.right is False for each in result.predictions)
