"""ONNX files: a graph of operators with its constants, read as the layers of a network.

An ONNX file is a message of protocol buffers (`protobuf`, `onnx_messages`). Its graph is followed
from the inputs to the outputs (`onnx_graph`), and the outputs back to the layers (`onnx_chain`).
Activations, output and normalization come from the graph. Nothing is executed, no other file is
opened, and memory is used in proportion to the file.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from actcli import jsonlines
from actcli.errors import DataError
from actcli.files import reading
from actcli.formats.contents import Format, LayerChain
from actcli.formats.description import CHECKS, NEAR
from actcli.formats.file_start import FileStart
from actcli.formats.onnx_chain import to_chain
from actcli.formats.onnx_messages import OnnxModel, read_model
from actcli.formats.protobuf import WireError
from actcli.machine import require_memory

METADATA_KEY = "actcli"  # of the description that actcli writes into its files

VERSION_TAG, PRODUCER_TAG = 0x08, 0x12  # of the first fields: ir_version and producer_name
MAX_VERSION = 0x7F

# The framework that a file comes from, by the start of its producer's name.
PRODUCERS = {
    "pytorch": "PyTorch",
    "skl2onnx": "scikit-learn",
    "onnxmltools": "scikit-learn",
    "tf2onnx": "Keras",
    "keras": "Keras",
}


def is_onnx(start: FileStart) -> bool:
    """Return whether a file begins with the version of ONNX and a field of a model."""
    head = start.head
    return (
        len(head) > 3
        and head[0] == VERSION_TAG
        and 0 < head[1] <= MAX_VERSION
        and head[2] in {PRODUCER_TAG, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42}
    )


def read_onnx(path: Path) -> LayerChain:
    """Return the layers of an ONNX file.

    Raises:
        DataError: the file cannot be read, is not an ONNX file, or its graph is not a multilayer
            perceptron; the message has the node.
        ActcliError: this machine has less memory than the file needs.
    """
    try:
        with reading(path) as file:
            size = path.stat().st_size
            require_memory(4 * size, str(path))  # the file, its layers, and the network's copy
            content = file.read(size)
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        model = read_model(memoryview(content))
    except WireError as error:
        raise DataError(f"{path} is not an ONNX file: {error}") from None
    try:
        chain = to_chain(model.graph, len(content))
    except DataError as error:
        raise DataError(f"{path}: {error.message}", error.hint) from None
    written = _metadata(path, model)
    described = {**written, **chain.description}
    if METADATA_KEY in model.metadata:
        described["normalization"] = _normalization(
            written.get("normalization"), chain.description.get("normalization")
        )
    return replace(chain, description=described, framework=_framework(model))


def _normalization(written: Any, traced: Any) -> Any:
    """Return the normalization of a file of actcli: the written one, unless the graph has another.

    The numbers of the graph have the precision of float32.
    """
    traced = traced or {"method": "none", "shift": 0.0, "scale": 1.0}
    if not CHECKS["normalization"](written):
        return traced
    try:
        (shift, scale), (traced_shift, traced_scale) = (
            np.broadcast_arrays(each["shift"], each["scale"]) for each in (written, traced)
        )
        is_same = np.allclose(scale, traced_scale, NEAR, 0) and np.allclose(
            shift * scale, traced_shift * scale, NEAR, NEAR
        )
    except ValueError:  # for other numbers of columns
        is_same = False
    return written if is_same else traced


def _metadata(path: Path, model: OnnxModel) -> dict[str, Any]:
    """Return the description that actcli wrote into the file; empty for another file."""
    text = model.metadata.get(METADATA_KEY)
    if text is None:
        return {}
    try:
        description = jsonlines.loads(text)
    except ValueError:
        description = None
    if not isinstance(description, dict):
        raise DataError(f"{path}: the description {METADATA_KEY!r} in it is not a JSON object")
    return description


def _framework(model: OnnxModel) -> str:
    if METADATA_KEY in model.metadata:
        return ""
    producer = model.producer.lower()
    names = (name for start, name in PRODUCERS.items() if producer.startswith(start))
    return next(names, "PyTorch")


ONNX = Format("an ONNX file", "PyTorch", (".onnx",), is_onnx, read_onnx)
