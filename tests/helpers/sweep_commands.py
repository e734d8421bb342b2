"""Sweeps as commands in processes of their own, which tests interrupt and kill."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TIMES = {"seconds", "examples_per_second"}
SECONDS = 60.0  # that a busy machine may take
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if "NUM_THREADS" not in name},
    "PYTHONPATH": str(ROOT),
    "PYTHONIOENCODING": "utf-8",
}


def actcli(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """What a command comes to."""
    return subprocess.run(
        [sys.executable, "-m", "actcli", *args],
        env=ENVIRONMENT | env,
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=SECONDS,
    )


@contextlib.contextmanager
def started(*args: str, files: int = 1000) -> Iterator[subprocess.Popen[str]]:
    """A command at work, in a group of processes of its own. It and its children end here.

    Args:
        args: of the command.
        files: that it may have open.
    """
    limited = "sh", "-c", f'ulimit -n {files} && exec "$@"', "sh"
    with subprocess.Popen(
        [*limited, sys.executable, "-m", "actcli", *args],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def until(condition: Callable[[], Any]) -> Any:
    """What a condition gives as soon as it is true."""
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def workers(client: int) -> list[int]:
    """The processes that a command has train, by their number."""
    path = Path(f"/proc/{client}/task")
    found = []
    for task in path.iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{child}/cmdline").read_bytes()
                if b"spawn_main" in line:
                    found.append(int(child))
    return sorted(found)


def is_alive(process: int) -> bool:
    """Whether it runs: not one that has ended and waits for its parent to look."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def finished(sweep: Path) -> set[str]:
    """The names of the runs that are finished."""
    return {path.parent.name for path in sweep.glob("*/result.json")}


def when_written(sweep: Path) -> dict[str, int]:
    """When each run came into place."""
    return {path.parent.name: path.stat().st_mtime_ns for path in sweep.glob("*/result.json")}


def strict(text: str) -> Any:
    """What strict JSON says."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert text.count("\n") == 1
    return json.loads(text, parse_constant=refuse)


def same(one: Path, other: Path, *besides: str) -> None:
    """See that two runs came to the same bits, and to the same numbers but for the time.

    Args:
        one: folder of a run.
        other: that of another.
        besides: what else of their results may differ.
    """
    for name in ("model.safetensors", "config.toml"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    timeless = [
        [
            {name: value for name, value in json.loads(line).items() if name not in TIMES}
            for line in (folder / "metrics.jsonl").read_text().splitlines()
        ]
        for folder in (one, other)
    ]
    assert timeless[0] == timeless[1]
    results = [json.loads((folder / "result.json").read_text()) for folder in (one, other)]
    differ = {*TIMES, "run", *besides}
    named = [{k: v for k, v in told.items() if k not in differ} for told in results]
    assert named[0] == named[1]
