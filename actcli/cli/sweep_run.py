"""Training the jobs of a sweep, with messages about interrupts and failed jobs."""

import signal
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from actcli.cli import ExitStatus
from actcli.cli.downloads import downloads
from actcli.cli.interrupts import STATUS, WORD, Interrupts
from actcli.cli.messages import print_note
from actcli.cli.sweep import write_table
from actcli.cli.sweep_watch import Watch, label
from actcli.config.resolved import ResolvedData
from actcli.datasets.catalogue import DATASETS
from actcli.datasets.dataset import Dataset, read_dataset
from actcli.datasets.raw import RawDataset, Source
from actcli.errors import ActcliError, UsageError
from actcli.machine import core_count
from actcli.store.folder import Folder
from actcli.sweep.engine import Engine, JobDone, train_all
from actcli.sweep.inventory import Inventory, Splits, take_inventory
from actcli.sweep.plan import Job, Plan
from actcli.sweep.processes import Processes
from actcli.sweep.results import read_table
from actcli.sweep.store import complete_runs, is_complete, open_sweep, store_run, tidy, write_plan
from actcli.term.text import printable
from actcli.training.build import split_dataset

MAX_ERRORS = 10  # different errors in the message
MAX_NAMES = 6  # of runs in a message


@dataclass(frozen=True)
class Request:
    """The arguments of `actcli sweep`.

    Args:
        plan: the plan of the sweep.
        jobs: the jobs of the plan.
        runs: the folder of all runs and sweeps.
        name: the name of the sweep's folder in `runs`.
        workers: number of processes on this machine; None for the number of cores.
        scheduler: the address of a Dask scheduler to be used instead of processes.
        quiet: whether to hide the progress.
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
        """Return the keys that vary."""
        return [str(axis.key) for axis in self.plan.axes]


def run(request: Request, as_json: bool, as_csv: bool) -> int:
    """Train the unfinished jobs, write the result, and return the exit status."""
    path, raw = request.runs / request.name, dict[Source, RawDataset]()
    inventory = Inventory(request.jobs)
    if complete_runs(path):  # else the workers start while the data are read
        raw = read_data(inventory.todo, request.quiet)
        inventory = take_inventory(path, request.jobs, split_datasets(inventory.todo, raw)[0])
        report_inventory(path, inventory)
    todo = inventory.todo
    with closing(make_engine(request, len(todo))) as engine:
        engine.set_data(needed(raw, todo) if raw else read_data(todo, request.quiet))
        with closing(open_sweep(request.runs, request.name)) as folder, Interrupts() as interrupts:
            errors = train(request, folder, inventory, engine, interrupts)
    if interrupts.received:
        report_interrupt(inventory, path, interrupts.received)
        return STATUS[interrupts.received]
    write_table(read_table(path), as_json, as_csv)
    if errors:
        report_errors(request.axes, inventory.jobs, errors)
    return ExitStatus.FAILED if errors else ExitStatus.OK


def train(
    request: Request,
    folder: Folder,
    inventory: Inventory,
    engine: Engine,
    interrupts: Interrupts,
) -> dict[str, str]:
    """Train jobs and store their runs; return the errors of failed jobs by the job's name.

    Raises:
        ActcliError: another process has trained runs of the sweep since the inventory.
    """
    if complete_runs(folder.path) != inventory.runs:
        raise ActcliError(f"another process has just trained in {folder.path}", "Try again")
    tidy(folder.path)
    plan, jobs, todo = request.plan, inventory.jobs, inventory.todo
    errors = {job.name: job.error for job in jobs if job.error}
    write_plan(folder, plan, jobs, errors)
    done = len(inventory.done)
    if done and not request.quiet:
        click.echo(f"{done} of {len(jobs)} runs are finished already", err=True)
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
                watch.finish(event)
    finally:
        if errors != before:
            write_plan(folder, plan, jobs, errors)
    return errors


def read_data(jobs: Sequence[Job], quiet: bool) -> dict[Source, RawDataset]:
    """Return the data sets of jobs by their source in the configuration."""
    with downloads(quiet) as progress:
        sources = dict.fromkeys(job.config.data.source for job in jobs)
        return {
            source: read_dataset(_as_typed(source[0]), progress, source[1]) for source in sources
        }


def needed(raw: Mapping[Source, RawDataset], jobs: Sequence[Job]) -> dict[Source, RawDataset]:
    """Return the data sets of jobs by their source in the configuration."""
    return {source: raw[source] for source in dict.fromkeys(job.config.data.source for job in jobs)}


def split_datasets(
    jobs: Sequence[Job], raw: Mapping[Source, RawDataset]
) -> tuple[Splits, dict[ResolvedData, str]]:
    """Return the data sets of jobs, split, and the errors of those that cannot be split."""
    datasets: dict[ResolvedData, tuple[ResolvedData, Dataset]] = {}
    errors: dict[ResolvedData, str] = {}
    for config in dict.fromkeys(job.config.data for job in jobs):
        try:
            datasets[config] = split_dataset(config, raw[config.source])
        except ActcliError as error:
            errors[config] = str(error)
    return datasets, errors


def report_inventory(path: Path, inventory: Inventory) -> None:
    """Write which runs are outdated, and which cannot be compared with the data."""
    if names := inventory.outdated:
        print_note(
            f"Outdated runs in {path}, because their data have changed since: {listed(names)}. "
            "They are left alone, and their jobs are trained again"
        )
    if names := inventory.unchecked:
        print_note(
            f"Runs without a checkpoint in {path}, whose data may have changed since: "
            f"{listed(names)}"
        )


def listed(names: Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _as_typed(name: str) -> str:
    """Return the name of missing data as the user typed it, for the hint of the nearest name."""
    path = Path(name)
    if path.parent == Path.cwd() and path.name not in DATASETS and not path.exists():
        return path.name
    return name


def make_engine(request: Request, jobs: int) -> Engine:
    """Return the workers for a number of jobs.

    Raises:
        UsageError: a scheduler is given, but Dask is not installed.
        ActcliError: a process cannot be started.
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


def report_interrupt(inventory: Inventory, path: Path, received: signal.Signals) -> None:
    """Write how many runs are finished, and how to resume the sweep."""
    done = sum(is_complete(path / job.name) for job in inventory.jobs)
    click.echo(
        f"{WORD[received]}: {done} of {len(inventory.jobs)} runs are finished and kept in {path}. "
        "The same command resumes the sweep",
        err=True,
    )


def report_errors(axes: Sequence[str], all_jobs: Sequence[Job], errors: Mapping[str, str]) -> None:
    """Write why jobs could not be trained; jobs with the same error are grouped."""
    groups: dict[str, list[Job]] = {}
    for job in all_jobs:
        if job.name in errors:
            groups.setdefault(" ".join(errors[job.name].split()), []).append(job)
    of_all = f"{len(errors)} of {len(all_jobs)} jobs"
    click.echo(f"Error: {of_all} could not be trained", err=True)
    for message, jobs in list(groups.items())[:MAX_ERRORS]:
        description = label(axes, jobs[0].varied, jobs[0].seed)
        more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
        click.echo(f"  {printable(description)}{more}: {printable(message)}", err=True)
    if len(groups) > MAX_ERRORS:
        click.echo(f"  {len(groups) - MAX_ERRORS} more errors: see --csv", err=True)
