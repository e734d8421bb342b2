"""`actcli sweep --dry-run`: list the jobs of a sweep and estimate their time; train nothing."""

from typing import TYPE_CHECKING

from actcli.cli.output import emit
from actcli.cli.sweep_run import (
    Request,
    needed,
    read_data,
    report_inventory,
    split_datasets,
)
from actcli.machine import core_count
from actcli.sweep.estimate import JobForecast, SweepForecast, estimate, worker_bytes
from actcli.sweep.inventory import take_inventory

if TYPE_CHECKING:
    from rich.console import RenderableType

TO_DO, DONE, ILLEGAL = "to do", "done", "illegal"


def list_jobs(request: Request, as_json: bool, as_csv: bool) -> None:
    """Write the jobs of a sweep and the estimate of their time to stdout."""
    emit(forecast(request), forecast_view, as_json, as_csv)


def forecast_view(result: SweepForecast) -> "RenderableType":
    """Return the view of a dry run."""
    from actcli.render.sweep_list import ForecastView

    return ForecastView(result)


def forecast(request: Request) -> SweepForecast:
    """Return the state of each job, and the estimated time of the jobs that are to be trained."""
    path = request.runs / request.name
    legal = [job for job in request.jobs if not job.error]
    raw = read_data(legal, request.quiet)
    splits, errors = split_datasets(legal, raw)
    inventory = take_inventory(path, request.jobs, splits)
    report_inventory(path, inventory)
    todo = [job for job in inventory.todo if job.config.data in splits]
    datasets = {config: dataset for config, (_, dataset) in splits.items()}
    costs = dict(zip((job.name for job in todo), estimate(todo, datasets), strict=True))
    jobs = []
    for job in inventory.jobs:
        error = job.error or errors.get(job.config.data)
        state = ILLEGAL if error else TO_DO if job.name in costs else DONE
        seconds = costs[job.name].seconds if job.name in costs else None
        jobs.append(JobForecast(job, state, error, seconds))
    workers = min(request.workers or core_count(), max(1, len(todo)))
    return SweepForecast(
        path,
        request.axes,
        jobs,
        None if request.scheduler else workers,
        worker_bytes(list(costs.values()), needed(raw, todo)),
    )
