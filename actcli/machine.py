"""How much memory there is, and whether what is asked for can fit into it.

Linux lets a process reserve more memory than there is, and kills it once it writes there. So what a
file announces, or a network needs, is compared with this machine before it is reserved.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from actcli.errors import ActcliError

# Where a process may be forked and go on as it is: macOS has libraries that break.
FORKS = sys.platform.startswith("linux")

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


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
