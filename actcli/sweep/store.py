"""The folder of a sweep: its plan in `sweep.json`, and a run in a folder of its own for each job.

A run appears whole, with its result. So what is there is finished, and a sweep that was interrupted
goes on with what is not.
"""

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actcli import jsonlines
from actcli.errors import ActcliError, DataError, UsageError
from actcli.registry import nearest
from actcli.store.folder import NAME, RESULT, Folder
from actcli.store.removal import remove_run

if TYPE_CHECKING:  # which needs NumPy
    from actcli.sweep.plan import Job, Plan

PLAN = "sweep.json"


def open_sweep(runs: Path, name: str) -> Folder:
    """The folder of a sweep, made if it is not there, for this process alone.

    Raises:
        UsageError: the name is no name of a folder, or there is something else of that name.
        ActcliError: it cannot be made, or is in use.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"a sweep cannot be named {name!a}", "Letters, digits and . + - _")
    path = runs / name
    try:
        path.mkdir(parents=True, exist_ok=True)
        strange = not (path / PLAN).exists() and any(
            not each.name.startswith(".") for each in path.iterdir()
        )
    except OSError as error:
        raise ActcliError(f"cannot make the folder {path}: {error.strerror}") from error
    if strange:
        raise UsageError(f"{path} is there already, and no sweep", "Give another --name")
    return Folder(path)


def write_plan(
    folder: Folder, plan: "Plan", jobs: Sequence["Job"], errors: Mapping[str, str]
) -> None:
    """Write down what was planned, and which jobs could not be trained."""
    told = {
        "format": 1,
        "shows": plan.shows,
        "axes": [str(axis.key) for axis in plan.axes],
        "jobs": [
            {
                "name": job.name,
                "varied": job.varied,
                "seed": job.seed,
                "error": errors.get(job.name, job.error),
            }
            for job in jobs
        ],
    }
    folder.write(PLAN, f"{jsonlines.dumps(told)}\n".encode())


def is_done(folder: Path, job: "Job") -> bool:
    """Whether the run of a job is there. One whose result is damaged is not, and is trained again;
    one whose result cannot be read may be sound, and is left alone."""
    try:
        told = json.loads((folder / job.name / RESULT).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, RecursionError):
        return False
    except OSError:
        return True
    return isinstance(told, dict) and "status" in told


def store_run(folder: Path, job: "Job", files: Mapping[str, bytes]) -> None:
    """Make the folder of a run, whole; one of that name whose run is not finished is replaced.

    Raises:
        UsageError: there is something else of that name, or in it.
        ActcliError: it cannot be made.
    """
    temporary = folder / f".{job.name}.{secrets.token_hex(4)}.tmp"
    try:
        temporary.mkdir()
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        if is_done(folder, job):
            return
        if (folder / job.name).exists():
            remove_run(folder / job.name)
        temporary.rename(folder / job.name)
    except OSError as error:
        raise ActcliError(f"cannot write {folder / job.name}: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def tidy(folder: Path) -> None:
    """Remove what a process that was killed had not yet put in place."""
    for path in folder.glob(".*.tmp"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def all_sweeps(runs: Path) -> list[Path]:
    """The folders of all sweeps, by name."""
    return sorted(path.parent for path in runs.glob(f"*/{PLAN}"))


def find_sweep_folder(name: str | None, runs: Path) -> Path:
    """The folder of a sweep by its name or path, or of the one that was begun last.

    Raises:
        UsageError: there is none; the message has the nearest name.
    """
    known = all_sweeps(runs)
    if name is None:
        if not known:
            raise UsageError(f"there is no sweep in {runs}", "See actcli sweep --help")
        return max(known, key=lambda path: ((path / PLAN).stat().st_mtime_ns, path.name))
    if runs / name in known:
        return runs / name
    if (Path(name) / PLAN).is_file():
        return Path(name)
    names = [path.name for path in known]
    guess = nearest(name, names)
    meant = f"Did you mean {guess!r}? " if guess else ""
    listed = ", ".join(names[:10]) or "none"
    raise UsageError(f"there is no sweep {name!a}", f"{meant}Sweeps in {runs}: {listed}")


def read_plan(folder: Path) -> dict[str, Any]:
    """What was planned.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    path = folder / PLAN
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if (
            told["format"] != 1
            or not isinstance(told["shows"], str)
            or not all(isinstance(axis, str) for axis in told["axes"])
            or not told["jobs"]
            or not all(
                NAME.fullmatch(job["name"])
                and isinstance(job["varied"], list)
                and all(map(_is_value, job["varied"]))
                and len(job["varied"]) == len(told["axes"])
                and isinstance(job["seed"], int)
                and isinstance(job["error"], str | None)
                for job in told["jobs"]
            )
        ):
            raise ValueError
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, RecursionError):
        raise DataError(f"{path} is not the plan of a sweep") from None
    return told


def _is_value(told: Any) -> bool:
    """Whether it is one of a configuration: a string, a number, or a list of such."""
    if isinstance(told, list):
        return all(isinstance(each, str | int | float) for each in told)
    return isinstance(told, str | int | float)
