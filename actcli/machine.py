"""The machine: its memory, its cores, and how many threads the BLAS under NumPy uses.

Linux lets a process reserve more memory than there is, and kills it once it writes there. So what a
file announces, or a network needs, is compared with this machine before it is reserved.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from actcli.errors import ActcliError

# Where a process may be forked and go on as it is: macOS has libraries that break.
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
DEFAULT_WORKERS = 2  # threads, where there are as many cores: more of them gain little on MNIST

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_count(count: int | str = "auto") -> int:
    """How many a training may use.

    Args:
        count: for "auto" two, or fewer where there are fewer cores, or where the environment grants
            fewer to a BLAS: so do those who share a machine between processes. One where processes
            cannot be forked: more would take turns.
    """
    if count != "auto":
        return int(count)
    if not FORK_IS_SAFE:
        return 1
    granted = [int(text) for text in GIVEN_BLAS_THREADS.values() if text.isdecimal() and int(text)]
    return min(DEFAULT_WORKERS, cores(), *granted)


def is_blas_pinned() -> bool:
    """Whether the environment has the BLAS use one thread."""
    return {os.environ[name] for name in BLAS_THREAD_VARIABLES if name in os.environ} == {"1"}


def pin_blas() -> None:
    """Have the BLAS use one thread, if NumPy is not imported yet."""
    if "numpy" not in sys.modules:
        os.environ.update(dict.fromkeys(BLAS_THREAD_VARIABLES, "1"))


def require_memory(needed: int, what: str) -> None:
    """Refuse what cannot fit.

    Args:
        needed: bytes.
        what: needs them, for the message.

    Raises:
        ActcliError: there is not as much; the message has both numbers.
    """
    limits = [(each, "this machine has") for each in _physical()]
    limits += [(each, "this process may use") for each in _allowed()]
    least, whose = min(limits, default=(needed, ""))
    if needed > least:
        raise ActcliError(f"{what} needs {amount(needed)} of memory, {whose} {amount(least)}")


def amount(count: int) -> str:
    """Bytes in words, to three digits: 25.2 GB."""
    power = 0
    while count >= 999.5 * 1000**power and power < len(UNITS) - 1:
        power += 1
    value = count / 1000**power
    digits = 0 if power == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {UNITS[power]}" if value < 1000 else f"{value:.2e} {UNITS[power]}"


def cgroup_limits(membership: Path, root: Path) -> Iterator[int]:
    """The memory limits of a process's control groups, of either version, and of those above.

    Inside a container the groups above it are not to be seen, and neither may be its own path; the
    container's limit is then that of the root.

    Args:
        membership: the file that names the groups, a line for each hierarchy: id:kinds:path.
        root: the folder where they are mounted.
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
