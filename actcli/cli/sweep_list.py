"""`actcli sweep --dry-run`: list the jobs of a sweep and estimate their time; train nothing."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from actcli.cli.output import emit
from actcli.cli.sweep_run import Request, read_data
from actcli.config.resolved import ResolvedData
from actcli.datasets.dataset import Dataset, RawDataset
from actcli.errors import UsageError
from actcli.machine import core_count
from actcli.sweep.estimate import JobForecast, SweepForecast, estimate, worker_bytes
from actcli.sweep.plan import Job
from actcli.sweep.store import is_done
from actcli.training.build import split_dataset

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
    unfinished = [job for job in request.jobs if not (job.error or is_done(path, job))]
    raw = read_data(unfinished, request.quiet)
    datasets, errors = split_datasets(unfinished, raw)
    todo = [job for job in unfinished if job.config.data in datasets]
    costs = dict(zip((job.name for job in todo), estimate(todo, datasets), strict=True))
    jobs = []
    for job in request.jobs:
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
        worker_bytes(list(costs.values()), raw),
    )


def split_datasets(
    jobs: Sequence[Job], raw: Mapping[str, RawDataset]
) -> tuple[dict[ResolvedData, Dataset], dict[ResolvedData, str]]:
    """Return the data sets of jobs, split, and the errors of those that cannot be split."""
    datasets: dict[ResolvedData, Dataset] = {}
    errors: dict[ResolvedData, str] = {}
    for config in dict.fromkeys(job.config.data for job in jobs):
        try:
            datasets[config] = split_dataset(config, raw[config.name])[1]
        except UsageError as error:
            errors[config] = str(error)
    return datasets, errors
