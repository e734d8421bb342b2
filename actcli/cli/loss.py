"""`actcli loss`: what each loss makes of one prediction and its target."""

import re
from typing import TYPE_CHECKING, Any

import click

from actcli.cli.arguments import NumbersCommand, read_class_index, read_labels, read_numbers
from actcli.errors import UsageError

if TYPE_CHECKING:
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
    help="The true class, by its label or its index from 0; or a probability for each class.",
)
@click.option("--predicted", metavar="P,...", help="The predicted probability of each class.")
@click.option("--logits", metavar="Z,...", help="Scores instead, of which softmax makes them.")
@click.option("--labels", metavar="A,B,...", help="A name for each class.")
@click.option(
    "--renormalize", is_flag=True, help="Divide probabilities by their sum, if that is not 1."
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
def loss(
    stray: tuple[str, ...],
    target: str,
    predicted: str | None,
    logits: str | None,
    labels: str | None,
    renormalize: bool,
    as_json: bool,
) -> None:
    """Show every loss of one prediction, class by class.

    Cross-entropy, Kullback-Leibler divergence and squared errors, the terms that they are sums of,
    and what becomes of them when target and prediction are swapped. Numbers stand with commas
    between them, and may be negative.
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
        scores=logits is not None,
        renormalize=renormalize,
        labels=names,
    )
    (write_json if as_json else write_table)(pair)


def read_target(text: str, labels: list[str] | None, count: int) -> int | list[float]:
    """What `--target` means: a label, else a distribution if there are several numbers, else an
    index.

    Raises:
        UsageError: it is none of them.
    """
    if text not in (labels or ()) and re.search(r"[,\s\[]", text.strip()):
        return read_numbers(text, "--target, value")
    return read_class_index(text, labels, count)


def write_json(pair: "LossComparison") -> None:
    """For programs; what is infinite is null, and the classes that make it so are listed."""
    from actcli.jsonlines import dumps

    fields: dict[str, Any] = {
        "target": pair.target,
        "predicted": pair.predicted,
        "true_class": pair.true_class,
        "argmax": pair.argmax,
        "target_sum": pair.target_sum,
        "predicted_sum": pair.predicted_sum,
        "renormalized": pair.renormalized,
        **{name.replace("-", "_"): value for name, value in pair.losses.items()},
        "target_entropy": pair.target_entropy,
        "impossible": pair.impossible,
        "terms": {
            "cross_entropy": pair.cross_entropy_terms,
            "kl_divergence": pair.kl_terms,
            "squared_error": pair.squared_errors,
        },
        "swapped": {
            "cross_entropy": pair.swapped.cross_entropy,
            "kl_divergence": pair.swapped.kl_divergence,
            "impossible": pair.swapped.impossible,
        },
    }
    if pair.labels is not None:
        fields["labels"] = pair.labels
    if pair.logits is not None:
        fields["logits"] = pair.logits
    click.echo(dumps(fields))


def write_table(pair: "LossComparison") -> None:
    """For people."""
    from actcli.render.loss import LossView
    from actcli.term.console import stdout_console

    stdout_console().print(LossView(pair))
