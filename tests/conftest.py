"""Data that several tests train on, and an environment that says nothing."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from actcli.machine import pin_blas

# No settings from outside. One thread for the products of the tests themselves, or they crawl where
# several processes share the cores; the processes that they start are as free as a user's.
# pytest-xdist sets a size of the terminal, too.
_outside = {
    name: text
    for name, text in os.environ.items()
    if not name.startswith("ACTCLI_") and name not in {"COLUMNS", "LINES"}
}
pin_blas()
import numpy as np  # noqa: E402 - once its BLAS is told how many threads to use

os.environ.clear()
os.environ.update(_outside)

import pytest  # noqa: E402 - after NumPy, as all that may import it
from blob_data import make_blobs  # noqa: E402 - likewise
from click.testing import CliRunner  # noqa: E402 - likewise
from hypothesis import settings  # noqa: E402 - likewise

from actcli.cli import main  # noqa: E402 - likewise

# For the seconds that the quick tests have; the fuzzers in tests/fuzz try thousands of cases.
settings.register_profile("quick", max_examples=40)
settings.load_profile("quick")


@pytest.fixture
def blobs(tmp_path: Path) -> Callable[..., Path]:
    """Makes a data set that is easy to learn, and tells its path."""

    def make(
        classes: int = 3, rows: int = 300, inputs: int = 12, noise: float = 16, **changed: Any
    ) -> Path:
        path = tmp_path / "blobs.npz"
        np.savez(path, **(make_blobs(classes, rows, inputs, noise) | changed))
        return path

    return make


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command that must fail, and gives what it told: no result, no traceback, no run."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str, status: int = 1) -> str:
        result = CliRunner().invoke(main, args)
        assert isinstance(result.exception, SystemExit), result.exception
        assert (result.exit_code, result.stdout) == (status, "")
        assert result.stderr.startswith("Error: ")
        assert not Path("runs").exists()
        return result.stderr.removeprefix("Error: ").removesuffix("\n")

    return run


def in_little_memory(
    *args: str, most: int, stdin: IO[bytes] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own that may use that many bytes of address space."""
    script = "import sys; from actcli.cli import main; main(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *args],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)),
        stdin=stdin,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


@pytest.fixture
def little_memory() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command that may use only so much memory."""
    return in_little_memory
