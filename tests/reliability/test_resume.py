"""A stopped run resumes to the same bits, or not at all."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actcli import __version__
from actcli.cli import main
from actcli.config.sources import assemble, parse_assignment, read_toml
from actcli.errors import ActcliError, DataError
from actcli.nn.optimizers import OPTIMIZERS
from actcli.nn.schedules import SCHEDULES
from actcli.store.checkpoint import read_checkpoint
from actcli.store.start import resume_run, start_run
from actcli.store.train import Run

Blobs = Callable[..., Path]
Same = Callable[[Path, Path], None]
Contents = Callable[[Path], dict[str, tuple[bytes, int]]]
Change = Callable[[Path], object]
ROOT = Path(__file__).parents[2]
# Events of 4 epochs with 3 batches of 50 rows: the first step, the last of an epoch, its end; the
# midst of an epoch; the last step of all, the end.
EVENTS = (1, 3, 4, 6, 15, 16)

VARIANTS = {
    **{name: (f"optimizer.name={name}", "optimizer.momentum=0.9") for name in OPTIMIZERS},
    **{name: (f"optimizer.schedule={name}",) for name in SCHEDULES},
    "warm cosine": ("optimizer.schedule=cosine", "optimizer.warmup=1.5"),
    "warm one-cycle": ("optimizer.schedule=one-cycle", "optimizer.warmup=1.5"),
    "one-cycle with adamw": ("optimizer.schedule=one-cycle", "optimizer.name=adamw"),
    "nesterov": ("optimizer.momentum=0.9", "optimizer.nesterov=true"),
    "decay": ("optimizer.weight_decay=0.1", "optimizer.name=adam"),
    "clipped": ("optimizer.clip_norm=0.5",),
    "smoothed": ("loss.label_smoothing=0.1",),
    "two classes": ("data.classes=2,0",),
    "standard": ("data.normalize=standard",),
    "dropout": ("model.dropout=0.4", "optimizer.name=rmsprop"),
    "patient": ("training.patience=2", "optimizer.name=adam"),
    "without validation": ("data.validation=0",),
    "no hidden layer": ("model.hidden=[]", "model.dropout=0"),
    "ragged batches": ("training.batch_size=47",),
    "binary": ("loss.name=binary-cross-entropy", "model.activation=tanh"),
}


# The quick tests resume these variants: between them every random generator, an optimizer with
# slots, a schedule that depends on the step, and a kept epoch.
QUICK = {"dropout", "patient", "warm one-cycle", "adam"}


def quick_and_slow(names: Iterable[str]) -> list[Any]:
    """Return the names as parameters of a test; all but those in `QUICK` are slow."""
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in names]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def start(data: Path, name: str, *assignments: str) -> Run:
    """Return a new run, before its first step."""
    usual = ("model.hidden=6", "model.dropout=0.25", "training.batch_size=50", "training.epochs=4")
    texts = (f"data.name={data}", *usual, *assignments)
    config = assemble([parse_assignment(text) for text in texts]).resolve()
    return start_run(config, Path("runs"), name)


def train(run: Run, events: int | None = None) -> bool:
    """Train to the end, or stop after `events` events; return whether the end was reached."""
    with closing(run):
        for number, _ in enumerate(run.train(), 1):
            if number == events:
                run.save()
                return False
        run.finish()
    return True


def go_on(folder: Path, events: int | None = None) -> bool:
    """Resume a run, to its end or for `events` events; return whether the end was reached."""
    config = assemble(read_toml(folder / "config.toml")).resolve()
    run = resume_run(folder, config)
    assert isinstance(run, Run)
    return train(run, events)


def stopped(data: Path, events: int = 6, *assignments: str) -> Path:
    """Return the folder of a stopped run: by default in the middle of its second epoch."""
    run = start(data, "stopped", *assignments)
    assert not train(run, events)
    return run.folder


def resume(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, ["train", "--resume", *args], env={"COLUMNS": "100", **env})


# The same bits --------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", quick_and_slow(VARIANTS))
def test_stopped_after_each_event_it_comes_to_the_same(
    blobs: Blobs, assert_same: Same, variant: str
) -> None:
    data = blobs(rows=180)
    train(start(data, "whole", *VARIANTS[variant]))
    run = start(data, "pieces", *VARIANTS[variant])
    run.close()
    goes = 1
    while not go_on(run.folder, 1):
        goes += 1
    assert goes > 8
    assert_same(run.folder, Path("runs/whole"))


@pytest.mark.parametrize("optimizer", quick_and_slow(OPTIMIZERS))
def test_stopped_once_anywhere_it_comes_to_the_same(
    blobs: Blobs, assert_same: Same, optimizer: str
) -> None:
    data, chosen = blobs(rows=180), f"optimizer.name={optimizer}"
    train(start(data, "whole", chosen))
    for events in EVENTS:
        run = start(data, f"after-{events}", chosen)
        assert not train(run, events)
        assert go_on(run.folder)
        assert_same(run.folder, Path("runs/whole"))


def test_patience_runs_out_after_it_went_on(blobs: Blobs, assert_same: Same) -> None:
    noise = np.random.default_rng(0).integers(0, 3, 300)
    chosen = (
        *("training.epochs=40", "training.patience=3", "model.hidden=64", "model.dropout=0"),
        *("optimizer.name=adam", "optimizer.learning_rate=0.02", "data.validation=100"),
    )
    data = blobs(y_train=noise)
    train(start(data, "whole", *chosen))
    ended = json.loads(Path("runs/whole/result.json").read_text())
    assert ended["kept_epoch"] == ended["best_epoch"] == ended["epochs"] - 3
    assert ended["epochs"] < 40
    run = start(data, "pieces", *chosen)
    run.close()
    for events in (ended["best_epoch"] * 5 + 2, 5, 5):  # the best is kept, and no longer trained
        assert not go_on(run.folder, events)
    assert go_on(run.folder)
    assert_same(run.folder, Path("runs/whole"))
    told = resume("pieces")
    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout == (
        f"runs/pieces is finished: its patience ran out after epoch {ended['epochs']}, "
        f"the best was epoch {ended['best_epoch']}\n"
    )
    assert "its patience ran out" in resume("pieces", "--epochs", "50").stdout


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_more_epochs_come_to_the_same_as_a_longer_run(
    blobs: Blobs, assert_same: Same, optimizer: str
) -> None:
    data = blobs(rows=180)
    chosen = f"optimizer.name={optimizer}", "optimizer.schedule=constant"
    train(start(data, "whole", *chosen, "training.epochs=7"))
    train(start(data, "finished", *chosen, "training.epochs=3"))
    train(start(data, "half-way", *chosen, "training.epochs=3"), 6)
    for name, position in (("finished", "epoch 3 of 7"), ("half-way", "step 2 of epoch 2 of 7")):
        done = resume(name, "--epochs", "7")
        assert done.exit_code == 0
        assert done.stderr.startswith(f"Resuming runs/{name} after {position}\nepoch ")
        assert_same(Path("runs") / name, Path("runs/whole"))


def test_a_schedule_that_spans_more_epochs_is_told(blobs: Blobs) -> None:
    folder = stopped(blobs(rows=180), 6, "optimizer.schedule=cosine")
    done = resume("stopped", "--set", "training.epochs=5")
    assert done.exit_code == 0
    first, second, *_ = done.stderr.splitlines()
    assert first == "the cosine schedule now spans 5 epochs, not 4"
    assert second == f"Resuming {folder} after step 2 of epoch 2 of 5"
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 5


@pytest.mark.slow
def test_processes_come_to_the_same(actcli: Any, blobs: Blobs, assert_same: Same) -> None:
    data = blobs(rows=180)
    chosen = ("--optimizer=adam", "--schedule=one-cycle", "--dropout=0.2", "--patience=3")
    usual = (*chosen, f"--dataset={data}", "--hidden=6", "--batch-size=50", "--epochs=9", "-q")
    assert actcli("train", *usual, "--name=whole").returncode == 0
    program = "from actcli.cli import train, watch\n"
    program += "def stop(run, interrupts):\n"
    program += "    for number, event in enumerate(run.train()):\n"
    program += "        yield event\n"
    program += "        if number == 5: run.save(); raise SystemExit(9)\n"
    program += "watch.until_stopped = stop\n"
    program += "from actcli.cli import main; main()"
    assert actcli("train", *usual, "--name=pieces", program=program).returncode == 9
    for _ in range(2):
        assert actcli("train", "--resume", "pieces", program=program).returncode == 9
    assert actcli("train", "--resume", "runs/pieces").returncode == 0
    assert_same(Path("runs/pieces"), Path("runs/whole"))


def test_each_time_that_it_went_on_is_told(blobs: Blobs) -> None:
    folder = stopped(blobs(rows=180))
    go_on(folder, 2)
    resume("stopped")
    told = json.loads((folder / "environment.json").read_text(), parse_constant=pytest.fail)
    assert [each["actcli"] for each in told["resumed"]] == [__version__] * 2
    assert told["resumed"][0].keys() == told.keys() - {"resumed"}


def test_another_machine_is_told(blobs: Blobs) -> None:
    folder = stopped(blobs(rows=180))
    told = json.loads((folder / "environment.json").read_text())
    (folder / "environment.json").write_text(json.dumps(told | {"numpy": "1.0", "blas": "magic"}))
    done = resume("stopped")
    assert done.exit_code == 0
    first, second, third, *_ = done.stderr.splitlines()
    assert first == f"numpy is {np.__version__}, was 1.0: the last bits may differ"
    assert re.fullmatch(r"blas is .*, was magic: the last bits may differ", second)
    assert third.startswith(f"Resuming {folder} ")


# A run that is finished -----------------------------------------------------------------------


def test_a_finished_run_says_so_and_stays_as_it_is(blobs: Blobs, contents: Contents) -> None:
    run = start(blobs(rows=180), "done")
    train(run)
    before = contents(run.folder)
    for name in ("done", "runs/done", str(run.folder.absolute())):
        told = resume(name)
        assert (told.exit_code, told.stderr) == (0, "")
        assert told.stdout.endswith(
            "runs/done is finished: all 4 epochs are trained; --epochs can be raised\n"
        )
    told = resume("done", "--json", "--epochs", "4")
    result = json.loads((run.folder / "result.json").read_text())
    assert (told.exit_code, told.stderr) == (0, "")
    assert json.loads(told.stdout) == result | {"run": "runs/done"}
    assert contents(run.folder) == before
    assert not (run.folder / ".lock").exists()


def test_all_epochs_but_no_result(blobs: Blobs, assert_same: Same) -> None:
    data = blobs(rows=180)
    train(start(data, "whole"))
    run = start(data, "killed")
    train(run)
    (run.folder / "result.json").unlink()
    done = resume("killed")
    assert done.exit_code == 0
    assert done.stderr == "Resuming runs/killed after epoch 4 of 4\n"
    assert done.stdout.splitlines()[0].split() == ["loss", "accuracy", "rows"]
    assert_same(run.folder, Path("runs/whole"))


# What is refused ------------------------------------------------------------------------------


def edit(name: str, pattern: str, text: str) -> Change:
    """Replace what matches in a file of the run."""

    def change(folder: Path) -> None:
        before = (folder / name).read_text()
        after = re.sub(pattern, text, before)
        assert after != before
        (folder / name).write_text(after)

    return change


def write(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def remove(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def cut(name: str, size: int) -> Change:
    """Take so many bytes off a file."""
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size - size)


def data(change: Callable[[dict[str, Any]], object]) -> Change:
    """Change the arrays of the data set."""

    def rewrite(folder: Path) -> None:
        path = folder.parents[1] / "blobs.npz"
        arrays = dict(np.load(path))
        change(arrays)
        np.savez(path, **arrays)

    return rewrite


def brighter(arrays: dict[str, Any], part: str = "train") -> None:
    arrays[f"x_{part}"][7, 3] ^= 1


def relabelled(arrays: dict[str, Any]) -> None:
    arrays["y_train"][7] = (arrays["y_train"][7] + 1) % 3


def swapped(arrays: dict[str, Any]) -> None:
    for name in ("x_train", "y_train"):
        arrays[name][[0, 3]] = arrays[name][[3, 0]]


def renamed(arrays: dict[str, Any]) -> None:
    for name in ("y_train", "y_test"):
        arrays[name] += 1


def fewer(arrays: dict[str, Any]) -> None:
    for name in ("x_train", "y_train"):
        arrays[name] = arrays[name][:-1]


CHANGED_DATA = "the data set blobs is no longer that of runs/stopped/checkpoint.safetensors. Its "
CHANGED_CONFIG = "the configuration is no longer that of runs/stopped/checkpoint.safetensors: "
CHECKPOINT = "runs/stopped/checkpoint.safetensors"
METRICS = "runs/stopped/metrics.jsonl"
ENVIRONMENT = "runs/stopped/environment.json"
REFUSED: dict[str, tuple[Change, int, str]] = {
    "another version": (
        edit("environment.json", __version__, "0.0.7"),
        1,
        f"runs/stopped is a run of actcli '0.0.7', but this is {__version__}. Only the same vers",
    ),
    "a version that is no text": (
        edit("environment.json", f'"{__version__}"', "[1]"),
        1,
        f"runs/stopped is a run of actcli [1], but this is {__version__}. Only the same version",
    ),
    "a pixel": (data(brighter), 1, CHANGED_DATA),
    "a pixel of the test rows": (data(lambda each: brighter(each, "test")), 1, CHANGED_DATA),
    "a label": (data(relabelled), 1, CHANGED_DATA),
    "two rows swapped": (data(swapped), 1, CHANGED_DATA),
    "classes of other names": (data(renamed), 1, CHANGED_DATA),
    "a row less": (data(fewer), 1, CHANGED_DATA),
    "no data": (lambda folder: (folder.parents[1] / "blobs.npz").unlink(), 1, "there is no '/"),
    "a learning rate": (
        edit("config.toml", r"learning_rate = \S+", "learning_rate = 0.3"),
        1,
        f"{CHANGED_CONFIG}optimizer.learning_rate = 0.3, was 0.1. Only the number of epochs may",
    ),
    "a seed and classes": (
        lambda folder: (
            edit("config.toml", "seed = 0", "seed = 1")(folder),
            edit("config.toml", r"classes = \[\]", 'classes = ["0", "2"]')(folder),
        ),
        1,
        f'{CHANGED_CONFIG}data.classes = ["0", "2"], was []; training.seed = 1, was 0. Only the',
    ),
    "fewer epochs in the file": (
        edit("config.toml", "epochs = 4", "epochs = 3"),
        1,
        f"{CHANGED_CONFIG}training.epochs = 3, was 4. The number of epochs can only be raised",
    ),
    "a key that is none": (
        edit("config.toml", "seed = 0", "sede = 0"),
        2,
        "runs/stopped/config.toml: [training] has no key sede. Did you mean seed?",
    ),
    "no TOML": (write("config.toml", b"[training\n"), 2, "runs/stopped/config.toml is not TOML: "),
    "no text": (write("config.toml", b"\xff"), 2, "runs/stopped/config.toml is not UTF-8 text: "),
    "an empty configuration": (write("config.toml", b""), 1, CHANGED_CONFIG),
    "no configuration": (
        remove("config.toml"),
        2,
        "cannot read the configuration runs/stopped/config.toml: No such file or directory",
    ),
    "no checkpoint": (
        remove("checkpoint.safetensors"),
        1,
        f"cannot read {CHECKPOINT}: No such file or directory",
    ),
    "a checkpoint cut short": (
        cut("checkpoint.safetensors", 1),
        1,
        f"{CHECKPOINT} is not a safetensors file: ",
    ),
    "an empty checkpoint": (
        write("checkpoint.safetensors", b""),
        1,
        f"{CHECKPOINT} is not a safetensors file: ",
    ),
    "a model as the checkpoint": (
        lambda folder: shutil.copy(folder / "model.safetensors", folder / "checkpoint.safetensors"),
        1,
        f"{CHECKPOINT} is not a checkpoint",
    ),
    "a folder as the checkpoint": (
        lambda folder: (
            (folder / "checkpoint.safetensors").unlink(),
            (folder / "checkpoint.safetensors").mkdir(),
        ),
        1,
        f"cannot read {CHECKPOINT}: Is a directory",
    ),
    "no metrics": (remove("metrics.jsonl"), 1, f"cannot read {METRICS}: No such file or dir"),
    "empty metrics": (write("metrics.jsonl", b""), 1, f"{METRICS} does not have the 1 epochs th"),
    "metrics cut short": (cut("metrics.jsonl", 2), 1, f"{METRICS} does not have the 1 epochs th"),
    "metrics without their end": (cut("metrics.jsonl", 1), 1, f"{METRICS} does not have the 1 e"),
    "metrics of another epoch": (
        edit("metrics.jsonl", '"epoch": 1', '"epoch": 2'),
        1,
        f"{METRICS} does not have the 1 epochs that are trained, each once",
    ),
    "metrics that are no text": (
        write("metrics.jsonl", b"\xff\n"),
        1,
        f"{METRICS}, line 1 is not JSON",
    ),
    "no environment": (remove("environment.json"), 1, f"cannot read {ENVIRONMENT}: No such fi"),
    "an environment cut short": (
        cut("environment.json", 5),
        1,
        f"{ENVIRONMENT} does not hold the versions of a run",
    ),
    "an environment that is a number": (
        write("environment.json", b"7"),
        1,
        f"{ENVIRONMENT} does not hold the versions of a run",
    ),
    "a damaged result": (
        write("result.json", b'{"status'),
        1,
        "runs/stopped/result.json is not JSON",
    ),
    "a result that says nothing": (
        write("result.json", b"{}\n"),
        1,
        "runs/stopped/result.json: 'status' is not a text",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_changed_is_refused_and_nothing_is_touched(
    blobs: Blobs, contents: Contents, what: str
) -> None:
    change, code, message = REFUSED[what]
    folder = stopped(blobs(rows=180))
    change(folder)
    before = contents(folder)
    told = resume("stopped")
    assert (told.exit_code, told.stdout) == (code, "")
    assert told.stderr.startswith(f"Error: {message}")
    assert told.stderr.count("\n") == 1
    assert contents(folder) == before
    assert not (folder / ".lock").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--epochs", "3"], "--epochs 3: runs/stopped is a run of 4 epochs. They can only be ra"),
        (["--set", "training.epochs=0"], "--set 0: runs/stopped is a run of 4 epochs. They can"),
        (["--lr", "0.5"], "--lr: a resumed run keeps its configuration. Only --epochs may"),
        (["--lr", "auto"], "--lr: a resumed run keeps its configuration. Only --epochs may"),
        (["--dataset", "mnist"], "--dataset: a resumed run keeps its configuration. Only -"),
        (["--epochs", "9", "--seed", "1"], "--seed: a resumed run keeps its configuration."),
        (["--set", "model.hidden=7"], "--set: a resumed run keeps its configuration. Only "),
        (["relu"], "--resume takes no CONFIG. The run has a configuration and a name"),
        (["--name", "other"], "--resume takes no --name. The run has a configuration and a name"),
    ],
)
def test_other_options_are_refused(
    blobs: Blobs, contents: Contents, args: list[str], message: str
) -> None:
    folder = stopped(blobs(rows=180))
    before = contents(folder)
    told = resume("stopped", *args)
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith(f"Error: {message}")
    assert told.stderr.count("\n") == 1
    assert contents(folder) == before


def test_the_options_of_the_run_are_allowed(blobs: Blobs, assert_same: Same) -> None:
    data = blobs(rows=180)
    train(start(data, "whole"))
    stopped(data)
    chosen = ("--hidden", "6", "--dropout", "0.25", "--batch-size", "50", "--epochs", "4")
    assert resume("stopped", *chosen).exit_code == 0
    assert_same(Path("runs/stopped"), Path("runs/whole"))


def test_an_unknown_run_is_told_with_the_nearest_name(blobs: Blobs) -> None:
    stopped(blobs(rows=180))
    Path("empty").mkdir()
    for name, message in (
        ("stoped", "there is no run 'stoped'. Did you mean 'stopped'? Runs in runs: stopped"),
        ("", "there is no run ''. Runs in runs: stopped"),
        ("runs/none", "there is no run 'runs/none'. Runs in runs: stopped"),
        ("empty", "empty is not a run: it has no model.safetensors"),
        ("runs/stopped/config.toml", "there is no run 'runs/stopped/config.toml'. Runs in runs: "),
    ):
        told = resume(name)
        assert (told.exit_code, told.stdout) == (2, "")
        assert told.stderr.startswith(f"Error: {message}")


def test_a_run_that_diverged_is_refused(blobs: Blobs, contents: Contents) -> None:
    run = start(blobs(rows=180), "lost", "optimizer.learning_rate=1e30")
    with pytest.raises(ActcliError):
        train(run)
    before = contents(run.folder)
    for more in ([], ["--epochs", "9"]):
        told = resume("lost", *more)
        assert (told.exit_code, told.stdout) == (1, "")
        assert told.stderr.startswith(
            "Error: runs/lost diverged: the loss stopped being finite in epoch 1, step"
        )
        assert told.stderr.endswith("diverge again. Start a new run with other settings\n")
    assert contents(run.folder) == before


def test_another_version_of_the_program_refuses(
    actcli: Any, blobs: Blobs, contents: Contents
) -> None:
    folder = stopped(blobs(rows=180))
    before = contents(folder)
    for name in ("actcli", "configs", "data"):
        shutil.copytree(ROOT / name, Path("later") / name, copy_function=os.symlink)
    Path("later/actcli/__init__.py").unlink()
    Path("later/actcli/__init__.py").write_text('__version__ = "77.0"\n')
    told = actcli("train", "--resume", "stopped", env={"PYTHONPATH": "later"})
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == (
        f"Error: runs/stopped is a run of actcli '{__version__}', but this is 77.0. "
        "Only the same version comes to the same result\n"
    )
    assert contents(folder) == before


def test_variables_have_no_effect_and_that_is_told(blobs: Blobs, assert_same: Same) -> None:
    data = blobs(rows=180)
    train(start(data, "whole"))
    stopped(data)
    done = resume("stopped", ACTCLI_LR="0.7", ACTCLI_EPOCHS="9", ACTCLI_DROPOUT="0.25")
    assert done.exit_code == 0
    assert done.stderr.splitlines()[:2] == [
        "ACTCLI_LR has no effect: a run keeps its configuration",
        "ACTCLI_EPOCHS has no effect: a run keeps its configuration",
    ]
    assert_same(Path("runs/stopped"), Path("runs/whole"))


def test_data_that_moved_is_accepted(blobs: Blobs) -> None:
    data = blobs(rows=180)
    train(start(data, "whole"))
    folder = stopped(data)
    Path("elsewhere").mkdir()
    moved = data.rename("elsewhere/other.npz")
    told = resume("stopped")
    assert (told.exit_code, told.stderr) == (
        1,
        f"Error: there is no '{data}', which runs/stopped was trained on. "
        "If it was moved, write its new path to runs/stopped/config.toml\n",
    )
    edit("config.toml", re.escape(str(data)), str(moved))(folder)
    assert resume("stopped").exit_code == 0
    for name in ("runs/whole", "runs/stopped"):
        edit("config.toml", r"name = \S+npz.", "name = 0")(Path(name))
    ours, theirs = (
        read_checkpoint(Path(name) / "checkpoint.safetensors").tensors
        for name in ("runs/stopped", "runs/whole")
    )
    assert {k: v.tobytes() for k, v in ours.items()} == {k: v.tobytes() for k, v in theirs.items()}


# Damage ---------------------------------------------------------------------------------------


def test_no_part_of_a_checkpoint_is_one(blobs: Blobs) -> None:
    folder = stopped(blobs(rows=180), 6, "model.hidden=2", "optimizer.name=adam")
    path = folder / "checkpoint.safetensors"
    content = path.read_bytes()
    read_checkpoint(path)
    for size in reversed(range(len(content))):
        os.truncate(path, size)
        with pytest.raises(DataError):
            read_checkpoint(path)


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1),
    inserted=st.binary(max_size=2),
    at=st.floats(0, 1),
)
def test_a_damaged_checkpoint_is_refused_or_comes_to_the_same(
    tmp_path: Path,
    blobs: Blobs,
    assert_same: Same,
    flips: list[tuple[float, int]],
    inserted: bytes,
    at: float,
) -> None:
    if not Path("runs").exists():
        data = blobs(rows=180)
        train(start(data, "whole"))
        stopped(data)
    shutil.copytree("runs/stopped", "runs/damaged", dirs_exist_ok=True)
    content = bytearray(Path(CHECKPOINT).read_bytes())
    for share, change in flips:
        content[int(share * len(content))] ^= change
    place = int(at * len(content))
    content[place:place] = inserted
    Path("runs/damaged/checkpoint.safetensors").write_bytes(content)
    try:
        go_on(Path("runs/damaged"))
    except ActcliError as error:
        refused = str(error)
    else:
        refused = None
        assert_same(Path("runs/damaged"), Path("runs/whole"))
    assert refused is None or "runs/damaged/checkpoint.safetensors" in refused


def test_each_digit_of_a_checkpoint_counts(blobs: Blobs) -> None:
    folder = stopped(blobs(rows=180), 6)
    path = folder / "checkpoint.safetensors"
    content, whole, refused = path.read_bytes(), read_checkpoint(path), 0
    record = content.index(b"checksum")
    digits = [at for at, byte in enumerate(content[:record]) if 48 <= byte < 58 and at > 8]
    assert len(digits) > 100
    for at in np.random.default_rng(0).choice(digits, 100, replace=False):
        damaged = bytearray(content)
        damaged[at] = 48 + (damaged[at] - 47) % 10
        path.write_bytes(damaged)
        try:
            assert read_checkpoint(path).record == whole.record  # beyond a float's precision
        except DataError:
            refused += 1
    assert refused > 90


def test_what_was_recorded_after_the_checkpoint_is_recorded_once(
    blobs: Blobs, assert_same: Same
) -> None:
    data = blobs(rows=180)
    train(start(data, "whole"))
    folder = stopped(data)
    metrics = (folder / "metrics.jsonl").read_text()
    later = metrics.replace('"epoch": 1', '"epoch": 2')
    (folder / "metrics.jsonl").write_text(metrics + later + later[: len(later) // 2])
    assert resume("stopped").exit_code == 0
    assert_same(folder, Path("runs/whole"))


def test_a_line_that_is_still_being_written_is_no_damage(blobs: Blobs) -> None:
    folder = stopped(blobs(rows=180))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "learn')
    told = CliRunner().invoke(main, ["diagnose", "stopped", "--history"], env={"COLUMNS": "100"})
    assert (told.exit_code, told.stderr) == (0, "")
