"""`actcli softmax`: probabilities of a vector of logits, by softmax and by sigmoids.

Vectors come from the arguments or, one per line, from standard input.
"""

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import click

from actcli.cli.arguments import (
    NumbersCommand,
    read_class_index,
    read_labels,
    read_number,
    read_numbers,
)
from actcli.cli.output import (
    csv_option,
    emit_csv,
    emit_json,
    is_saving,
    json_option_for,
    save_option,
    save_view,
)
from actcli.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.explore.softmax import LogitAnalysis

    Write: TypeAlias = Callable[[LogitAnalysis, str | None], None]

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
@json_option_for("Write one JSON object per vector.")
@csv_option("logit")
@save_option
def softmax(
    values: tuple[str, ...],
    temperature: str,
    labels: str | None,
    target: str | None,
    as_json: bool,
    as_csv: bool,
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
    write = json_writer() if as_json else csv_writer() if as_csv else table_writer()
    analyses: list[tuple[LogitAnalysis, str | None]] = []
    for where, text in [(None, values[0])] if values else stdin_lines():
        try:
            numbers = read_numbers(text)
            index = None if target is None else read_class_index(target, names, len(numbers))
            analysis = analyse_logits(numbers, divisor, names, index)
            write(analysis, where)
            if is_saving():
                analyses.append((analysis, where))
        except UsageError as error:
            if where is None:
                raise
            raise UsageError(f"standard input, {where}: {error.message}", error.hint) from None
    save_view(lambda: tables_view(analyses))


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


def json_writer() -> "Write":
    """Return a function that writes one JSON object per line and flushes stdout."""
    return lambda analysis, _where: emit_json(analysis)


def csv_writer() -> "Write":
    """Return a function that writes one line of CSV per logit, with a number for each vector."""
    numbers = itertools.count(1)

    def write(analysis: "LogitAnalysis", _where: str | None) -> None:
        number = next(numbers)
        header, *rows = analysis.csv_rows()
        heading = [["vector", *header]] if number == 1 else []
        emit_csv([*heading, *([number, *row] for row in rows)])

    return write


def table_writer() -> "Write":
    """Return a function that prints a table per vector, with a blank line between tables."""
    from actcli.term.console import stdout_console

    console = stdout_console()
    first = True

    def write(analysis: "LogitAnalysis", where: str | None) -> None:
        nonlocal first
        if not first:
            console.print()
        first = False
        console.print(table_view(analysis, where))

    return write


def table_view(analysis: "LogitAnalysis", where: str | None) -> "RenderableType":
    """Return the view of one vector."""
    from actcli.render.softmax import SoftmaxView

    return SoftmaxView(analysis, where)


def tables_view(analyses: Sequence[tuple["LogitAnalysis", str | None]]) -> "RenderableType":
    """Return the view of all vectors, with a blank line between two tables."""
    from rich.console import Group

    views = [table_view(*analysis) for analysis in analyses]
    return Group(views[0], *itertools.chain.from_iterable(("", view) for view in views[1:]))
