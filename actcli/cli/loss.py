"""`actcli loss`: all losses of one prediction and its target."""

import re
from typing import TYPE_CHECKING

import click

from actcli.cli.arguments import NumbersCommand, read_class_index, read_labels, read_numbers
from actcli.cli.output import csv_option, emit, json_option, save_option
from actcli.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.explore.loss import LossComparison


@click.command(
    cls=NumbersCommand,
    epilog="""\b
Examples:
  actcli loss --target 4 --predicted .047,.048,.061,.07,.33,.062,.001,.213,.013,.15
  actcli loss --target cat --logits 2,1,-0.5 --labels cat,dog,bird
  actcli loss --target 0.5,0.5,0 --predicted 0.25,0.25,0.5 --json
""",
)
@click.argument("stray", nargs=-1, metavar="")
@click.option(
    "--target",
    metavar="K|P,...",
    required=True,
    help="Label of the true class, or its index from 0; or a probability for each class.",
)
@click.option("--predicted", metavar="P,...", help="The predicted probability of each class.")
@click.option(
    "--logits",
    metavar="Z,...",
    help="Logits in place of --predicted; softmax turns them into probabilities.",
)
@click.option("--labels", metavar="A,B,...", help="A name for each class.")
@click.option("--renormalize", is_flag=True, help="Divide probabilities by their sum.")
@json_option
@csv_option("class")
@save_option
def loss(
    stray: tuple[str, ...],
    target: str,
    predicted: str | None,
    logits: str | None,
    labels: str | None,
    renormalize: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show all losses of one prediction, class by class.

    The result contains cross-entropy, Kullback-Leibler divergence and squared errors, the term of
    each class, and the losses with target and prediction swapped. Numbers are separated by commas;
    logits may be negative.
    """
    if stray:
        word = stray[0].split()[0]
        raise UsageError(
            f"{word!a} belongs to no option", "Put commas, and no spaces, between numbers"
        )
    from actcli.explore.loss import compare_losses

    if (predicted is None) == (logits is None):
        raise UsageError("one prediction is needed", "Give --predicted, or --logits")
    text, option = (predicted, "--predicted") if logits is None else (logits, "--logits")
    prediction = read_numbers(text or "", f"{option}, value")
    names = None if labels is None else read_labels(labels)
    pair = compare_losses(
        read_target(target, names, len(prediction)),
        prediction,
        logits=logits is not None,
        renormalize=renormalize,
        labels=names,
    )
    emit(pair, loss_view, as_json, as_csv)


def read_target(text: str, labels: list[str] | None, count: int) -> int | list[float]:
    """Return the index of the true class, or a probability for each class.

    A label takes precedence; then several numbers are probabilities, and one number is an index.

    Raises:
        UsageError: the text is not a label, an index or a list of numbers.
    """
    if text not in (labels or ()) and re.search(r"[,\s\[]", text.strip()):
        return read_numbers(text, "--target, value")
    return read_class_index(text, labels, count)


def loss_view(pair: "LossComparison") -> "RenderableType":
    """Return the view of a comparison."""
    from actcli.render.loss import LossView

    return LossView(pair)
