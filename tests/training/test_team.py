"""A team of threads, and that a step is the same however many take it."""

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actcli.training import build, step, threads
from actcli.training.learner import Learner
from actcli.training.loop import EpochDone, fit
from actcli.training.settings import assemble, parse_assignment
from actcli.training.team import Team

Blobs = Callable[..., Path]
SIZES = pytest.mark.parametrize("size", [1, 2, 3, 5])


@SIZES
def test_no_phase_begins_before_all_have_done_the_last(size: int) -> None:
    team, done = Team(size), [0] * size

    def count(number: int) -> None:
        done[number] += 1

    def check(_: int) -> None:
        assert len(set(done)) == 1

    for _ in range(500):
        team.run(count, check)
    assert done == [500] * size


@SIZES
def test_what_a_thread_raises_is_raised_and_the_team_goes_on(size: int) -> None:
    team, later = Team(size), []

    def fail(number: int) -> None:
        if number == size - 1:
            raise ValueError("no")

    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            team.run(fail, later.append)
    assert later == []
    team.run(later.append)
    assert sorted(later) == list(range(size))


@SIZES
def test_threads_work_under_the_errstate_of_the_caller(size: int) -> None:
    told = {}

    def ask(number: int) -> None:
        told[number] = np.geterr()["over"]

    with np.errstate(over="raise"):
        Team(size).run(ask)
    assert told == dict.fromkeys(range(size), "raise")


@SIZES
def test_threads_end_with_their_team(size: int) -> None:
    before = set(threading.enumerate())
    team = Team(size)
    team.run(lambda _: None)
    of_team = set(threading.enumerate()) - before
    assert len(of_team) == size - 1
    del team
    gc.collect()
    for thread in of_team:
        thread.join(10)
        assert not thread.is_alive()


def train(path: Path, count: int, *assignments: str) -> tuple[Any, EpochDone]:
    """The parameters that two epochs come to, and what is told of the last."""
    texts = (f"data.name={path}", "model.hidden=16,8", "training.batch_size=32", *assignments)
    texts = (*texts, "training.epochs=2", f"training.threads={count}")
    config = build.resolve(assemble([parse_assignment(text) for text in texts]))
    learner = Learner(*build.load_dataset(config, lambda *_: None))
    events = [event for event in fit(learner) if isinstance(event, EpochDone)]
    return learner.network.parameters, events[-1]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    "chosen",
    [
        (),
        ("optimizer.name=adam",),
        ("optimizer.clip_norm=0.1",),
        ("optimizer.name=adamw", "optimizer.weight_decay=0.3"),
        ("model.dropout=0.3",),
        ("loss.name=mse", "model.activation=sigmoid"),
        ("model.hidden=none",),
    ],
)
def test_threads_change_a_training_by_rounding_alone(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, chosen: tuple[str, ...], count: int
) -> None:
    path = blobs(rows=310)  # so that the last batch is smaller
    alone, told_alone = train(path, 1, *chosen)
    monkeypatch.setattr(step, "WORTH", 1)
    together, told = train(path, count, *chosen)
    assert np.abs(alone).max() > 0.1
    np.testing.assert_allclose(together, alone, atol=2e-5)
    assert told.train.loss == pytest.approx(told_alone.train.loss, abs=1e-5)
    again, _ = train(path, count, *chosen)
    np.testing.assert_array_equal(again, together)


def test_a_small_step_is_taken_by_one_thread(blobs: Blobs) -> None:
    alone, _ = train(blobs(), 1)
    many, _ = train(blobs(), 8)
    np.testing.assert_array_equal(many, alone)


@pytest.mark.parametrize(
    ("given", "cores", "count"),
    [({}, 8, 2), ({}, 1, 1), ({"OMP_NUM_THREADS": "1"}, 8, 1), ({"OMP_NUM_THREADS": "x"}, 8, 2)],
)
def test_auto_is_two_where_there_are_two_to_have(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], cores: int, count: int
) -> None:
    monkeypatch.setattr(threads, "GIVEN", given)
    monkeypatch.setattr(threads, "cores", lambda: cores)
    assert threads.threads("auto") == count
    assert threads.threads(5) == 5
