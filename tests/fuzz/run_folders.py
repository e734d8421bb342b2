"""Fuzz run folders: whatever a file of a run holds, each command gives a result or one clear error.

A case damages one file of a run, or two, and runs a command that reads the run. A case fails if the
command ends with a traceback, a warning or an exit code above 3, takes more than ten seconds, needs
more than a gigabyte of memory, or writes no error or several ones, a control character, or JSON
that is not strict. A case is a function of the seed and
its number: `--only` repeats one.

    .venv/bin/python tests/fuzz/run_folders.py --count 20000 --seed 1
    .venv/bin/python tests/fuzz/run_folders.py --seed 1 --only 1234

The test suite runs a few hundred cases. Each fault that more of them find becomes a test.
"""

import argparse
import contextlib
import faulthandler
import json
import os
import random
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
from click.testing import CliRunner, Result
from damage import damage

from actcli.cli import main
from actcli.config.resolved import ResolvedConfig
from actcli.config.sources import Setting, assemble, parse_assignment

MAX_SECONDS = 10  # of a command
BYTES = 1_000_000_000  # of address space, beyond what the process has before the command
MAX_LINES = 25  # on stderr; a configuration has up to 20 mistakes, one on each line
MAX_CHARACTERS = 10_000
EXIT_CODES = {0, 1, 2, 3}
CONTROL = {chr(code) for code in (*range(32), *range(127, 160))} - {"\n"}

# The runs, each with its settings as --set takes them.
SMALL = "data.name=blobs.npz model.hidden=4,3 training.epochs=3 training.workers=1"
RUNS = {
    "whole": f"{SMALL} training.patience=2",
    "other": f"{SMALL} data.validation=0 model.activation=tanh",
    "stopped": f"{SMALL} optimizer.name=adam model.dropout=0.2 training.epochs=4",
    "lost": f"{SMALL} optimizer.learning_rate=1e30",
}
RUN_FILES = [
    *("config.toml", "environment.json", "metrics.jsonl", "result.json"),
    *("model.safetensors", "checkpoint.safetensors", ".lock"),
]
SWEEP = "swept"
SWEEP_OPTIONS = SMALL
SWEEP_SETS = " ".join(f"--set {assignment}" for assignment in SWEEP_OPTIONS.split())
VARY = "model.activation=relu,tanh"
SWEEP_SHARE = 0.2  # of the cases

# Commands that read a run; RUN is its name. Each line is a command with its options.
COMMANDS = """
runs
runs --json
runs --csv
runs --save saved.html
runs rm RUN --yes
compare RUN other
compare other RUN --json
compare RUN other --no-verdict --goal 0.5
compare RUN other --csv
compare other RUN --save saved.svg
diagnose RUN
diagnose RUN --json
diagnose RUN --csv
diagnose RUN --history --save saved.svg
diagnose RUN --history
diagnose RUN --history --json
diagnose RUN --only confusion,activations,weights --history
diagnose RUN --only confusion,activations,weights --csv
diagnose RUN --csv weights --rows 20
diagnose RUN --at-init
diagnose RUN --rows 20 --split test --only gradients,units
diagnose RUN --split validation --fail-on error
diagnose --history
diagnose runs/RUN
diagnose runs/RUN/model.safetensors --dataset blobs.npz
diagnose runs/RUN/config.toml --at-init --rows 20
predict RUN
predict RUN --json
predict RUN --worst 2 --save saved.txt
predict RUN --worst 2
predict RUN --index 3 --split train
predict
predict runs/RUN/model.safetensors --dataset blobs.npz --json
train --resume RUN
train --resume RUN -q --json
train --resume RUN --epochs 5 -q
train --resume RUN --dry-run
fix RUN --dry-run
fix RUN --dry-run --json
train runs/RUN/config.toml --dry-run
train runs/RUN/config.toml --dry-run --json
doctor --json
complete actcli diagnose
complete actcli train --resume
""".strip().splitlines()

SWEEP_COMMANDS = f"""
sweep show
sweep show swept --json
sweep show swept --csv
sweep show swept --all
sweep show --save saved.svg
sweep --vary {VARY} --name swept {SWEEP_SETS} --dry-run
sweep --vary {VARY} --name swept {SWEEP_SETS} --dry-run --json
runs
runs --json
diagnose swept
diagnose RUN
compare RUN other
predict RUN
""".strip().splitlines()


@dataclass(frozen=True)
class Case:
    """A command after damage to some files.

    Args:
        files: the damaged files.
        damages: what was done to each.
        command: the arguments of the command.
        fault: what is wrong with its outcome; None if nothing is.
    """

    files: Sequence[str]
    damages: Sequence[str]
    command: str
    fault: str | None

    def __str__(self) -> str:
        done = ", ".join(map(": ".join, zip(self.files, self.damages, strict=True)))
        return f"{done}; actcli {self.command}\n{self.fault}"


class Hang(BaseException):
    """A command that takes longer than `SECONDS`; no handler of the command catches it."""


def make_runs(folder: Path) -> None:
    """Fill a folder with a data set and runs: whole, other, stopped, lost, and a sweep of two."""
    from actcli.errors import DivergedError
    from actcli.store.start import start_run
    from actcli.training.events import EpochDone

    rng = np.random.default_rng(0)
    arrays = {}
    for part in ("train", "test"):
        arrays[f"x_{part}"] = rng.integers(0, 256, (60, 6), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(60) % 3
    np.savez(folder / "blobs.npz", **arrays)

    with contextlib.chdir(folder):
        for name, options in RUNS.items():
            run = start_run(resolved(options), Path("runs"), name)
            with contextlib.closing(run), contextlib.suppress(DivergedError):
                for event in run.train():
                    if name == "stopped" and isinstance(event, EpochDone) and event.epoch == 2:
                        run.save()
                        break
                else:
                    run.finish()
        make_sweep()


def make_sweep() -> None:
    """Train the jobs of the sweep in this process, and write its folder."""
    from actcli.datasets.dataset import read_dataset
    from actcli.store.folder import Folder
    from actcli.sweep.axes import parse_axis
    from actcli.sweep.plan import Plan
    from actcli.sweep.store import store_run, write_plan
    from actcli.sweep.worker import Worker

    plan = Plan(settings(SWEEP_OPTIONS), (parse_axis(VARY),))
    jobs = plan.jobs()
    path = Path("runs", SWEEP)
    path.mkdir()
    worker = Worker({jobs[0].config.data.source: read_dataset("blobs.npz")})
    with mock.patch.dict(os.environ, OPENBLAS_NUM_THREADS="1"):
        for job in jobs:
            store_run(path, job, worker.train(job.name, job.config))
    folder = Folder(path)
    write_plan(folder, plan, jobs, {})
    folder.close()


def settings(options: str) -> tuple[Setting, ...]:
    """Return the settings of some assignments, as --set takes them."""
    return tuple(map(parse_assignment, options.split()))


def resolved(options: str) -> ResolvedConfig:
    return assemble(settings(options)).resolve()


class RunFolders:
    """Runs that are damaged and restored, case by case.

    Args:
        folder: an empty folder.
        seed: of all cases.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.intact, self.work = folder / "intact", folder / "work"
        self.intact.mkdir()
        make_runs(self.intact)
        shutil.copytree(self.intact, self.work)
        self.jobs = sorted(path.name for path in (self.work / "runs" / SWEEP).iterdir())
        self.jobs.remove("sweep.json")

    def try_case(self, number: int) -> Case:
        """Damage files, run a command, restore the files, and return the outcome."""
        rng = random.Random(f"{self.seed}:{number}")
        is_sweep = rng.random() < SWEEP_SHARE
        name = SWEEP if is_sweep else rng.choice(list(RUNS))
        folder = Path("runs", name)
        files = [folder / each for each in rng.sample(RUN_FILES, rng.choice([1, 1, 1, 2]))]
        command = rng.choice(COMMANDS).replace("RUN", name)
        if is_sweep:
            run = folder / rng.choice(self.jobs)
            files = [rng.choice([folder / "sweep.json", run / rng.choice(RUN_FILES)])]
            command = rng.choice(SWEEP_COMMANDS).replace("RUN", str(run))
        with contextlib.chdir(self.work):
            damages = [damage(file, rng) for file in files]
            fault = outcome_of(command) or fault_of_picture(command)
            shutil.rmtree(folder, ignore_errors=True)  # a command may have removed it
            shutil.copytree(self.intact / folder, folder)
        return Case(tuple(map(str, files)), damages, command, fault)


def outcome_of(command: str) -> str | None:
    """Run a command, and return what is wrong with its outcome; None if nothing is."""
    start = time.monotonic()
    try:
        with limits():
            result = run_command(command)
    except Hang:
        return f"a hang: {traceback.format_exc(limit=-8)}"
    except Exception:  # of Click's own runner: also a fault of the command
        return traceback.format_exc(limit=-8)
    if (seconds := time.monotonic() - start) > MAX_SECONDS:
        return f"{seconds:.1f} seconds"
    return fault_of(command, result)


def run_command(command: str) -> Result:
    if not command.startswith("complete "):
        return CliRunner().invoke(main, command.split())
    words = command.removeprefix("complete ") + " "
    env = {"_ACTCLI_COMPLETE": "bash_complete", "COMP_WORDS": words}
    env["COMP_CWORD"] = str(words.count(" "))
    return CliRunner().invoke(main, [], prog_name="actcli", env=env)


def fault_of(command: str, result: Result) -> str | None:
    """Return what is wrong with a result; None if nothing is."""
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    fault = None
    if not isinstance(result.exception, SystemExit | None):
        fault = "".join(traceback.format_exception(result.exception, limit=-8))
    elif result.exit_code not in EXIT_CODES:
        fault = f"exit code {result.exit_code}: {result.stderr}"
    elif "not enough memory" in result.stderr:
        fault = result.stderr
    elif control := set(result.output) & CONTROL:
        fault = f"control characters {control}: {result.output!r}"
    elif len(errors) != (result.exit_code in {1, 2}):
        fault = f"{len(errors)} errors, exit code {result.exit_code}: {result.stderr}"
    elif len(result.stderr) > MAX_CHARACTERS or result.stderr.count("\n") > MAX_LINES:
        fault = f"{len(result.stderr):,} characters on stderr: {result.stderr[:200]}"
    elif "--json" in command and result.stdout:
        fault = fault_of_json(result.stdout)
    return fault


def fault_of_json(text: str) -> str | None:
    """Return what is wrong with the output of --json; None for one line of strict JSON."""
    try:
        json.loads(text, parse_constant=refuse)
    except ValueError as error:
        return f"{error}: {text}"
    return None


def fault_of_picture(command: str) -> str | None:
    """Return what is wrong with the file of --save, and remove it; None if nothing is."""
    path = Path(command.rpartition(" ")[2])
    if "--save" not in command or not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    path.unlink()
    control = set(text) & CONTROL
    return f"control characters {control} in {path}" if control else None


def refuse(constant: str) -> None:
    """Raise: JSON has neither NaN nor Infinity."""
    raise ValueError(f"{constant} is not JSON")


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Limit the time and the memory of a command; warnings are errors."""

    def hang(*_: object) -> None:
        raise Hang

    previous = signal.signal(signal.SIGALRM, hang)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, hard))
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS, 1)  # again, if a `finally` hangs too
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, previous)


def fuzz(folders: RunFolders, numbers: Iterable[int]) -> list[str]:
    """Try cases, and return the faulty ones."""
    faulty = []
    for number in numbers:
        case = folders.try_case(number)
        if case.fault:
            faulty.append(f"--seed {folders.seed} --only {number}: {case}")
    return faulty


def fuzz_from_shell() -> int:
    """Read the options, try the cases, write the faulty ones, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="number of cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--only", type=int, help="the number of a single case, which is shown")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.count)
    if options.only is not None:
        numbers = range(options.only, options.only + 1)
    start, faulty = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        folders = RunFolders(Path(folder), options.seed)
        for number in numbers:
            # A hang outside of Python ends the process with a traceback.
            faulthandler.dump_traceback_later(3 * MAX_SECONDS, exit=True)
            case = folders.try_case(number)
            if case.fault or options.only is not None:
                faulty += case.fault is not None
                print(f"--seed {options.seed} --only {number}: {case}\n", flush=True)
        faulthandler.cancel_dump_traceback_later()
    print(f"{len(numbers):,} commands in {time.monotonic() - start:.0f} s: {faulty} faulty")
    return faulty > 0


if __name__ == "__main__":
    raise SystemExit(fuzz_from_shell())
