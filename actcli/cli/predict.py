"""`actcli predict`: single images, drawn beside what a network says of them."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actcli.cli.downloads import downloads
from actcli.cli.options import KindType, runs_dir_option
from actcli.cli.parameter_types import NamesType, TargetType, override_options
from actcli.config.values import Integer
from actcli.diagnostics import SPLITS
from actcli.errors import UsageError
from actcli.registry import unknown_name

if TYPE_CHECKING:
    from actcli.cli.targets import Target
    from actcli.datasets.batches import Split
    from actcli.datasets.npz import Pixels
    from actcli.explore.predict import Predictions
    from actcli.nn.arrays import Labels

IMAGES = {".npy", ".png"}
CHOICES = ("index", "first", "random", "worst", "image")


@click.command(
    epilog="""\b
Examples:
  actcli train --epochs 1 -q && actcli predict --index 4
  actcli train sigmoid --epochs 1 -q && actcli predict sigmoid --worst 5
""",
)
@click.argument("target", metavar="[RUN]", required=False, type=TargetType())
@runs_dir_option
@click.option("--index", type=KindType(Integer(0)), metavar="N", help="Row N of the split, from 0.")
@click.option("--label", metavar="CLASS", help="Only rows of this class; of --image, the true one.")
@click.option("--first", is_flag=True, help="The first row.  [this is what is shown]")
@click.option("--random", is_flag=True, help="A row drawn at random.")
@click.option(
    "--seed", type=KindType(Integer(0)), metavar="N", help="For --random: always this row."
)
@click.option(
    "--worst",
    type=KindType(Integer(1)),
    metavar="N",
    help="The N mistakes that the network was surest of.",
)
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="An image of your own, white on black: .npy, or .png with the extra 'image'.",
)
@click.option("--invert", is_flag=True, help="Black on white is what --image holds.")
@click.option(
    "--split",
    type=NamesType("split", SPLITS),
    metavar="|".join(SPLITS),
    default="test",
    help="The rows to choose from.  [test]",
)
@override_options
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Tell nothing of downloads.")
@click.pass_context
def predict(
    ctx: click.Context,
    /,
    target: str | None,
    runs_dir: Path,
    label: str | None,
    split: str,
    as_json: bool,
    quiet: bool,
    overrides: dict[str, Any],
    **chosen: Any,
) -> None:
    """Show images beside what a network says of them.

    RUN is a run, by its name or folder, or else a .safetensors or .npz file with the weights of a
    multilayer perceptron; without it, the newest run is asked. Look at its --worst mistakes first.
    """
    require_one_choice(chosen)
    if target and Path(target).suffix.lower() in IMAGES and Path(target).is_file():
        raise UsageError(f"{target!a} is an image, not a network", f"To show it: --image {target}")
    from actcli.cli.targets import Overrides, find_target

    with downloads(quiet) as progress:
        found = find_target(target, runs_dir, Overrides(**overrides), False, progress)
    true_class = None if label is None else find_class(label, found.model.classes)
    if chosen["image"] is None:
        result = ask_rows(found, split, true_class, **chosen)
    else:
        result = ask_image(found, chosen["image"], chosen["invert"], true_class)
    (write_json if as_json else write_tables)(result)


def require_one_choice(chosen: dict[str, Any]) -> None:
    """Refuse options that contradict each other.

    Raises:
        UsageError: they do.
    """
    given = [f"--{name}" for name in CHOICES if _given(chosen[name])]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} exclude each other")
    for name, needed in (("seed", "random"), ("invert", "image")):
        if _given(chosen[name]) and not _given(chosen[needed]):
            raise UsageError(f"--{name} goes with --{needed}")


def _given(value: Any) -> bool:
    return value is not None and value is not False


def find_class(label: str, classes: tuple[str, ...]) -> int:
    """The class of that name.

    Raises:
        UsageError: there is none.
    """
    if label not in classes:
        raise unknown_name("class", label, classes)
    return classes.index(label)


def ask_rows(
    target: "Target",
    name: str,
    true_class: int | None,
    *,
    index: int | None,
    random: bool,
    seed: int | None,
    worst: int | None,
    **_rest: Any,
) -> "Predictions":
    """What the network says of rows of a split.

    Raises:
        UsageError: there is no such row.
    """
    import numpy as np

    from actcli.explore.predict import worst as find_worst

    split: Split = getattr(target.dataset, name)
    rows: Labels = np.arange(len(split))
    if true_class is not None:
        rows = np.flatnonzero(split.labels == true_class)
    if not len(rows):
        of = "" if true_class is None else f" of class {target.model.classes[true_class]}"
        raise UsageError(f"--split: {target.dataset.name} has no {name} rows{of}")
    if worst is not None:
        found, mistakes = find_worst(target.model, split, rows, worst)
        return _of_rows(target, name, found, len(rows), mistakes)
    if index is None:
        position = np.random.default_rng(seed).integers(len(rows)) if random else 0
        return _of_rows(target, name, [int(rows[position])])
    if true_class is not None:
        raise UsageError("--index and --label exclude each other", "The row has a class of its own")
    if index >= len(rows):
        told = f"--index: {target.dataset.name} has {len(rows):,} {name} rows"
        raise UsageError(told, f"Allowed: 0 to {len(rows) - 1}")
    return _of_rows(target, name, [index])


def ask_image(target: "Target", path: Path, invert: bool, true_class: int | None) -> "Predictions":
    """What the network says of an image from a file."""
    from actcli.datasets.images import invert_colours, read_image

    pixels = read_image(path, target.dataset.shape, target.dataset.train.pixels.dtype)
    pixels = invert_colours(pixels) if invert else pixels
    return _asked(target, None, pixels[None], [true_class], [None])


def _of_rows(
    target: "Target",
    name: str,
    indices: list[int],
    rows: int | None = None,
    mistakes: int | None = None,
) -> "Predictions":
    split: Split = getattr(target.dataset, name)
    pixels, labels = split.pixels[split.rows[indices]], split.labels[indices].tolist()
    return replace(_asked(target, name, pixels, labels, indices), rows=rows, mistakes=mistakes)


def _asked(
    target: "Target",
    name: str | None,
    pixels: "Pixels",
    labels: "Sequence[int | None]",
    indices: "Sequence[int | None]",
) -> "Predictions":
    from actcli.explore.predict import Predictions, predict

    model, data = target.model, target.dataset
    return Predictions(
        model=target.name,
        dataset=data.name,
        split=name,
        output=model.loss.output,
        loss=model.loss_name,
        classes=model.classes,
        rows=None,
        mistakes=None,
        predictions=predict(model, pixels, data.shape, labels, indices),
    )


def write_json(found: "Predictions") -> None:
    """For programs: classes by their names, and all outputs."""
    from actcli.jsonlines import dumps

    def named(index: int | None) -> str | None:
        return None if index is None else found.classes[index]

    written = {each.name: getattr(found, each.name) for each in fields(found)}
    written["predictions"] = [
        {
            "index": each.index,
            "true_class": named(each.true_class),
            "answer": named(each.answer),
            "right": each.right,
            "second": named(each.second),
            "outputs": each.outputs,
            "cross_entropy": each.cross_entropy,
            "loss": each.loss,
        }
        for each in found.predictions
    ]
    click.echo(dumps(written))


def write_tables(found: "Predictions") -> None:
    """For people."""
    from actcli.render.predict import PredictView
    from actcli.term.console import stdout_console

    stdout_console().print(PredictView(found))
