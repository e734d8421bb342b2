"""Test jobs on an executor: jobs that fail, and jobs whose process dies.

The executors here are fakes; test_local and test_cluster use real ones.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from actcli.errors import ActcliError
from actcli.sweep.axes import parse_axis
from actcli.sweep.engine import MAX_FAILED_STARTS, JobDone, MessageQueue, train_all
from actcli.sweep.plan import Job, Plan
from actcli.sweep.work import JobProgress, StoppedError

JOBS = Plan((), (parse_axis("training.seed=0,1,2,3,4,5,6,7"),)).jobs()
SEEDS = {job.name: job.seed for job in JOBS}


class Pool(Executor):
    """A fake pool of two processes, which work when `Fake.work` is called; a death breaks it."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, Future[Any]]] = []

    def submit(self, fn: Any, /, *args: Any, **_kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((args[1], future))
        return future


class Fake:
    """An engine of fake pools.

    Args:
        end: returns the end of the job with a seed: bytes, an exception, or "death".
        begins: whether a process lives long enough to begin a job.
    """

    def __init__(self, end: Callable[[int], Any], begins: bool = True) -> None:
        self.end, self.begins = end, begins
        self.batches: list[list[int]] = []

    @contextlib.contextmanager
    def start(self, messages: MessageQueue) -> Iterator[Executor]:
        self.messages, self.pool = messages, Pool()
        yield self.pool

    def task(self, job: Job) -> tuple[Any, ...]:
        return "token", job.name

    def work(self) -> bool:
        """Let the pool work; return False, as if no signal had arrived."""
        waiting, self.pool.waiting = self.pool.waiting, []
        if waiting:
            self.batches.append([SEEDS[name] for name, _ in waiting])
        while waiting:
            pair, waiting = waiting[:2], waiting[2:]
            ends = [self.end(SEEDS[name]) for name, _ in pair]
            if self.begins:
                for name, _ in pair:
                    self.messages.put(JobProgress(name, 0, 1, None))
            if "death" in ends:
                for _, future in [*pair, *waiting]:
                    future.set_exception(BrokenProcessPool("a process died"))
                break
            for (_, future), ended in zip(pair, ends, strict=True):
                if isinstance(ended, BaseException):
                    future.set_exception(ended)
                else:
                    future.set_result({"result.json": ended})
        return False


def outcomes(engine: Fake) -> dict[int, str | None]:
    """Return the error of each job that ended, by its seed."""
    done = [event for event in train_all(JOBS, engine, Quiet(engine)) if isinstance(event, JobDone)]
    assert len({event.job.name for event in done}) == len(done)
    assert all((event.files is None) == (event.error is not None) for event in done)
    return {event.job.seed: event.error for event in done}


class Quiet:
    """Lets a started pool work whenever the engine checks for a signal, and never reports one."""

    def __init__(self, engine: Fake) -> None:
        self.engine = engine

    def __call__(self) -> bool:
        return self.engine.work() if hasattr(self.engine, "pool") else False


def test_all_jobs_are_trained() -> None:
    engine = Fake(lambda _: b"{}")
    assert outcomes(engine) == dict.fromkeys(range(8))
    assert engine.batches == [[*range(8)]]


def test_a_failing_job_does_not_stop_the_others() -> None:
    errors = {2: ActcliError("no such class", "Known: 1"), 3: MemoryError("1 TB"), 5: KeyError("x")}
    errors_by_seed = outcomes(Fake(lambda seed: errors.get(seed, b"{}")))
    assert errors_by_seed == dict.fromkeys(range(8)) | {
        2: "no such class. Known: 1",
        3: "not enough memory: 1 TB",
        5: "KeyError: 'x'",
    }


def test_a_death_costs_no_job() -> None:
    deaths = iter(["death"])
    engine = Fake(lambda seed: next(deaths, b"{}") if seed == 2 else b"{}")
    assert outcomes(engine) == dict.fromkeys(range(8))
    # Those that had begun are tried alone, after the rest.
    assert engine.batches == [[*range(8)], [4, 5, 6, 7], [3], [2]]


def test_a_job_that_kills_its_process_fails_alone() -> None:
    engine = Fake(lambda seed: "death" if seed in {1, 4} else b"{}")
    died = "the process that trained it died"
    assert outcomes(engine) == dict.fromkeys(range(8)) | {1: died, 4: died}
    assert engine.batches == [[*range(8)], [2, 3, 4, 5, 6, 7], [6, 7], [5], [4], [1], [0]]


def test_processes_that_cannot_start_are_reported() -> None:
    engine = Fake(lambda _: "death", begins=False)
    with pytest.raises(ActcliError, match="processes cannot be started here"):
        outcomes(engine)
    assert engine.batches == [[*range(8)]] * MAX_FAILED_STARTS


def test_lost_workers_are_reported() -> None:
    engine = Fake(lambda _: b"{}")

    def cancel() -> bool:
        for _, future in engine.pool.waiting if hasattr(engine, "pool") else ():
            future.cancel()
        return False

    with pytest.raises(ActcliError, match=r"the workers are lost. Finished runs are kept"):
        list(train_all(JOBS, engine, cancel))


def test_a_stop_reports_finished_jobs_but_not_unfinished_ones() -> None:
    engine = Fake(lambda seed: b"{}" if seed < 2 else StoppedError("stopped"))

    def stop() -> bool:
        if not hasattr(engine, "pool"):
            return False
        engine.work()
        return True

    done = [event for event in train_all(JOBS, engine, stop) if isinstance(event, JobDone)]
    assert [event.job.seed for event in done] == [0, 1]
