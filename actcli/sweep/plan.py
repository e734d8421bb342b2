"""The plan of a sweep: the keys that vary, and one job for each combination and seed."""

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from actcli.config.keys import find_key
from actcli.config.resolved import ResolvedConfig
from actcli.config.schema import Tables, values
from actcli.config.sources import Setting, assemble, assemble_tables
from actcli.errors import UsageError
from actcli.sweep.axes import Axis
from actcli.sweep.names import SEED, run_name, unique_names
from actcli.training.build import full_name

MAX_SEED = 2**63 - 1
MAX_JOBS = 20_000  # of a sweep; planning them takes about ten seconds and 60 MB


@dataclass(frozen=True)
class Job:
    """One training of a sweep.

    Args:
        name: the name of its run folder.
        varied: the value of each axis.
        seed: the seed of the training.
        resolved: the configuration of the job; None if the configuration is illegal.
        error: why the configuration is illegal; None otherwise.
    """

    name: str
    varied: tuple[Any, ...]
    seed: int
    resolved: ResolvedConfig | None
    error: str | None

    @property
    def config(self) -> ResolvedConfig:
        """Return the configuration of a job without an error."""
        if self.resolved is None:
            raise ValueError(f"job {self.name} cannot be trained: {self.error}")
        return self.resolved


@dataclass(frozen=True)
class Plan:
    """A parameter grid, or a random search.

    Args:
        base: settings that all jobs share.
        axes: the keys that vary.
        seeds: number of seeds for each combination, counted up from the seed of `base`.
        draws: number of combinations of a random search; None for the whole grid.
        shows: a description of the result.
    """

    base: tuple[Setting, ...]
    axes: tuple[Axis, ...]
    seeds: int = 1
    draws: int | None = None
    shows: str = ""

    def jobs(self) -> list[Job]:
        """Return the jobs, without duplicates.

        Raises:
            UsageError: a range is given without `draws`, or `draws` without an axis, or both
                `seeds` and an axis set the seed, or there are too many jobs or seeds.
        """
        self._check()
        first = assemble_tables(self.base).training.seed
        if first + self.seeds - 1 > MAX_SEED:
            raise UsageError(
                f"--seeds {self.seeds}: the seeds count up from {first}, beyond the largest seed, "
                f"{MAX_SEED}",
                "Give a smaller --seed",
            )
        jobs: dict[str, Job] = {}
        for varied in self._combinations(first):
            for seed in range(first, first + self.seeds):
                digest, job = _job(self.base, self.axes, varied, seed)
                jobs.setdefault(digest, job)
        names = unique_names((job.name for job in jobs.values()), jobs)
        return [replace(job, name=name) for job, name in zip(jobs.values(), names, strict=True)]

    @property
    def count(self) -> int:
        """Return the number of jobs, in which equal jobs of a random search count several times."""
        combinations = math.prod(len(axis.values) for axis in self.axes)
        return self.seeds * (combinations if self.draws is None else self.draws)

    def _check(self) -> None:
        if self.seeds > 1 and any(str(axis.key) == SEED for axis in self.axes):
            raise UsageError(f"--seeds: {SEED} varies already", "Give one of the two")
        if self.draws is not None and not self.axes:
            raise UsageError(
                "--random: nothing varies, so there is nothing to sample", "Add a --vary"
            )
        for axis in self.axes:
            if axis.span and self.draws is None:
                raise UsageError(
                    f"--vary {axis.key}: a range needs a random search",
                    "Example: --random 20. Or give values: 0.01,0.03,0.1",
                )
        if self.count > MAX_JOBS:
            raise UsageError(
                f"this sweep has {self.count:,} jobs, but {MAX_JOBS:,} are allowed",
                "Give fewer --seeds, fewer values, or a sample of the combinations: --random 100",
            )

    def _combinations(self, seed: int) -> Iterator[tuple[Any, ...]]:
        if self.draws is None:
            yield from itertools.product(*(axis.values for axis in self.axes))
            return
        rng = np.random.default_rng(seed)
        for _ in range(self.draws):
            yield tuple(axis.draw(rng) for axis in self.axes)


def _job(
    base: Sequence[Setting], axes: Sequence[Axis], varied: tuple[Any, ...], seed: int
) -> tuple[str, Job]:
    """Return the hash of a job's configuration, and the job."""
    varied_settings = [
        Setting(axis.key, value, "--vary") for axis, value in zip(axes, varied, strict=True)
    ]
    settings = [*base, *varied_settings]
    if not any(str(axis.key) == SEED for axis in axes):
        settings.append(Setting(find_key("training", "seed"), seed, "--seeds"))
    tables = assemble_tables(settings)
    name = run_name([str(axis.key) for axis in axes], varied, tables.training.seed)
    try:
        config = assemble(settings, name_origins=False).resolve()
    except UsageError as error:
        return _digest(tables), Job(name, varied, tables.training.seed, None, str(error))
    return _digest(config), Job(name, varied, config.training.seed, _located(config), None)


def _digest(config: Tables) -> str:
    """Return a hash of the configuration."""
    settings = {str(key): value for key, value in values(config)}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _located(config: ResolvedConfig) -> ResolvedConfig:
    """Return the configuration with an absolute data path: workers run in other folders."""
    return replace(config, data=replace(config.data, name=full_name(config.data.name)))
