"""The folder of a sweep: its plan in `sweep.json`, and one run folder for each job.

A run folder appears complete, with its result. A resumed sweep therefore trains exactly the jobs
without a run folder: see `inventory`.
"""

import math
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actcli import jsonlines
from actcli.errors import ActcliError, DataError, UsageError
from actcli.files import open_regular, reading
from actcli.registry import nearest
from actcli.store.folder import NAME, RESULT, Folder
from actcli.store.record import MAX_RESULT_BYTES
from actcli.store.removal import remove_run
from actcli.sweep.names import RUN_NAME

if TYPE_CHECKING:  # imports NumPy
    from actcli.sweep.plan import Job, Plan

PLAN = "sweep.json"
MAX_PLAN_BYTES = 1 << 26  # a plan of 20,000 jobs has some megabytes
MAX_NAME_LENGTH = 255  # of a folder


def open_sweep(runs: Path, name: str) -> Folder:
    """Return the folder of a sweep, locked for this process; create it if it does not exist.

    Raises:
        UsageError: the name is not allowed, or belongs to a folder that is not a sweep.
        ActcliError: the folder cannot be created, or is in use.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"a sweep cannot be named {name!a}", "Allowed: letters, digits, . + - _")
    path = runs / name
    try:
        path.mkdir(parents=True, exist_ok=True)
        is_other = not (path / PLAN).exists() and any(
            not each.name.startswith(".") for each in path.iterdir()
        )
    except OSError as error:
        raise ActcliError(f"cannot create the folder {path}: {error.strerror}") from error
    if is_other:
        raise UsageError(f"{path} exists and is not a sweep", "Choose another --name")
    return Folder(path)


def write_plan(
    folder: Folder, plan: "Plan", jobs: Sequence["Job"], errors: Mapping[str, str]
) -> None:
    """Write `sweep.json`: the planned jobs, and why some cannot be trained."""
    record = {
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
    folder.write(PLAN, f"{jsonlines.dumps(record)}\n".encode())


def complete_runs(folder: Path) -> set[str]:
    """Return the names of the complete runs in the folder of a sweep, which need not exist."""
    try:
        return {run.name for run in folder.iterdir() if run.name[0] != "." and is_complete(run)}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise ActcliError(f"cannot read {folder}: {error.strerror}") from error


def is_complete(run: Path) -> bool:
    """Return whether a run has its result.

    A run with a damaged result is not complete, and is trained again. A run whose result cannot be
    read, for lack of permission for example, may be sound, and counts as complete.
    """
    try:
        with open_regular(run / RESULT) as file:
            record = jsonlines.loads(file.read(MAX_RESULT_BYTES))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return isinstance(record, dict) and "status" in record


def store_run(folder: Path, job: "Job", files: Mapping[str, bytes]) -> None:
    """Write the folder of a run in one step; an incomplete run of that name is replaced.

    Raises:
        UsageError: a folder of that name is not a run, or holds other files.
        ActcliError: the folder cannot be written.
    """
    temporary = folder / f".{job.name}.{secrets.token_hex(4)}.tmp"
    try:
        temporary.mkdir()
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        if is_complete(folder / job.name):
            return
        if (folder / job.name).exists():
            remove_run(folder / job.name)
        temporary.rename(folder / job.name)
    except OSError as error:
        raise ActcliError(f"cannot write {folder / job.name}: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def tidy(folder: Path) -> None:
    """Remove the temporary files and folders of a process that was killed."""
    for path in folder.glob(".*.tmp"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def is_sweep(folder: Path) -> bool:
    """Return whether a folder has the plan of a sweep."""
    return (folder / PLAN).is_file()


def all_sweeps(runs: Path) -> list[Path]:
    """Return the folders of all sweeps, sorted by name."""
    return sorted(path.parent for path in runs.glob(f"*/{PLAN}"))


def find_sweep_folder(name: str | None, runs: Path) -> Path:
    """Return the folder of a sweep by its name or path; without a name, of the newest sweep.

    Raises:
        UsageError: the sweep does not exist; the message has the nearest name.
    """
    folders = all_sweeps(runs)
    if name is None:
        if not folders:
            raise UsageError(f"there is no sweep in {runs}", "See actcli sweep --help")
        return max(folders, key=lambda path: ((path / PLAN).stat().st_mtime_ns, path.name))
    if runs / name in folders:
        return runs / name
    if (Path(name) / PLAN).is_file():
        return Path(name)
    names = [path.name for path in folders]
    guess = nearest(name, names)
    meant = f"Did you mean {guess!r}? " if guess else ""
    listed = ", ".join(names[:10]) or "none"
    raise UsageError(f"there is no sweep {name!a}", f"{meant}Sweeps in {runs}: {listed}")


def read_plan(folder: Path) -> dict[str, Any]:
    """Return the record in `sweep.json`.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    path = folder / PLAN
    try:
        with reading(path, MAX_PLAN_BYTES) as file:
            record: dict[str, Any] = jsonlines.loads(file.read())
        if (
            record["format"] != 1
            or not isinstance(record["shows"], str)
            or not all(isinstance(axis, str) and axis.isprintable() for axis in record["axes"])
            or not record["jobs"]
            or not all(
                RUN_NAME.fullmatch(job["name"])
                and isinstance(job["varied"], list)
                and all(map(_is_value, job["varied"]))
                and len(job["varied"]) == len(record["axes"])
                and isinstance(job["seed"], int)
                and 0 <= job["seed"] < 2**63
                and len(job["name"]) <= MAX_NAME_LENGTH
                and isinstance(job["error"], str | None)
                for job in record["jobs"]
            )
        ):
            raise ValueError
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError):
        raise DataError(f"{path} is not the plan of a sweep") from None
    return record


def _is_value(value: Any) -> bool:
    """Return whether this can be a configuration value: a string, a number, or a list of them."""
    if isinstance(value, list):
        return all(map(_is_value, value)) and not any(isinstance(each, list) for each in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**63)
