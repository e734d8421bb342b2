"""`actcli report`: everything about a run on one page for the browser."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actcli.cli.downloads import downloads
from actcli.cli.messages import print_note
from actcli.cli.options import runs_dir_option
from actcli.cli.output import ResultFileType, csv_option, emit, json_option, obstacle
from actcli.cli.parameter_types import TargetType, override_options
from actcli.errors import ActcliError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actcli.pages.document import Report

DEFAULT_FILE = Path("report.html")
ENDINGS = (".html", ".htm")


class PageType(ResultFileType):
    """A file for a page, by the ending of its name."""

    def check_ending(self, path: Path) -> None:
        if path.suffix.lower() not in ENDINGS:
            guess = str(path.with_suffix(".html")) if path.name else str(DEFAULT_FILE)
            raise UsageError(f"-o: {str(path)!a} does not end in .html", f"Did you mean {guess!a}?")


@click.command(
    epilog="""\b
Examples:
  actcli train deep-sigmoid -q && actcli report deep-sigmoid
  actcli train relu -q && actcli train sigmoid -q && actcli report relu sigmoid -o two.html
  actcli train --epochs 1 -q && actcli report --json
""",
)
@click.argument("targets", metavar="[TARGET]...", nargs=-1, type=TargetType())
@runs_dir_option
@click.option(
    "-o",
    "--save",
    "file",
    metavar="FILE",
    type=PageType(),
    help="File for the page.  [report.html; none with --json or --csv]",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@override_options
@json_option
@csv_option("number, run or job")
@click.option("-q", "--quiet", is_flag=True, help="Show no download progress.")
def report(
    targets: tuple[str, ...],
    runs_dir: Path,
    file: Path | None,
    opens: bool,
    as_json: bool,
    as_csv: bool,
    quiet: bool,
    overrides: dict[str, Any],
) -> None:
    """Write a page with everything about a run, to look at and to hand round.

    TARGET is the name or folder of a run (SWEEP/RUN in a sweep), a sweep, or a file with the
    weights of a multilayer perceptron (.pt, .safetensors, .onnx, .keras, .h5, .npz); by default the
    newest run. Several runs stand side by side. The page is one file for any browser: verdict,
    learning curves, gradient flow, units, layers, weights, confusions, mistakes, configuration. It
    loads nothing and needs no network.
    """
    wanted = file is None and not (as_json or as_csv)
    path = DEFAULT_FILE if wanted or (opens and file is None) else file
    if path and (fault := obstacle(path)):
        raise ActcliError(f"cannot write {path}: {fault}")
    from actcli.files import write
    from actcli.machine import worker_count
    from actcli.pages.document import make_report
    from actcli.store.targets import Overrides

    paths = [find_path(target, runs_dir) for target in targets or (None,)]
    with downloads(quiet) as progress:
        made = make_report(paths, Overrides(**overrides), progress, worker_count())
    size = 0
    if path:
        page = made.to_html().encode("utf-8")
        size = len(page)
        write(path, page)
    emit(WrittenReport(made, path, size), report_view, as_json, as_csv)
    if path and opens:
        show(path)


def find_path(target: str | None, runs: Path) -> Path:
    """Return the path of a run, a sweep or a file.

    Raises:
        UsageError: there is no such target; the message has the nearest name.
    """
    from actcli.cli.sweep_targets import find_run
    from actcli.pages.document import find_sweep

    return find_sweep(target or "", runs) or find_run(target, runs, or_file=True)


@dataclass(frozen=True)
class WrittenReport:
    """The result of `actcli report`.

    Args:
        report: its numbers.
        path: the file of its page; None if none was written.
        size: of the file in bytes.
    """

    report: "Report"
    path: Path | None
    size: int

    def to_dict(self) -> dict[str, Any]:
        """Return the collected numbers."""
        return self.report.to_dict()

    def csv_rows(self) -> Any:
        """Return the header and the rows of the most important table of the report."""
        return self.report.csv_rows()


def report_view(result: WrittenReport) -> "RenderableType":
    """Return a line about the page."""
    from actcli.render.report import ReportView

    return ReportView(str(result.path), result.size, result.report.summary())


def show(path: Path) -> None:
    """Open a page in the browser; without a browser, say where it is."""
    import webbrowser

    if not webbrowser.open(path.absolute().as_uri()):
        print_note(f"there is no browser here; the page is {path.absolute()}")
