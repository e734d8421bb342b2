"""Numbers as arguments: read as they are typed, negative ones too.

`-1` must not be taken for an option. A command of numbers has only long options, and all that does
not start with `--` is put together to one text before Click sees it; that also makes 100,000
arguments as quick as one.
"""

import itertools
import re

import click

from actcli.errors import UsageError
from actcli.registry import nearest

SHOWN = 40  # characters of what was typed that a message repeats
MINUS_SIGNS = str.maketrans("\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}", "---")


class NumbersCommand(click.Command):
    """A command whose arguments are numbers: `-1`, `-.5`, `-1e-3 2` and `-1,2` are values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Sort the options from the values, and pass the values on as one argument."""
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option)]
        with_value = {name for option in options if not option.is_flag for name in option.opts}
        kept: list[str] = []
        values: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                values.extend(rest)
            elif arg.startswith("--") or arg in ctx.help_option_names:
                kept.append(arg)
                if arg in with_value:
                    kept.extend(itertools.islice(rest, 1))
            else:
                values.append(arg)
        if values:  # first, lest a last option take them; with a space, which makes them no option
            kept.insert(0, " ".join(["", *values]))
        return super().parse_args(ctx, kept)


def read_numbers(text: str, what: str = "value") -> list[float]:
    """The numbers of one vector; spaces or commas stand between them, brackets may stand around.

    Args:
        text: as typed.
        what: each of them is, for messages.

    Raises:
        UsageError: one is not a number, or is missing beside a comma.
    """
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    fields = [field.split() for field in text.split(",")]
    if len(fields) > 1 and not all(fields):
        before = sum(map(len, itertools.takewhile(bool, fields)))
        raise UsageError(
            f"{what} {before + 1} is missing", "A comma must have a number on both sides"
        )
    words = itertools.chain.from_iterable(fields)
    return [read_number(word, what, position) for position, word in enumerate(words, 1)]


def read_number(text: str, what: str, position: int | None = None) -> float:
    """Python's `float`, but for underscores and digits of other scripts, and nothing overflows.

    Raises:
        UsageError: it is not a number, or larger than float64 can hold.
    """
    value = _float(text)
    if value is not None and (value - value == 0 or re.search("[a-df-z]", text, re.IGNORECASE)):
        return value  # finite, or spelt out: inf, nan
    where = what if position is None else f"{what} {position}"
    shown = repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
    if value is not None:
        raise UsageError(f"{where}, {shown}, is out of range", "Allowed: up to 1.8e308 either way")
    meant = text.translate(MINUS_SIGNS).replace("_", "")
    hint = f"Did you mean {meant!r}?" if meant != text and _float(meant) is not None else None
    raise UsageError(
        f"{where}, {shown}, is not a number", hint or "Allowed: such as -1, .5 or 1e-3"
    )


def _float(text: str) -> float | None:
    if not text.isascii() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def read_labels(text: str) -> list[str]:
    """The names between the commas.

    Raises:
        UsageError: one is empty, or there twice.
    """
    labels = [label.strip() for label in text.split(",")]
    seen: set[str] = set()
    for position, label in enumerate(labels, 1):
        if not label:
            raise UsageError(f"--labels: label {position} is empty", "Give a name for each value")
        if label in seen:
            raise UsageError(f"--labels: {label!r} is there twice", "Each label must be unique")
        seen.add(label)
    return labels


def find_target(text: str, labels: list[str] | None, count: int) -> int:
    """The index that `--target` means: of the label of that name, else the number itself.

    Raises:
        UsageError: it is neither.
    """
    if labels and text in labels:
        return labels.index(text)
    if re.fullmatch("[+-]?[0-9]{1,18}", text):
        return int(text)
    guess = nearest(text, labels or ())
    allowed = f"0 to {count - 1}" + (", or a label" if labels else "")
    raise UsageError(
        f"--target: there is no {'label' if labels else 'index'} {text!r}",
        (f"Did you mean {guess!r}? " if guess else "") + f"Allowed: {allowed}",
    )
