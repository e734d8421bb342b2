"""How many threads a training uses.

They are those of a team, each in a process of its own (`team.py`); the BLAS under NumPy is
told to use one. It reads that from the environment when NumPy is first imported, and not again. The
number is part of a run's identity: sums in other portions are rounded otherwise.
"""

import os
import sys

from actcli.machine import FORKS

VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)
GIVEN = {name: os.environ[name] for name in VARIABLES if name in os.environ}
USUAL = 2  # threads, where there are as many cores: more of them gain little on MNIST


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads(count: int | str = "auto") -> int:
    """How many a training may use.

    Args:
        count: for "auto" two, or fewer where there are fewer cores, or where the environment grants
            fewer to a BLAS: so do those who share a machine between processes. One where processes
            cannot be forked: more would take turns.
    """
    if count != "auto":
        return int(count)
    if not FORKS:
        return 1
    granted = [int(text) for text in GIVEN.values() if text.isdecimal() and int(text)]
    return min(USUAL, cores(), *granted)


def is_blas_pinned() -> bool:
    """Whether the environment has the BLAS use one thread."""
    return {os.environ[name] for name in VARIABLES if name in os.environ} == {"1"}


def pin_blas() -> None:
    """Have the BLAS use one thread, if NumPy is not imported yet."""
    if "numpy" not in sys.modules:
        os.environ.update(dict.fromkeys(VARIABLES, "1"))
