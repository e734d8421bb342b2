"""How the cost of a training grows, and what it costs beside the training itself.

    pip install actcli
    python benchmarks/scaling.py            # some five minutes

Ten times the rows and ten times the weights: the cost of a row and of a weight should stay. Units
that die, pixels that are always black: the last epoch should take no longer than the first. The
record of health after each epoch: its share of the time. A million rows: how much memory a training
takes beside the size of its file.
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
from actcli.diagnostics.health import measure_health, sample_rows
from actcli.training.build import prepare_dataset
from actcli.training.events import EpochDone
from actcli.training.learner import Learner
from actcli.training.loop import fit

ROUNDS = 3


def learner(*assignments, config=None):
    """What learns, from a configuration and assignments."""
    settings = read_toml(find_config(config)) if config else []
    chosen = assemble([*settings, *map(parse_assignment, assignments)]).resolve()
    return Learner(*prepare_dataset(chosen, lambda *_: None))


def epochs(trained):
    """Seconds of each epoch."""
    return [event.seconds for event in fit(trained) if isinstance(event, EpochDone)]


def images(folder, rows):
    """An `.npz` with that many training images, MNIST's over and over."""
    path = Path(folder) / f"{rows}.npz"
    raw = read_dataset("mnist")
    chosen = np.arange(rows) % len(raw.train.x)
    np.savez(
        path,
        x_train=raw.train.x[chosen],
        y_train=raw.train.y[chosen],
        x_test=raw.test.x,
        y_test=raw.test.y,
    )
    return path


def rows(folder):
    """Seconds of a row, with 60,000 and with 600,000 of them."""
    paths = [images(folder, count) for count in (60_000, 600_000)]
    costs = {}
    for path in paths:
        found = learner(f"data.name={path}", "training.epochs=2", "data.validation=0")
        costs[path.stem] = min(epochs(found)) / int(path.stem) * 1e6
    small, large = costs.values()
    print(f"rows × 10: {small:.2f} and {large:.2f} µs a row, × {large / small:.2f}")


def weights():
    """Seconds of a weight and a row, with one hidden layer and with one ten times as wide."""
    costs = {}
    for units in (200, 2000):
        found = learner(f"model.hidden={units}", "training.epochs=1", "data.validation=0")
        costs[units] = min(epochs(found)) / found.network.parameters.size / 60_000 * 1e12
    narrow, wide = costs.values()
    print(f"weights × 10: {narrow:.1f} and {wide:.1f} ps a weight and row, × {wide / narrow:.2f}")


def fading():
    """The last epoch over the first."""
    for name, *assignments in (
        ("dying-relu", "training.epochs=10"),
        ("default", "model.hidden=30", "training.batch_size=10", "training.epochs=10"),
        ("sigmoid", "data.normalize=none", "training.epochs=6"),
    ):
        seconds = epochs(learner(*assignments, config=name))
        last = statistics.median(seconds[-3:]) / statistics.median(seconds[:3])
        told = " ".join(assignments)
        print(f"{name} {told}: the last epochs over the first: {last:.2f}")


def health():
    """The time of the record of health over that of an epoch."""
    for hidden in ("256,128", "30", "100,100,100,100,100", "800,800"):
        found = learner(f"model.hidden={hidden}", "training.epochs=2")
        data = found.dataset
        seen, seconds = sample_rows(data.train), []
        for _ in range(ROUNDS + 2):
            start = time.perf_counter()
            measure_health(found.model, seen)
            seconds.append(time.perf_counter() - start)
        share = statistics.median(seconds) / min(epochs(found))
        print(f"health of {hidden}: {share:.2%} of an epoch")


def memory(folder):
    """Peak of a whole training on a million rows, and the size of its file."""
    path = images(folder, 1_000_000)
    command = [sys.executable, "-m", "actcli", "train", "--dataset", path, "--epochs", "1", "-q"]
    process = subprocess.Popen([*command, "--runs-dir", folder], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    peak, size = usage.ru_maxrss * 1024 / 1e6, path.stat().st_size / 1e6
    print(f"1,000,000 rows: file {size:.0f} MB, peak {peak:.0f} MB, exit {status}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        rows(folder)
        weights()
        fading()
        health()
        memory(folder)


if __name__ == "__main__":
    main()
