"""Small data sets for the generated set-ups, made on the spot from a seed.

Each kind is a function of a random generator. It returns training and test rows as an `.npz` data
set holds them: images as bytes, tables as floats of a scale that a network cannot use unnormalised.
Some kinds are hard on purpose: classes that overlap, labels that are wrong, pixels that are hidden.
No network reaches 100 % on these, and a network that reaches what can be reached is healthy.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.dataset import ignore_progress, read_dataset
from actcli.registry import Registry

TEST_ROWS = 1200
# Training rows of each kind, a sixth of which is held out.
ROWS = {
    "mnist": 2000,
    "mnist-halved": 3500,
    "mnist-noisy": 2000,
    "mnist-hidden": 2500,
    "mnist-wrong-labels": 3000,
    "gaussians": 1500,
    "table": 2000,
    "spirals": 1500,
    "circles": 1000,
    "moons": 1000,
}
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arrays:
    """The rows of a data set: the training rows first, then TEST_ROWS test rows."""

    x: NDArray[Any]
    y: NDArray[np.int64]

    @property
    def train_rows(self) -> int:
        """The number of training rows."""
        return len(self.x) - TEST_ROWS

    def save(self, path: str) -> None:
        """Write an `.npz` data set."""
        count = self.train_rows
        x, y = self.x, self.y
        np.savez(path, x_train=x[:count], y_train=y[:count], x_test=x[count:], y_test=y[count:])


KINDS: Registry[Callable[[np.random.Generator], Arrays]] = Registry("kind of data")


@functools.cache
def _mnist() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    raw = read_dataset("mnist", ignore_progress).train
    return raw.x.astype(np.uint8), raw.y


def _digits(rng: np.random.Generator, rows: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return training and test images of MNIST, (N, 28, 28), and their labels."""
    images, labels = _mnist()
    chosen = rng.choice(len(images), rows + TEST_ROWS, replace=False)
    return images[chosen], labels[chosen]


def _halved(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images of half the width and height, each pixel the mean of four."""
    means = images.reshape(len(images), 14, 2, 14, 2).mean(axis=(2, 4))
    return means.astype(np.uint8)


@KINDS.register("mnist")
def mnist(rng: np.random.Generator) -> Arrays:
    """Images of MNIST."""
    return Arrays(*_digits(rng, ROWS["mnist"]))


@KINDS.register("mnist-halved")
def mnist_halved(rng: np.random.Generator) -> Arrays:
    """Images of MNIST of 14 × 14 pixels."""
    images, labels = _digits(rng, ROWS["mnist-halved"])
    return Arrays(_halved(images), labels)


@KINDS.register("mnist-noisy")
def mnist_noisy(rng: np.random.Generator) -> Arrays:
    """Images of 14 × 14 pixels with noise on each pixel."""
    images, labels = _digits(rng, ROWS["mnist-noisy"])
    halved = _halved(images)
    noise = rng.normal(0, rng.uniform(40, 100), halved.shape)
    return Arrays(np.clip(halved + noise, 0, 255).astype(np.uint8), labels)


@KINDS.register("mnist-hidden")
def mnist_hidden(rng: np.random.Generator) -> Arrays:
    """Images of which only the upper seven rows of 14 × 14 pixels are left."""
    images, labels = _digits(rng, ROWS["mnist-hidden"])
    return Arrays(np.ascontiguousarray(_halved(images)[:, :7]), labels)


@KINDS.register("mnist-wrong-labels")
def mnist_wrong_labels(rng: np.random.Generator) -> Arrays:
    """Images of 14 × 14 pixels, 10 to 20 % of them with a random label."""
    images, labels = _digits(rng, ROWS["mnist-wrong-labels"])
    wrong = rng.random(len(labels)) < rng.uniform(0.1, 0.2)
    return Arrays(_halved(images), np.where(wrong, rng.integers(0, 10, len(labels)), labels))


def _scaled(rng: np.random.Generator, x: Floats, y: NDArray[np.int64]) -> Arrays:
    """Return rows in random order and at a random scale, the same for all columns."""
    order = rng.permutation(len(x))
    scale = 10 ** rng.uniform(0.5, 2)
    return Arrays((scale * x[order]).astype(np.float32), y[order])


@KINDS.register("gaussians")
def gaussians(rng: np.random.Generator) -> Arrays:
    """2 to 5 Gaussians that overlap, in 2 to 10 dimensions."""
    rows, classes, columns = (
        TEST_ROWS + ROWS["gaussians"],
        int(rng.integers(2, 6)),
        int(rng.integers(2, 11)),
    )
    centres = rng.normal(size=(classes, columns)) * rng.uniform(0.7, 1.5)
    y = rng.integers(0, classes, rows)
    return _scaled(rng, centres[y] + rng.normal(size=(rows, columns)), y)


@KINDS.register("table")
def table(rng: np.random.Generator) -> Arrays:
    """A table of 8 to 16 columns, a third of them useless, labelled by a random network."""
    rows, columns, classes = (
        TEST_ROWS + ROWS["table"],
        int(rng.integers(8, 17)),
        int(rng.integers(2, 5)),
    )
    x = rng.normal(size=(rows, columns))
    useful = x[:, : 2 * columns // 3]
    hidden = np.tanh(1.5 * useful @ rng.normal(size=(useful.shape[1], 12)) / 2)
    scores = hidden @ rng.normal(size=(12, classes))
    scores += rng.normal(0, 0.3, scores.shape)
    return _scaled(rng, x, (scores - scores.mean(axis=0)).argmax(axis=1))


@KINDS.register("spirals")
def spirals(rng: np.random.Generator) -> Arrays:
    """Two or three spirals, each a class, in the plane."""
    rows, arms = TEST_ROWS + ROWS["spirals"], int(rng.integers(2, 4))
    y = rng.integers(0, arms, rows)
    radius = np.sqrt(rng.uniform(0.02, 1, rows))
    angle = radius * np.pi * rng.uniform(1.2, 2) + 2 * np.pi * y / arms
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return _scaled(rng, x + rng.normal(0, 0.03, x.shape), y)


@KINDS.register("circles")
def circles(rng: np.random.Generator) -> Arrays:
    """Two or three rings around one centre."""
    rows, rings = TEST_ROWS + ROWS["circles"], int(rng.integers(2, 4))
    y = rng.integers(0, rings, rows)
    radius = (y + 1) / rings + rng.normal(0, 0.08, rows)
    angle = rng.uniform(0, 2 * np.pi, rows)
    return _scaled(rng, np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y)


@KINDS.register("moons")
def moons(rng: np.random.Generator) -> Arrays:
    """Two half moons that reach into each other."""
    rows = TEST_ROWS + ROWS["moons"]
    y = rng.integers(0, 2, rows)
    angle = rng.uniform(0, np.pi, rows)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    x = np.where(y[:, np.newaxis] == 0, upper, lower)
    return _scaled(rng, x + rng.normal(0, rng.uniform(0.1, 0.3), x.shape), y)
