"""Configurations of tests."""

import tomllib

from actcli.config.schema import Config
from actcli.config.sources import assemble, from_tables


def config(text: str = "") -> Config:
    """Return the configuration of a file with this text, called "file" in messages."""
    return assemble(from_tables(tomllib.loads(text), "file"))
