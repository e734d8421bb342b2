"""Strict JSON, one object per line: the format of every `--json`.

JSON has neither NaN nor infinity, but Python's `json` writes both; here they become null. NumPy
numbers and arrays become plain numbers and lists. The text is ASCII, so that any stream accepts it.
"""

import json
import math
from typing import Any


def dumps(value: Any) -> str:
    """Return a value as one line of strict JSON, without the line end."""
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: Any) -> Any:
    # Importing NumPy for an isinstance check would take 100 ms.
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
