"""The result of a sweep: the mean over the seeds of each combination, best first.

Tables, plots, JSON and CSV are all made from one `SweepTable`.
"""

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actcli.store.folder import RESULT
from actcli.store.record import FINISHED, RunResult
from actcli.sweep.axes import written
from actcli.sweep.store import read_plan

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

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: points best first, runs in the order of the plan."""
        return {
            "sweep": str(self.folder),
            "shows": self.shows,
            "axes": list(self.axes),
            "points": [self._named(point) for point in self.points],
            "runs": [self._named(outcome) for outcome in self.outcomes],
        }

    def _named(self, record: Point | Outcome) -> dict[str, Any]:
        """Return the fields of a record, with the varied values by their key."""
        fields = asdict(record) | {"varied": dict(zip(self.axes, record.varied, strict=True))}
        return {"run": fields.pop("job"), **fields}

    def header(self) -> list[str]:
        """Return the column names of `rows`."""
        return ["run", *self.axes, "seed", *RESULT_COLUMNS]

    def rows(self) -> Iterator[list[Any]]:
        """Yield one CSV row for each job, in the order of the plan."""
        for outcome in self.outcomes:
            results = [getattr(outcome, column) for column in RESULT_COLUMNS]
            yield [outcome.job, *map(written, outcome.varied), outcome.seed, *results]


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
    finished = [outcome for outcome in outcomes if outcome.status == "finished"]
    verdicts = Counter(outcome.verdict or outcome.status for outcome in outcomes)
    verdict, count = verdicts.most_common(1)[0]
    return Point(
        varied=outcomes[0].varied,
        runs=len(finished),
        planned=len(outcomes),
        job=(finished or outcomes)[0].job,
        validation=_mean(outcome.validation for outcome in finished),
        test=_mean(outcome.test for outcome in finished),
        dead=_mean(outcome.dead for outcome in finished),
        verdict=verdict if count == len(outcomes) else f"{verdict} ({count} of {len(outcomes)})",
        seconds=_mean(outcome.seconds for outcome in finished),
    )


def _mean(numbers: Iterable[float | None]) -> MeanAndDeviation | None:
    present = [number for number in numbers if number is not None]
    if not present:
        return None
    deviation = statistics.stdev(present) if len(present) > 1 else None
    return MeanAndDeviation(statistics.fmean(present), deviation)


def _rank(point: Point) -> float:
    accuracy = point.validation or point.test
    return -accuracy.mean if accuracy else 1.0  # without a result: last
