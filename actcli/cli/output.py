"""Output of results: one JSON object, CSV, or a view for people on stdout; the view as a file, too.

A command computes one result object and hands it over:

    @click.command()
    @json_option
    @csv_option("run")
    @save_option
    def compare(as_json: bool, as_csv: bool) -> None:
        emit(compare_runs(...), compare_view, as_json, as_csv)

    def compare_view(comparison: "Comparison") -> "RenderableType":
        from actcli.render.compare import CompareView

        return CompareView(comparison)

The view is a function, so that `--json` does not import rich. `emit` finds the file of `--save` in
Click's context.
"""

import errno
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from actcli.cli.messages import print_note
from actcli.cli.parameter_types import NamesType
from actcli.errors import ActcliError, UsageError
from actcli.registry import declared_names, nearest

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any] | click.Command)

ALL = "all"  # the table of `--csv` without a name
SAVE = "actcli.save"  # the file of --save in `click.Context.meta`


class Tabular(Protocol):
    """A result with a table of raw numbers."""

    def csv_rows(self) -> Iterable[Sequence[Any]]:
        """Return the header and the rows; None is an empty cell."""
        ...


def _exclusive(ctx: click.Context, param: click.Parameter, value: T) -> T:
    """Return the value of --json or --csv.

    Raises:
        UsageError: both are given.
    """
    other = {"as_json": "as_csv", "as_csv": "as_json"}[param.name or ""]
    if value and ctx.params.get(other):
        raise UsageError("--json and --csv exclude each other", "Choose one of them")
    return value


def json_option_for(what: str) -> Callable[[F], F]:
    """Return the decorator that adds `--json`, with its help text."""
    return click.option("--json", "as_json", is_flag=True, callback=_exclusive, help=what)


def csv_option(row: str) -> Callable[[F], F]:
    """Return the decorator that adds `--csv`.

    Args:
        row: the word for what a row of the table is about: "run".
    """
    text = f"Write one line of CSV per {row}."
    return click.option("--csv", "as_csv", is_flag=True, callback=_exclusive, help=text)


def csv_table_option(row: str, registry: str) -> Callable[[F], F]:
    """Return the decorator that adds `--csv`, which may name a table: see `CsvCommand`.

    Args:
        row: the word for what a row of the whole CSV is about.
        registry: the module and the name of the registry of the tables.
    """
    names = declared_names(*registry.rsplit(".", 1))
    text = f"Write one line of CSV per {row}, or the table of one part: {', '.join(names)}."
    kind = NamesType("table", (ALL, *names))
    return click.option(
        "--csv", "as_csv", type=kind, metavar="[PART]", callback=_exclusive, help=text
    )


class CsvCommand(click.Command):
    """A command whose `--csv` may be followed by the name of a table, or by another argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give `--csv` its table before Click sees the arguments; `all` is the whole CSV."""
        option = next(param for param in self.get_params(ctx) if param.name == "as_csv")
        names = cast(NamesType, option.type).names
        end = args.index("--") if "--" in args else len(args)
        joined: list[str] = []
        for arg in args[:end]:
            if joined and joined[-1] == "--csv":
                joined[-1] = f"--csv={arg if arg in names else ALL}"
                if arg in names:
                    continue
            joined.append(arg)
        if joined and joined[-1] == "--csv":
            joined[-1] = f"--csv={ALL}"
        return super().parse_args(ctx, [*joined, *args[end:]])


json_option = json_option_for("Write the result as one JSON object.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show no progress.")


def picture_endings() -> tuple[str, ...]:
    """Return the endings of the files that --save writes."""
    return declared_names("actcli.term.picture", "WRITERS")


class ResultFileType(click.ParamType[Path]):
    """A file for a result. What can be seen in advance is refused before anything is computed."""

    name = "FILE"

    def check_ending(self, path: Path) -> None:
        """Raise a `UsageError` unless the ending of the name is allowed."""
        raise NotImplementedError

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        self.check_ending(path)
        if fault := obstacle(path):
            raise ActcliError(f"cannot write {path}: {fault}")
        return path

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


class PictureType(ResultFileType):
    """A file for the result: an SVG picture, an HTML page, or text, by the ending of its name."""

    def check_ending(self, path: Path) -> None:
        endings = picture_endings()
        if path.suffix.lower() not in endings:
            guess = nearest(path.suffix, endings) if path.suffix else None
            suggestion = f"Did you mean {str(path.with_suffix(guess))!a}?" if guess else None
            allowed = f"{', '.join(endings[:-1])} or {endings[-1]}"
            raise UsageError(f"--save: {str(path)!a} does not end in {allowed}", suggestion)


def obstacle(path: Path) -> str | None:
    """Return why a file cannot be written, as far as it can be seen in advance, or None."""
    try:
        if path.is_dir():
            return os.strerror(errno.EISDIR)
        if not path.parent.is_dir():
            return f"there is no folder {path.parent}"
    except (OSError, ValueError) as error:  # a name that is too long, or with a null byte
        return getattr(error, "strerror", None) or str(error)
    return None if os.access(path.parent, os.W_OK) else os.strerror(errno.EACCES)


def _remember(ctx: click.Context, _param: click.Parameter, path: Path | None) -> None:
    ctx.meta[SAVE] = path


save_option = click.option(
    "--save",
    metavar="FILE",
    type=PictureType(),
    callback=_remember,
    expose_value=False,
    help="File for the result as a terminal shows it: a picture (.svg), a page (.html) or text "
    "(.txt).",
)


def emit(
    result: T,
    view: "Callable[[T], RenderableType]",
    as_json: bool = False,
    as_csv: bool = False,
) -> None:
    """Write a result to stdout, and its view to the file of `--save`.

    Args:
        result: an object whose `to_dict()` returns the JSON object, or a JSON value itself; with
            `as_csv` it is also `Tabular`.
        view: makes the view for people from the result.
        as_json: whether to write one line of strict JSON.
        as_csv: whether to write the table of the result as CSV.
    """
    try:
        if as_json:
            emit_json(result)
        elif as_csv:
            emit_csv(cast(Tabular, result).csv_rows())
        else:
            from actcli.term.console import stdout_console

            stdout_console().print(view(result), crop=False)  # views fit; a path is never cut
    finally:  # also if the reader of stdout has closed it
        save_view(lambda: view(result))


def emit_json(result: Any) -> None:
    """Write an object with `to_dict()`, or a JSON value, to stdout as one line of strict JSON."""
    from actcli.jsonlines import dumps

    to_dict: Callable[[], Any] | None = getattr(result, "to_dict", None)
    click.echo(dumps(to_dict() if to_dict else result))


def emit_csv(rows: Iterable[Sequence[Any]]) -> None:
    """Write rows to stdout as CSV. None is an empty cell."""
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    click.echo(text.getvalue(), nl=False)


def is_saving() -> bool:
    """Return whether the command was called with `--save`."""
    return _saved_file() is not None


def save_view(view: "Callable[[], RenderableType]") -> None:
    """Write a view to the file of `--save`, if it is given, and say so on stderr.

    Raises:
        ActcliError: the file cannot be written.
    """
    path = _saved_file()
    if path is None:
        return
    from actcli.files import write
    from actcli.term.console import picture_columns
    from actcli.term.picture import WRITERS

    title = click.get_current_context().command_path
    text = WRITERS[path.suffix.lower()](view(), picture_columns(), title)
    write(path, text.encode("utf-8"))
    print_note(f"Saved {path}")


def _saved_file() -> Path | None:
    context = click.get_current_context(silent=True)
    return context.meta.get(SAVE) if context else None
