"""Several trainings at once: each folder has one that writes to it."""

import fcntl
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from actcli.cli import main

pytestmark = pytest.mark.slow

Blobs = Callable[..., Path]
Same = Callable[[Path, Path], None]
Contents = Callable[[Path], dict[str, tuple[bytes, int]]]
# With all imported, it waits for the end of its input.
WAITING = """
import os, sys
import actcli.cli.train, actcli.diagnostics.health, actcli.store.train
print("ready", file=sys.stderr)
os.read(0, 1)
actcli.cli.main()
"""


def resume(*args: str) -> Result:
    return CliRunner().invoke(main, ["train", "--resume", *args], env={"COLUMNS": "100"})


def chosen(data: Path, epochs: int) -> tuple[str, ...]:
    return f"--dataset={data}", "--hidden=8", "--batch-size=32", f"--epochs={epochs}"


def at_once(actcli: Any, count: int, *args: str) -> list[tuple[int, str, str]]:
    """So many processes that start in the same moment: exit code, stdout and stderr of each."""
    theirs, ours = os.pipe()
    processes = [actcli.start(*args, program=WAITING, stdin=theirs) for _ in range(count)]
    os.close(theirs)
    for process in processes:
        assert process.stderr.readline() == "ready\n"
    os.close(ours)
    told = [process.communicate(timeout=60) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, told, strict=True)]


def killed(actcli: Any, data: Path, epochs: int = 100_000) -> Path:
    """The folder of a run whose process was killed in its training."""
    process = actcli.start("train", *chosen(data, epochs), "--name=killed")
    assert process.stderr.readline().startswith("epoch 1/")
    process.kill()
    process.wait()
    folder = Path("runs/killed")
    assert (folder / ".lock").read_text().startswith(f"process {process.pid} on ")
    return folder


def test_a_second_training_is_refused_and_the_first_undisturbed(
    actcli: Any, blobs: Blobs, assert_same: Same
) -> None:
    data = blobs()
    assert actcli("train", *chosen(data, 400), "-q", "--name=whole").returncode == 0
    first = actcli.start("train", *chosen(data, 400), "--name=first")
    assert first.stderr.readline().startswith("epoch 1/")
    second = actcli("train", "--resume", "first")
    assert (second.returncode, second.stdout) == (1, "")
    assert re.fullmatch(
        rf"Error: runs/first is in use: process {first.pid} on \S+ trains in it\n", second.stderr
    )
    for more in ([], ["--epochs", "2000"], ["--json"], ["-q"]):
        told = resume("first", *more)
        assert (told.exit_code, told.stdout, told.stderr) == (1, "", second.stderr)
    assert first.poll() is None
    stdout, stderr = first.communicate(timeout=60)
    assert (first.returncode, "Error" in stderr) == (0, False)
    assert stdout.endswith("actcli diagnose runs/first\n")
    assert_same(Path("runs/first"), Path("runs/whole"))


def test_a_run_in_training_can_be_diagnosed(actcli: Any, blobs: Blobs) -> None:
    first = actcli.start("train", *chosen(blobs(), 100_000), "--name=first")
    assert first.stderr.readline().startswith("epoch 1/")
    for _ in range(5):
        told = CliRunner().invoke(main, ["diagnose", "first", "--history"])
        assert (told.exit_code, told.stderr) == (0, "")
    assert first.poll() is None


@pytest.mark.parametrize(
    "left",
    [
        None,  # as the killed one left it
        b"",
        b"\x1b[2J\xff\x00",
        b"process 999999999 on nowhere",
        f"process {os.getpid()} on here".encode(),
        b"x" * 1_000_000,
    ],
    ids=["its own", "empty", "garbage", "of the dead", "of another that lives", "long"],
)
def test_the_lock_of_the_dead_is_taken_over(actcli: Any, blobs: Blobs, left: bytes | None) -> None:
    folder = killed(actcli, blobs(), 300)
    if left is not None:
        (folder / ".lock").write_bytes(left)
    assert resume("killed", "-q").exit_code == 0
    assert not (folder / ".lock").exists()
    assert resume("killed").stdout == (
        "runs/killed is finished: all 300 epochs are trained; --epochs can be raised\n"
    )


def test_the_lock_of_one_that_was_stopped_for_good(actcli: Any, blobs: Blobs) -> None:
    process = actcli.start("train", *chosen(blobs(), 100_000), "--name=first")
    assert process.stderr.readline().startswith("epoch 1/")
    process.send_signal(signal.SIGSTOP)
    assert resume("first").exit_code == 1  # it may go on at any time
    process.kill()
    process.wait()
    assert resume("first", "--epochs", "1").exit_code == 2
    goes = actcli.start("train", "--resume", "first")
    assert goes.stderr.readline().startswith("Resuming runs/first after ")


@pytest.mark.parametrize(
    ("content", "owner"), [("", "another process"), ("a\x1b[2Jb\n", r"a\x1b[2Jb\n")]
)
def test_a_lock_that_does_not_say_whose_it_is(
    actcli: Any, blobs: Blobs, contents: Contents, content: str, owner: str
) -> None:
    folder = killed(actcli, blobs())
    before = contents(folder)
    with (folder / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write(content)
        held.flush()
        told = resume("killed")
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == f"Error: runs/killed is in use: {owner} trains in it\n"
    assert contents(folder) == before


def test_a_folder_in_place_of_the_lock(actcli: Any, blobs: Blobs, contents: Contents) -> None:
    folder = killed(actcli, blobs())
    before = contents(folder)
    (folder / ".lock").unlink()
    (folder / ".lock").mkdir()
    told = resume("killed")
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == "Error: cannot write runs/killed/.lock: Is a directory\n"
    assert contents(folder) == before


def test_starts_at_once_get_folders_of_their_own(
    actcli: Any, blobs: Blobs, assert_same: Same
) -> None:
    told = at_once(actcli, 8, "train", *chosen(blobs(), 3), "--name=many", "-q")
    folders = sorted(path.name for path in Path("runs").iterdir())
    notes = ["", *(f"runs/many exists: the new run is {name}\n" for name in folders[1:])]
    assert [code for code, _, _ in told] == [0] * 8
    assert sorted(stderr for _, _, stderr in told) == notes
    assert folders == ["many", *(f"many-{number}" for number in range(2, 9))]
    assert sorted(stdout.split()[-1] for _, stdout, _ in told) == [f"runs/{f}" for f in folders]
    for folder in folders[1:]:
        assert_same(Path("runs") / folder, Path("runs/many"))


def test_of_those_that_go_on_at_once_one_wins(actcli: Any, blobs: Blobs, assert_same: Same) -> None:
    data = blobs()
    assert actcli("train", *chosen(data, 600), "-q", "--name=whole").returncode == 0
    killed(actcli, data, 600)
    told = at_once(actcli, 4, "train", "--resume", "killed", "-q")
    refused = r"Error: runs/killed is in use: (process \d+ on \S+|another process) trains in it\n"
    assert sorted(code for code, _, _ in told) == [0, 1, 1, 1]
    for code, stdout, stderr in told:
        assert code == 0 or (stdout == "" and re.fullmatch(refused, stderr))
    assert_same(Path("runs/killed"), Path("runs/whole"))
