"""The machine: its memory, its cores, and the number of threads of the BLAS under NumPy.

Linux lets a process reserve more memory than there is, and kills the process once it writes there.
So the memory that a file or a network needs is compared with this machine before it is reserved.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from actcli.errors import ActcliError

# On macOS some libraries break in a forked process.
FORK_IS_SAFE = sys.platform.startswith("linux")

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")

BLAS_THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)
GIVEN_BLAS_THREADS = {
    name: os.environ[name] for name in BLAS_THREAD_VARIABLES if name in os.environ
}
DEFAULT_WORKERS = 2  # if there are as many cores; more workers gain little on MNIST

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_count(count: int | str = "auto") -> int:
    """Return the number of workers of a training.

    Args:
        count: a number, or "auto": 2, but not more than there are cores, nor than the environment
            allows threads to a BLAS, because that is how processes share a machine. 1 where
            processes cannot be forked.
    """
    if count != "auto":
        return int(count)
    if not FORK_IS_SAFE:
        return 1
    granted = [int(text) for text in GIVEN_BLAS_THREADS.values() if text.isdecimal() and int(text)]
    return min(DEFAULT_WORKERS, cores(), *granted)


def is_blas_pinned() -> bool:
    """Return whether the environment limits the BLAS to one thread."""
    return {os.environ[name] for name in BLAS_THREAD_VARIABLES if name in os.environ} == {"1"}


def pin_blas() -> None:
    """Limit the BLAS to one thread, if NumPy is not imported yet.

    Workers share the cores: BLAS threads that wait for work would slow them down.
    """
    if "numpy" not in sys.modules:
        os.environ.update(dict.fromkeys(BLAS_THREAD_VARIABLES, "1"))


def require_memory(needed: int, what: str) -> None:
    """Raise if there is not enough memory.

    Args:
        needed: bytes.
        what: the subject of the message: "this network".

    Raises:
        ActcliError: there is less memory; the message gives both amounts.
    """
    limits = [(limit, "this machine has") for limit in _physical()]
    limits += [(limit, "this process may use") for limit in _allowed()]
    lowest, subject = min(limits, default=(needed, ""))
    if needed > lowest:
        raise ActcliError(f"{what} needs {amount(needed)} of memory, {subject} {amount(lowest)}")


def amount(count: int) -> str:
    """Return a number of bytes with its unit, to three digits: 25.2 GB."""
    power = 0
    while count >= 999.5 * 1000**power and power < len(UNITS) - 1:
        power += 1
    value = count / 1000**power
    digits = 0 if power == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {UNITS[power]}" if value < 1000 else f"{value:.2e} {UNITS[power]}"


def cgroup_limits(membership: Path, root: Path) -> Iterator[int]:
    """Yield the memory limits, in bytes, of a process's control groups and their parents.

    Both versions of control groups are read. Inside a container the parents, and even the path of
    the group, may be invisible; the container's limit is then that of the root.

    Args:
        membership: the file that names the groups, a line for each hierarchy: id:kinds:path.
        root: the folder where the groups are mounted.
    """
    for line in _text(membership).splitlines():
        _, kinds, path = line.split(":", 2)
        if not kinds or "memory" in kinds.split(","):
            file = "memory/memory.limit_in_bytes" if kinds else "memory.max"
            base, name = (root / file).parent, (root / file).name
            group = base / path.strip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(base):
                    text = _text(folder / name).strip()
                    yield from [int(text)] if text.isdecimal() else []  # "max" is no limit


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _physical() -> Iterator[int]:
    try:
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return


def _allowed() -> Iterator[int]:
    yield from cgroup_limits(MEMBERSHIP, CGROUPS)
    try:
        import resource
    except ImportError:  # on Windows
        return
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        yield soft
