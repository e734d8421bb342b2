"""A run that is about to be trained: a new one, or one that goes on from its last checkpoint."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from actcli import __version__
from actcli.cli.downloads import downloads
from actcli.cli.messages import print_note
from actcli.cli.options import settings
from actcli.config.schema import values
from actcli.config.sources import Setting, assemble_tables, read_toml
from actcli.errors import ActcliError, UsageError
from actcli.jsonlines import dumps
from actcli.runs.environment import AFFECTS_BITS, environment, read_environment
from actcli.runs.folder import CHECKPOINT, CONFIG, ENVIRONMENT, RESULT, Folder
from actcli.runs.record import DIVERGED, RunResult

if TYPE_CHECKING:
    from actcli.config.resolved import ResolvedConfig
    from actcli.runs.checkpoint import Checkpoint
    from actcli.runs.train import Run

EPOCHS = "training.epochs"


def settings_of_run(ctx: click.Context, folder: Path) -> list[Setting]:
    """What a run was trained with, and the number of epochs if it is raised.

    Raises:
        UsageError: something else was asked for; or fewer epochs.
        ActcliError: the run is of another version, or damaged.
    """
    version = read_environment(folder / ENVIRONMENT).get("actcli")
    if version != __version__:
        raise ActcliError(
            f"{folder} is a run of actcli {version!a}, but this is {__version__}",
            "Only the same version comes to the same result",
        )
    found = read_toml(folder / CONFIG)
    config = assemble_tables(found)
    own = {str(key): value for key, value in values(config)}
    for setting in settings(ctx, None):
        name = str(setting.key)
        if setting.value == own[name]:
            continue
        if not setting.origin.startswith("--"):
            print_note(f"{setting.origin} has no effect: a run keeps its configuration")
        elif name != EPOCHS:
            raise UsageError(
                f"{setting.origin}: a run that goes on keeps its configuration",
                "Only --epochs may be raised; for the rest, start a new run",
            )
        elif setting.value < config.training.epochs:
            raise UsageError(
                f"{setting.origin} {setting.value}: {folder} is a run of {own[name]} epochs",
                "They can only be raised",
            )
        else:
            found.append(setting)
    return found


def start(chosen: "ResolvedConfig", runs: Path, name: str, quiet: bool) -> "Run":
    """Load the data, draw the initial network, make the folder."""
    from actcli.runs.train import create
    from actcli.training.build import prepare_dataset
    from actcli.training.learner import Learner

    with downloads(quiet) as progress:
        chosen, dataset = prepare_dataset(chosen, progress)
    learner = Learner(chosen, dataset)
    return create(learner, runs, name)


def go_on(path: Path, config: "ResolvedConfig", quiet: bool, as_json: bool) -> "Run | None":
    """The run in a folder, ready to be trained further; None if nothing is left to do.

    Raises:
        ActcliError: another training writes to it; its data or its configuration have changed; a
            file is missing or damaged; it diverged.
    """
    from actcli.datasets.catalogue import DATASETS
    from actcli.runs.checkpoint import read_checkpoint
    from actcli.runs.train import resume
    from actcli.training.build import prepare_dataset
    from actcli.training.learner import Learner

    with ExitStack() as stack:
        folder = Folder(path)
        stack.callback(folder.close)
        checkpoint = read_checkpoint(path / CHECKPOINT)
        result = RunResult.read(path / RESULT)
        if result and result.status == DIVERGED:
            raise ActcliError(
                f"{path} diverged: {result.message}",
                "Resuming it would diverge again. Start a new run with other settings",
            )
        if result and checkpoint.position.is_last(config.training):
            tell_finished(path, config, checkpoint, result if as_json else None)
            return None
        name = config.data.name
        if name not in DATASETS and not Path(name).exists():
            raise ActcliError(
                f"there is no {name!a}, which {path} was trained on",
                f"If it was moved, say where it is in {path / CONFIG}",
            )
        with downloads(quiet) as progress:
            config, dataset = prepare_dataset(config, progress)
        learner = Learner(config, dataset)
        run = resume(learner, folder, checkpoint)
        stack.pop_all()
    if not quiet:
        tell_changes(path, checkpoint, config)
        print_note(f"Resuming {path} {run.position.describe(config.training.epochs)}")
    return run


def tell_finished(
    path: Path, config: "ResolvedConfig", checkpoint: "Checkpoint", as_json: RunResult | None
) -> None:
    """Say that nothing is left to do, or give the result once more."""
    if as_json is not None:
        click.echo(dumps({**as_json.to_dict(), "run": str(path)}))
        return
    trained, best = checkpoint.position.epoch, checkpoint.position.best_epoch
    if trained < config.training.epochs:
        reason = f"its patience ran out after epoch {trained}, the best was epoch {best}"
    else:
        reason = f"all {trained} epochs are trained; --epochs can be raised"
    click.echo(f"{path} is finished: {reason}")


def tell_changes(path: Path, checkpoint: "Checkpoint", config: "ResolvedConfig") -> None:
    """Say what makes the result another than that of an uninterrupted run, or may do so."""
    schedule, epochs = config.optimizer.schedule, config.training.epochs
    before = checkpoint.record["config"].get(EPOCHS)
    if schedule != "constant" and epochs != before:
        print_note(f"the {schedule} schedule now spans {epochs} epochs, not {before}")
    told, now = read_environment(path / ENVIRONMENT), environment()
    for name in AFFECTS_BITS:
        if told.get(name) != now[name]:
            print_note(f"{name} is {now[name]}, was {told.get(name)}: the last bits may differ")
