"""No space, no permission, files and readers that go away: one line, and what was saved stays."""

import json
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from actcli.cli import main

pytestmark = pytest.mark.slow

Blobs = Callable[..., Path]
Same = Callable[[Path, Path], None]
Contents = Callable[[Path], dict[str, tuple[bytes, int]]]
FULL = "Error: cannot write {}: No space left on device\n"


def chosen(data: Path, epochs: int, *more: str) -> tuple[str, ...]:
    return f"--dataset={data}", "--hidden=8", "--batch-size=32", f"--epochs={epochs}", *more


def at_most(size: int) -> Callable[[], None]:
    """Let a process write no file beyond so many bytes, as `ulimit -f` does."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of its own; call it with options to mount it, or to mount it otherwise."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        if folder.is_mount():
            options = f"remount,{options}"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", folder],
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode:
            pytest.skip(f"mounting takes a privilege: {done.stderr.strip()}")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", folder], check=True)


# No space -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "name"),
    [
        (0, ".lock"),
        (100, "config.toml"),
        (1100, "model.safetensors"),
        (1800, "checkpoint.safetensors"),
    ],
)
def test_a_file_beyond_the_limit_leaves_no_run(
    actcli: Any, blobs: Blobs, size: int, name: str
) -> None:
    done = actcli("train", *chosen(blobs(), 3), "--name=small", preexec_fn=at_most(size))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: cannot write runs/.small.")
    assert done.stderr.endswith(f"/{name}: File too large\n")
    assert done.stderr.count("\n") == 1
    assert list(Path("runs").iterdir()) == []


def test_metrics_beyond_the_limit_keep_what_was_saved(
    actcli: Any, blobs: Blobs, assert_same: Same
) -> None:
    data = blobs()
    assert actcli("train", *chosen(data, 60), "-q", "--name=whole").returncode == 0
    size = Path("runs/whole/metrics.jsonl").stat().st_size // 2
    done = actcli("train", *chosen(data, 60), "-q", "--name=cut", preexec_fn=at_most(size))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: cannot write runs/cut/metrics.jsonl: File too large\n"
    text = Path("runs/cut/metrics.jsonl").read_text()
    assert text.endswith("\n")
    assert 25 < len(text.splitlines()) < 35
    again = actcli("train", "--resume", "cut", "-q", preexec_fn=at_most(size))
    assert (again.returncode, again.stdout, again.stderr) == (1, "", done.stderr)
    assert actcli("train", "--resume", "cut", "-q").returncode == 0
    assert_same(Path("runs/cut"), Path("runs/whole"))


@pytest.mark.parametrize(
    ("pages", "name"),  # pages of 4 KiB that are free; the network takes 23, its checkpoint 46
    [
        *((0, ".lock"), (1, "metrics.jsonl"), (12, "model.safetensors")),
        (30, "checkpoint.safetensors"),
    ],
)
def test_a_disk_that_is_full_when_a_run_goes_on(
    actcli: Any, blobs: Blobs, assert_same: Same, disk: Callable[[str], Path], pages: int, name: str
) -> None:
    data, runs = blobs(), disk("size=2m")
    chosen = (f"--dataset={data}", "--hidden=200,100", "--schedule=constant", "-q")
    for run, epochs in (("whole", 6), ("full", 3)):
        new = ("train", *chosen, f"--epochs={epochs}", f"--runs-dir={runs}", f"--name={run}")
        assert actcli(*new).returncode == 0
    folder = runs / "full"
    names = {path.name for path in folder.iterdir()}
    resume = ("train", "--resume", str(folder), "-q", "--epochs=6")
    stat = os.statvfs(runs)
    (runs / "filler").write_bytes(bytes((stat.f_bavail - pages) * stat.f_frsize))
    done = actcli(*resume)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", FULL.format(folder / name))
    assert {path.name for path in folder.iterdir()} <= {*names, ".lock"}
    for tensors in ("model.safetensors", "checkpoint.safetensors"):
        assert load_file(folder / tensors)
    told = actcli("diagnose", str(folder))
    assert (told.returncode, told.stderr) == (0, "")
    (runs / "filler").unlink()
    assert actcli(*resume).returncode == 0
    assert_same(folder, runs / "whole")


def test_a_disk_that_fills_up_during_the_training(
    actcli: Any, blobs: Blobs, assert_same: Same, disk: Callable[[str], Path]
) -> None:
    data = blobs()
    runs = disk("size=70k")
    command = ("train", *chosen(data, 150), "-q")
    done = actcli(*command, f"--runs-dir={runs}", "--name=mine")
    assert (done.returncode, done.stdout) == (1, "")
    # Metrics grow after each epoch; model and checkpoint are also saved if it lasts over a second.
    names = ("metrics.jsonl", "model.safetensors", "checkpoint.safetensors")
    assert done.stderr in {FULL.format(runs / "mine" / name) for name in names}
    lines = (runs / "mine/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, len(lines) + 1))
    told = actcli("diagnose", str(runs / "mine"))
    assert (told.returncode, told.stderr) == (0, "")
    # A new one does not even start, and leaves nothing.
    done = actcli(*command, f"--runs-dir={runs}", "--name=other")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(": No space left on device\n")
    assert [path.name for path in runs.iterdir()] == ["mine"]
    disk("size=4m")
    assert actcli("train", "--resume", str(runs / "mine"), "-q").returncode == 0
    assert actcli(*command, "--name=whole").returncode == 0
    assert_same(runs / "mine", Path("runs/whole"))


# Not writable ---------------------------------------------------------------------------------


def test_a_disk_that_is_read_only(
    actcli: Any, blobs: Blobs, contents: Contents, disk: Callable[[str], Path]
) -> None:
    data, runs = blobs(), disk("size=4m")
    assert actcli("train", *chosen(data, 2), "-q", f"--runs-dir={runs}").returncode == 0
    before = contents(runs / "default")
    disk("ro")
    for args, message in (
        (
            (*chosen(data, 2), f"--runs-dir={runs}"),
            f"cannot make a run folder in {runs}: Read-only file system",
        ),
        (
            ("--resume", str(runs / "default"), "--epochs=3"),
            f"cannot write {runs}/default/.lock: Read-only file system",
        ),
    ):
        done = actcli("train", *args)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"Error: {message}\n"
    assert contents(runs / "default") == before
    told = actcli("diagnose", str(runs / "default"))
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind the administrator")
def test_a_folder_without_permission(actcli: Any, blobs: Blobs) -> None:
    data = blobs()
    assert actcli("train", *chosen(data, 2), "-q").returncode == 0
    for folder in (Path("runs/default"), Path("runs")):
        folder.chmod(0o555)
    new = actcli("train", *chosen(data, 2))
    again = actcli("train", "--resume=default", "--epochs=3")
    for folder in (Path("runs"), Path("runs/default")):
        folder.chmod(0o755)
    assert (new.returncode, new.stdout) == (again.returncode, again.stdout) == (1, "")
    assert new.stderr == "Error: cannot make a run folder in runs: Permission denied\n"
    assert again.stderr == "Error: cannot write runs/default/.lock: Permission denied\n"


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        ("file", "Not a directory"),
        ("file/runs", "Not a directory"),
        pytest.param(
            *("/proc/runs", "No such file or directory"),
            marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc"),
        ),
        ("x" * 300, "File name too long"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_where_no_folder_can_be_made(actcli: Any, blobs: Blobs, runs: str, why: str) -> None:
    Path("file").write_text("")
    Path("loop").symlink_to("loop")
    done = actcli("train", *chosen(blobs(), 2), f"--runs-dir={runs}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: cannot make a run folder in {runs}: {why}\n"


# Removed underneath ---------------------------------------------------------------------------


def began(actcli: Any, data: Path) -> subprocess.Popen[str]:
    """A training that goes on."""
    process: subprocess.Popen[str] = actcli.start("train", *chosen(data, 100_000))
    assert process.stderr is not None
    for _ in range(3):
        assert process.stderr.readline().startswith("epoch ")
    return process


@pytest.mark.parametrize(
    "remove",
    [
        lambda: Path("runs/default/metrics.jsonl").unlink(),
        lambda: Path("runs/default").rename("elsewhere"),
        lambda: Path("runs").rename("elsewhere"),
        lambda: shutil.rmtree("runs", ignore_errors=True),
    ],
    ids=["metrics", "folder moved", "runs moved", "all removed"],
)
def test_what_is_removed_underneath_ends_the_training(
    actcli: Any, blobs: Blobs, remove: Callable[[], object]
) -> None:
    process = began(actcli, blobs())
    remove()
    stdout, stderr = process.communicate(timeout=30)
    *epochs, told = stderr.splitlines()
    assert (process.returncode, stdout) == (1, "")
    assert told.startswith("Error: cannot write runs/default/")
    assert told.endswith(": No such file or directory")
    assert all(line.startswith("epoch ") for line in epochs)


def test_a_run_that_was_moved_goes_on_where_it_is(actcli: Any, blobs: Blobs) -> None:
    process = began(actcli, blobs())
    Path("runs").rename("elsewhere")
    process.communicate(timeout=30)
    again = actcli.start("train", "--resume", "elsewhere/default")
    assert again.stderr.readline().startswith("Resuming elsewhere/default after ")


@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint.safetensors", "config.toml"])
def test_what_is_written_again_may_be_removed(actcli: Any, blobs: Blobs, name: str) -> None:
    process = began(actcli, blobs())
    (Path("runs/default") / name).unlink()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    again = actcli("train", "--resume", "default", "--epochs=100001", "--dry-run")
    if name == "config.toml":
        assert again.returncode == 2
        assert again.stderr == (
            "Error: cannot read the configuration runs/default/config.toml: "
            "No such file or directory\n"
        )
    else:
        assert again.returncode == 0
        assert load_file(Path("runs/default") / name)


def test_a_run_without_its_network_goes_on(actcli: Any, blobs: Blobs, assert_same: Same) -> None:
    data = blobs()
    for name in ("whole", "robbed"):
        assert actcli("train", *chosen(data, 3), "-q", f"--name={name}").returncode == 0
    Path("runs/robbed/model.safetensors").unlink()
    told = actcli("diagnose", "robbed")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == (
        "Error: cannot read runs/robbed/model.safetensors: No such file or directory\n"
    )
    Path("runs/robbed/result.json").unlink()
    assert actcli("train", "--resume", "robbed", "-q").returncode == 0
    assert_same(Path("runs/robbed"), Path("runs/whole"))


def test_a_current_folder_that_is_gone(actcli: Any, blobs: Blobs) -> None:
    data = blobs()
    Path("gone").mkdir()
    gone = {"cwd": "gone", "preexec_fn": lambda: Path("../gone").rmdir()}
    done = actcli("softmax", "1", "2", "--json", **gone)
    assert (done.returncode, done.stderr) == (0, "")
    for args, code, message in (
        (("train", *chosen(data, 2)), 1, "cannot make a run folder in runs: No such file or"),
        (("train", "--dataset=blobs.npz"), 2, "there is no data set, folder or file 'blobs.npz'"),
        (("train", "config.toml"), 2, "cannot read the configuration config.toml: No such file"),
        (("train", "--resume=default"), 2, "there is no run 'default'. Runs in runs: none"),
        (("diagnose",), 2, "there is no run in runs. Make one: actcli train"),
    ):
        Path("gone").mkdir()
        done = actcli(*args, **gone)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith(f"Error: {message}")
        assert done.stderr.count("\n") == 1


# Readers that go away, and /dev/full ----------------------------------------------------------

SHOWN = {
    "softmax": ("softmax", "1", "2"),
    "softmax as JSON": ("softmax", "1", "2", "--json"),
    "train": ("train", "--name=new", "-q"),
    "train as JSON": ("train", "--name=new", "-q", "--json"),
    "train, dry": ("train", "--dry-run"),
    "train, finished": ("train", "--resume", "done"),
    "train, help": ("train", "--help"),
    "diagnose": ("diagnose", "done"),
    "diagnose as JSON": ("diagnose", "done", "--json"),
    "diagnose, explained": ("diagnose", "--explain", "dead-units"),
    "help": ("--help",),
    "version": ("--version",),
}


@pytest.fixture
def done(blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of that name, and its data and size for others."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("DATASET", str(blobs())), ("HIDDEN", "8"), ("EPOCHS", "2")):
        monkeypatch.setenv(f"ACTCLI_{name}", value)
    assert CliRunner().invoke(main, ["train", "-q", "--name=done"]).exit_code == 0


def closed_pipe() -> int:
    """A pipe that nobody reads."""
    theirs, ours = os.pipe()
    os.close(theirs)
    return ours


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("command", SHOWN)
def test_stdout_that_nobody_reads_or_that_is_full(actcli: Any, command: str) -> None:
    for stdout, told in (
        (closed_pipe(), ""),
        (os.open("/dev/full", os.O_WRONLY), "Error: standard output: No space left on device\n"),
    ):
        told_by = actcli(*SHOWN[command], stdout=stdout, env={"PYTHONUNBUFFERED": ""})
        os.close(stdout)
        stderr = told_by.stderr.removeprefix("runs/new exists: the new run is new-2\n")
        assert (told_by.returncode, stderr) == (1, told)
    if "--name=new" in SHOWN[command]:
        assert json.loads(Path("runs/new/result.json").read_text())["status"] == "finished"


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_stderr_that_nobody_reads_or_that_is_full(
    actcli: Any, assert_same: Same, unbuffered: str
) -> None:
    full, told = os.open("/dev/full", os.O_WRONLY), "Error: standard error: No space left on dev"
    for number, (stderr, message) in enumerate(((closed_pipe(), ""), (full, told)), 1):
        stream = {"stderr": stderr, "env": {"PYTHONUNBUFFERED": unbuffered}}
        stopped = actcli("train", "--name=stopped", **stream)
        assert stopped.returncode == 1
        assert stopped.stdout.startswith(message)
        assert stopped.stdout.count("\n") == bool(message)
        name = "stopped" if number == 1 else "stopped-2"
        assert actcli("train", "--resume", name, "-q").returncode == 0
        assert_same(Path("runs") / name, Path("runs/done"))
        wrong = actcli("train", "--lr=x", **stream)
        assert wrong.returncode == 2
        assert wrong.stdout.startswith("Error: Invalid value for --lr" if message else "")
        assert actcli("train", "-q", "--json", **stream).returncode == 0
        os.close(stderr)


@pytest.mark.usefixtures("done")
def test_both_are_full(actcli: Any) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    for args in (("softmax", "1"), ("train",), ("diagnose",), ("train", "--lr=x")):
        code = 2 if "--lr=x" in args else 1
        assert actcli(*args, stdout=full, stderr=full).returncode == code
    os.close(full)


@pytest.mark.usefixtures("done")
def test_streams_that_are_closed(actcli: Any) -> None:
    """As by `>&-` and `2>&-`."""
    for command in ("softmax", "train as JSON", "diagnose", "version"):
        silent = actcli(*SHOWN[command], preexec_fn=lambda: os.close(1))
        assert (silent.returncode, silent.stderr) == (0, "")
    told = actcli("train", "--json", preexec_fn=lambda: os.close(2))
    assert told.returncode == 0
    assert json.loads(told.stdout)["epochs"] == 2
    wrong = actcli("train", "--lr=x", preexec_fn=lambda: os.close(2))
    assert (wrong.returncode, wrong.stdout) == (2, "")


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("command", ["softmax 1 2", "diagnose done", "train 2>&1", "train --help"])
def test_head_in_a_shell(actcli: Any, command: str) -> None:
    program = "import os, sys; os.execv('/bin/bash', ['bash', '-c', sys.argv[1]])"
    told = actcli(f"{Path(os.sys.executable)} -m actcli {command} | head -1", program=program)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.count("\n") == 1
