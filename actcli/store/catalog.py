"""The catalog of runs: find the folders of runs, and summarize each run.

A folder is a run if it has at least one of `FILES_OF_A_RUN`. To list a hundred runs quickly, this
module does not import NumPy: of each run it reads the configuration, the result, the lock and the
last line of the metrics. A damaged run is an entry of the list, too.
"""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from actcli.config.schema import Tables
from actcli.config.sources import assemble_tables, read_toml
from actcli.errors import DataError, UsageError
from actcli.files import open_regular
from actcli.registry import nearest
from actcli.store.folder import CHECKPOINT, CONFIG, LOCK, METRICS, MODEL, RESULT
from actcli.store.record import RunResult, read_last_epoch
from actcli.training.events import Score

MAX_LOCK_BYTES = 1000  # a lock file names a process and a host
STATES = ("finished", "diverged", "training", "unfinished", "damaged")
FILES_OF_A_RUN = (CONFIG, MODEL, METRICS, CHECKPOINT)


@dataclass(frozen=True)
class Summary:
    """The summary of a run. A field is None if the folder does not hold its value.

    Args:
        name: the name of the run.
        path: the path of its folder.
        changed: the time when its configuration was written, in seconds since 1970.
        state: one of `STATES`.
        fault: the fault of a damaged run, in words.
        config: the complete configuration.
        epochs: the number of epochs trained.
        test_loss: test loss of the kept model of a finished run.
        test_accuracy: test accuracy of the kept model of a finished run.
        validation_loss: validation loss after the last epoch; None without validation rows.
        validation_accuracy: validation accuracy after the last epoch; None without validation rows.
        dead: share of hidden units that no training row activates, for a finished run.
        verdict: the rule of the worst finding at the end of the training, or "healthy".
        silent: share of hidden units that no row of a small sample activated after the last epoch;
            at least the share of dead units.
    """

    name: str
    path: Path
    changed: float
    state: str
    fault: str | None = None
    config: Tables | None = None
    epochs: int | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    dead: float | None = None
    verdict: str | None = None
    silent: float | None = None


def run_folders(runs: Path) -> list[Path]:
    """Return the folders of all runs, sorted by name, including damaged runs.

    Folders whose name starts with a dot are temporary and left out.
    """
    return sorted(
        {
            path.parent
            for name in FILES_OF_A_RUN
            for path in runs.glob(f"*/{name}")
            if not path.parent.name.startswith(".")
        }
    )


def usable_runs(runs: Path) -> list[Path]:
    """Return the folders of the runs that have a model or a checkpoint, sorted by name."""
    return [folder for folder in run_folders(runs) if is_usable(folder)]


def is_usable(folder: Path) -> bool:
    """Return whether a folder has a model, or a checkpoint from which to write the model."""
    return any((folder / name).is_file() for name in (MODEL, CHECKPOINT))


def is_run(target: str, runs: Path) -> bool:
    """Return whether a text is the name of a run or the path of its folder."""
    return is_name(target, runs) or is_usable(Path(target)) or is_in_sweep(target, runs)


def is_name(target: str, runs: Path) -> bool:
    """Return whether a text is the name of a run; `./relu` is not, even if `relu` is one."""
    return target not in {"", ".."} and Path(target).name == target and is_usable(runs / target)


def is_in_sweep(target: str, runs: Path) -> bool:
    """Return whether a text is the name of a sweep and of one of its runs: SWEEP/RUN."""
    parts = Path(target).parts
    return len(parts) == 2 and not {"/", ".."} & {*parts} and is_usable(runs / target)


def newest(runs: Path) -> Path:
    """Return the folder of the run that was started last.

    Raises:
        UsageError: there is no run.
    """
    folders = [folder for folder in usable_runs(runs) if (folder / CONFIG).is_file()]
    if not folders:
        raise UsageError(f"there is no run in {runs}", "Make one: actcli train")
    return max(folders, key=lambda folder: ((folder / CONFIG).stat().st_mtime_ns, folder.name))


def find_run(target: str, runs: Path, or_file: bool = False) -> Path:
    """Return the folder of a run.

    Args:
        target: the name of the run (SWEEP/RUN in a sweep), or the path of its folder.
        runs: the folder of all runs.
        or_file: whether the path of a file is allowed, too; it is returned unchanged.

    Raises:
        UsageError: there is no such run or file; the message has the nearest name.
    """
    if is_name(target, runs):
        return runs / target
    path = Path(target)
    if is_in_sweep(target, runs) and not is_usable(path):
        return runs / target
    is_folder = target != "" and path.is_dir()  # an empty path is the current folder
    if is_folder and not is_usable(path):
        if or_file:
            _refuse_model_folder(path)
        raise UsageError(f"{target} is not a run: it has no {MODEL}")
    if is_folder or (or_file and path.is_file()):
        return path
    names = [folder.name for folder in usable_runs(runs)]
    guess = nearest(target, names)
    hint = f"Did you mean {guess!r}? " if guess else ""
    raise UsageError(
        f"there is no run{' or file' if or_file else ''} {target!a}",
        f"{hint}Runs in {runs}: {', '.join(names[:10]) or 'none'}",
    )


def _refuse_model_folder(path: Path) -> None:
    """Raise if a folder holds a model of another framework."""
    from actcli.formats.signatures import folder_hint  # imports NumPy, which help does not need

    if known := folder_hint(path):
        kind, how_to_save = known
        raise UsageError(f"{path} is {kind}, a folder", how_to_save)


def summarize(folder: Path) -> Summary:
    """Return the summary of a run. A damaged run gives a summary with a fault, not an error."""
    changed = max((modified(folder / name) for name in (CONFIG, MODEL, METRICS)), default=0.0)
    if (folder / CONFIG).is_file():
        changed = modified(folder / CONFIG)
    try:
        return _read(folder, changed)
    except (DataError, UsageError) as error:
        fault = str(error).replace(f"{folder}/", "").splitlines()[0]
        return Summary(folder.name, folder, changed, "damaged", fault=fault)


def _read(folder: Path, changed: float) -> Summary:
    for name in (CONFIG, MODEL, METRICS):
        if not (folder / name).is_file():
            raise DataError(f"{name} is missing")
    config = assemble_tables(read_toml(folder / CONFIG, CONFIG))
    last = read_last_epoch(folder / METRICS, len(config.model.hidden) + 1)
    result = RunResult.read(folder / RESULT)
    validation = last.validation if last else None
    test = result.test if result else None
    units = sum(config.model.hidden)
    silent = last.health.silent if last and last.health else ()
    return Summary(
        name=folder.name,
        path=folder,
        changed=changed,
        state=result.status if result else _state(folder),
        config=config,
        epochs=last.epoch if last else 0,
        test_loss=_finite_loss(test),
        test_accuracy=test.accuracy if test else None,
        validation_loss=_finite_loss(validation),
        validation_accuracy=validation.accuracy if validation else None,
        dead=result.dead if result else None,
        verdict=result.verdict if result else None,
        silent=sum(silent) / units if silent and units else None,
    )


def _finite_loss(score: Score | None) -> float | None:
    return score.loss if score and score.loss == score.loss else None


def _state(folder: Path) -> str:
    """Return the state of a run without a result.

    The state is "training" if the process that the lock file names is alive, else "unfinished".
    """
    try:
        with open_regular(folder / LOCK) as file:
            words = file.read(MAX_LOCK_BYTES).decode(errors="replace").split()
        process, host = int(words[1]), words[3]
        if host == socket.gethostname():
            os.kill(process, 0)
            return "training"
    except PermissionError:  # the process of another user
        return "training"
    except (OSError, ValueError, IndexError, OverflowError):
        pass
    return "unfinished"


def modified(path: Path) -> float:
    """Return when a file was written, in seconds since 1970; 0 if it does not exist."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
