"""How the network of a run is: its health while it learns, and a first verdict at its end."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from actcli.diagnostics.evidence import Provenance, Training, gather
from actcli.diagnostics.health import examine, few
from actcli.diagnostics.sums import Activity
from actcli.diagnostics.verdict import judge, verdict
from actcli.runs.folder import METRICS
from actcli.runs.record import read_history, training_of
from actcli.runs.train import Result, Run
from actcli.training.evaluation import evaluate
from actcli.training.learner import Learner

ROWS = 5000  # that the verdict rests on: a tenth of the time that all rows of MNIST would take


@dataclass(frozen=True)
class Assessment:
    """A network at the end of its training."""

    dead: float | None  # share of the hidden units, on all training rows; None without any unit
    verdict: str  # the first finding of the diagnosis of some rows, or "healthy"


def observer(learner: Learner) -> Callable[[], dict[str, Any]]:
    """What tells the health of the network after each epoch."""
    rows = few(learner.dataset.train)
    return lambda: asdict(examine(learner.model, rows))


def finish(run: Run, scored: bool = True) -> tuple[Result, Assessment]:
    """Judge the network of a run that is trained, and have its folder tell it.

    Args:
        run: whose network it is.
        scored: whether its score on the training rows is wanted, which takes a pass over all of
            them; without it that ends where no unit is left that could be dead.
    """
    learner, activity = run.learner, Activity(run.learner.network)
    train = evaluate(learner.model, learner.dataset.train, activity.add) if scored else None
    if not scored:
        _watch(learner, activity)
    result = run.result(train)
    history = tuple(read_history(run.place.read(METRICS), METRICS))
    training = training_of(run.learner.config, history, run.kept_epoch)
    assessment = assess(run.learner, training, activity)
    run.conclude("finished", **asdict(result), **asdict(assessment))
    return result, assessment


def _watch(learner: Learner, activity: Activity) -> None:
    """Let it see training rows until it has seen all units active, or all rows."""
    for batch in learner.model.forward_batches(learner.dataset.train):
        activity.add(batch.trace)
        if activity.is_complete:
            break


def assess(learner: Learner, training: Training, activity: Activity) -> Assessment:
    """Judge a network that was trained so, and whose activity on the training rows is known."""
    rows = learner.dataset.train
    dead = sum(int(np.count_nonzero(layer == 0)) for layer in activity.active)
    units = sum(map(len, activity.active))
    names = Provenance("", learner.dataset.name, "train", learner.config.loss.name)
    evidence = gather(learner.model, rows.sample(ROWS), names, learner.initial_model(), training)
    return Assessment(dead / units if units else None, verdict(judge(evidence)))
