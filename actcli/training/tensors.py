"""The safetensors format: named arrays in one file, and a text beside them. Nothing is unpickled.

The length of the header in eight bytes, the header in JSON, and then the bytes of each array
(https://huggingface.co/docs/safetensors). It is written here, from the arrays as they lie in
memory, because the library copies all of them twice and ends the process where memory is short.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from actcli import jsonlines
from actcli.files import Buffer
from actcli.nn.arrays import Array

METADATA = "actcli"  # one key alone: the order of several would differ from run to run
ALIGNMENT = 8  # bytes, at which the arrays begin


def packed(tensors: Mapping[str, Array], record: Mapping[str, Any]) -> list[Buffer]:
    """The parts of a file with arrays of float32 and a record: views of the arrays, not copies."""
    arrays = {name: np.ascontiguousarray(array, "<f4") for name, array in tensors.items()}
    header: dict[str, Any] = {"__metadata__": {METADATA: jsonlines.dumps(record)}}
    start = 0
    for name, array in arrays.items():
        offsets = [start, start := start + array.nbytes]
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": offsets}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return [len(text).to_bytes(8, "little"), text, *(array.data for array in arrays.values())]
