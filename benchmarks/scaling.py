"""Measure how the cost of a training grows with its rows, weights and epochs.

    pip install actcli
    python benchmarks/scaling.py            # about five minutes

- Ten times the rows, ten times the weights: the time per row and per weight should stay the same.
- Dying units, pixels that are always black: the last epochs should take no longer than the first.
- The health record after each epoch: its share of the time of an epoch.
- A million rows: the peak memory of a training, compared with the size of its file.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))

import numpy as np

from actcli.config.sources import assemble, find_config, parse_assignment, read_toml
from actcli.datasets.dataset import read_dataset
from actcli.diagnostics.health import measure_layers, sample_rows
from actcli.training.build import prepare_dataset
from actcli.training.events import EpochDone
from actcli.training.learner import Learner
from actcli.training.loop import fit

ROUNDS = 3


def make_learner(*assignments, config=None):
    """Return the learner of an example configuration, changed by assignments."""
    settings = read_toml(find_config(config)) if config else []
    resolved = assemble([*settings, *map(parse_assignment, assignments)]).resolve()
    return Learner(*prepare_dataset(resolved, lambda *_: None))


def epoch_seconds(learner):
    """Train; return the seconds of each epoch."""
    return [event.seconds for event in fit(learner) if isinstance(event, EpochDone)]


def images(folder, rows):
    """Write an `.npz` with `rows` training images, MNIST's repeated; return its path."""
    path = Path(folder) / f"{rows}.npz"
    raw = read_dataset("mnist")
    indices = np.arange(rows) % len(raw.train.x)
    np.savez(
        path,
        x_train=raw.train.x[indices],
        y_train=raw.train.y[indices],
        x_test=raw.test.x,
        y_test=raw.test.y,
    )
    return path


def rows(folder):
    """Print the time per row with 60,000 and with 600,000 rows."""
    paths = [images(folder, count) for count in (60_000, 600_000)]
    costs = {}
    for path in paths:
        trained = make_learner(f"data.name={path}", "training.epochs=2", "data.validation=0")
        costs[path.stem] = min(epoch_seconds(trained)) / int(path.stem) * 1e6
    small, large = costs.values()
    print(f"rows × 10: {small:.2f} and {large:.2f} µs per row, × {large / small:.2f}")


def weights():
    """Print the time per weight and row with one hidden layer of 200 and of 2,000 units."""
    costs = {}
    for units in (200, 2000):
        trained = make_learner(f"model.hidden={units}", "training.epochs=1", "data.validation=0")
        costs[units] = min(epoch_seconds(trained)) / trained.network.parameters.size / 60_000 * 1e12
    narrow, wide = costs.values()
    print(f"weights × 10: {narrow:.1f} and {wide:.1f} ps per weight and row, × {wide / narrow:.2f}")


def late_epochs():
    """Print the time of the last three epochs over that of the first three."""
    for name, *assignments in (
        ("dying-relu", "training.epochs=10"),
        ("default", "model.hidden=30", "training.batch_size=10", "training.epochs=10"),
        ("sigmoid", "data.normalize=none", "training.epochs=6"),
    ):
        seconds = epoch_seconds(make_learner(*assignments, config=name))
        last = statistics.median(seconds[-3:]) / statistics.median(seconds[:3])
        changes = " ".join(assignments)
        print(f"{name} {changes}: the last epochs over the first ones: {last:.2f}")


def health():
    """Print the time of a health record over that of an epoch."""
    for hidden in ("256,128", "30", "100,100,100,100,100", "800,800"):
        trained = make_learner(f"model.hidden={hidden}", "training.epochs=2")
        sample, seconds = sample_rows(trained.dataset.train), []
        _, first = measure_layers(trained.model, sample)
        for _ in range(ROUNDS + 2):
            start = time.perf_counter()
            measure_layers(trained.model, sample, first)
            seconds.append(time.perf_counter() - start)
        share = statistics.median(seconds) / min(epoch_seconds(trained))
        print(f"health record of {hidden}: {share:.2%} of an epoch")


def memory(folder):
    """Print the peak memory of a whole training on a million rows, and the size of its file."""
    path = images(folder, 1_000_000)
    command = [sys.executable, "-m", "actcli", "train", "--dataset", path, "--epochs", "1", "-q"]
    process = subprocess.Popen([*command, "--runs-dir", folder], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    peak, size = usage.ru_maxrss * 1024 / 1e6, path.stat().st_size / 1e6
    print(f"1,000,000 rows: file {size:.0f} MB, peak memory {peak:.0f} MB, exit code {status}")


def main():
    """Measure everything."""
    with tempfile.TemporaryDirectory() as folder:
        rows(folder)
        weights()
        late_epochs()
        health()
        memory(folder)


if __name__ == "__main__":
    main()
