"""`actcli train --resume`: the configuration of the run, and notes on its result."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from actcli import __version__
from actcli.cli.messages import print_note
from actcli.cli.options import settings
from actcli.config.schema import values
from actcli.config.sources import Setting, assemble_tables, read_toml
from actcli.errors import ActcliError, UsageError
from actcli.store.environment import AFFECTS_BITS, environment, read_environment
from actcli.store.folder import CHECKPOINT, CONFIG, ENVIRONMENT

if TYPE_CHECKING:
    from actcli.config.resolved import ResolvedConfig
    from actcli.store.train import Run

EPOCHS = "training.epochs"


def settings_of_run(ctx: click.Context, folder: Path) -> list[Setting]:
    """Return the settings of a run, with more epochs if the command line asks for more.

    Raises:
        UsageError: the command line asks for another configuration, or for fewer epochs.
        ActcliError: the run was made by another version, or is damaged.
    """
    version = read_environment(folder / ENVIRONMENT).get("actcli")
    if version != __version__:
        raise ActcliError(
            f"{folder} is a run of actcli {version!a}, but this is {__version__}",
            "Only the same version comes to the same result",
        )
    of_run = read_toml(folder / CONFIG)
    config = assemble_tables(of_run)
    kept = {str(key): value for key, value in values(config)}
    for setting in settings(ctx, None):
        name = str(setting.key)
        if setting.value == kept[name] or (name, setting.value) == (EPOCHS, "auto"):
            continue
        if not setting.origin.startswith("--"):
            print_note(f"{setting.origin} has no effect: a run keeps its configuration")
        elif name != EPOCHS:
            raise UsageError(
                f"{setting.origin}: a resumed run keeps its configuration",
                "Only --epochs may be raised; for the rest, start a new run",
            )
        elif setting.value < config.training.epochs:
            raise UsageError(
                f"{setting.origin} {setting.value}: {folder} is a run of {kept[name]} epochs",
                "They can only be raised",
            )
        else:
            of_run.append(setting)
    return of_run


def describe_finished(folder: Path, config: "ResolvedConfig") -> str:
    """Return why nothing is left to train in a run."""
    from actcli.store.checkpoint import read_checkpoint

    position = read_checkpoint(folder / CHECKPOINT).position
    if position.epoch < config.training.epochs:
        reason = f"its patience ran out after epoch {position.epoch}, "
        reason += f"the best was epoch {position.best_epoch}"
    else:
        reason = f"all {position.epoch} epochs are trained; --epochs can be raised"
    return f"{folder} is finished: {reason}"


def print_changes(run: "Run", epochs_before: int) -> None:
    """Print what makes, or may make, the result differ from that of an uninterrupted run."""
    schedule, epochs = run.learner.config.optimizer.schedule, run.learner.config.training.epochs
    if schedule != "constant" and epochs != epochs_before:
        print_note(f"the {schedule} schedule now spans {epochs} epochs, not {epochs_before}")
    before, now = read_environment(run.folder / ENVIRONMENT), environment()
    for name in AFFECTS_BITS:
        if before.get(name) != now[name]:
            print_note(f"{name} is {now[name]}, was {before.get(name)}: the last bits may differ")
    print_note(f"Resuming {run.folder} {run.position.describe(epochs)}")
