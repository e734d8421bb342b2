"""The results of a sweep: the mean over the seeds of each combination, best first."""

import contextlib
import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actcli.errors import DataError
from actcli.store.folder import RESULT
from actcli.sweep.store import read_plan


@dataclass(frozen=True)
class Outcome:
    """The result of one job."""

    job: str
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
    verdict: str  # the most frequent verdict or, without one, status
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
    told: dict[str, Any] = {"status": "failed" if job["error"] else "missing"}
    try:
        with contextlib.suppress(FileNotFoundError):
            told = json.loads(path.read_text(encoding="utf-8"))
        return Outcome(
            job=job["name"],
            varied=tuple(tuple(each) if isinstance(each, list) else each for each in job["varied"]),
            seed=job["seed"],
            status=str(told["status"]),
            validation=_number((told.get("validation") or {}).get("accuracy")),
            test=_number((told.get("test") or {}).get("accuracy")),
            dead=_number(told.get("dead")),
            verdict=told.get("verdict") and str(told["verdict"]),
            seconds=_number(told.get("seconds")),
            error=told.get("message") or job["error"],
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} does not say how the run ended") from error


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if not math.isfinite(number := float(value)):
        raise ValueError(value)
    return number


def _point(outcomes: Sequence[Outcome]) -> Point:
    finished = [outcome for outcome in outcomes if outcome.status == "finished"]
    endings = Counter(outcome.verdict or outcome.status for outcome in outcomes)
    ending, count = endings.most_common(1)[0]
    return Point(
        varied=outcomes[0].varied,
        runs=len(finished),
        planned=len(outcomes),
        job=(finished or outcomes)[0].job,
        validation=_mean(outcome.validation for outcome in finished),
        test=_mean(outcome.test for outcome in finished),
        dead=_mean(outcome.dead for outcome in finished),
        verdict=ending if count == len(outcomes) else f"{ending} ({count} of {len(outcomes)})",
        seconds=_mean(outcome.seconds for outcome in finished),
    )


def _mean(numbers: Iterable[float | None]) -> MeanAndDeviation | None:
    known = [number for number in numbers if number is not None]
    if not known:
        return None
    deviation = statistics.stdev(known) if len(known) > 1 else None
    return MeanAndDeviation(statistics.fmean(known), deviation)


def _rank(point: Point) -> float:
    judged = point.validation or point.test
    return -judged.mean if judged else 1.0
