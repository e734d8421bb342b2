"""The jobs of a sweep: trained and kept, or listed with what they would cost."""

import signal
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from actcli.cli import ExitStatus
from actcli.cli.downloads import downloads
from actcli.cli.interrupts import STATUS, WORD, Interrupts
from actcli.cli.sweep_output import write
from actcli.cli.sweep_watch import Watch, label
from actcli.datasets.catalogue import DATASETS
from actcli.datasets.dataset import RawDataset, read_dataset
from actcli.errors import UsageError
from actcli.machine import core_count
from actcli.store.folder import Folder
from actcli.sweep.engine import Engine, JobDone, train_all
from actcli.sweep.plan import Job, Plan
from actcli.sweep.processes import Processes
from actcli.sweep.results import read_table
from actcli.sweep.store import is_done, open_sweep, store_run, tidy, write_plan
from actcli.term.text import printable

MOST_ERRORS = 10  # of different ones that are told


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Args:
        plan: of the sweep.
        jobs: of the plan.
        runs: the folder of the runs.
        name: of the sweep's folder in there.
        workers: processes on this machine; None: as many as there are cores.
        scheduler: of a Dask cluster, to be used instead.
        quiet: whether to show no progress.
    """

    plan: Plan
    jobs: list[Job]
    runs: Path
    name: str
    workers: int | None
    scheduler: str | None
    quiet: bool

    @property
    def axes(self) -> list[str]:
        """The keys that vary."""
        return [str(axis.key) for axis in self.plan.axes]


def run(request: Request, as_json: bool, as_csv: bool) -> int:
    """Train the jobs that are not done, write the result, and give the exit status."""
    path = request.runs / request.name
    todo = [job for job in request.jobs if not (job.error or is_done(path, job))]
    with closing(make_engine(request, len(todo))) as engine:
        engine.give(read_data(todo, request.quiet))
        with closing(open_sweep(request.runs, request.name)) as folder, Interrupts() as interrupts:
            errors = train(request, folder, todo, engine, interrupts)
    if interrupts.received:
        tell_interrupted(request, path, interrupts.received)
        return STATUS[interrupts.received]
    write(read_table(path), as_json, as_csv)
    if errors:
        tell_errors(request, errors)
    return ExitStatus.FAILED if errors else ExitStatus.OK


def train(
    request: Request, folder: Folder, todo: list[Job], engine: Engine, interrupts: Interrupts
) -> dict[str, str]:
    """Train jobs and keep their runs; give those that could not be trained, with the reasons."""
    tidy(folder.path)
    plan, jobs = request.plan, request.jobs
    errors = {job.name: job.error for job in jobs if job.error}
    write_plan(folder, plan, jobs, errors)
    done = len(jobs) - len(todo) - len(errors)
    if done and not request.quiet:
        click.echo(f"{done} of {len(jobs)} runs are there already", err=True)
    before = dict(errors)
    try:
        events = train_all(todo, engine, lambda: interrupts.received is not None)
        with (
            Watch(request.axes, jobs, len(jobs) - len(todo), request.quiet) as watch,
            closing(events),
        ):
            for event in events:
                if not isinstance(event, JobDone):
                    watch.report(event)
                    continue
                if event.files is not None:
                    store_run(folder.path, event.job, event.files)
                elif event.error is not None:
                    errors[event.job.name] = event.error
                watch.tell(event)
    finally:
        if errors != before:
            write_plan(folder, plan, jobs, errors)
    return errors


def read_data(jobs: Sequence[Job], quiet: bool) -> dict[str, RawDataset]:
    """The data sets of jobs, by their name in the configuration."""
    with downloads(quiet) as progress:
        names = dict.fromkeys(job.config.data.name for job in jobs)
        return {name: read_dataset(_as_given(name), progress) for name in names}


def _as_given(name: str) -> str:
    """The name of data as it was typed, if they are not there: it may be near a known one."""
    path = Path(name)
    if path.parent == Path.cwd() and path.name not in DATASETS and not path.exists():
        return path.name
    return name


def make_engine(request: Request, jobs: int) -> Engine:
    """What trains that many jobs.

    Raises:
        UsageError: Dask is asked for, and not installed.
        ActcliError: no process can be started.
    """
    if request.scheduler is None:
        return Processes(min(request.workers or core_count(), jobs))
    try:
        from actcli.sweep.cluster import Cluster
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--scheduler needs Dask: {error}", "Install it with: pip install 'actcli[dask]'"
        ) from None
    return Cluster(request.scheduler)


def tell_interrupted(request: Request, path: Path, received: signal.Signals) -> None:
    """Say how far the sweep is, and how it goes on."""
    done = sum(is_done(path, job) for job in request.jobs)
    click.echo(
        f"{WORD[received]}: {done} of {len(request.jobs)} runs are finished, and kept in {path}. "
        "The same command goes on",
        err=True,
    )


def tell_errors(request: Request, errors: Mapping[str, str]) -> None:
    """List what could not be trained, and why: what many have in common only once."""
    groups: dict[str, list[Job]] = {}
    for job in request.jobs:
        if job.name in errors:
            groups.setdefault(" ".join(errors[job.name].split()), []).append(job)
    of_all = f"{len(errors)} of {len(request.jobs)} jobs"
    click.echo(f"Error: {of_all} could not be trained", err=True)
    for message, jobs in list(groups.items())[:MOST_ERRORS]:
        which = label(request.axes, jobs[0].varied, jobs[0].seed)
        more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
        click.echo(f"  {printable(which)}{more}: {printable(message)}", err=True)
    if len(groups) > MOST_ERRORS:
        click.echo(f"  {len(groups) - MOST_ERRORS} more errors: see --csv", err=True)
