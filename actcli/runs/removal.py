"""Removing a run: its own files, one by one, and nothing else.

A folder is not removed as a whole, since it may be no run's, or a link to somewhere else, or hold
what somebody has put beside the files of a run.
"""

import fnmatch
from pathlib import Path

from actcli.errors import ActcliError, UsageError
from actcli.runs.folder import (
    CHECKPOINT,
    CONFIG,
    ENVIRONMENT,
    LOCK,
    METRICS,
    MODEL,
    RESULT,
    Folder,
)

OWN = (CONFIG, ENVIRONMENT, METRICS, MODEL, CHECKPOINT, RESULT, LOCK)
UNFINISHED = ".*.tmp"  # what a process that was killed had not yet put in place


def check_removable(folder: Path) -> None:
    """See that a folder is that of a run, and holds nothing else.

    Raises:
        UsageError: it is not, or does.
        ActcliError: it cannot be read.
    """
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link, and not the folder of a run")
    try:
        entries = sorted(folder.iterdir())
    except NotADirectoryError:
        raise UsageError(f"{folder} is no folder") from None
    except OSError as error:
        raise ActcliError(f"cannot read {folder}: {error.strerror}") from error
    names = {entry.name for entry in entries}
    if not names & {CONFIG, MODEL, METRICS}:
        raise UsageError(f"{folder} is no run: it has neither {CONFIG} nor {MODEL}")
    for entry in entries:
        is_folder = entry.is_dir() and not entry.is_symlink()
        if is_folder or not (entry.name in OWN or fnmatch.fnmatch(entry.name, UNFINISHED)):
            raise UsageError(
                f"{folder} holds {entry.name!a}, which is no file of a run", "Move it away first"
            )


def remove_run(folder: Path) -> None:
    """Remove the files of a run, and then its folder. Links in it are removed, not followed.

    Raises:
        UsageError: it is no run, or holds something else.
        ActcliError: a training writes to it, or it cannot be removed.
    """
    check_removable(folder)
    locked = Folder(folder)
    try:
        # The configuration and the network last: until then it is still seen to be a run.
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
