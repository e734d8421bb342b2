"""The target of a command, by the name or the path that a user gives."""

from pathlib import Path

from actcli.cli.sweep_targets import find_run
from actcli.config.sources import assemble, examples, find_config, read_toml
from actcli.datasets.download import Progress
from actcli.errors import UsageError
from actcli.store.catalog import is_run, usable_runs
from actcli.store.targets import (
    Overrides,
    Target,
    file_target,
    initial_target,
    overridden,
    run_target,
)

__all__ = ["Overrides", "Target", "find_target"]


def find_target(
    target: str | None, runs: Path, overrides: Overrides, at_init: bool, progress: Progress
) -> Target:
    """Return the target that a user names.

    Args:
        target: the name or folder of a run, SWEEP/RUN, or the path of a model file; None for the
            newest run.
        runs: the folder of the runs.
        overrides: properties that replace the target's.
        at_init: whether to return the untrained network. The target may then also be a
            configuration file or the name of an example configuration. None is the default
            configuration if there is no run.
        progress: receives the progress of downloads.

    Raises:
        UsageError: the target does not exist; the message has the nearest name.
        ActcliError: the target cannot be read or is damaged.
    """
    exists = bool(usable_runs(runs)) if target is None else is_run(target, runs)
    if at_init and not exists and (target is None or _is_config(target)):
        settings = read_toml(find_config(target)) if target else []
        config = overridden(assemble(settings), overrides)
        return initial_target(config, target or "default", progress)
    path = find_run(target, runs, or_file=True)
    if path.is_dir():
        return run_target(path, overrides, at_init, progress)
    if at_init:
        raise UsageError(
            f"{path} does not hold the initial network", "Give a run or a configuration"
        )
    return file_target(path, overrides, progress)


def _is_config(target: str) -> bool:
    return target in examples() or target.endswith(".toml")
