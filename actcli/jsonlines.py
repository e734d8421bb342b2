"""Strict JSON, one object per line: the format of every `--json`.

JSON has neither NaN nor infinity, but Python's `json` writes both; here they become null. NumPy
numbers and arrays become plain numbers and lists. The text is ASCII, so that any stream accepts it.
What is read may come from strangers: a value that is nested deeply would exhaust the stack of each
function that walks through it.
"""

import json
import math
from typing import Any

MAX_DEPTH = 50  # lists and objects within each other


def loads(text: str | bytes) -> Any:
    """Return the value of a JSON text. NaN and infinity are accepted: the caller judges numbers.

    Raises:
        ValueError: the text is not JSON, or nests values deeper than `MAX_DEPTH`.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return value
    raise ValueError("it is nested too deeply")


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
