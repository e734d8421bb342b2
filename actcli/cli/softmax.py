"""`actcli softmax`: probabilities of a vector of logits, by softmax and by sigmoids.

Vectors come from the arguments or, one per line, from standard input.
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

MAX_LINE_BYTES = 4_000_000  # so that an endless line cannot fill the memory


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
    help="Divisor of the logits: above 1 the softmax is flatter, below 1 sharper.",
)
@click.option("--labels", metavar="A,B,...", help="A name for each logit.")
@click.option(
    "--target",
    metavar="K",
    help="Label of the true class, or its index from 0; adds the cross-entropy and its gradient.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per vector.")
def softmax(
    values: tuple[str, ...], temperature: str, labels: str | None, target: str | None, as_json: bool
) -> None:
    """Turn logits into probabilities, by softmax and by sigmoids.

    VALUES are the logits of one vector, separated by spaces or commas. Without VALUES, vectors are
    read from standard input, one per line, and the result of each line is written at once. Blank
    lines and lines that start with # are skipped. A logit of -inf is masked: its probability is 0.
    """
    from actcli.explore.softmax import analyse_logits, require_temperature

    divisor = read_number(temperature, "--temperature")
    require_temperature(divisor)
    names = None if labels is None else read_labels(labels)
    write = json_writer() if as_json else table_writer()
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
    """Yield the position ("line 3") and the text of each line of standard input with a vector.

    Raises:
        UsageError: standard input is a terminal, or contains no vector.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "there are no values",
            "Give them as arguments, or one vector per line on standard input",
        )
    has_vectors = False
    lines = iter(lambda: sys.stdin.buffer.readline(MAX_LINE_BYTES + 1), b"")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_BYTES:
            raise UsageError(
                f"standard input, line {number}, is longer than {MAX_LINE_BYTES:,} bytes"
            )
        text = line.decode("utf-8-sig", "replace").strip()
        if text and not text.startswith("#"):
            has_vectors = True
            yield f"line {number}", text
    if not has_vectors:
        raise UsageError("standard input holds no values", "Give one vector per line")


def json_writer() -> Callable[["LogitAnalysis", str | None], None]:
    """Return a function that writes one JSON object per line and flushes stdout."""
    from actcli.jsonlines import dumps

    def write(analysis: "LogitAnalysis", _where: str | None) -> None:
        click.echo(dumps(analysis.to_dict()))

    return write


def table_writer() -> Callable[["LogitAnalysis", str | None], None]:
    """Return a function that prints a table per vector, with a blank line between tables."""
    from actcli.render.softmax import SoftmaxView
    from actcli.term.console import stdout_console

    console = stdout_console()
    first = True

    def write(analysis: "LogitAnalysis", where: str | None) -> None:
        nonlocal first
        if not first:
            console.print()
        first = False
        console.print(SoftmaxView(analysis, where))

    return write
