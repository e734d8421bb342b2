"""Two processes share a training: whichever is hit, what was saved goes on to the same bits."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Blobs = Callable[..., Path]
Same = Callable[[Path, Path], None]
# So wide that a second process is worth it.
WIDE = "--hidden=300,300", "--batch-size=32", "--epochs=40", "--workers=2"


def other(process: subprocess.Popen[str]) -> int:
    """The second process of a training, once it has saved something but its start."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    metrics = Path("runs/hit/metrics.jsonl")
    deadline = time.monotonic() + 30
    while not (metrics.exists() and metrics.read_bytes()):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    (child,) = map(int, children.read_text().split())
    return child


def ends(pid: int) -> None:
    """Hold that a process ends."""
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def data(blobs: Blobs) -> str:
    return f"--dataset={blobs(rows=600)}"


@pytest.fixture
def goes_on(actcli: Any, assert_same: Same, data: str) -> Callable[[], None]:
    """Holds that the run that was hit, resumed, comes to what an untouched one does."""

    def check() -> None:
        for command in (["--resume", "runs/hit"], [data, *WIDE, "--name=whole"]):
            done = actcli("train", *command)
            assert done.returncode == 0, done.stderr
        assert_same(Path("runs/hit"), Path("runs/whole"))

    return check


def test_the_second_is_killed(actcli: Any, data: str, goes_on: Callable[[], None]) -> None:
    process = actcli.start("train", data, *WIDE, "--name=hit")
    os.kill(other(process), signal.SIGKILL)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert stderr.splitlines()[-1] == (
        "Error: a worker process was killed by signal 9. With --workers 1 there is one process only"
    )
    goes_on()


def test_the_first_is_killed(actcli: Any, data: str, goes_on: Callable[[], None]) -> None:
    process = actcli.start("train", data, *WIDE, "--name=hit")
    second = other(process)
    process.kill()
    goes_on()  # at once: the second does not hold the lock
    ends(second)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_get_a_signal(
    actcli: Any, data: str, goes_on: Callable[[], None], number: signal.Signals
) -> None:
    """As from Ctrl-C in a terminal, or from a service that is stopped."""
    process = actcli.start("train", data, *WIDE, "--name=hit", start_new_session=True)
    second = other(process)
    os.killpg(process.pid, number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    *_, last = stderr.splitlines()
    assert shlex.split(last.split("To resume it: ")[1]) == [
        "actcli",
        "train",
        "--resume",
        "runs/hit",
    ]
    assert "Traceback" not in stderr
    ends(second)
    goes_on()
