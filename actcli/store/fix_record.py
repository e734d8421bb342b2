"""The record of a fix, `fix.json`: the tries, and the run before and after them.

A fix leaves its run as it is, so the record lies in the folder of each try: it holds the tries up
to this one. The record that was written last is the whole one: the object of `actcli fix --json`.
"""

import re
from pathlib import Path
from typing import Any

from actcli import jsonlines
from actcli.errors import DataError
from actcli.files import reading, write
from actcli.store.catalog import modified, run_folders
from actcli.store.fix_result import FixResult
from actcli.store.folder import FIX

MAX_BYTES = 1 << 24

SIDE = {"run": str, "verdict": str, "rows": str, "accuracy": float, "class_accuracy": float}
SIDE |= {"test": float}
TRY = {"number": int, "rule": str, "reason": str, "changes": dict, "base": str, "outcome": str}


def write_fix(result: FixResult, folder: Path) -> None:
    """Write the record of a fix into the folder of its newest try.

    Raises:
        ActcliError: the file cannot be written.
    """
    write(folder / FIX, f"{jsonlines.dumps(result.to_dict())}\n".encode())


def tries_of(folder: Path, runs: Path) -> list[Path]:
    """Return the folders of the tries to fix a run, in their order."""
    pattern = re.compile(re.escape(folder.absolute().name) + r"-fix-(\d{1,9})")
    numbered = [
        (int(match[1]), each)
        for each in run_folders(runs)
        if (match := pattern.fullmatch(each.name))
    ]
    return [each for _, each in sorted(numbered)]


def find_fix(folder: Path) -> dict[str, Any] | None:
    """Return the record of the fix of a run, or of the fix whose try it is; None if there is none.

    Raises:
        DataError: the record is damaged.
    """
    runs = folder.parent if folder.name else folder.absolute().parent  # "." is a folder, too
    tries = tries_of(folder, runs)
    newest_first = sorted(tries, key=lambda each: modified(each / FIX), reverse=True)
    for each in (*newest_first, folder):
        record = read_fix(each / FIX)
        if record and folder.absolute().name in {record["before"]["run"], *_runs(record)}:
            return record
    return None


def _runs(record: dict[str, Any]) -> list[str]:
    return [each["after"]["run"] for each in record["tries"] if each["after"]]


def read_fix(path: Path) -> dict[str, Any] | None:
    """Return the record in a file; None if the file does not exist.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    try:
        with reading(path, MAX_BYTES) as file:
            record: dict[str, Any] = jsonlines.loads(file.read())
        for side in (record["before"], record["after"]):
            _check(side, SIDE)
        _check(record, {"changes": dict, "tries": list, "healthy": bool, "measure": str})
        for attempt in record["tries"]:
            _check(attempt, TRY)
            if attempt["after"] is not None:
                _check(attempt["after"], SIDE)
                _check(attempt, {"gain": float})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, LookupError):
        raise DataError(f"{path} is not the record of a fix") from None
    return record


def _check(record: Any, kinds: dict[str, type]) -> None:
    """Raise `TypeError` if a field is not of its kind."""
    for name, kind in kinds.items():
        value = record[name]
        is_right = isinstance(value, int | float if kind is float else kind)
        if not is_right or isinstance(value, bool) != (kind is bool):
            raise TypeError
