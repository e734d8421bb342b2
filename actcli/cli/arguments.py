"""Numbers as arguments, including negative ones.

Click would take `-1` for an option. So a command of numbers has only long options, and joins all
arguments that do not start with `--` to one text before Click sees them. That also makes 100,000
arguments as quick as one.
"""

import itertools
import re

import click

from actcli.errors import UsageError
from actcli.registry import nearest

MAX_SHOWN = 40  # characters of an argument that a message repeats
MINUS_SIGNS = str.maketrans("\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}", "---")


class NumbersCommand(click.Command):
    """A command whose arguments are numbers: `-1`, `-.5`, `-1e-3 2` and `-1,2` are values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Separate the options from the values, and pass the values on as one argument."""
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
        # First, so that no option takes them; a space keeps them from being options.
        if values:
            kept.insert(0, " ".join(["", *values]))
        return super().parse_args(ctx, kept)


def read_numbers(text: str, what: str = "value") -> list[float]:
    """Return the numbers of one vector.

    Args:
        text: numbers separated by spaces or commas, with or without brackets around them.
        what: the word for one of them in messages.

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
    """Return a number; underscores and digits of other scripts, which `float` reads, are refused.

    Args:
        text: as typed.
        what: the word for the number in messages.
        position: of the number in its vector, from 1, for messages.

    Raises:
        UsageError: the text is not a number, or a larger one than float64 can hold.
    """
    value = _float(text)
    if value is not None and (value - value == 0 or re.search("[a-df-z]", text, re.IGNORECASE)):
        return value  # finite, or spelt out: inf, nan
    where = what if position is None else f"{what} {position}"
    shown = repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}...")
    if value is not None:
        raise UsageError(f"{where}, {shown}, is out of range", "Allowed: up to 1.8e308 either way")
    guess = text.translate(MINUS_SIGNS).replace("_", "")
    hint = f"Did you mean {guess!r}?" if guess != text and _float(guess) is not None else None
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
    """Return the labels between the commas.

    Raises:
        UsageError: a label is empty, or not unique.
    """
    labels = [label.strip() for label in text.split(",")]
    seen: set[str] = set()
    for position, label in enumerate(labels, 1):
        if not label:
            raise UsageError(f"--labels: label {position} is empty", "Give a name for each value")
        if label in seen:
            raise UsageError(f"--labels: {label!r} appears twice", "Each label must be unique")
        seen.add(label)
    return labels


def read_class_index(text: str, labels: list[str] | None, count: int) -> int:
    """Return the index of the class that `--target` names: by its label, or by its index.

    Args:
        text: as typed; a text that is both a label and an index is the label.
        labels: the labels of the classes, if they have any.
        count: the number of classes.

    Raises:
        UsageError: the text is neither a label nor an index.
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
