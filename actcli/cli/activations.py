"""`actcli activations`: all activation functions in a table, or some of them looked at closely."""

import re
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from actcli.cli.arguments import read_numbers
from actcli.cli.parameter_types import NamesType
from actcli.errors import UsageError
from actcli.registry import declared_names

if TYPE_CHECKING:
    from actcli.explore.activations import ActivationFacts, ActivationStudy

USUAL = "-2,-1,0,1,2"


class ActivationsType(NamesType):
    """Names with spaces or commas between them; a number among them is a point that was lost."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?,?", value):
            raise UsageError(
                f"{value!a} belongs to no option", "Put commas, and no spaces, between points"
            )
        return super().convert(value, param, ctx)


@click.command(
    epilog="""\b
Examples:
  actcli activations
  actcli activations sigmoid relu --at -2,0,0.5
  actcli activations gelu --json
""",
)
@click.argument(
    "names",
    nargs=-1,
    metavar="[NAME]...",
    type=ActivationsType(
        "activation", declared_names("actcli.nn.activations", "ACTIVATIONS"), several=True
    ),
)
@click.option(
    "--at",
    metavar="Z,...",
    help=f"Values and derivatives at these points, and a plot.  [{USUAL}]",
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
def activations(names: tuple[tuple[str, ...], ...], at: str | None, as_json: bool) -> None:
    """Compare activation functions and what they do to an error.

    Without a NAME all of them are listed: range, the supremum of |f'|, whether a unit can die. With
    names, or --at, f and f' are drawn and evaluated.
    """
    from actcli.explore.activations import facts, study
    from actcli.nn.activations import ACTIVATIONS

    chosen = tuple(dict.fromkeys(chain.from_iterable(names))) or tuple(ACTIVATIONS)
    if names or at is not None:
        points = read_numbers(USUAL if at is None else at, "--at, point")
        if not points:
            raise UsageError("--at: there is no point", "Give at least one number")
        found = study(chosen, points)
        (write_json if as_json else write_tables)(found)
    else:
        (write_json if as_json else write_tables)([facts(name) for name in chosen])


def write_json(found: "Sequence[ActivationFacts] | Sequence[ActivationStudy]") -> None:
    """For programs; what follows from other fields, and the curves, are left out."""
    from dataclasses import asdict

    from actcli.jsonlines import dumps

    def fields(each: "ActivationFacts | ActivationStudy") -> dict[str, Any]:
        values = asdict(each)
        known: dict[str, Any] = values.pop("facts", {})
        return {**known, **{name: values[name] for name in values if "course" not in name}}

    click.echo(dumps({"activations": [fields(each) for each in found]}))


def write_tables(found: "Sequence[ActivationFacts] | Sequence[ActivationStudy]") -> None:
    """For people."""
    from actcli.render.activations import ActivationsView
    from actcli.term.console import stdout_console

    stdout_console().print(ActivationsView(found))
