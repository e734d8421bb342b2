"""Which run a user means: by its name, by its folder, or the newest. None of it needs NumPy."""

from pathlib import Path

from actcli.errors import UsageError
from actcli.registry import nearest
from actcli.runs.folder import CHECKPOINT, CONFIG, MODEL


def is_run(target: str, runs: Path) -> bool:
    """Whether it names a run or is the folder of one."""
    return is_name(target, runs) or is_kept(Path(target))


def is_name(target: str, runs: Path) -> bool:
    """Whether it names a run; a path such as ./relu does not, even if there is a run `relu`."""
    return target not in {"", ".."} and Path(target).name == target and is_kept(runs / target)


def is_kept(folder: Path) -> bool:
    """Whether a folder is that of a run; one that lost its network can still be resumed."""
    return any((folder / name).is_file() for name in (MODEL, CHECKPOINT))


def all_runs(runs: Path) -> list[Path]:
    """The folders of all runs, by name. What starts with a dot is still being made."""
    return sorted(
        path for path in runs.glob("*") if not path.name.startswith(".") and is_kept(path)
    )


def newest(runs: Path) -> Path:
    """The folder of the run that was started last.

    Raises:
        UsageError: there is none.
    """
    found = [folder for folder in all_runs(runs) if (folder / CONFIG).is_file()]
    if not found:
        raise UsageError(f"there is no run in {runs}", "Make one: actcli train")
    return max(found, key=lambda folder: ((folder / CONFIG).stat().st_mtime_ns, folder.name))


def find_run(target: str, runs: Path, or_file: bool = False) -> Path:
    """The folder of a run, by its name or path.

    Args:
        target: as typed.
        runs: the folder of the runs.
        or_file: whether a file will do, too.

    Raises:
        UsageError: there is no such thing; the message has the nearest name.
    """
    if is_name(target, runs):
        return runs / target
    path = Path(target)
    is_folder = target != "" and path.is_dir()  # an empty path is the current folder
    if is_folder and not is_kept(path):
        raise UsageError(f"{target} is no run: it has no {MODEL}")
    if is_folder or (or_file and path.is_file()):
        return path
    known = [folder.name for folder in all_runs(runs)]
    guess = nearest(target, known)
    hint = f"Did you mean {guess!r}? " if guess else ""
    raise UsageError(
        f"there is no run{' or file' if or_file else ''} {target!a}",
        f"{hint}Runs in {runs}: {', '.join(known[:10]) or 'none'}",
    )
