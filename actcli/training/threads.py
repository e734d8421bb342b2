"""How many threads the matrix products use.

A BLAS reads its number of threads from the environment when NumPy is first imported, and not again.
The number is part of a run's identity: sums over more threads are rounded otherwise.
"""

import os
import sys

from actcli.errors import UsageError

VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """How many threads the BLAS uses, if nobody has changed it behind NumPy's back."""
    given = (os.environ.get(variable, "") for variable in VARIABLES)
    return next((int(text) for text in given if text.isdecimal() and int(text)), cores())


def set_threads(count: int | str) -> None:
    """Have the BLAS use that many threads.

    Args:
        count: how many. "auto" is what the environment says, or one: on the narrow layers of MNIST
            a second thread gains a tenth on an idle machine, on a busy one each product waits until
            both have had their turn, and results would depend on the number of cores.

    Raises:
        UsageError: NumPy is imported already, so that it is too late for another number.
    """
    if count == "auto":
        if "numpy" in sys.modules or any(variable in os.environ for variable in VARIABLES):
            return
        count = 1
    if "numpy" not in sys.modules:
        os.environ.update(dict.fromkeys(VARIABLES, str(count)))
    elif count != threads():
        raise UsageError(
            f"the number of threads cannot become {count}: NumPy already uses {threads()}",
            f"Set {VARIABLES[0]}={count} before it is imported",
        )
