"""`actcli fix`: apply the remedies of a diagnosis, train again, and keep what helps."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from actcli.cli import ExitStatus
from actcli.cli.downloads import downloads
from actcli.cli.interrupts import STATUS, WORD, Interrupts
from actcli.cli.messages import print_note
from actcli.cli.options import KindType, runs_dir_option
from actcli.cli.output import csv_option, emit, json_option, quiet_option, save_option
from actcli.cli.parameter_types import RunType
from actcli.cli.sweep_targets import find_run
from actcli.cli.watch import as_argument, until_stopped
from actcli.config.values import Integer
from actcli.errors import UsageError
from actcli.machine import worker_count
from actcli.store import DEFAULT_TRIES

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.store.fix_result import FixResult, Try
    from actcli.store.train import Run


class StoppedError(Exception):
    """A signal has stopped a try; its run is saved."""


@click.command(
    epilog="""\b
Exit codes: 0 healthy or cured, 1 failure, 2 wrong usage or configuration, 3 not cured.

\b
Examples:
  actcli train dying-relu -q && actcli fix
  actcli train deep-sigmoid -q && actcli fix deep-sigmoid --write cured.toml
  actcli train quadratic-cost -q && actcli fix --dry-run && actcli fix --calibrate
""",
)
@click.argument("run", required=False, type=RunType())
@runs_dir_option
@click.option(
    "--tries",
    type=KindType(Integer(1)),
    metavar="N",
    default=DEFAULT_TRIES,
    help=f"Largest number of trainings.  [{DEFAULT_TRIES}]",
)
@click.option(
    "--write",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the configuration of the cured run, as TOML.",
)
@click.option("--dry-run", is_flag=True, help="Show the remedies; train nothing.")
@click.option(
    "--calibrate",
    is_flag=True,
    help="Scale the logits of a finished run by the temperature of its validation rows; train "
    "nothing.",
)
@json_option
@csv_option("try")
@save_option
@quiet_option
@click.pass_context
def fix(
    ctx: click.Context,
    /,
    run: str | None,
    runs_dir: Path,
    tries: int,
    write: Path | None,
    dry_run: bool,
    calibrate: bool,
    as_json: bool,
    as_csv: bool,
    quiet: bool,
) -> None:
    """Cure a run: apply remedies, train again, prove the cure.

    RUN is the name or folder of a run; by default the newest. Each try changes the configuration by
    one remedy of the diagnosis and trains it as a run of its own, RUN-fix-1. What helps is kept.
    RUN is cured when the network is healthy and at least as accurate on the validation rows as
    before. Ctrl-C saves; the same command resumes.
    """
    from actcli.store.fix import Fix

    if calibrate and dry_run:
        raise UsageError("--calibrate and --dry-run exclude each other", "Give one of them")
    folder = find_run(run, runs_dir)
    with downloads(quiet) as progress, Interrupts() as interrupts:
        shown = Progress(tries, quiet, interrupts)
        search = Fix(folder, runs_dir, tries, shown.train, shown.report, progress, worker_count())
        try:
            result = search.calibrate() if calibrate else search.search(dry_run)
        except StoppedError:
            print_stopped(interrupts, command_again(ctx, folder, runs_dir))
            ctx.exit(STATUS[interrupts.received] if interrupts.received else ExitStatus.FAILED)
    if write and (result.is_healthy or calibrate):
        from actcli import files

        files.write(write, result.after.config.to_toml().encode())
    emit(result, fix_view, as_json, as_csv)
    if not (result.is_healthy or dry_run or calibrate):
        ctx.exit(ExitStatus.FINDING)


class Progress:
    """Shows the progress of a fix on stderr: a line for each try, and one for the training.

    Args:
        tries: the largest number of tries.
        quiet: whether to show nothing.
        interrupts: the signals received.
    """

    def __init__(self, tries: int, quiet: bool, interrupts: Interrupts) -> None:
        from actcli.term.console import stderr_console
        from actcli.term.screen import Block

        self.tries, self.quiet, self.interrupts = tries, quiet, interrupts
        self.console = stderr_console()
        self.is_live = self.console.is_terminal and not self.console.is_dumb_terminal and not quiet
        self._block = Block(self.console)

    def train(self, run: "Run", number: int) -> None:
        """Train a run to its end, with a line that is redrawn after each epoch.

        Raises:
            StoppedError: a signal was received; the run is saved.
        """
        from actcli.training.events import EpochDone

        try:
            for event in until_stopped(run, self.interrupts):
                if self.is_live and isinstance(event, EpochDone):
                    self._draw(run, number)
        finally:
            self._block.settle()
        if self.interrupts.received:
            raise StoppedError

    def report(self, attempt: "Try") -> None:
        """Print a line about a try."""
        if not self.quiet:
            from actcli.render.fix import try_sentence

            self.console.print(try_sentence(attempt, self.tries), soft_wrap=True, markup=False)

    def _draw(self, run: "Run", number: int) -> None:
        from rich.text import Text

        from actcli.term.console import size_now

        epochs = run.learner.config.training.epochs
        text = f"try {number}/{self.tries}  {run.folder.name}  {run.position.describe(epochs)}"
        size = size_now(self.console)
        self._block.draw((), self._block.rendered(Text(text[: size[0] - 1]), size))


def command_again(ctx: click.Context, folder: Path, runs_dir: Path) -> str:
    """Return the command that resumes a fix, with the options that decide about its tries."""
    words = ["actcli fix", as_argument(folder)]
    if ctx.get_parameter_source("runs_dir") == click.core.ParameterSource.COMMANDLINE:
        words.append(f"--runs-dir {shlex.quote(str(runs_dir))}")
    if ctx.params["tries"] != DEFAULT_TRIES:
        words.append(f"--tries {ctx.params['tries']}")
    return " ".join(words)


def print_stopped(interrupts: Interrupts, command: str) -> None:
    """Print that a signal has stopped the fix, and the command that resumes it."""
    word = WORD[interrupts.received] if interrupts.received else "stopped"
    print_note(f"{word}; the tries so far are saved. To resume: {command}")


def fix_view(result: "FixResult") -> "RenderableType":
    """Return the view, with commands to try next."""
    from actcli.render.fix import FixView

    before, best = as_argument(result.before.folder), as_argument(result.after.folder)
    commands = [f"actcli compare {before} {best}"] if best != before else []
    if not result.is_healthy:
        commands.append(f"actcli diagnose {best}")
    return FixView(result, tuple(commands))
