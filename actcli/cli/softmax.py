"""`actcli softmax`: what softmax makes of a vector of scores, and what sigmoids would say.

Its arguments are numbers, which may be negative, so that `-1` must not be taken for an option. The
command has only long options, and all that does not start with `--` is put together to one text
before Click sees it; that also makes 100,000 arguments as quick as one.
"""

import itertools
import re
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from actcli.errors import UsageError
from actcli.registry import nearest

if TYPE_CHECKING:
    from actcli.diagnostics.scores import Scores

LONGEST = (
    4_000_000  # bytes of a line, a million scores or two: one without end would fill the memory
)
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


@click.command(
    cls=NumbersCommand,
    epilog="""\b
Examples:
  actcli softmax 2.0 1.0 -0.5 --labels cat,dog,bird --target dog
  actcli softmax -1,0,3 --temperature 2
  printf '1 2 3\\n0 0 -inf\\n' | actcli softmax --json
""",
)
@click.argument("values", nargs=-1)
@click.option(
    "--temperature",
    metavar="T",
    default="1",
    show_default=True,
    help="Divide the values by T first: above 1 softmax gets flatter, below 1 sharper.",
)
@click.option("--labels", metavar="A,B,...", help="A name for each value.")
@click.option(
    "--target",
    metavar="K",
    help="The true class: adds the cross-entropy and its gradient. A label or an index from 0; "
    "what is both is the label.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per vector.")
def softmax(
    values: tuple[str, ...], temperature: str, labels: str | None, target: str | None, as_json: bool
) -> None:
    """Turn scores into probabilities, with softmax and with sigmoids.

    VALUES are the scores (logits) of one vector, with spaces or commas between them. Without any,
    vectors are read from standard input, one per line, and each is answered at once; blank lines
    and lines that start with # are skipped. A score of -inf is masked: its probability is 0.
    """
    from actcli.diagnostics.scores import measure_scores, require_temperature

    divisor = read_option("temperature", temperature)
    require_temperature(divisor)
    names = None if labels is None else read_labels(labels)
    write = write_json if as_json else table_writer()
    for where, text in [(None, values[0])] if values else stdin_lines():
        try:
            numbers = read_numbers(text)
            index = None if target is None else find_target(target, names, len(numbers))
            write(measure_scores(numbers, divisor, names, index), where)
        except UsageError as error:
            if where is None:
                raise
            raise UsageError(f"standard input, {where}: {error.message}", error.hint) from None


def read_numbers(text: str) -> list[float]:
    """The numbers of one vector; spaces or commas stand between them, brackets may stand around.

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
            f"value {before + 1} is missing", "A comma must have a number on both sides"
        )
    words = itertools.chain.from_iterable(fields)
    return [read_number(word, "value", position) for position, word in enumerate(words, 1)]


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
        f"{where}, {shown}, is not a number", hint or "Allowed: such as -1, .5, 1e-3 or -inf"
    )


def _float(text: str) -> float | None:
    if not text.isascii() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def read_option(name: str, text: str) -> float:
    """The number that an option was given."""
    return read_number(text, f"--{name}")


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


def stdin_lines() -> Iterator[tuple[str, str]]:
    """Each line of standard input that holds a vector, as it comes, and where it stands.

    Raises:
        UsageError: standard input is a terminal, or holds no vector.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "there are no values",
            "Give them as arguments, or one vector per line on standard input",
        )
    found = False
    lines = iter(lambda: sys.stdin.buffer.readline(LONGEST + 1), b"")
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST:
            raise UsageError(f"standard input, line {number}, is longer than {LONGEST:,} bytes")
        text = line.decode("utf-8-sig", "replace").strip()
        if text and not text.startswith("#"):
            found = True
            yield f"line {number}", text
    if not found:
        raise UsageError("standard input holds no values", "Give one vector per line")


def write_json(scores: "Scores", where: str | None) -> None:
    """One line, written out at once."""
    from actcli.jsonlines import dumps

    fields = {
        "logits": scores.logits,
        "softmax": scores.softmax,
        "log_softmax": scores.log_softmax,
        "sigmoid": scores.sigmoid,
        "entropy": scores.entropy,
        "perplexity": scores.perplexity,
        "argmax": scores.argmax,
        "temperature": scores.temperature,
    }
    if scores.labels is not None:
        fields["labels"] = scores.labels
    if scores.target is not None:
        fields["target"] = scores.target.index
        fields["cross_entropy"] = scores.target.cross_entropy
        fields["gradient"] = scores.target.gradient
    click.echo(dumps(fields))


def table_writer() -> Callable[["Scores", str | None], None]:
    """What shows each vector as a table, a blank line between two."""
    from actcli.cli.console import stdout_console
    from actcli.render.scores import ScoresView

    console = stdout_console()
    first = True

    def write(scores: "Scores", where: str | None) -> None:
        nonlocal first
        if not first:
            console.print()
        first = False
        console.print(ScoresView(scores, where))

    return write
