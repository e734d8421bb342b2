"""What a sweep came to, for people, as JSON and as CSV: all from one result object."""

import csv
import io
import shlex
from dataclasses import asdict
from typing import Any

import click

from actcli.jsonlines import dumps
from actcli.sweep.axes import written
from actcli.sweep.results import Outcome, Point, SweepTable

COLUMNS = ("status", "validation", "test", "dead", "verdict", "seconds", "error")


def write(table: SweepTable, as_json: bool, as_csv: bool, complete: bool = False) -> None:
    """The result to stdout."""
    if as_json:
        click.echo(dumps(fields(table)))
    elif as_csv:
        click.echo(rows(table), nl=False)
    else:
        from actcli.render.sweep import SweepView
        from actcli.term.console import stdout_console

        best = table.points[0]
        run = shlex.quote(str(table.folder / best.job))
        command = f"actcli diagnose {run}" if best.runs else None
        stdout_console().print(SweepView(table, command, complete))


def fields(table: SweepTable) -> dict[str, Any]:
    """For JSON: points by their rank, runs in the order of the plan."""
    return {
        "sweep": str(table.folder),
        "shows": table.shows,
        "axes": table.axes,
        "points": [_named(table, point) for point in table.points],
        "runs": [_named(table, outcome) for outcome in table.outcomes],
    }


def _named(table: SweepTable, told: Point | Outcome) -> dict[str, Any]:
    fields = asdict(told) | {"varied": dict(zip(table.axes, told.varied, strict=True))}
    return {"run": fields.pop("job"), **fields}


def rows(table: SweepTable) -> str:
    """For CSV: a line for each run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", *table.axes, "seed", *COLUMNS])
    for outcome in table.outcomes:
        told = [getattr(outcome, column) for column in COLUMNS]
        writer.writerow([outcome.job, *map(written, outcome.varied), outcome.seed, *told])
    return text.getvalue()
