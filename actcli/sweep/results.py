"""The result of a sweep: the mean over the seeds of each combination, best first.

Tables, plots, JSON and CSV are all made from one `SweepTable`.
"""

import contextlib
import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actcli.errors import DataError
from actcli.store.folder import RESULT
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

    def csv_rows(self) -> Iterator[list[Any]]:
        """Yield the header of the CSV, and a row for each job in the order of the plan."""
        yield ["run", *self.axes, "seed", *RESULT_COLUMNS]
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
    path = folder / job["name"] / RESULT
    record: dict[str, Any] = {"status": "failed" if job["error"] else "missing"}
    try:
        with contextlib.suppress(FileNotFoundError):
            record = json.loads(path.read_text(encoding="utf-8"))
        return Outcome(
            job=job["name"],
            varied=tuple(
                tuple(value) if isinstance(value, list) else value for value in job["varied"]
            ),
            seed=job["seed"],
            status=str(record["status"]),
            validation=_number((record.get("validation") or {}).get("accuracy")),
            test=_number((record.get("test") or {}).get("accuracy")),
            dead=_number(record.get("dead")),
            verdict=record.get("verdict") and str(record["verdict"]),
            seconds=_number(record.get("seconds")),
            error=record.get("message") or job["error"],
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is not the result of a run") from error


def _number(value: Any) -> float | None:
    """Return a finite number, or None for None.

    Raises:
        ValueError: the value is not a finite number.
    """
    if value is None:
        return None
    if not math.isfinite(number := float(value)):
        raise ValueError(value)
    return number


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
