"""Test the reader of JSON from strangers; the writer is tested in `term/test_text.py`."""

import pytest

from actcli.jsonlines import MAX_DEPTH, loads


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def test_values_are_read() -> None:
    assert loads('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert loads(nested(MAX_DEPTH))


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 600, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    """600 levels are read by Python, but a function that walks through them may fail."""
    for text in (nested(depth), f'{{"a": {nested(depth)}}}', '{"a":' * depth + "1" + "}" * depth):
        with pytest.raises(ValueError, match="nested too deeply"):
            loads(text)
