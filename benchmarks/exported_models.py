"""Small networks of every activation, output and normalization, for the checks of exports.

Their parameters and rows are fractions, so that every machine and version of NumPy has the same.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from actcli.datasets.batches import Normalization
from actcli.formats.onnx_writer import onnx_parts
from actcli.model import Model
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP
from actcli.store.export import network_parts

STORED = Path(__file__).parents[1] / "tests" / "oracles" / "exports.json"
INPUTS, ROWS = 6, 8
SHIFTS = tuple(float(1000 + 37 * column) for column in range(INPUTS))
SCALES = tuple((column + 1) / 8 for column in range(INPUTS))
NORMALIZATIONS = (
    Normalization("unit", 0.0, 1 / 255),
    Normalization("standard", 33.3, 0.0127),
    Normalization("column", SHIFTS, SCALES),
    Normalization("none", 0.0, 1.0),
)
HEADS = (
    ("cross-entropy", "softmax", 3),
    ("binary-cross-entropy", "sigmoid", 1),
    ("binary-cross-entropy", "sigmoid", 3),
    ("mse", "identity", 3),
)


def fractions(count: int, seed: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return numbers from -1 to 1 that look random."""
    return (np.arange(seed, seed + count) * 7919 % 2003) / 1001 - 1


def cases() -> Iterator[tuple[str, Model, "np.ndarray[tuple[int, int], np.dtype[np.float32]]"]]:
    """Yield the name of each case, its model, and raw inputs for it."""
    pairs = [*((name, "tanh") for name in ACTIVATIONS), ("relu", "relu"), ("sigmoid", "sigmoid")]
    pairs += [("identity", "identity"), ("tanh", "tanh")]
    endings = itertools.cycle(itertools.product(HEADS, NORMALIZATIONS))
    for seed, (pair, ending) in enumerate(zip(pairs, endings, strict=False)):
        (loss, output, units), normalization = ending
        network = MLP((INPUTS, 5, 4, units), pair)
        network.parameters[:] = fractions(network.parameters.size, seed)
        classes = ("cat", "dog", "ant")[: max(2, units)]
        model = Model(network, LOSSES[loss](output, 0.0), normalization, classes)
        z = fractions(ROWS * INPUTS, 5 * seed).reshape(ROWS, INPUTS) * 3
        rows = (z / np.array(normalization.scale) + np.array(normalization.shift)).astype("f4")
        yield f"{'+'.join(pair)}, {output} of {units}, {normalization.method}", model, rows


def digest(model: Model) -> str:
    """Return the SHA-256 of the ONNX file of a model."""
    sha = hashlib.sha256()
    for part in onnx_parts(network_parts(model, "model")):
        sha.update(part)
    return sha.hexdigest()


def stored() -> dict[str, dict[str, object]]:
    """Return the digest and the outputs by onnxruntime of each case when they were last checked."""
    record: dict[str, dict[str, object]] = json.loads(STORED.read_text(encoding="utf-8"))
    return record
