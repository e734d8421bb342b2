"""Removal of a run: the files of the run are removed one by one, and nothing else.

A folder is never removed with all its contents: it may not be a run, may be a link, or may hold
files that a user has added.
"""

import fnmatch
from pathlib import Path

from actcli.errors import ActcliError, UsageError
from actcli.store.folder import (
    CHECKPOINT,
    CONFIG,
    ENVIRONMENT,
    FIX,
    LOCK,
    METRICS,
    MODEL,
    RESULT,
    Folder,
)

RUN_FILES = (CONFIG, ENVIRONMENT, METRICS, MODEL, CHECKPOINT, RESULT, FIX, LOCK)
TEMPORARY = ".*.tmp"  # files of a killed process


def check_removable(folder: Path) -> None:
    """Raise if a folder is not a run, or holds anything besides the files of a run.

    Raises:
        UsageError: the folder is not a run, or holds anything else.
        ActcliError: the folder cannot be read.
    """
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link, not the folder of a run")
    try:
        entries = sorted(folder.iterdir())
    except NotADirectoryError:
        raise UsageError(f"{folder} is not a folder") from None
    except OSError as error:
        raise ActcliError(f"cannot read {folder}: {error.strerror}") from error
    names = {entry.name for entry in entries}
    if not names & {CONFIG, MODEL, METRICS, CHECKPOINT}:
        raise UsageError(f"{folder} is not a run: it has neither {CONFIG} nor {MODEL}")
    for entry in entries:
        is_folder = entry.is_dir() and not entry.is_symlink()
        if is_folder or not (entry.name in RUN_FILES or fnmatch.fnmatch(entry.name, TEMPORARY)):
            raise UsageError(
                f"{folder} holds {entry.name!a}, which is not a file of a run", "Move it away first"
            )


def remove_run(folder: Path) -> None:
    """Remove the files of a run, and then its folder. Links in it are removed, not followed.

    Raises:
        UsageError: the folder is not a run, or holds something else.
        ActcliError: a training writes to the folder, or it cannot be removed.
    """
    check_removable(folder)
    locked = Folder(folder)
    try:
        # Configuration and model last: until then the folder is still recognised as a run.
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name in {CONFIG, MODEL}):
            if entry.name != LOCK:
                entry.unlink()
    except OSError as error:
        raise ActcliError(f"cannot remove {error.filename}: {error.strerror}") from error
    finally:
        locked.close()
    try:
        folder.rmdir()
    except OSError as error:
        raise ActcliError(f"cannot remove {folder}: {error.strerror}") from error
