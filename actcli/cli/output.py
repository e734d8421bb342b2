"""Output of results: one JSON object, CSV, or a view for people; all on stdout.

A command computes one result object and hands it over:

    @click.command()
    @json_option
    def compare(as_json: bool) -> None:
        emit(compare_runs(...), compare_view, as_json)

    def compare_view(comparison: "Comparison") -> "RenderableType":
        from actcli.render.compare import CompareView

        return CompareView(comparison)

The view is a function, so that `--json` does not import rich.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write the result as one JSON object."
)
csv_option = click.option("--csv", "as_csv", is_flag=True, help="Write one line of CSV per run.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show no progress.")


def emit(result: T, view: "Callable[[T], RenderableType]", as_json: bool) -> None:
    """Write a result to stdout.

    Args:
        result: an object whose `to_dict()` returns the JSON object, or a JSON value itself.
        view: makes the view for people from the result; called only without `as_json`.
        as_json: whether to write one line of strict JSON.
    """
    if as_json:
        from actcli.jsonlines import dumps

        to_dict: Callable[[], Any] | None = getattr(result, "to_dict", None)
        click.echo(dumps(to_dict() if to_dict else result))
    else:
        from actcli.term.console import stdout_console

        stdout_console().print(view(result))


def emit_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table to stdout as CSV. None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    click.echo(text.getvalue(), nl=False)
