"""`actcli` in processes of its own, and what they leave."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from actcli.machine import BLAS_THREAD_VARIABLES, worker_count

ROOT = Path(__file__).parents[2]
TIMES = {"seconds", "examples_per_second"}


class Actcli:
    """Runs `actcli`; what it started and still runs is killed in the end."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[str]] = []

    def __call__(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*args, **options)
        stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(args, process.returncode, stdout, stderr)

    def start(
        self, *args: str, program: str | None = None, env: Any = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a command, or a program in Python in its place."""
        what = ["-m", "actcli"] if program is None else ["-c", program]
        same_threads = dict.fromkeys(
            BLAS_THREAD_VARIABLES, str(worker_count())
        )  # as here, for the same bits
        pipe = subprocess.PIPE
        streams = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe}
        process = subprocess.Popen(
            [sys.executable, *what, *args],
            env={**os.environ, "PYTHONPATH": str(ROOT), **same_threads, **(env or {})},
            encoding="utf-8",
            **(streams | options),
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what still runs."""
        for process in self.started:
            process.kill()
            process.communicate()


@pytest.fixture
def actcli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Actcli]:
    """To run commands with, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    commands = Actcli()
    yield commands
    commands.close()


def timeless(value: Any) -> Any:
    """Without what differs from one time to the next."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return value


def checkpoint(path: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What is in it: the bytes of each tensor, and the record without times."""
    with safe_open(path, "np") as file:
        names = file.keys()
        tensors = {name: file.get_tensor(name).tobytes() for name in names}
        record = json.loads(file.metadata()["actcli"])
    del record["checksum"]
    return tensors, timeless(record)


def outcome(folder: Path) -> dict[str, Any]:
    """All that a run came to, without times and its name."""
    result = json.loads((folder / "result.json").read_text(), parse_constant=pytest.fail)
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [record["epoch"] for record in records] == list(range(1, result["epochs"] + 1))
    tensors, record = checkpoint(folder / "checkpoint.safetensors")
    return {
        "files": sorted(path.name for path in folder.iterdir()),
        "config": (folder / "config.toml").read_text(),
        "model": (folder / "model.safetensors").read_bytes(),
        "tensors": tensors,
        "checkpoint": record,
        "metrics": timeless({record["epoch"]: timeless(record) for record in records}),
        "result": timeless(result) | {"run": None},
    }


@pytest.fixture
def assert_same() -> Callable[[Path, Path], None]:
    """Holds that two runs came to the same, bit for bit."""

    def check(folder: Path, other: Path) -> None:
        ours, theirs = outcome(folder), outcome(other)
        assert [part for part in ours if ours[part] != theirs[part]] == []

    return check


@pytest.fixture
def contents() -> Callable[[Path], dict[str, tuple[bytes, int]]]:
    """Tells each file of a folder, but the lock, with its bytes and when it was written."""

    def tell(folder: Path) -> dict[str, tuple[bytes, int]]:
        return {
            path.name: (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
            for path in folder.iterdir()
            if path.name != ".lock"
        }

    return tell
