"""Test Ctrl-C outside of commands: while modules are imported, and while Python ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

START = """
import atexit, os, signal, sys

when = sys.argv.pop(1)

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == when:
            interrupt()

if when == "exit":
    atexit.register(interrupt)
sys.meta_path.insert(0, Finder())
from actcli.__main__ import main
main()
"""


def started(when: str, tmp_path: Path, ignored: bool = False) -> tuple[int, str]:
    """Run a command that gets SIGINT when it imports a module; return its status and stderr."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if ignored else None
    try:
        done = subprocess.run(
            [sys.executable, "-c", START, when, "softmax", "1", "2"],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            text=True,
        )
    finally:
        if before:
            signal.signal(signal.SIGINT, before)
    return done.returncode, done.stderr


@pytest.mark.parametrize("module", ["actcli.cli", "click.core", "actcli.cli.softmax", "numpy"])
def test_ctrl_c_while_modules_are_imported_is_one_line(module: str, tmp_path: Path) -> None:
    status, stderr = started(module, tmp_path)
    # Click ends the line in which the terminal has shown ^C.
    assert (status, stderr.removeprefix("\n")) == (130, "Error: interrupted\n")


def test_ctrl_c_while_python_ends_is_silent(tmp_path: Path) -> None:
    assert started("exit", tmp_path) == (-signal.SIGINT, "")


def test_a_program_whose_parent_ignores_ctrl_c_ignores_it(tmp_path: Path) -> None:
    assert started("click.core", tmp_path, ignored=True) == (0, "")
