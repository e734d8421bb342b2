"""`actcli activations`: a table of all activation functions, or curves of single functions."""

import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from actcli.cli.arguments import read_numbers
from actcli.cli.output import csv_option, emit, json_option, save_option
from actcli.cli.parameter_types import NamesType
from actcli.errors import UsageError
from actcli.registry import declared_aliases, declared_names

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.explore.activations import ActivationOverview

REGISTRY = "actcli.nn.activations", "ACTIVATIONS"
DEFAULT_POINTS = "-2,-1,0,1,2"


class ActivationsType(NamesType):
    """Names separated by spaces or commas; a number among them is a misplaced point of --at."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?,?", value):
            raise UsageError(
                f"{value!a} belongs to no option", "Put commas, and no spaces, between points"
            )
        if "softmax" in value.split(","):
            raise UsageError(
                "softmax is not the activation of one unit: it turns all logits of a row into "
                "probabilities",
                "See it with: actcli softmax 2.0 1.0 -0.5",
            )
        return super().convert(value, param, ctx)


@click.command(
    epilog="""\b
Examples:
  actcli activations
  actcli activations sigmoid relu --at -2,0,0.5
  actcli activations gelu --save gelu.svg
""",
)
@click.argument(
    "names",
    nargs=-1,
    metavar="[NAME]...",
    type=ActivationsType(
        "activation", declared_names(*REGISTRY), several=True, aliases=declared_aliases(*REGISTRY)
    ),
)
@click.option(
    "--at",
    metavar="Z,...",
    help=f"Points at which to evaluate f and f', with a plot around them.  [{DEFAULT_POINTS}]",
)
@json_option
@csv_option("activation, or per point")
@save_option
def activations(
    names: tuple[tuple[str, ...], ...], at: str | None, as_json: bool, as_csv: bool
) -> None:
    """Compare activation functions and how they scale the error in the backward pass.

    Without a NAME, all functions are listed with their range, the supremum of |f'| and whether a
    unit can die. With names or --at, f and f' are plotted and evaluated.
    """
    from actcli.explore.activations import overview
    from actcli.nn.activations import ACTIVATIONS

    selected = tuple(dict.fromkeys(chain.from_iterable(names))) or tuple(ACTIVATIONS)
    points = None
    if names or at is not None:
        points = read_numbers(DEFAULT_POINTS if at is None else at, "--at, point")
        if not points:
            raise UsageError("--at: there is no point", "Give at least one number")
    emit(overview(selected, points), activations_view, as_json, as_csv)


def activations_view(result: "ActivationOverview") -> "RenderableType":
    """Return the view: a table of properties, or a card for each study."""
    from actcli.render.activations import ActivationsView

    return ActivationsView(result)
