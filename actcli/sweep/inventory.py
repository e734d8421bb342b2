"""The runs that a sweep's folder holds already, and the jobs that they belong to.

The identity of a run is its configuration and the fingerprint of its data, both recorded in its
checkpoint. It does not depend on the name of the run: a sweep recognises runs that it named when
other keys varied, and runs of earlier versions, which were named by a hash. It does not depend on
the path of the data either, but a run on data that have changed since is not a run of the job.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actcli.config.resolved import ResolvedData
from actcli.config.sources import assemble, read_toml
from actcli.datasets.dataset import Dataset
from actcli.errors import ActcliError, DataError
from actcli.store.checkpoint import read_identity, settings
from actcli.store.folder import CHECKPOINT, CONFIG
from actcli.sweep.names import DATA, unique_name
from actcli.sweep.plan import Job
from actcli.sweep.store import complete_runs
from actcli.training.automatic import complete

Splits = Mapping[ResolvedData, tuple[ResolvedData, Dataset]]


@dataclass(frozen=True)
class Inventory:
    """The jobs of a sweep, and the runs that its folder holds.

    Args:
        jobs: the jobs, each with the name of its run.
        done: the names of the jobs whose run is complete.
        outdated: the names of runs on other data, whose jobs are to be trained again.
        unchecked: the names of runs of jobs whose checkpoint, and so their data, cannot be read.
        runs: the names of all complete runs in the folder.
    """

    jobs: list[Job]
    done: frozenset[str] = frozenset()
    outdated: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    runs: frozenset[str] = frozenset()

    @property
    def todo(self) -> list[Job]:
        """Return the jobs that are to be trained."""
        return [job for job in self.jobs if not job.error and job.name not in self.done]


def take_inventory(folder: Path, jobs: Sequence[Job], splits: Splits) -> Inventory:
    """Return which jobs have a complete run in the folder of a sweep, and name the runs of others.

    Args:
        folder: the folder of the sweep, which need not exist.
        jobs: the jobs of the plan.
        splits: the data of the jobs, split; a job without them has no run.
    """
    names = complete_runs(folder)
    if not names:
        return Inventory(list(jobs))
    runs: dict[str, dict[str, str | None]] = {}  # settings -> name -> fingerprint
    for name in sorted(names):
        if identity := _identity(folder / name):
            runs.setdefault(identity[0], {})[name] = identity[1]
    keys = {job.name: _key(job, splits) for job in jobs}
    candidates = {
        job.name: {
            name: fingerprint
            for name, fingerprint in runs.get(keys[job.name][0], {}).items()
            if fingerprint in {None, keys[job.name][1]}
        }
        for job in jobs
    }
    owners = _owners(candidates)
    taken = {name.casefold() for name in {*names, *owners.values()}}
    named = []
    for job in jobs:
        if job.name in owners:
            name = owners[job.name]
        else:
            digest = hashlib.sha256("".join(keys[job.name]).encode()).hexdigest()
            name = unique_name(job.name, digest, lambda each: each.casefold() in taken)
            taken.add(name.casefold())
        named.append(replace(job, name=name))
    return Inventory(
        named,
        done=frozenset(owners.values()),
        outdated=tuple(
            name
            for job in jobs
            if job.name not in owners
            for name in runs.get(keys[job.name][0], {}).keys() - candidates[job.name].keys()
        ),
        unchecked=tuple(name for job, name in owners.items() if candidates[job][name] is None),
        runs=frozenset(names),
    )


def _owners(candidates: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the run of each job that has one, by the name of the job; no two have the same run."""
    owners = {job: job for job, names in candidates.items() if job in names}
    free = {name for names in candidates.values() for name in names} - owners.keys()
    for job, names in candidates.items():
        name = next((name for name in names if name in free), None)
        if job not in owners and name is not None:
            owners[job] = name
            free.remove(name)
    return owners


def _key(job: Job, splits: Splits) -> tuple[str, str]:
    """Return the settings of a job as a text, and the fingerprint of its data."""
    if job.resolved is None or job.resolved.data not in splits:
        return "", ""
    data, dataset = splits[job.resolved.data]
    config = complete(replace(job.resolved, data=data), dataset)
    return _text(settings(config)), dataset.fingerprint


def _identity(run: Path) -> tuple[str, str | None] | None:
    """Return the settings of a run as a text, and the fingerprint of its data, if it is recorded.

    Without a checkpoint, which is the largest file of a run, the configuration is known all the
    same. The result is None if the configuration cannot be read.
    """
    try:
        config, fingerprint = read_identity(run / CHECKPOINT)
    except DataError:
        try:
            return _text(settings(assemble(read_toml(run / CONFIG)).resolve())), None
        except ActcliError:
            return None
    return _text(config), fingerprint


def _text(config: Mapping[str, Any]) -> str:
    """Return settings as a text, without the path of the data, which their fingerprint replaces."""
    return json.dumps({**config, DATA: None}, sort_keys=True)
