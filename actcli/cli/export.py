"""`actcli export`: the network of a run in the format of another framework, or its metrics."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from actcli.cli.options import KindType, runs_dir_option
from actcli.cli.output import emit, json_option, save_option
from actcli.cli.parameter_types import NamesType, TargetType, kind_of
from actcli.cli.sweep_targets import find_run
from actcli.errors import UsageError
from actcli.registry import declared_aliases, declared_names

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.store.export import Exported

WRITERS = ("actcli.formats.writers", "WRITERS")
TARGETS = declared_names(*WRITERS)


@click.command(
    epilog="""\b
Examples:
  actcli train --epochs 1 -q && actcli export --to onnx
  actcli train relu --epochs 1 -q && actcli export relu --to torch -o digits.py
  actcli train --epochs 2 -q && actcli export --to csv -o metrics.csv --json
""",
)
@click.argument("target", metavar="[RUN]", required=False, type=TargetType())
@runs_dir_option
@click.option(
    "--to",
    "to",
    type=NamesType("export format", TARGETS, aliases=declared_aliases(*WRITERS)),
    metavar="|".join(TARGETS),
    required=True,
    help="Format of the files.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Path of the file; with --to torch, of the .py beside which its .safetensors is written.  "
    "[the name of the run]",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option(
    "--activation",
    type=KindType(kind_of("model.activation")),
    metavar=kind_of("model.activation").metavar,
    help="Activation of the hidden layers, for a model file that does not name it.",
)
@json_option
@save_option
def export(
    target: str | None,
    runs_dir: Path,
    to: str,
    output: Path | None,
    force: bool,
    activation: tuple[str, ...] | None,
    as_json: bool,
) -> None:
    """Export the network of a run for another framework, or its metrics.

    RUN is the name or folder of a run, or a model file; by default the newest run. Normalization
    and output activation are inside for onnx and torch. npz has scikit-learn's coefs_ and
    intercepts_, and the normalization beside them; csv has one line per epoch.
    """
    path = find_run(target, runs_dir, or_file=True)
    from actcli.model import read_model_file
    from actcli.store.export import export_source, model_source, run_source

    if path.is_dir():
        if activation:
            raise UsageError(f"--activation: the run {path.name} has its activations already")
        source = run_source(path)
    else:
        source = model_source(lambda: read_model_file(path).model(activation), path.stem)
    emit(export_source(source, to, output, force), export_view, as_json)


def export_view(exported: "Exported") -> "RenderableType":
    """Return the view of an export."""
    from actcli.render.export import ExportView

    return ExportView(exported)
