"""The plan of a sweep: which keys of the configuration vary, and the jobs that come of it.

Each job is named by a hash of its configuration, so that the same job has the same name in every
sweep that asks for it.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from actcli.config.resolved import ResolvedConfig
from actcli.config.schema import Tables, values
from actcli.config.sources import Setting, assemble, assemble_tables, find_key
from actcli.datasets.catalogue import DATASETS
from actcli.errors import UsageError
from actcli.sweep.axes import Axis

SEED = "training.seed"


@dataclass(frozen=True)
class Job:
    """One run of a sweep."""

    name: str  # of its folder
    varied: tuple[Any, ...]  # the value of each axis
    seed: int
    resolved: ResolvedConfig | None  # None if keys exclude each other
    error: str | None  # why they do

    @property
    def config(self) -> ResolvedConfig:
        """The configuration of a job without an error."""
        if self.resolved is None:
            raise ValueError(f"job {self.name} cannot be trained: {self.error}")
        return self.resolved


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Args:
        base: settings that all jobs have in common.
        axes: what varies.
        seeds: runs of each combination, with that many seeds, from the base's on.
        draws: how many combinations to draw at random; None: all that there are.
        shows: what the sweep is about, in words.
    """

    base: tuple[Setting, ...]
    axes: tuple[Axis, ...]
    seeds: int = 1
    draws: int | None = None
    shows: str = ""

    def jobs(self) -> list[Job]:
        """All of them, each once.

        Raises:
            UsageError: a span without a number of draws; nothing varies, or the seed does twice.
        """
        self._check()
        first = assemble_tables(self.base).training.seed
        found: dict[str, Job] = {}
        for varied in self._combinations(first):
            for seed in range(first, first + self.seeds):
                job = _job(self.base, self.axes, varied, seed)
                found.setdefault(job.name, job)
        return list(found.values())

    def _check(self) -> None:
        if self.seeds > 1 and any(str(axis.key) == SEED for axis in self.axes):
            raise UsageError(f"--seeds: {SEED} varies already", "Give one of the two")
        if self.draws is not None and not self.axes:
            raise UsageError("--random: there is nothing to draw", "Give a --vary")
        for axis in self.axes:
            if axis.span and self.draws is None:
                raise UsageError(
                    f"--vary {axis.key}: a span needs a number of draws",
                    "Example: --random 20. Or give values: 0.01,0.03,0.1",
                )

    def _combinations(self, seed: int) -> Iterator[tuple[Any, ...]]:
        if self.draws is None:
            yield from itertools.product(*(axis.values for axis in self.axes))
            return
        rng = np.random.default_rng(seed)
        for _ in range(self.draws):
            yield tuple(axis.draw(rng) for axis in self.axes)


def _job(base: Sequence[Setting], axes: Sequence[Axis], varied: tuple[Any, ...], seed: int) -> Job:
    chosen = [Setting(axis.key, value, "--vary") for axis, value in zip(axes, varied, strict=True)]
    settings = [*base, *chosen]
    if not any(str(axis.key) == SEED for axis in axes):
        settings.append(Setting(find_key("training", "seed"), seed, "--seeds"))
    tables = assemble_tables(settings)
    try:
        config = assemble(settings, name_origins=False).resolve()
    except UsageError as error:
        return Job(_name(tables), varied, tables.training.seed, None, str(error))
    return Job(_name(config), varied, config.training.seed, _located(config), None)


def _name(config: Tables) -> str:
    """Return a hash of the configuration.

    A key that was renamed counts by its former name, so that sweeps begun before are continued.
    """
    settings = {key.former_path or str(key): value for key, value in values(config)}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _located(config: ResolvedConfig) -> ResolvedConfig:
    """With the full path of its data, which a worker with another current folder needs."""
    name = config.data.name
    if name in DATASETS:
        return config
    return replace(config, data=replace(config.data, name=str(Path(name).absolute())))
