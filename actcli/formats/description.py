"""The description of a model in the header of its file, and the check before it is trusted.

actcli writes it with `Model.description`. Files of other frameworks have none. Anybody can edit a
file, so that each value that is read has a check.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from actcli.config.values import quoted
from actcli.datasets.batches import NORMALIZATIONS
from actcli.errors import DataError, UsageError
from actcli.formats.safetensors import METADATA_KEY
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.links import LINKS
from actcli.nn.losses import LOSSES

BY_COLUMN = "column"  # the normalization with a number for each column

LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def check_description(description: Mapping[str, Any], path: Path) -> None:
    """Check the types of all values that are read, and that the names exist.

    Args:
        description: the description; keys that are not read may have any value.
        path: the path of the file, for messages.

    Raises:
        DataError: a value has a wrong type, or a name does not exist.
    """
    for key, is_valid in CHECKS.items():
        if key in description and not is_valid(description[key]):
            raise DataError(
                f"{path}: {key!r} in the description {METADATA_KEY!r} in its header is "
                f"{quoted(description[key])}"
            )
    try:
        _require_known_names(description)
    except UsageError as error:  # here the mistake is in the file, not in the user's options
        raise DataError(f"{path}: {error.message}", error.hint) from None


def _require_known_names(description: Mapping[str, Any]) -> None:
    for name in description.get("activations", ()):
        ACTIVATIONS[name]
    if normalization := description.get("normalization"):
        NORMALIZATIONS[normalization["method"]]
    if loss := description.get("loss"):
        output, smoothing = description.get("output", "auto"), description.get("label_smoothing", 0)
        LOSSES[loss](output, smoothing)
    elif output := description.get("output"):
        LINKS[output]


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_name, value))


def _is_number(value: Any) -> bool:
    # Python compares whole numbers of any size with a float.
    return isinstance(value, (int, float)) and abs(value) <= LARGEST_FLOAT32


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_count, value))


def _is_normalization(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"method", "shift", "scale"}
        and _is_name(value["method"])
        and (
            _are_column_numbers(value["shift"], value["scale"])
            if value["method"] == BY_COLUMN
            else _is_number(value["shift"]) and _is_number(value["scale"])
        )
    )


def _are_column_numbers(shift: Any, scale: Any) -> bool:
    return (
        isinstance(shift, list)
        and isinstance(scale, list)
        and len(shift) == len(scale)
        and all(map(_is_number, (*shift, *scale)))
    )


# For each key of the description that is read, whether its value is valid.
CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "activations": _is_names,
    "output": _is_name,
    "loss": _is_name,
    "label_smoothing": lambda value: _is_number(value) and 0 <= value < 1,
    "class_weights": lambda value: (
        isinstance(value, list) and all(_is_number(each) and each > 0 for each in value)
    ),
    "temperature": lambda value: _is_number(value) and value > 0,
    "dataset": _is_name,
    "epoch": _is_count,
    "shape": _is_shape,
    "classes": _is_names,
    "normalization": _is_normalization,
}
