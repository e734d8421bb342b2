"""The result of a sweep: the mean over the seeds of each combination, best first.

Tables, plots, JSON and CSV are all made from one `SweepTable`.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actcli.diagnostics import FAULTLESS
from actcli.errors import DataError
from actcli.store.catalog import modified
from actcli.store.folder import RESULT
from actcli.store.record import DIVERGED, FINISHED, RunResult
from actcli.sweep.axes import written
from actcli.sweep.names import common_part
from actcli.sweep.store import PLAN, read_plan

RESULT_COLUMNS = ("status", "validation", "test", "dead", "verdict", "seconds", "error")  # of CSV


@dataclass(frozen=True)
class Outcome:
    """The result of one job. Results that the job does not have are None."""

    job: str  # the name of its run
    varied: tuple[Any, ...]
    seed: int
    status: str  # finished, diverged, failed, or missing
    validation: float | None  # accuracy
    test: float | None  # accuracy
    dead: float | None  # share of the hidden units
    verdict: str | None
    seconds: float | None
    error: str | None

    @property
    def ending(self) -> str:
        """Return the verdict or, without one, the status."""
        return self.verdict or self.status


@dataclass(frozen=True)
class MeanAndDeviation:
    """A mean and the sample standard deviation, which is None for a single number."""

    mean: float
    deviation: float | None


@dataclass(frozen=True)
class Point:
    """The results of one combination over its seeds."""

    varied: tuple[Any, ...]
    runs: int  # number of finished runs
    planned: int
    job: str  # the name of the first finished run, or of the first run
    name: str  # the part of the names of all runs that says what varies
    validation: MeanAndDeviation | None
    test: MeanAndDeviation | None
    dead: MeanAndDeviation | None
    verdict: str  # the most frequent one of the runs; the status of a run without a verdict
    seconds: MeanAndDeviation | None


@dataclass(frozen=True)
class SweepTable:
    """The result of a sweep, complete or not.

    Args:
        folder: the folder of the sweep.
        shows: a description of the result.
        axes: the keys that vary.
        points: combinations, best first: by validation accuracy or, without it, by test accuracy.
        outcomes: all jobs in the order of the plan.
    """

    folder: Path
    shows: str
    axes: tuple[str, ...]
    points: tuple[Point, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def best(self) -> Outcome | None:
        """Return the best run of the best combination, or None if no run is finished."""
        runs = [outcome for outcome in self.outcomes if outcome.varied == self.points[0].varied]
        finished = [outcome for outcome in runs if outcome.status == FINISHED]
        return max(finished, key=_health, default=None)

    @property
    def worst(self) -> Outcome | None:
        """Return the finished run with a finding that has the lowest accuracy.

        Of runs with the same accuracy, it is the one with the most dead units. If no run has a
        finding, it is the first run that diverged, or None if no run diverged.
        """
        ill = [
            outcome
            for outcome in self.outcomes
            if outcome.status == FINISHED and outcome.verdict not in {None, *FAULTLESS}
        ]
        diverged = [outcome for outcome in self.outcomes if outcome.status == DIVERGED]
        return min(ill or diverged[:1], key=_health, default=None)

    def notable(self) -> dict[str, Outcome]:
        """Return the worst and the best run, if there are any; one run is not both."""
        runs = {"worst": self.worst, "best": self.best}
        if self.worst == self.best:
            del runs["worst"]
        return {name: run for name, run in runs.items() if run}

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: points best first, runs in the order of the plan."""
        return {
            "sweep": str(self.folder),
            "shows": self.shows,
            "axes": list(self.axes),
            "best": self.best and self.best.job,
            "worst": self.worst and self.worst.job,
            "points": [self._named(point) for point in self.points],
            "runs": [self._named(outcome) for outcome in self.outcomes],
        }

    def _named(self, record: Point | Outcome) -> dict[str, Any]:
        """Return the fields of a record, with the varied values by their key."""
        fields = asdict(record) | {"varied": dict(zip(self.axes, record.varied, strict=True))}
        return {"run": fields.pop("job"), **fields}

    def csv_rows(self) -> Iterator[list[Any]]:
        """Yield the header of the CSV, and a row for each job in the order of the plan."""
        yield ["run", *self.axes, "seed", *RESULT_COLUMNS]
        for outcome in self.outcomes:
            results = [getattr(outcome, column) for column in RESULT_COLUMNS]
            yield [outcome.job, *map(written, outcome.varied), outcome.seed, *results]


@dataclass(frozen=True)
class SweepSummary:
    """The summary of a sweep, for the list of runs. Results that it does not have are None.

    Args:
        name: the name of the sweep.
        path: the path of its folder.
        changed: the time when its plan was written, in seconds since 1970.
        fault: the fault of a damaged sweep, in words.
        axes: the keys that vary.
        planned: number of planned runs.
        finished: number of finished runs.
        best: the best run.
        worst: the run with a finding that has the lowest accuracy.
    """

    name: str
    path: Path
    changed: float
    fault: str | None = None
    axes: tuple[str, ...] = ()
    planned: int = 0
    finished: int = 0
    best: Outcome | None = None
    worst: Outcome | None = None


def summarize_sweep(folder: Path) -> SweepSummary:
    """Return the summary of a sweep. A damaged sweep gives a summary with a fault."""
    changed = modified(folder / PLAN)
    try:
        table = read_table(folder)
    except DataError as error:
        return SweepSummary(folder.name, folder, changed, str(error).replace(f"{folder}/", ""))
    return SweepSummary(
        folder.name,
        folder,
        changed,
        axes=table.axes,
        planned=len(table.outcomes),
        finished=sum(outcome.status == FINISHED for outcome in table.outcomes),
        best=table.best,
        worst=table.worst,
    )


def read_table(folder: Path) -> SweepTable:
    """Return the result of a sweep from its folder; jobs without a run count as missing.

    Raises:
        DataError: the plan or a result is damaged.
    """
    plan = read_plan(folder)
    outcomes = tuple(_outcome(folder, job) for job in plan["jobs"])
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(json.dumps(outcome.varied), []).append(outcome)
    points = sorted(map(_point, groups.values()), key=_rank)
    return SweepTable(folder, plan["shows"], tuple(plan["axes"]), tuple(points), outcomes)


def _outcome(folder: Path, job: dict[str, Any]) -> Outcome:
    result = RunResult.read(folder / job["name"] / RESULT)
    without_result = "failed" if job["error"] else "missing"
    return Outcome(
        job=job["name"],
        varied=tuple(tuple(value) if isinstance(value, list) else value for value in job["varied"]),
        seed=job["seed"],
        status=result.status if result else without_result,
        validation=result.validation.accuracy if result and result.validation else None,
        test=result.test.accuracy if result and result.test else None,
        dead=result.dead if result else None,
        verdict=result.verdict if result else None,
        seconds=result.seconds if result and result.status == FINISHED else None,
        error=(result.message if result else None) or job["error"],
    )


def _point(outcomes: Sequence[Outcome]) -> Point:
    finished = [outcome for outcome in outcomes if outcome.status == FINISHED]
    verdicts = Counter(outcome.ending for outcome in outcomes)
    verdict, count = verdicts.most_common(1)[0]
    return Point(
        varied=outcomes[0].varied,
        runs=len(finished),
        planned=len(outcomes),
        job=(finished or outcomes)[0].job,
        name=common_part([outcome.job for outcome in outcomes]),
        validation=_mean(outcome.validation for outcome in finished),
        test=_mean(outcome.test for outcome in finished),
        dead=_mean(outcome.dead for outcome in finished),
        verdict=verdict if count == len(outcomes) else f"{verdict} ({count} of {len(outcomes)})",
        seconds=_mean(outcome.seconds for outcome in finished),
    )


def _health(outcome: Outcome) -> tuple[float, float]:
    """Return the accuracy, and the share of units that are not dead."""
    accuracy = outcome.test if outcome.validation is None else outcome.validation
    return accuracy or 0.0, 1 - (outcome.dead or 0.0)


def _mean(numbers: Iterable[float | None]) -> MeanAndDeviation | None:
    present = [number for number in numbers if number is not None]
    if not present:
        return None
    import statistics  # takes as long to import as all of this module's other imports

    deviation = statistics.stdev(present) if len(present) > 1 else None
    return MeanAndDeviation(statistics.fmean(present), deviation)


def _rank(point: Point) -> float:
    accuracy = point.validation or point.test
    return -accuracy.mean if accuracy else 1.0  # without a result: last
