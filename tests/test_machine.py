"""How much memory there is: what Linux tells, in words that a person reads."""

import os
from pathlib import Path

import pytest

from actcli import machine
from actcli.errors import ActcliError
from actcli.machine import cgroup_limits, format_bytes, require_memory


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (25_200_000_000, "25.2 GB"),
        (1_570_000_000_000, "1.57 TB"),
        (9_999_000_000_000, "10.0 TB"),
        (10**21, "1.00e+03 EB"),
    ],
)
def test_bytes_in_words(count: int, words: str) -> None:
    assert format_bytes(count) == words


def test_what_cannot_fit_is_refused_with_both_numbers() -> None:
    has = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    require_memory(0, "nothing")
    with pytest.raises(ActcliError) as caught:
        require_memory(1000 * has, "this network")
    start = f"this network needs {format_bytes(1000 * has)} of memory, this "
    assert str(caught.value).startswith(start)


@pytest.mark.parametrize(
    ("membership", "limits", "expected"),
    [
        ("0::/a/b\n", {"a/b/memory.max": "5", "a/memory.max": "7", "memory.max": "9"}, [5, 7, 9]),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "7\n"}, [7]),
        ("0::/unseen\n", {"memory.max": "9"}, [9]),
        ("0::/../..\n", {"memory.max": "9"}, [9]),
        ("0::/\n", {}, []),
        (
            "4:memory:/a\n3:cpuset:/\n0::/\n",
            {"memory/a/memory.limit_in_bytes": "5", "memory/memory.limit_in_bytes": "9"},
            [5, 9],
        ),
        ("4:cpu,memory:/\n", {"memory/memory.limit_in_bytes": "9"}, [9]),
        ("", {"memory.max": "9"}, []),
    ],
)
def test_limits_of_control_groups(
    tmp_path: Path, membership: str, limits: dict[str, str], expected: list[int]
) -> None:
    (tmp_path / "cgroup").write_text(membership)
    for name, text in limits.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert list(cgroup_limits(tmp_path / "cgroup", tmp_path / "fs")) == expected


def test_without_control_groups(tmp_path: Path) -> None:
    assert list(cgroup_limits(tmp_path / "none", tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        *(("80", 80), ("007", 7), ("9" * 5000, 10**9), ("0" * 5000 + "3", 3)),
        *(("", None), ("0", None), ("-1", None), ("²", None), ("٣", None), ("1e3", None)),
    ],
)
def test_the_number_in_an_environment_variable(text: str, count: int | None) -> None:
    assert machine.positive_count(text) == count


@pytest.mark.parametrize(
    ("given", "cores", "forks", "count"),
    [
        ({}, 8, True, 2),
        ({}, 8, False, 1),
        ({}, 1, True, 1),
        ({"OMP_NUM_THREADS": "1"}, 8, True, 1),
        ({"OMP_NUM_THREADS": "x"}, 8, True, 2),
        ({"OMP_NUM_THREADS": "9" * 5000}, 8, True, 2),
        ({"OMP_NUM_THREADS": "0" * 5000 + "1"}, 8, True, 1),
    ],
)
def test_auto_is_two_workers_where_there_are_two_cores(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], cores: int, forks: bool, count: int
) -> None:
    monkeypatch.setattr(machine, "INHERITED_BLAS_THREADS", given)
    monkeypatch.setattr(machine, "core_count", lambda: cores)
    monkeypatch.setattr(machine, "FORK_IS_SAFE", forks)
    assert machine.worker_count("auto") == count
    assert machine.worker_count(5) == 5
