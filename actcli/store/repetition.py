"""The command that repeats a run: `actcli train` with an option for each value that it needs."""

import shlex
from typing import Any

from actcli.config.schema import Config, Key, toml_value, values
from actcli.config.values import Auto, parse_text
from actcli.datasets.dataset import default_validation_rows
from actcli.errors import UsageError

WORKERS = "training.workers"  # their number changes the result by rounding
VALIDATION = "data.validation"


def train_command(config: Config, rows: int | None = None) -> str:
    """Return the command line that trains a configuration, without the options of defaults.

    Args:
        config: the configuration of a run.
        rows: number of its training and validation rows; None if it is unknown.
    """
    parts = ["actcli train"]
    for key, value in values(config):
        if value != key.default and not _is_automatic(config, key, value, rows):
            parts.append(_option(key, value))
    return " ".join(parts)


def _is_automatic(config: Config, key: Key, value: Any, rows: int | None) -> bool:
    """Return whether "auto" stands for the value, on any machine."""
    if not isinstance(key.kind, Auto) or str(key) == WORKERS:
        return False
    if str(key) == VALIDATION:
        return rows is not None and value == default_validation_rows(rows)
    try:
        return config.with_values({str(key): "auto"}).resolve() == config.resolve()
    except UsageError:  # with "auto", the value would clash with another one
        return False


def _option(key: Key, value: Any) -> str:
    """Return an option with its value, as the command line reads it."""
    if isinstance(value, bool):
        return f"--{key.option}" if value else f"--no-{key.option}"
    texts = [toml_value(value)]
    if isinstance(value, str):
        texts.insert(0, value)
    elif isinstance(value, tuple) and value:
        texts.insert(0, ",".join(map(str, value)))
    text = next(text for text in texts if _reads_as(key, text, value))
    return f"--{key.option} {shlex.quote(text)}"


def _reads_as(key: Key, text: str, value: Any) -> bool:
    try:
        return bool(parse_text(key.kind, text) == value)
    except ValueError:
        return False
