"""How a run is judged at its end, with and without the score on its training rows."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actcli.config.sources import assemble, parse_assignment
from actcli.model import EVALUATION_ROWS
from actcli.store.folder import RESULT, MemoryFolder
from actcli.store.start import begin
from actcli.store.train import Run
from actcli.training import build
from actcli.training.evaluation import evaluate
from actcli.training.learner import Learner

Blobs = Callable[..., Path]
ROWS = 2 * EVALUATION_ROWS + 500
HIDDEN = 4


def untrained(path: Path, *chosen: str) -> Run:
    """A run without an epoch, and without a dead unit, of a layer of four."""
    texts = (f"data.name={path}", f"model.hidden={HIDDEN}", "training.epochs=0", *chosen)
    config = assemble([parse_assignment(text) for text in texts]).resolve()
    learner = Learner(*build.prepare_dataset(config, lambda *_: None))
    layer = learner.network.layers[0]
    layer.weights[...] = 1  # pixels are not negative
    layer.biases[...] = 0
    run = begin(learner, MemoryFolder(Path("run")))
    assert list(run.train()) == []
    return run


def rows_seen(run: Run, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Filled with the rows of each forward pass that is to come."""
    seen: list[int] = []
    forward = run.learner.network.forward

    def counted(inputs: Any, *rest: Any) -> Any:
        seen.append(len(inputs))
        return forward(inputs, *rest)

    monkeypatch.setattr(run.learner.network, "forward", counted)
    return seen


def silence(run: Run, unit: int, but: int) -> None:
    """Have a unit active on so many training rows only: those that have the largest sums."""
    data, layer = run.learner.dataset, run.learner.network.layers[0]
    pixels = data.train.pixels[data.train.rows].astype(np.float64)
    sums = np.sort(pixels.sum(axis=1) * data.normalization.scale)[::-1]
    layer.biases[unit] = -(sums[but - 1] + sums[but]) / 2 if but else -sums[0] - 1


@pytest.mark.parametrize("scored", [True, False])
def test_a_unit_is_dead_that_no_training_row_activates(blobs: Blobs, scored: bool) -> None:
    path = blobs(rows=ROWS, noise=40)
    run = untrained(path)
    silence(run, 0, but=0)
    silence(run, 1, but=1)
    silence(run, 2, but=3)
    result = run.finish(scored)
    assert result.dead == 1 / HIDDEN
    assert (result.train is not None) == scored


def test_without_a_score_all_else_is_the_same(blobs: Blobs) -> None:
    path = blobs(rows=ROWS)
    scored, other = (untrained(path).finish(each) for each in (True, False))
    run = untrained(path)
    assert scored.train == evaluate(run.learner.model, run.learner.dataset.train)
    assert other == replace(scored, train=None)


def test_without_a_score_no_more_rows_are_seen_than_tell_of_dead_units(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = blobs(rows=ROWS)
    counts = []
    for scored, but in ((True, None), (False, None), (False, 0)):
        run = untrained(path)
        if but is not None:
            silence(run, 0, but)
        seen = rows_seen(run, monkeypatch)
        run.finish(scored)
        counts.append(sum(seen))
    every, few, dead = counts
    rows = len(untrained(path).learner.dataset.train)
    assert every - few == rows - EVALUATION_ROWS
    assert every == dead


@pytest.mark.parametrize("scored", [True, False])
def test_a_network_whose_numbers_overflow_is_judged(blobs: Blobs, scored: bool) -> None:
    run = untrained(blobs(), "model.activation=gelu")
    run.learner.network.layers[0].weights[...] = 3e38
    assert run.finish(scored).verdict != "healthy"


def test_the_folder_tells_that_there_is_no_score(blobs: Blobs) -> None:
    run = untrained(blobs())
    run.finish(evaluate_training_rows=False)
    told = json.loads(run.storage.read(RESULT))
    assert told["status"] == "finished"
    assert told["train"] is None
    assert set(told["test"]) == {"loss", "accuracy"}
