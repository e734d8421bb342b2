"""What the numbers of a run depend on besides its configuration: the machine and the versions.

NumPy is imported only to ask for its version, so that what a file tells can be read without it.
"""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actcli import __version__
from actcli.errors import DataError
from actcli.machine import BLAS_THREAD_VARIABLES, core_count

# The last bits of a product depend on these; a training that goes on elsewhere may differ in them.
AFFECTS_BITS = ("numpy", "blas", "machine")


def environment() -> dict[str, Any]:
    """This machine, these versions."""
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "actcli": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "threads": {name: os.environ[name] for name in BLAS_THREAD_VARIABLES if name in os.environ},
        "cores": core_count(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def read_environment(path: Path) -> dict[str, Any]:
    """Those of a run, at its start; under "resumed" those of each time that it went on.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        resumed = told.setdefault("resumed", [])
        if not isinstance(resumed, list):
            raise TypeError
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise DataError(f"{path} does not tell the versions of a run") from None
    found: dict[str, Any] = told
    return found
