"""Health while training: which rows are watched, and that it is the probe that watches them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from actcli.cli import main
from actcli.datasets.batches import Split
from actcli.datasets.dataset import load_dataset
from actcli.diagnostics.gradients import gradient_flow
from actcli.diagnostics.health import measure_health, measure_layers, sample_rows
from actcli.diagnostics.probe import probe
from actcli.diagnostics.units import unit_states
from actcli.model import Model
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP

Blobs = Callable[..., Path]


def rows_from(count: int) -> Split:
    """A split of every third row of an array."""
    return Split(
        np.zeros((3 * count, 1), np.uint8),
        np.arange(count) % 7,
        3 * np.arange(count, dtype=np.intp),
    )


@pytest.mark.parametrize(
    ("rows", "picked"),
    [(1, 1), (2, 1), (99, 1), (199, 1), (200, 2), (1000, 10), (49_999, 499), (50_000, 500),
     (55_000, 500), (1_000_000, 500)],
)  # fmt: skip
def test_a_few_rows_at_equal_distances(rows: int, picked: int) -> None:
    split = rows_from(rows)
    chosen = sample_rows(split)
    assert len(chosen) == len(chosen.labels) == picked
    assert chosen.pixels is split.pixels
    places = chosen.rows // 3
    np.testing.assert_array_equal(chosen.labels, split.labels[places])
    assert places[0] == 0
    if picked > 1:
        assert places[-1] == rows - 1
        assert np.ptp(np.diff(places)) <= 1
        assert np.diff(places).min() >= 99
    np.testing.assert_array_equal(chosen.rows, sample_rows(split).rows)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_health_equals_the_probe_of_the_same_rows(blobs: Blobs, activation: str) -> None:
    dataset = load_dataset(str(blobs(rows=3000)))
    network = MLP((dataset.inputs, 20, 15, 3), [activation] * 2)
    network.initialize(np.random.default_rng(1))
    network.layers[1].biases[[2, 3]] = -1e3
    subject = Model(network, LOSSES["cross-entropy"](), dataset.normalization, dataset.classes)
    before = network.parameters.copy()
    chosen = sample_rows(dataset.train)
    health = measure_health(subject, chosen)
    seen = probe(subject, chosen)
    flow = gradient_flow(network, seen)
    assert health.delta_norm == tuple(row.delta_norm for row in flow)
    assert health.weight_grad_norm == tuple(row.weight_grad_norm for row in flow)
    assert health.silent == tuple(
        int((layer.active == 0).sum()) for layer in seen.layers[: len(network.sizes) - 2]
    )
    if activation == "relu":
        assert health.silent[1] >= 2
        dead = [layer.dead for layer in unit_states(network, probe(subject, dataset.train))]
        assert all(few >= all_rows for few, all_rows in zip(health.silent, dead, strict=True))
    np.testing.assert_array_equal(network.parameters, before)


def test_every_epoch_of_a_run_is_watched(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = str(blobs(rows=1200))
    chosen = ["--hidden", "8,6", "--epochs", "3", "--dataset", data, "-q"]
    done = CliRunner().invoke(main, ["train", *chosen])
    assert done.exit_code == 0, done.output
    records = [
        json.loads(line) for line in Path("runs/default/metrics.jsonl").read_text().splitlines()
    ]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    for record in records:
        assert {name: len(each) for name, each in record["health"].items()} == {
            "delta_norm": 3,
            "weight_grad_norm": 3,
            "silent": 2,
        }
    # The last epoch's is that of the network that was saved.
    dataset = load_dataset(data)
    subject = Model.load("runs/default")
    last = measure_health(subject, sample_rows(dataset.train))
    assert records[-1]["health"]["delta_norm"] == list(last.delta_norm)
    assert records[-1]["health"]["weight_grad_norm"] == list(last.weight_grad_norm)
    assert records[-1]["health"]["silent"] == list(last.silent)


def test_histograms_after_every_epoch_have_the_same_bins(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = str(blobs(rows=1200))
    settings = ["--hidden", "8,6", "--activation", "tanh", "--dataset", data, "-q"]
    assert CliRunner().invoke(main, ["train", *settings, "--epochs", "2"]).exit_code == 0
    # A resumed training keeps the bins of the epochs before.
    done = CliRunner().invoke(main, ["train", "--resume", "default", "--epochs", "4", "-q"])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ["diagnose", "--history", "--json"])
    result = json.loads(done.stdout)["histograms"]
    assert result["epochs"] == [1, 2, 3, 4]
    dataset, subject = load_dataset(data), Model.load("runs/default")
    (batch,) = subject.forward_batches(sample_rows(dataset.train))
    for layer, values in zip(result["layers"], batch.trace.layers, strict=True):
        clipped = values.z.clip(layer["z_edges"][0], layer["z_edges"][-1])
        assert layer["z"][-1] == np.histogram(clipped, layer["z_edges"])[0].tolist()
        assert [sum(counts) for counts in layer["z"]] == [values.z.size] * 4
        if layer["y"] is not None:
            assert (layer["y_edges"][0], layer["y_edges"][-1]) == (-1, 1)
            assert layer["y"][-1] == np.histogram(values.y, layer["y_edges"])[0].tolist()
            slope = 1 - values.y.astype(float) ** 2
            assert layer["saturated"][-1] == pytest.approx((slope < 0.05).mean())
    assert [layer["y"] is None for layer in result["layers"]] == [False, False, True]


def test_a_network_with_too_many_layers_for_a_record_has_no_histograms(blobs: Blobs) -> None:
    dataset = load_dataset(str(blobs(rows=300)))
    network = MLP((dataset.inputs, *[2] * 500, 3), ["relu"] * 500)
    subject = Model(network, LOSSES["cross-entropy"](), dataset.normalization, dataset.classes)
    health, histograms = measure_layers(subject, sample_rows(dataset.train))
    assert histograms is None
    assert len(health.silent) == 500
