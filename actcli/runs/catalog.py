"""What a run's folder tells at a glance: its configuration, how it ended, its last epoch.

Three small files are read, and of the metrics the last line alone: a hundred runs are listed
at once. A folder that is damaged is told of, and keeps no other from being listed.
"""

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli.config.schema import Tables
from actcli.config.sources import assemble_tables, read_toml
from actcli.errors import UsageError
from actcli.runs.folder import CONFIG, LOCK, METRICS, MODEL, RESULT

TAIL = 1 << 16  # bytes at the end of the metrics that are read at first; a line has some hundred
STATES = ("finished", "diverged", "training", "unfinished", "damaged")


@dataclass(frozen=True)
class Summary:
    """A run at a glance; what a damaged folder does not tell is None.

    Args:
        name: of the folder.
        path: the folder.
        changed: when its configuration was written, in seconds of the epoch.
        state: one of `STATES`.
        fault: what is damaged.
        config: complete.
        epochs: that were trained.
        test_loss, test_accuracy: of the network that is kept; only of a run that is finished.
        validation_loss, validation_accuracy: after the last epoch; None without such rows.
        dead: the share of hidden units that no training row activates; of a finished run.
        verdict: what was found at the end of its training: a rule, or "healthy".
        silent: the share of hidden units that no row of the probe activated in the last epoch, at
            least as many as are dead; None if nobody looked.
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


class _DamageError(Exception):
    """A file of the folder does not tell what it should."""


def run_folders(runs: Path) -> list[Path]:
    """The folders with at least one file of a run, by name; those with a dot are still made."""
    return sorted(
        {
            path.parent
            for name in (CONFIG, MODEL, METRICS)
            for path in runs.glob(f"*/{name}")
            if not path.parent.name.startswith(".")
        }
    )


def summarize(folder: Path) -> Summary:
    """Read what a folder tells. It never fails."""
    changed = max((_changed(folder / name) for name in (CONFIG, MODEL, METRICS)), default=0.0)
    if (folder / CONFIG).is_file():
        changed = _changed(folder / CONFIG)
    try:
        return _read(folder, changed)
    except _DamageError as error:
        return Summary(folder.name, folder, changed, "damaged", fault=str(error))


def _read(folder: Path, changed: float) -> Summary:
    for name in (CONFIG, MODEL, METRICS):
        if not (folder / name).is_file():
            raise _DamageError(f"{name} is missing")
    try:
        config = assemble_tables(read_toml(folder / CONFIG, CONFIG))
    except UsageError as error:
        told = str(error).replace(f"{folder / CONFIG}", CONFIG)
        raise _DamageError(told.splitlines()[0]) from error
    last = _last(folder / METRICS)
    result = _result(folder / RESULT)
    try:
        validation, test = last.get("validation") or {}, result.get("test") or {}
        return Summary(
            name=folder.name,
            path=folder,
            changed=changed,
            state=result.get("status") or _state(folder),
            config=config,
            epochs=int(last.get("epoch", 0)),
            test_loss=_number(test, "loss"),
            test_accuracy=_number(test, "accuracy"),
            validation_loss=_number(validation, "loss"),
            validation_accuracy=_number(validation, "accuracy"),
            dead=_number(result, "dead"),
            verdict=_text(result, "verdict"),
            silent=_silent(last, config),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise _DamageError(f"{METRICS} or {RESULT} is not as a training writes it") from error


def _result(path: Path) -> dict[str, Any]:
    """How the run ended; nothing if it did not."""
    if not path.exists():
        return {}
    found = _parsed(path, path.read_bytes)
    if found.get("status") not in STATES[:2]:
        raise _DamageError(f"{RESULT} does not say how the run ended")
    return found


def _last(path: Path) -> dict[str, Any]:
    """The record of the last epoch; nothing before the first."""
    return _parsed(path, lambda: _last_line(path) or b"{}")


def _last_line(path: Path) -> bytes:
    """The last line that is complete."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        length = TAIL
        while True:
            file.seek(max(0, size - length))
            lines = file.read().split(b"\n")[:-1]  # what follows the last line end is not complete
            if len(lines) > 1 or length >= size:
                return lines[-1] if lines else b""
            length *= 4


def _parsed(path: Path, read: Callable[[], bytes]) -> dict[str, Any]:
    try:
        found = json.loads(read())
    except OSError as error:
        raise _DamageError(f"cannot read {path.name}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _DamageError(f"{path.name} is not JSON") from error
    if not isinstance(found, dict):
        raise _DamageError(f"{path.name} is not as a training writes it")
    return found


def _number(score: dict[str, Any], name: str) -> float | None:
    value = score.get(name)
    return None if value is None else float(value)


def _text(record: dict[str, Any], name: str) -> str | None:
    value = record.get(name)
    return None if value is None else str(value)


def _silent(last: dict[str, Any], config: Tables) -> float | None:
    counts, units = (last.get("health") or {}).get("silent"), sum(config.model.hidden)
    return sum(map(int, counts)) / units if counts and units else None


def _state(folder: Path) -> str:
    """Of a run that has not ended: whether the process that its lock names is there."""
    try:
        words = (folder / LOCK).read_text(encoding="utf-8", errors="replace").split()
        process, host = int(words[1]), words[3]
        if host == socket.gethostname():
            os.kill(process, 0)
            return "training"
    except PermissionError:  # of another user
        return "training"
    except (OSError, ValueError, IndexError, OverflowError):
        pass
    return "unfinished"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
