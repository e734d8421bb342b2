"""Data that several tests train on, and an environment that says nothing."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def make_blobs(classes: int, rows: int, inputs: int, noise: float) -> dict[str, Any]:
    """Clouds of points around a centre for each class, as bytes; as many to test as to train."""
    rng = np.random.default_rng(classes)
    centres = rng.uniform(64, 192, (classes, inputs))
    arrays = {}
    for part in ("train", "test"):
        labels = np.arange(rows) % classes
        points = centres[labels] + rng.normal(0, noise, (rows, inputs))
        arrays[f"x_{part}"] = points.clip(0, 255).astype(np.uint8)
        arrays[f"y_{part}"] = labels
    return arrays


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ACTCLI_"):
            monkeypatch.delenv(name)


@pytest.fixture
def blobs(tmp_path: Path) -> Callable[..., Path]:
    """Makes a data set that is easy to learn, and tells its path."""

    def make(
        classes: int = 3, rows: int = 300, inputs: int = 12, noise: float = 16, **changed: Any
    ) -> Path:
        path = tmp_path / "blobs.npz"
        np.savez(path, **(make_blobs(classes, rows, inputs, noise) | changed))
        return path

    return make
