"""The machine and the versions, on which the numbers of a run depend besides its configuration.

Only `environment` imports NumPy, for its version: records can be read without NumPy.
"""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actcli import __version__, jsonlines
from actcli.errors import DataError
from actcli.files import reading
from actcli.machine import BLAS_THREAD_VARIABLES, core_count

# The entries on which the last bits of a matrix product depend.
AFFECTS_BITS = ("numpy", "blas", "machine")

MAX_BYTES = 1 << 24


def environment() -> dict[str, Any]:
    """Return the versions in use, the BLAS threads, and the platform."""
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
    """Return the environment in which a run was started.

    Its entry "resumed" lists the environments in which the run was resumed.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    try:
        with reading(path, MAX_BYTES) as file:
            environment: dict[str, Any] = jsonlines.loads(file.read())
        resumed = environment.setdefault("resumed", [])
        if not isinstance(resumed, list):
            raise TypeError
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError):
        raise DataError(f"{path} does not hold the versions of a run") from None
    return environment
