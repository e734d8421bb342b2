"""`actcli predict`: images beside the outputs of a network."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actcli.cli.downloads import downloads
from actcli.cli.messages import print_note
from actcli.cli.options import KindType, runs_dir_option
from actcli.cli.output import csv_option, emit, json_option, save_option
from actcli.cli.parameter_types import NamesType, TargetType, override_options
from actcli.config.values import Integer
from actcli.diagnostics import SPLITS
from actcli.errors import UsageError
from actcli.registry import unknown_name

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.cli.targets import Target
    from actcli.datasets.batches import Split
    from actcli.explore.predict import Predictions
    from actcli.nn.arrays import Labels

IMAGES = {".npy", ".png", ".jpg", ".jpeg"}
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
@click.option(
    "--label", metavar="CLASS", help="Class of the rows; with --image, the true class of the image."
)
@click.option("--first", is_flag=True, help="The first row.  [default]")
@click.option("--random", is_flag=True, help="A row drawn at random.")
@click.option("--seed", type=KindType(Integer(0)), metavar="N", help="Seed of --random.")
@click.option(
    "--worst",
    type=KindType(Integer(1)),
    metavar="N",
    help="The N most confident mistakes.",
)
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="An image file: .npy, or .png and .jpg of any size after pip install 'actcli[image]'. A "
    "picture is made like MNIST's: inverted if its border is light, cropped, scaled, centred.",
)
@click.option("--raw", is_flag=True, help="Take a picture as it is: it must have the right size.")
@click.option(
    "--invert", is_flag=True, help="Invert the image, in place of judging it by its border."
)
@click.option(
    "--split",
    type=NamesType("split", SPLITS),
    metavar="|".join(SPLITS),
    default="test",
    help="Split to take rows from.  [test]",
)
@override_options
@json_option
@csv_option("output of an image")
@save_option
@click.option("-q", "--quiet", is_flag=True, help="Show no download progress.")
@click.pass_context
def predict(
    ctx: click.Context,
    /,
    target: str | None,
    runs_dir: Path,
    label: str | None,
    split: str,
    as_json: bool,
    as_csv: bool,
    quiet: bool,
    overrides: dict[str, Any],
    **choices: Any,
) -> None:
    """Show images beside the outputs of a network.

    RUN is the name or folder of a run, or a file with the weights of a multilayer perceptron: .pt,
    .safetensors, .onnx, .keras, .h5 or .npz; by default the newest run. Start with its worst
    mistakes: --worst 5.
    """
    require_one_choice(choices)
    if target and Path(target).suffix.lower() in IMAGES and Path(target).is_file():
        raise UsageError(f"{target!a} is an image, not a network", f"To show it: --image {target}")
    from actcli.cli.targets import Overrides, find_target

    with downloads(quiet) as progress:
        network = find_target(target, runs_dir, Overrides(**overrides), False, progress)
    if network.foreign and not quiet:
        for note in filter(None, (network.foreign.choice, *network.foreign.notes)):
            print_note(note)
    true_class = None if label is None else find_class(label, network.model.classes)
    if choices["image"] is None:
        result = predict_rows(network, split, true_class, **choices)
    else:
        path, invert = choices["image"], choices["invert"]
        result = predict_image(network, path, invert, true_class, choices["raw"])
    emit(result, predict_view, as_json, as_csv)


def require_one_choice(choices: dict[str, Any]) -> None:
    """Raise if two options exclude each other, or one lacks the option that it needs.

    Raises:
        UsageError: the message names both options.
    """
    options = [f"--{name}" for name in CHOICES if _is_set(choices[name])]
    if len(options) > 1:
        raise UsageError(f"{options[0]} and {options[1]} exclude each other")
    for name, needed in (("seed", "random"), ("invert", "image"), ("raw", "image")):
        if _is_set(choices[name]) and not _is_set(choices[needed]):
            raise UsageError(f"--{name} requires --{needed}")


def _is_set(value: Any) -> bool:
    return value is not None and value is not False


def find_class(label: str, classes: tuple[str, ...]) -> int:
    """Return the index of a class.

    Raises:
        UsageError: the class does not exist.
    """
    if label not in classes:
        raise unknown_name("class", label, classes)
    return classes.index(label)


def predict_rows(
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
    """Return the predictions for rows of a split.

    Raises:
        UsageError: the row does not exist.
    """
    import numpy as np

    from actcli.explore.predict import worst as find_worst

    split: Split = getattr(target.dataset, name)
    rows: Labels = np.arange(len(split))
    if true_class is not None:
        rows = np.flatnonzero(split.labels == true_class)
    if not len(rows):
        restriction = "" if true_class is None else f" of class {target.model.classes[true_class]}"
        raise UsageError(f"--split: {target.dataset.name} has no {name} rows{restriction}")
    if worst is not None:
        indices, mistakes = find_worst(target.model, split, rows, worst)
        return _of_rows(target, name, indices, len(rows), mistakes)
    if index is None:
        position = np.random.default_rng(seed).integers(len(rows)) if random else 0
        return _of_rows(target, name, [int(rows[position])])
    if true_class is not None:
        raise UsageError("--index and --label exclude each other", "A row has its class already")
    if index >= len(rows):
        message = f"--index: {target.dataset.name} has {len(rows):,} {name} rows"
        raise UsageError(message, f"Allowed: 0 to {len(rows) - 1}")
    return _of_rows(target, name, [index])


def predict_image(
    target: "Target", path: Path, invert: bool, true_class: int | None, raw: bool
) -> "Predictions":
    """Return the prediction for an image from a file.

    Args:
        target: the network.
        path: the path of the file.
        invert: whether to swap black and white.
        true_class: index of the true class; None if it is unknown.
        raw: whether to take a picture as it is.

    Raises:
        UsageError: the network does not take images.
        DataError: the file is damaged, or nothing is drawn on it.
    """
    from actcli.datasets.drawings import read_drawing
    from actcli.datasets.images import PICTURE_ENDINGS, as_levels, invert_colours, read_image
    from actcli.explore.predict import Predictions, predict

    model, data = target.model, target.dataset
    steps: tuple[str, ...] = ()
    if path.suffix.lower() in PICTURE_ENDINGS and not raw:
        drawing = read_drawing(path, data.image_shape, invert)
        pixels, steps = as_levels(drawing.pixels, data.train), drawing.steps
    else:
        pixels = read_image(path, data.shape, data.train.pixels.dtype)
        pixels = invert_colours(pixels) if invert else pixels
    return Predictions(
        model=target.name,
        dataset=data.name,
        split=None,
        output=model.loss.output,
        loss=model.loss_name,
        classes=model.classes,
        rows=None,
        mistakes=None,
        predictions=predict(model, pixels[None], data.shape, [true_class], [None]),
        steps=steps,
    )


def _of_rows(
    target: "Target",
    name: str,
    indices: list[int],
    rows: int | None = None,
    mistakes: int | None = None,
) -> "Predictions":
    from actcli.explore.predict import predictions_of_rows

    predictions = predictions_of_rows(target.model, target.dataset, name, indices, target.name)
    return replace(predictions, rows=rows, mistakes=mistakes)


def predict_view(result: "Predictions") -> "RenderableType":
    """Return the view of the images beside their outputs."""
    from actcli.render.predict import PredictView

    return PredictView(result)
