"""The machine: its memory, its cores, and the number of threads of NumPy's BLAS.

Linux lets a process reserve more memory than exists and kills the process when it uses that memory.
The size that a file announces or a network needs is therefore compared with this machine first.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from actcli.errors import ActcliError

# On macOS, system libraries break in a forked process.
FORK_IS_SAFE = sys.platform.startswith("linux")

CGROUP_ROOT = Path("/sys/fs/cgroup")
CGROUP_MEMBERSHIP = Path("/proc/self/cgroup")

BLAS_THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)
INHERITED_BLAS_THREADS = {
    name: os.environ[name] for name in BLAS_THREAD_VARIABLES if name in os.environ
}
DEFAULT_WORKERS = 2  # processes per training; more gain little on MNIST

MAX_COUNT = 10**9  # of columns or threads in the environment
MAX_DIGITS = 10  # enough for MAX_COUNT

BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def core_count() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_count(count: int | str = "auto") -> int:
    """Return the number of worker processes of a training.

    Args:
        count: a number, or "auto" for two. "auto" gives fewer if there are fewer cores, or if the
            environment limits the threads of the BLAS, as users do who run several processes on one
            machine. It gives one where a process cannot be forked safely.
    """
    if count != "auto":
        return int(count)
    if not FORK_IS_SAFE:
        return 1
    return min(DEFAULT_WORKERS, core_count(), worker_limit() or DEFAULT_WORKERS)


def worker_limit() -> int | None:
    """Return the limit that the environment sets on the threads of the BLAS; None without one."""
    limits = map(positive_count, INHERITED_BLAS_THREADS.values())
    return min((limit for limit in limits if limit), default=None)


def positive_count(text: str) -> int | None:
    """Return the whole number above 0 in the text of an environment variable, or None.

    A number above `MAX_COUNT` counts as `MAX_COUNT`: Python refuses to read 5,000 digits.
    """
    digits = text.lstrip("0")
    if not (digits.isascii() and digits.isdecimal()):
        return None
    return min(int(digits[:MAX_DIGITS]), MAX_COUNT)


def is_blas_pinned() -> bool:
    """Return whether the environment limits the BLAS to one thread."""
    return {os.environ[name] for name in BLAS_THREAD_VARIABLES if name in os.environ} == {"1"}


def pin_blas() -> None:
    """Limit the BLAS to one thread; without effect once NumPy is imported.

    Workers share the cores: BLAS threads that wait for work would slow them down.
    """
    if "numpy" not in sys.modules:
        os.environ.update(dict.fromkeys(BLAS_THREAD_VARIABLES, "1"))


def require_memory(needed: int, subject: str) -> None:
    """Raise if something needs more memory than this process can have.

    Args:
        needed: bytes.
        subject: needs them; the message starts with it.

    Raises:
        ActcliError: the memory does not suffice; the message has both numbers.
    """
    limits = [(limit, "this machine has") for limit in _physical_memory()]
    limits += [(limit, "this process may use") for limit in _process_memory_limits()]
    available, source = min(limits, default=(needed, ""))
    if needed > available:
        raise ActcliError(
            f"{subject} needs {format_bytes(needed)} of memory, {source} {format_bytes(available)}"
        )


def format_bytes(count: int) -> str:
    """Return a number of bytes with its unit, to three digits: 25.2 GB."""
    power = 0
    while count >= 999.5 * 1000**power and power < len(BYTE_UNITS) - 1:
        power += 1
    value = count / 1000**power
    digits = 0 if power == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return (
        f"{value:.{digits}f} {BYTE_UNITS[power]}"
        if value < 1000
        else f"{value:.2e} {BYTE_UNITS[power]}"
    )


def cgroup_limits(membership: Path, root: Path) -> Iterator[int]:
    """Yield the memory limits, in bytes, of a process's control groups and of their parents.

    Both versions of control groups are read. Inside a container, the parents and even the path of
    the group itself may be invisible; the limit of the root is then the container's limit.

    Args:
        membership: the file that names the groups, one line per hierarchy: id:controllers:path.
        root: the folder where the groups are mounted.
    """
    for line in _read_text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            file = "memory/memory.limit_in_bytes" if controllers else "memory.max"
            base, name = (root / file).parent, (root / file).name
            group = base / path.strip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(base):
                    text = _read_text(folder / name).strip()
                    yield from [int(text)] if text.isdecimal() else []  # "max" is no limit


def cpu_quota(root: Path = CGROUP_ROOT, membership: Path = CGROUP_MEMBERSHIP) -> float | None:
    """Return the number of processors that a control group allows on average; None for no limit.

    Only version 2 of control groups is read: quota and period in microseconds, in `cpu.max`.

    Args:
        root: the folder where the groups are mounted.
        membership: the file that names the groups.
    """
    quotas = []
    for line in _read_text(membership).splitlines():
        group = root / line.split(":", 2)[2].strip("/")
        for folder in (group, *group.parents):
            match = re.fullmatch(r"([0-9]{1,18}) ([0-9]{1,18})\s*", _read_text(folder / "cpu.max"))
            if match and folder.is_relative_to(root):
                quotas.append(int(match[1]) / int(match[2]))
    return min(quotas, default=None)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _physical_memory() -> Iterator[int]:
    try:
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return


def _process_memory_limits() -> Iterator[int]:
    yield from cgroup_limits(CGROUP_MEMBERSHIP, CGROUP_ROOT)
    try:
        import resource
    except ImportError:  # on Windows
        return
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        yield soft
