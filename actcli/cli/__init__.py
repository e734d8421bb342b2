"""The command line: parse, call, render. One module per command, imported when the command runs.

No module of this package imports NumPy or rich at its top, so that `--help`, `--version` and shell
completion start at once.
"""

import contextlib
import errno
import importlib
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import Any

import click

from actcli import __version__
from actcli.cli.messages import escape_lines
from actcli.errors import ActcliError, UsageError
from actcli.machine import pin_blas
from actcli.registry import unknown_name

# A stream takes no more output: no space, quota, `ulimit -f`, no reader, no terminal.
STREAM_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE, errno.EIO}


class ExitStatus(IntEnum):
    """The exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    FINDING = 3
    INTERRUPTED = 130
    TERMINATED = 143


class Commands(click.Group):
    """The commands. Each is an attribute of the module of the same name; a dash becomes _."""

    names = (
        *("train", "sweep", "diagnose", "fix", "lr-find", "predict", "compare", "report"),
        *("export", "runs", "activations", "softmax", "loss", "doctor"),
    )

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.names)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with its summary, without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in self.names])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, with one thread for the BLAS of NumPy, which it may import.

        Raises:
            UsageError: there is no such command; the message gives the nearest.
        """
        if cmd_name not in self.names:
            raise unknown_name("command", cmd_name, self.names)
        pin_blas()
        name = cmd_name.replace("-", "_")
        module = importlib.import_module(f"actcli.cli.{name}")
        command: click.Command = getattr(module, name)
        return command

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command; a user's mistake becomes one or two lines and an exit code."""
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
            discard_unwritten_output()
        sys.exit(status if isinstance(status, int) else ExitStatus.OK)


def summary(name: str) -> str:
    """Return the first line of a command's docstring, read from the text of its module.

    To import all commands for `actcli --help` would take longer than everything else.
    """
    function = name.replace("-", "_")
    source = (Path(__file__).parent / f"{function}.py").read_text(encoding="utf-8")
    match = re.search(rf'^def {function}\(.*?"""([^\n]+)$', source, re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


def report_error(error: Exception) -> int:
    """Print an error that a user can correct, and return its exit code."""
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
    """Print that output could not be written, and return the exit code.

    A closed pipe is not reported: its reader has left.

    Raises:
        OSError: the given one, if it is not about a stream; then it is a defect of actcli.
    """
    if error.filename is None and error.errno not in STREAM_ERRORS:
        raise error
    if error.errno != errno.EPIPE:  # Click sees a closed pipe during the run, but not at the end
        stream = error.filename or "standard output"
        print_error(f"{stream}: {error.strerror}", f"standard error: {error.strerror}")
    return ExitStatus.FAILED


def print_error(message: str, without_stderr: str | None = None) -> None:
    """Print an error on stderr, or on stdout if stderr takes no output.

    Args:
        message: the error, without "Error:".
        without_stderr: the message for stdout; None: the same.
    """
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
    """Return Click's message, and the command that shows what is allowed."""
    message = error.format_message().rstrip()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message} See '{error.ctx.command_path} --help'."
    return message


def terminate(_signal: int, _frame: FrameType | None) -> None:
    """Raise SystemExit, so that files are closed and the cursor of the terminal is shown again."""
    raise SystemExit(ExitStatus.TERMINATED)


def show_all_characters() -> None:
    """Have stdout escape characters that its encoding lacks (é as \\xe9) instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def discard_unwritten_output() -> None:
    """Discard output that a stream did not take, so that Python's shutdown does not fail on it."""
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
    """Train multilayer perceptrons on MNIST in plain NumPy, and find the faults inside them.

    \b
    To begin:
      actcli train                          98 % of MNIST in a few seconds
      actcli diagnose                       the network just trained: what is wrong inside it?
      actcli softmax 2.0 1.0 -0.5           which probabilities do these logits stand for?
      actcli train dying-relu && actcli diagnose       a sick network
    """
