"""`actcli softmax`: what softmax makes of a vector of scores, and what sigmoids would say.

Vectors come as arguments or, one per line, on standard input.
"""

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from actcli.cli.arguments import (
    NumbersCommand,
    read_class_index,
    read_labels,
    read_number,
    read_numbers,
)
from actcli.errors import UsageError

if TYPE_CHECKING:
    from actcli.explore.softmax import LogitAnalysis

LONGEST = 4_000_000  # bytes of a line: one without end would fill the memory


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
    """Turn scores into probabilities, by softmax and by sigmoids.

    VALUES are the scores (logits) of one vector, with spaces or commas between them. Without any,
    vectors are read from standard input, one per line, and each is answered at once; blank lines
    and lines that start with # are skipped. A score of -inf is masked: its probability is 0.
    """
    from actcli.explore.softmax import analyse_logits, require_temperature

    divisor = read_number(temperature, "--temperature")
    require_temperature(divisor)
    names = None if labels is None else read_labels(labels)
    write = write_json if as_json else table_writer()
    for where, text in [(None, values[0])] if values else stdin_lines():
        try:
            numbers = read_numbers(text)
            index = None if target is None else read_class_index(target, names, len(numbers))
            write(analyse_logits(numbers, divisor, names, index), where)
        except UsageError as error:
            if where is None:
                raise
            raise UsageError(f"standard input, {where}: {error.message}", error.hint) from None


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


def write_json(scores: "LogitAnalysis", where: str | None) -> None:
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


def table_writer() -> Callable[["LogitAnalysis", str | None], None]:
    """What shows each vector as a table, a blank line between two."""
    from actcli.render.softmax import SoftmaxView
    from actcli.term.console import stdout_console

    console = stdout_console()
    first = True

    def write(scores: "LogitAnalysis", where: str | None) -> None:
        nonlocal first
        if not first:
            console.print()
        first = False
        console.print(SoftmaxView(scores, where))

    return write
