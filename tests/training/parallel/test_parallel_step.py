"""A training gives the same parameters on any number of workers, but for rounding."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actcli.config.sources import assemble, parse_assignment
from actcli.training import build
from actcli.training.events import EpochDone
from actcli.training.learner import Learner
from actcli.training.loop import fit
from actcli.training.parallel import parallel_step, workers

Blobs = Callable[..., Path]


def train(path: Path, count: int, *assignments: str) -> tuple[Any, EpochDone]:
    """Return the parameters after two epochs and the event of the second."""
    texts = (f"data.name={path}", "model.hidden=16,8", "training.batch_size=32", *assignments)
    texts = (*texts, "training.epochs=2", f"training.workers={count}")
    config = assemble([parse_assignment(text) for text in texts]).resolve()
    learner = Learner(*build.prepare_dataset(config, lambda *_: None))
    events = [event for event in fit(learner) if isinstance(event, EpochDone)]
    return learner.network.parameters, events[-1]


@pytest.mark.parametrize(
    ("count", "assignments"),
    [
        (2, ()),
        (3, ("optimizer.name=adam",)),
        (2, ("optimizer.clip_norm=0.1",)),
        (3, ("optimizer.clip_norm=0.1",)),
        (2, ("optimizer.name=adamw", "optimizer.weight_decay=0.3")),
        (3, ("model.dropout=0.3",)),
        (2, ("loss.name=mse", "model.activation=sigmoid")),
        (3, ("model.hidden=none", "loss.class_weight=balanced")),
    ],
)
def test_workers_change_a_training_by_rounding_alone(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, count: int, assignments: tuple[str, ...]
) -> None:
    path = blobs(rows=310)  # so that the last mini-batch is smaller
    alone, alone_event = train(path, 1, *assignments)
    monkeypatch.setattr(parallel_step, "MIN_WORK_PER_WORKER", 1)
    together, event = train(path, count, *assignments)
    assert np.abs(alone).max() > 0.1
    np.testing.assert_allclose(together, alone, atol=2e-5)
    assert event.train.loss == pytest.approx(alone_event.train.loss, abs=1e-5)
    again, _ = train(path, count, *assignments)
    np.testing.assert_array_equal(again, together)
    monkeypatch.setattr(workers, "FORK_IS_SAFE", False)
    in_turn, _ = train(path, count, *assignments)
    np.testing.assert_array_equal(in_turn, together)


def test_a_small_step_is_taken_by_one_process(blobs: Blobs) -> None:
    alone, _ = train(blobs(), 1)
    many, _ = train(blobs(), 8)
    np.testing.assert_array_equal(many, alone)
