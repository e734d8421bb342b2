"""`actcli doctor`: versions, BLAS, cores, folders, and whether anything slows NumPy down."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from actcli.cli.options import runs_dir_option
from actcli.cli.output import emit, json_option, save_option

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.explore.doctor import Checkup


@click.command(
    epilog="""\b
Examples:
  actcli doctor
  actcli doctor --json
""",
)
@runs_dir_option
@json_option
@save_option
def doctor(runs_dir: Path, as_json: bool) -> None:
    """Examine the installation: versions, speed, folders.

    Besides versions and folders it shows the BLAS of NumPy with its kernel and its measured speed,
    the cores, and whatever makes trainings slower than this machine allows.
    """
    from actcli.explore.doctor import examine_installation

    emit(examine_installation(runs_dir), doctor_view, as_json)


def doctor_view(checkup: "Checkup") -> "RenderableType":
    """Return the view: a line for each fact."""
    from actcli.render.doctor import DoctorView

    return DoctorView(checkup)
