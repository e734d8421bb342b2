"""Mutations of the data, and what all mutations share: a `Plant`.

The mutations of the labels and of the number of rows leave the test rows alone. A mutation of the
scale changes all rows, as a data set of that scale would hold them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from generated_data import Arrays

Changes = dict[str, Any]
DataChange = Callable[[Arrays, np.random.Generator], Arrays]


class Healthy(Protocol):
    """The healthy training that a mutation changes."""

    settings: Mapping[str, Any]
    kind: str


@dataclass(frozen=True, eq=False)
class Plant:
    """A mutation with its strength drawn.

    Args:
        changes: new values of keys of the configuration.
        data: changes the training rows; None for no change.
        strength: the strength in words, for reports.
    """

    changes: Changes = field(default_factory=dict)
    data: DataChange | None = None
    strength: str = ""


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Return 10 to a uniform power, with three significant digits."""
    return float(f"{10 ** rng.uniform(low, high):.3g}")


def train_part(change: Callable[..., tuple[Any, Any]], strength: Any) -> DataChange:
    """Return a data change that leaves the test rows alone."""

    def changed(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        count = arrays.train_rows
        x, y = change(arrays.x[:count], arrays.y[:count], strength, rng)
        return Arrays(np.concatenate([x, arrays.x[count:]]), np.concatenate([y, arrays.y[count:]]))

    return changed


def of_data(change: Callable[..., tuple[Any, Any]], draw: Callable[..., Any], unit: str) -> Any:
    def plant(_: Healthy, rng: np.random.Generator) -> Plant:
        strength = draw(rng)
        return Plant({}, train_part(change, strength), f"{strength:.3g} {unit}".strip())

    return plant


def shuffled(x: Any, y: Any, share: float, rng: np.random.Generator) -> tuple[Any, Any]:
    chosen = np.flatnonzero(rng.random(len(y)) < share)
    labels = y.copy()
    labels[chosen] = rng.permutation(labels[chosen])
    return x, labels


def permuted(x: Any, y: Any, shift: int, _: np.random.Generator) -> tuple[Any, Any]:
    classes = int(y.max()) + 1
    return x, (y + shift % (classes - 1) + 1) % classes


def imbalanced(x: Any, y: Any, share: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """Keep one class, and so few of the other rows that it has this share of the rows."""
    major = np.flatnonzero(y == rng.choice(np.unique(y)))
    others = np.setdiff1d(np.arange(len(y)), major)
    count = max(3 * int(y.max()), round(len(major) * (1 - share) / share))
    rare = np.concatenate([others[y[others] == label][:2] for label in np.unique(y[others])])
    rows = np.unique(np.concatenate([major, rare, others[:count]]))
    return x[rows], y[rows]


def few(x: Any, y: Any, count: int, rng: np.random.Generator) -> tuple[Any, Any]:
    first = [np.flatnonzero(y == label)[:2] for label in np.unique(y)]
    rows = np.unique(np.concatenate([*first, rng.choice(len(y), count, replace=False)]))
    return x[rows], y[rows]


def uneven_columns(_: Healthy, rng: np.random.Generator) -> Plant:
    factor = log_uniform(rng, 1.5, 3.5)

    def changed(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        columns = rng.random(arrays.x.shape[1]) < 0.4
        columns[rng.integers(len(columns))] = True
        return Arrays(np.where(columns, factor, 1).astype(np.float32) * arrays.x, arrays.y)

    return Plant({}, changed, f"some columns × {factor:g}")


def tiny_inputs(_: Healthy, __: np.random.Generator) -> Plant:
    def changed(arrays: Arrays, _: np.random.Generator) -> Arrays:
        return Arrays((arrays.x / 255**2).astype(np.float32), arrays.y)

    return Plant({"data.normalize": "none"}, changed, "pixels / 255²")
