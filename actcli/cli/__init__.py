"""The command line: parse, call, render. One module per command, imported when it is asked for.

No module here imports NumPy or rich at its top: `--help`, `--version` and shell completion start at
once.
"""

import contextlib
import errno
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from enum import IntEnum
from types import FrameType
from typing import Any

import click

from actcli import __version__
from actcli.cli.messages import escape_lines
from actcli.errors import ActcliError, UsageError
from actcli.registry import unknown_name

# Why a stream does not take more: no space, a quota, `ulimit -f`, no reader, no terminal.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE, errno.EIO}


class ExitStatus(IntEnum):
    """What the exit code says."""

    OK = 0
    FAILED = 1
    USAGE = 2
    FINDING = 3
    INTERRUPTED = 130
    TERMINATED = 143


class Commands(click.Group):
    """The commands, by name; each is the attribute of that name in the module of that name."""

    names = (
        *("train", "sweep", "diagnose", "predict", "compare", "runs"),
        *("activations", "softmax", "loss"),
    )

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command.

        Raises:
            UsageError: there is none of that name; the message gives the nearest.
        """
        if cmd_name not in self.names:
            raise unknown_name("command", cmd_name, self.names)
        module = importlib.import_module(f"actcli.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and turn each error of the user's into one or two lines and an exit code."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        show_all_characters()
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGTERM) != signal.SIG_IGN:
            signal.signal(signal.SIGTERM, terminate)
        try:
            status = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            if sys.stdout is not None:
                sys.stdout.flush()
        except (ActcliError, click.ClickException, click.Abort, MemoryError) as error:
            status = report_error(error)
        except OSError as error:
            status = report_stream_error(error)
        finally:
            discard_what_is_refused()
        sys.exit(status if isinstance(status, int) else ExitStatus.OK)


def report_error(error: Exception) -> int:
    """Tell what a user can mend, and give the exit status that it means."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return ExitStatus.USAGE
    if isinstance(error, click.ClickException):
        print_error(explain(error))
        return error.exit_code
    if isinstance(error, click.Abort):
        print_error("interrupted")
        return ExitStatus.INTERRUPTED
    if isinstance(error, MemoryError):
        print_error(f"not enough memory: {error}".removesuffix(": "))
        return ExitStatus.FAILED
    print_error(str(error))
    return ExitStatus.USAGE if isinstance(error, UsageError) else ExitStatus.FAILED


def report_stream_error(error: OSError) -> int:
    """Tell that what was shown could not be written; silently where nobody reads on.

    Raises:
        OSError: this one, if it is of something else: then it is a defect.
    """
    if error.filename is None and error.errno not in FULL:
        raise error
    if error.errno != errno.EPIPE:  # Click sees a closed pipe during the run, but not at the end
        what = error.filename or "standard output"
        print_error(f"{what}: {error.strerror}", f"standard error: {error.strerror}")
    return ExitStatus.FAILED


def print_error(message: str, without_stderr: str | None = None) -> None:
    """Tell a user's mistake on stderr; if that does not take it, tell it, or this, on stdout."""
    label, message = "Error:", escape_lines(message)
    if sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        label = click.style(label, fg="red", bold=True)
    try:
        click.echo(f"{label} {message}", err=True)
    except OSError as error:
        if error.errno != errno.EPIPE:
            with contextlib.suppress(OSError):
                click.echo(f"Error: {without_stderr or message}")


def explain(error: click.ClickException) -> str:
    """Click's own message, and where to read what is allowed."""
    message = error.format_message().rstrip()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message} See '{error.ctx.command_path} --help'."
    return message


def terminate(_signal: int, _frame: FrameType | None) -> None:
    """End as by an exception, so that what is open is closed and the cursor is shown again."""
    raise SystemExit(ExitStatus.TERMINATED)


def show_all_characters() -> None:
    """Have stdout write what its encoding lacks as an escape (é as \\xe9) instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def discard_what_is_refused() -> None:
    """Keep Python's shutdown from failing once more to flush what a stream did not take."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="actcli")
def main() -> None:
    """Train multilayer perceptrons on MNIST in plain NumPy, and see what goes wrong inside."""
