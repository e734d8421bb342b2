"""Strict JSON, one object to a line: what every `--json` writes.

JSON has no NaN and no infinity, but Python writes them all the same; here they become null. NumPy's
numbers and arrays are written as what they hold. The text is ASCII, whatever the stream.
"""

import json
import math
from typing import Any


def dumps(value: Any) -> str:
    """One line of strict JSON, without its line end."""
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # NumPy's: named so, because importing it to ask takes 100 ms
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
