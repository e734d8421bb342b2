"""Ctrl-C, SIGTERM and SIGKILL, at any moment: what was saved is whole, and goes on."""

import itertools
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from actcli.cli import main
from actcli.config.sources import read_toml
from actcli.machine import BLAS_THREAD_VARIABLES
from actcli.store.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow

Blobs = Callable[..., Path]
Same = Callable[[Path, Path], None]
SIGNALS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
FILES = {
    *("checkpoint.safetensors", "config.toml", "environment.json", "metrics.jsonl"),
    "model.safetensors",
}
KILLS, STRIDE = (10, 5) if os.environ.get("CI") else (50, 1)
ONE = dict.fromkeys(
    BLAS_THREAD_VARIABLES, "1"
)  # two workers on a busy machine would wait for each other
# As `actcli`, but each epoch is saved, as if it took a second.
OFTEN = """
from actcli.cli import main
from actcli.store import train as run
assert run.MIN_SECONDS_BETWEEN_CHECKPOINTS == 1
run.MIN_SECONDS_BETWEEN_CHECKPOINTS = 0
main()
"""
# For each line it becomes a process of its own, with all imported, that is killed in front of its
# n-th operation on files, or not at all if n is 0; and tells how that ended.
FORKS = """
import os, shlex, signal, sys
import actcli.cli.train, actcli.diagnostics.health, actcli.store.train
from actcli.cli import main
assert actcli.store.train.MIN_SECONDS_BETWEEN_CHECKPOINTS == 1
actcli.store.train.MIN_SECONDS_BETWEEN_CHECKPOINTS = 0
ours = {"os.rename", "os.remove", "os.truncate", "os.mkdir", "shutil.rmtree", "fcntl.flock"}
def hook(event, args):
    global left
    if event in ours or (event == "open" and "runs" in str(args[0])):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
for line in sys.stdin:
    number, *args = shlex.split(line)
    child = os.fork()
    if not child:
        left = int(number)
        sys.addaudithook(hook)
        main(args)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
# As `actcli`, but it sends itself a signal before its training, or after.
SIGTERM = "os.kill(os.getpid(), signal.SIGTERM)"
SIGNALLED = """
import os, signal
from actcli.cli import main, watch
train = watch.until_stopped
def signalled(run, interrupts):
    {before}
    yield from train(run, interrupts)
    {after}
watch.until_stopped = signalled
main()
"""


def chosen(data: Path, epochs: int, *more: str) -> tuple[str, ...]:
    return f"--dataset={data}", "--hidden=8", "--batch-size=32", f"--epochs={epochs}", *more


def until(holds: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def has_open(process: int, path: Path) -> bool:
    """Whether a process has a file open at this moment."""
    try:
        return any(file.samefile(path) for file in Path(f"/proc/{process}/fd").iterdir())
    except FileNotFoundError:  # one was closed in the meantime
        return False


def check_whole(folder: Path) -> None:
    """Each file that a run has is there and can be read, and so can the run."""
    names = {path.name for path in folder.iterdir()}
    left = {name for name in names if re.fullmatch(r"\..+\.[0-9a-f]{8}\.tmp", name)}
    assert names >= FILES
    assert names <= FILES | {".lock", "result.json"} | left
    for name in ("model.safetensors", "checkpoint.safetensors"):
        assert load_file(folder / name)
    *lines, end = (folder / "metrics.jsonl").read_text().split("\n")
    assert end == ""
    epochs = [json.loads(line, parse_constant=pytest.fail)["epoch"] for line in lines]
    assert epochs == list(range(1, len(epochs) + 1))
    assert read_checkpoint(folder / "checkpoint.safetensors").position.epoch <= len(epochs)
    assert json.loads((folder / "environment.json").read_text())["actcli"]
    assert read_toml(folder / "config.toml")
    told = CliRunner().invoke(main, ["diagnose", str(folder), "--only", "verdict"])
    assert (told.exit_code, told.stderr) == (0, "")


# The first signal -----------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code", "word"), SIGNALS)
def test_the_first_signal_saves_and_tells_the_command_that_goes_on(
    actcli: Any, blobs: Blobs, assert_same: Same, number: int, code: int, word: str
) -> None:
    data = blobs()
    assert actcli("train", *chosen(data, 400), "-q", "--name=whole").returncode == 0
    process = actcli.start("train", *chosen(data, 400), "--runs-dir=my runs", "--name=whole")
    for _ in range(3):
        assert process.stderr.readline().startswith("epoch ")
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    *epochs, told = stderr.splitlines()
    assert (process.returncode, stdout) == (code, "")
    assert all(line.startswith("epoch ") for line in epochs)
    form = rf"{word} after (?:step \d of )?epoch (\d+) of 400; the run is saved\. "
    form += r"To resume it: (actcli .*)"
    matched = re.fullmatch(form, told)
    assert matched
    folder = Path("my runs/whole")
    assert {path.name for path in folder.iterdir()} == FILES
    check_whole(folder)
    assert len((folder / "metrics.jsonl").read_text().splitlines()) >= 3
    _, *command = shlex.split(matched[2])
    assert command == ["train", "--resume", "my runs/whole"]
    done = actcli(*command)
    assert done.returncode == 0
    assert re.fullmatch(
        rf"Resuming my runs/whole after .*epoch {matched[1]} of 400", done.stderr.splitlines()[0]
    )
    assert_same(folder, Path("runs/whole"))


def test_the_command_goes_on_where_a_run_has_the_name_of_the_folder(
    actcli: Any, blobs: Blobs
) -> None:
    data = blobs()
    assert actcli("train", *chosen(data, 1), "--name=relu").returncode == 0
    process = actcli.start("train", *chosen(data, 100_000), "--runs-dir=.", "--name=relu")
    assert process.stderr.readline().startswith("epoch 1/")
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=30)[1].splitlines()[-1]
    assert told.endswith("To resume it: actcli train --resume ./relu")
    again = actcli.start("train", "--resume", "./relu")
    assert again.stderr.readline().startswith("Resuming relu after ")
    assert actcli("train", "--resume", "relu").stdout.startswith("runs/relu is finished: ")


@pytest.mark.parametrize(("number", "code", "word"), SIGNALS)
def test_a_signal_in_a_terminal_shows_the_cursor_again(
    actcli: Any, blobs: Blobs, number: int, code: int, word: str
) -> None:
    ours, theirs = pty.openpty()
    command = ("train", *chosen(blobs(), 100_000), "--name=mine")
    process = actcli.start(*command, stderr=theirs, env={"TERM": "xterm", "COLUMNS": "100"})
    os.close(theirs)
    shown = b""
    while b"3/100000" not in shown:
        shown += os.read(ours, 65536)
    assert b"\x1b[?25l" in shown
    process.send_signal(number)
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    stdout, _ = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (code, "")
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    last = shown.decode().splitlines()[-1]
    assert re.fullmatch(
        rf"{word} after .*epoch \d+ of 100000; the run is saved. "
        r"To resume it: actcli train --resume runs/mine",
        last,
    )
    check_whole(Path("runs/mine"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it takes /proc to see open files")
def test_a_signal_while_the_data_are_read_leaves_nothing(actcli: Any, blobs: Blobs) -> None:
    path = blobs()
    rows = np.zeros((60_000, 2000), np.uint8)
    np.savez_compressed(path, **(dict(np.load(path)) | {"x_train": rows}))
    for number, code, told in (
        (signal.SIGINT, 130, "\nError: interrupted\n"),
        (signal.SIGTERM, 143, ""),
    ):
        process = actcli.start("train", f"--dataset={path}")
        until(lambda pid=process.pid: has_open(pid, path))
        process.send_signal(number)
        assert process.communicate(timeout=30) == ("", told)
        assert process.returncode == code
        assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("ignored", "other", "code"),
    [(signal.SIGINT, signal.SIGTERM, 143), (signal.SIGTERM, signal.SIGINT, 130)],
)
def test_what_the_parent_ignores_stays_ignored(
    actcli: Any, blobs: Blobs, ignored: int, other: int, code: int
) -> None:
    process = actcli.start(
        *("train", *chosen(blobs(), 100_000)),
        preexec_fn=lambda: signal.signal(ignored, signal.SIG_IGN),  # as nohup and `&` do
    )
    for _ in range(3):
        process.send_signal(ignored)
        for _ in range(20):
            assert process.stderr.readline().startswith("epoch ")
    process.send_signal(other)
    process.communicate(timeout=30)
    assert process.returncode == code


@pytest.mark.parametrize(
    ("before", "after", "position"),
    [(SIGTERM, "pass", "step 1 of epoch 1 of 2"), ("pass", SIGTERM, "epoch 2 of 2")],
)
def test_a_signal_before_the_first_step_or_after_the_last(
    actcli: Any, blobs: Blobs, assert_same: Same, before: str, after: str, position: str
) -> None:
    command = ("train", *chosen(blobs(), 2), "-q")
    assert actcli(*command, "--name=whole").returncode == 0
    program = SIGNALLED.format(before=before, after=after)
    done = actcli(*command, "--name=signalled", program=program)
    assert (done.returncode, done.stdout, done.stderr) == (
        *(143, ""),
        f"terminated after {position}; the run is saved. "
        "To resume it: actcli train --resume runs/signalled\n",
    )
    assert actcli("train", "--resume", "signalled", "-q").returncode == 0
    assert_same(Path("runs/signalled"), Path("runs/whole"))


# The second signal ----------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code", "_word"), SIGNALS)
def test_a_second_signal_quits_within_a_long_step(
    actcli: Any, blobs: Blobs, number: int, code: int, _word: str
) -> None:
    data = blobs(rows=20_000)
    hidden = f"--hidden={','.join(['192'] * 10)}"  # a step takes a second or more
    command = (
        "--activation=tanh",
        hidden,
        "--batch-size=20000",
        "--epochs=3",
        "--name=long",
        "--workers=1",
    )
    process = actcli.start("train", f"--dataset={data}", *command)
    until(Path("runs/long").exists)
    time.sleep(0.2)
    process.send_signal(number)
    time.sleep(0.1)
    assert process.poll() is None  # the first asked it to finish its step
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (code, "")
    assert "Traceback" not in stderr
    assert stderr == ("\nError: interrupted\n" if code == 130 else "")
    folder = Path("runs/long")
    assert {path.name for path in folder.iterdir()} == FILES
    assert read_checkpoint(folder / "checkpoint.safetensors").position.step == 0
    assert load_file(folder / "model.safetensors")


def test_a_second_signal_of_the_other_kind_quits_a_long_scoring(actcli: Any, blobs: Blobs) -> None:
    data = blobs(rows=100_000)
    command = (
        "train",
        f"--dataset={data}",
        "--hidden=512,512",
        "--epochs=0",
        "--name=long",
        "--workers=1",
    )
    for name, first, second, code in (
        ("long", signal.SIGTERM, signal.SIGINT, 130),
        ("long-2", signal.SIGINT, signal.SIGTERM, 143),
    ):
        process = actcli.start(*command)
        until((Path("runs") / name).exists)
        time.sleep(0.3)
        process.send_signal(first)
        time.sleep(0.1)
        assert process.poll() is None
        process.send_signal(second)
        stdout, stderr = process.communicate(timeout=30)
        assert (process.returncode, stdout) == (code, "")
        assert "Traceback" not in stderr
        assert {path.name for path in (Path("runs") / name).iterdir()} == FILES


# SIGKILL --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hidden", "epochs", "kills"), [("8", 80, KILLS * 3 // 5), ("400,300", 20, KILLS * 2 // 5)]
)
def test_killed_at_any_moment_it_goes_on_to_the_same(
    actcli: Any, blobs: Blobs, assert_same: Same, hidden: str, epochs: int, kills: int
) -> None:
    command = ("train", *chosen(blobs(), epochs), f"--hidden={hidden}", "-q")
    began = time.monotonic()
    assert actcli(*command, "--name=whole", program=OFTEN, env=ONE).returncode == 0
    life = time.monotonic() - began
    delays = np.random.default_rng(len(hidden)).uniform(0, life, 1000)
    killed, number = 0, 1
    for delay in delays:
        name = f"run-{number}"
        folder = Path("runs") / name
        goes_on = ("train", "--resume", name, "-q") if folder.exists() else ()
        process = actcli.start(*(goes_on or (*command, f"--name={name}")), program=OFTEN, env=ONE)
        try:
            _, stderr = process.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            process.kill()
            _, stderr = process.communicate()
            killed += 1
        assert (process.returncode in {0, -signal.SIGKILL}, stderr) == (True, "")
        if folder.exists():
            check_whole(folder)
        if (folder / "result.json").exists():
            assert actcli("train", "--resume", name, "-q", env=ONE).returncode == 0
            assert_same(folder, Path("runs/whole"))
            number += 1
        if killed == kills:
            break
    if folder.exists():
        assert actcli("train", "--resume", name, "-q", env=ONE).returncode == 0
        assert_same(folder, Path("runs/whole"))


def test_killed_in_front_of_each_operation_on_files(
    actcli: Any, blobs: Blobs, assert_same: Same
) -> None:
    command = ("train", *chosen(blobs(rows=60), 2), "--optimizer=adam", "-q")
    assert actcli(*command, "--name=whole", program=OFTEN).returncode == 0
    forks = actcli.start(program=FORKS, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(killed_at: int, *args: str) -> int:
        forks.stdin.write(shlex.join([str(killed_at), *args]) + "\n")
        forks.stdin.flush()
        while not re.fullmatch(r"-?\d+\n", line := forks.stdout.readline()):
            assert line
        return int(line)

    def goes_on(folder: Path) -> None:
        check_whole(folder)
        assert run(0, "train", "--resume", str(folder), "-q") == 0
        assert_same(folder, Path("runs/whole"))

    for number in itertools.count(1, STRIDE):
        folder = Path(f"runs/new-{number}")
        code = run(number, *command, f"--name={folder.name}")
        if folder.exists():
            goes_on(folder)
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert number > 40  # the operations of a run: its files, each written aside and renamed
    operations = number
    for again in itertools.count(1, STRIDE):
        folder = Path(f"runs/again-{again}")
        assert run(operations - 10, *command, f"--name={folder.name}") == -signal.SIGKILL
        code = run(again, "train", "--resume", folder.name, "-q")
        assert code in {0, -signal.SIGKILL}
        goes_on(folder)
        if code == 0:
            break
    assert again > 25
