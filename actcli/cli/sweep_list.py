"""The jobs of a sweep that is still to be trained, with about their time and memory."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

import click

from actcli.cli.sweep_run import Request, read_data
from actcli.config.resolved import ResolvedData
from actcli.datasets.dataset import Dataset, RawDataset
from actcli.errors import UsageError
from actcli.jsonlines import dumps
from actcli.machine import core_count
from actcli.sweep.axes import written
from actcli.sweep.estimate import Cost, estimate, of_worker
from actcli.sweep.plan import Job
from actcli.sweep.store import is_done
from actcli.training.build import split_dataset

TO_DO, IS_DONE, ILLEGAL = "to do", "done", "illegal"


@dataclass(frozen=True)
class Listed:
    """A job, whether it is done, and what it would cost if it is not."""

    job: Job
    state: str
    error: str | None
    cost: Cost | None


def list_jobs(request: Request, as_json: bool, as_csv: bool) -> None:
    """Write what would be trained to stdout."""
    path = request.runs / request.name
    open_jobs = [job for job in request.jobs if not (job.error or is_done(path, job))]
    raw = read_data(open_jobs, request.quiet)
    datasets, wrong = _datasets(open_jobs, raw)
    todo = [job for job in open_jobs if job.config.data in datasets]
    costs = dict(zip((job.name for job in todo), estimate(todo, datasets), strict=True))
    listed = [
        Listed(
            job,
            ILLEGAL if error else TO_DO if job.name in costs else IS_DONE,
            error,
            costs.get(job.name),
        )
        for job in request.jobs
        for error in [job.error or wrong.get(job.config.data)]
    ]
    workers = min(request.workers or core_count(), max(1, len(todo)))
    memory = of_worker(list(costs.values()), raw)
    if as_json:
        click.echo(dumps(_fields(request, listed, workers, memory)))
    elif as_csv:
        click.echo(_rows(request, listed), nl=False)
    else:
        from actcli.render.sweep_list import ListView, Row
        from actcli.term.console import stdout_console

        rows = [
            Row(each.job.name, each.job.varied, each.job.seed, each.state, each.error, _time(each))
            for each in listed
        ]
        where = None if request.scheduler else workers
        stdout_console().print(ListView(request.name, request.axes, rows, where, memory))


def _datasets(
    jobs: list[Job], raw: Mapping[str, RawDataset]
) -> tuple[dict[ResolvedData, Dataset], dict[ResolvedData, str]]:
    """Those that jobs learn, and why others cannot be made."""
    found: dict[ResolvedData, Dataset] = {}
    wrong: dict[ResolvedData, str] = {}
    for chosen in dict.fromkeys(job.config.data for job in jobs):
        try:
            found[chosen] = split_dataset(chosen, raw[chosen.name])[1]
        except UsageError as error:
            wrong[chosen] = str(error)
    return found, wrong


def _time(listed: Listed) -> float | None:
    return listed.cost.seconds if listed.cost else None


def _fields(request: Request, listed: list[Listed], workers: int, memory: int) -> dict[str, object]:
    seconds = sum(_time(each) or 0.0 for each in listed)
    return {
        "sweep": str(request.runs / request.name),
        "axes": request.axes,
        "jobs": [
            {
                "run": each.job.name,
                "varied": dict(zip(request.axes, each.job.varied, strict=True)),
                "seed": each.job.seed,
                "state": each.state,
                "error": each.error,
                "seconds": _time(each),
            }
            for each in listed
        ],
        "workers": None if request.scheduler else workers,
        "core_seconds": seconds,
        "seconds": None if request.scheduler else seconds / workers,
        "bytes_per_worker": memory,
    }


def _rows(request: Request, listed: list[Listed]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", *request.axes, "seed", "state", "seconds", "error"])
    for each in listed:
        varied = map(written, each.job.varied)
        told = [each.job.seed, each.state, _time(each), each.error]
        writer.writerow([each.job.name, *varied, *told])
    return text.getvalue()
