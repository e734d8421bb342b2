"""Run sweeps as commands in separate processes, which tests interrupt and kill."""

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
TIME_FIELDS = {"seconds", "examples_per_second"}
TIMEOUT_SECONDS = 60.0  # long enough for a busy machine
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if "NUM_THREADS" not in name},
    "PYTHONPATH": str(ROOT),
    "PYTHONIOENCODING": "utf-8",
}


def actcli(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return its output and exit status."""
    return subprocess.run(
        [sys.executable, "-m", "actcli", *args],
        env=ENVIRONMENT | env,
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=TIMEOUT_SECONDS,
    )


@contextlib.contextmanager
def started(*args: str, files: int = 1000) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a new process group; on exit, kill the whole group.

    Args:
        args: the arguments of the command.
        files: number of files that it may have open.
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
    """Wait until a condition returns a true value, and return that value."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return value


def workers(client: int) -> list[int]:
    """Return the process numbers of a command's worker processes, sorted."""
    path = Path(f"/proc/{client}/task")
    numbers = []
    for task in path.iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{child}/cmdline").read_bytes()
                if b"spawn_main" in line:
                    numbers.append(int(child))
    return sorted(numbers)


def is_alive(process: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def finished(sweep: Path) -> set[str]:
    """Return the names of the finished runs."""
    return {path.parent.name for path in sweep.glob("*/result.json")}


def when_written(sweep: Path) -> dict[str, int]:
    """Return the time at which each run was written, in nanoseconds, by the name of the run."""
    return {path.parent.name: path.stat().st_mtime_ns for path in sweep.glob("*/result.json")}


def strict(text: str) -> Any:
    """Return the value of one line of strict JSON, without NaN and infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert text.count("\n") == 1
    return json.loads(text, parse_constant=refuse)


def same(one: Path, other: Path, *besides: str) -> None:
    """Assert that two runs have the same bits and, except for times, the same numbers.

    Args:
        one: the folder of a run.
        other: the folder of another run.
        besides: more fields of result.json that may differ.
    """
    for name in ("model.safetensors", "config.toml"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    timeless = [
        [
            {name: value for name, value in json.loads(line).items() if name not in TIME_FIELDS}
            for line in (folder / "metrics.jsonl").read_text().splitlines()
        ]
        for folder in (one, other)
    ]
    assert timeless[0] == timeless[1]
    results = [json.loads((folder / "result.json").read_text()) for folder in (one, other)]
    differ = {*TIME_FIELDS, "run", *besides}
    same_fields = [{k: v for k, v in result.items() if k not in differ} for result in results]
    assert same_fields[0] == same_fields[1]
