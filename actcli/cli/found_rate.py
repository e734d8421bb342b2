"""`--lr find`: a learning rate from a range test, in place of a number.

The run records the number: `find` is a value of the option, not of the configuration.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from actcli.cli.downloads import downloads
from actcli.cli.messages import print_note
from actcli.cli.options import KeyOption, KindType
from actcli.config.sources import Setting, assemble
from actcli.errors import ActcliError

if TYPE_CHECKING:
    from actcli.explore.lr_find import RangeTest, Watch

RATE = "optimizer.learning_rate"
FIND = "find"


class RateType(KindType):
    """A learning rate, or `find`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return FIND if value == FIND else super().convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        find = [CompletionItem(FIND)] if FIND.startswith(incomplete) else []
        return [*super().shell_complete(ctx, param, incomplete), *find]


def accept_find(options: Sequence[click.Parameter]) -> None:
    """Let the option of the learning rate take `find`, too."""
    option = next(each for each in options if isinstance(each, KeyOption) and each.option == "lr")
    option.type = RateType(option.key.kind)
    option.metavar = f"{option.key.kind.metavar}|{FIND}"
    option.help = (option.help or "").replace(".  [", f"; {FIND}: the suggestion of lr-find.  [")


def with_found_rate(overrides: Sequence[Setting], quiet: bool) -> list[Setting]:
    """Return the settings with a number in place of `find`, and say which on stderr.

    Args:
        overrides: all settings, the weakest first.
        quiet: whether to say nothing.

    Raises:
        ActcliError: the range test suggests no rate, or the data cannot be read.
    """
    rates = [setting for setting in overrides if str(setting.key) == RATE]
    numbers = [setting for setting in overrides if setting not in rates or setting.value != FIND]
    if not rates or rates[-1].value != FIND:
        return numbers
    origin = f"{rates[-1].origin} {FIND}"
    test = range_test([setting for setting in overrides if setting not in rates], quiet)
    if test.suggestion is None:
        reason = f"{test.reason[0].lower()}{test.reason[1:].removesuffix('.')}"
        raise ActcliError(f"{origin}: {reason}", "Give --lr a number")
    if not quiet:
        steps = f"{len(test.rates):,} steps with growing rates; actcli lr-find shows them"
        print_note(f"{origin}: {test.suggestion:g}, after {steps}")
    return [*numbers, Setting(rates[-1].key, test.suggestion, origin)]


def range_test(overrides: Sequence[Setting], quiet: bool) -> "RangeTest":
    """Return the learning-rate range test of a configuration.

    Args:
        overrides: its settings, the weakest first.
        quiet: whether to show no progress.

    Raises:
        ActcliError: the configuration is wrong, or the data cannot be read.
    """
    config = assemble(overrides).resolve()
    from actcli.explore.lr_find import find_learning_rate
    from actcli.training.build import prepare_dataset

    with downloads(quiet) as progress:
        config, dataset = prepare_dataset(config, progress)
    with _watching(quiet) as watch:
        return find_learning_rate(config, dataset, watch)


@contextmanager
def _watching(quiet: bool) -> "Iterator[Watch]":
    """Yield a function that shows the number of steps in a terminal."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _step, _steps: None
        return
    from actcli.render.lr_find import step_progress
    from actcli.term.console import stderr_console

    with step_progress(stderr_console()) as progress:
        task = progress.add_task("")
        yield lambda step, steps: progress.update(task, completed=step, total=steps)
