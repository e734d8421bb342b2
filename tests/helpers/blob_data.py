"""A data set that is easy to learn: clouds of points around a centre for each class."""

from typing import Any

import numpy as np


def make_blobs(classes: int, rows: int, inputs: int, noise: float) -> dict[str, Any]:
    """Return the arrays of a data set of bytes, with as many test rows as training rows."""
    rng = np.random.default_rng(classes)
    centres = rng.uniform(64, 192, (classes, inputs))
    arrays = {}
    for part in ("train", "test"):
        labels = np.arange(rows) % classes
        points = centres[labels] + rng.normal(0, noise, (rows, inputs))
        arrays[f"x_{part}"] = points.clip(0, 255).astype(np.uint8)
        arrays[f"y_{part}"] = labels
    return arrays
