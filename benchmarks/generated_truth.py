"""The truth about a generated case, set by intervention.

The healthy and the mutated training run with three seeds each, on the same test rows. A healthy
training must reach what references reach on the same data. The mutation is a fault if it costs more
than MARGIN of the accuracy beyond two standard errors, harmless if it costs less than MARGIN with
two standard errors added, and undecided in between. Undecided cases are not counted.
"""

import contextlib
import json
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generated import REFERENCES, Case, Healthy, draw, save_data

from actcli.config.schema import Config
from actcli.datasets.dataset import ignore_progress
from actcli.errors import DivergedError
from actcli.training.build import prepare_dataset
from actcli.training.evaluation import evaluate
from actcli.training.learner import Learner
from actcli.training.loop import fit

SEEDS = (0, 1, 2)
MARGIN = 0.02  # accuracy that a fault costs at least


def measure(seed: int, folder: Path) -> dict[str, Any]:
    """Return the accuracies of the first attempt that is healthy, and what the mutation costs."""
    for attempt, case in enumerate(draw(seed)):
        healthy_data, mutated_data = paths(case, folder)
        settings = case.healthy.settings
        reference = _reference(case.healthy, healthy_data, folder)
        healthy = [accuracy_of(settings, healthy_data, SEEDS[0])]
        if healthy[0] < reference - 2 * MARGIN:
            continue
        healthy += [accuracy_of(settings, healthy_data, each) for each in SEEDS[1:]]
        if statistics.mean(healthy) < reference - MARGIN:
            continue
        changed = mutated_settings(case)
        mutated = [accuracy_of(changed, mutated_data, each) for each in SEEDS]
        return {
            "attempt": attempt,
            "reference": reference,
            "healthy": healthy,
            "mutated": mutated,
            "label": label(healthy, mutated),
        }
    return {"label": "unhealthy"}


def label(healthy: list[float], mutated: list[float]) -> str:
    """Return whether a mutation is a "fault", "harmless" or "undecided".

    The judged networks are those of the first seed, so that they must show the cost, too.
    """
    cost = statistics.mean(healthy) - statistics.mean(mutated)
    variance = (statistics.variance(healthy) + statistics.variance(mutated)) / len(SEEDS)
    error = 2 * math.sqrt(variance)
    if cost - error > MARGIN and statistics.mean(healthy) - mutated[0] > MARGIN:
        return "fault"
    return "harmless" if cost + error < MARGIN else "undecided"


def paths(case: Case, folder: Path) -> tuple[Path, Path]:
    """Return the paths of the data of the healthy and of the mutated training."""
    healthy = folder / f"{case.healthy.data_name}.npz"
    if not healthy.exists():
        save_data(case.healthy.arrays(), healthy)
    if case.plant.data is None:
        return healthy, healthy
    mutated = folder / f"{case.healthy.data_name}-{case.name}-{case.seed}.npz"
    if not mutated.exists():
        save_data(case.mutated_arrays(case.healthy.arrays()), mutated)
    return healthy, mutated


def _reference(healthy: Healthy, data: Path, folder: Path) -> float:
    """Return the best accuracy of the references on a data set; it is computed once."""
    path = folder / f"{healthy.data_name}.reference.json"
    if path.exists():
        return float(json.loads(path.read_text()))
    best = max(accuracy_of(settings, data, 0) for settings in REFERENCES)
    path.write_text(json.dumps(best))
    return best


def mutated_settings(case: Case) -> dict[str, Any]:
    return {**case.healthy.settings, **case.plant.changes}


def config_of(settings: Mapping[str, Any], data: Path, seed: int) -> Config:
    fixed = {"data.name": str(data), "training.seed": seed, "training.workers": 1}
    return Config().with_values({**settings, **fixed})


def trained(settings: Mapping[str, Any], data: Path, seed: int) -> Learner:
    """Return a learner after its training, or after the step at which it diverged."""
    config, dataset = prepare_dataset(config_of(settings, data, seed).resolve(), ignore_progress)
    learner = Learner(config, dataset)
    with contextlib.suppress(DivergedError):
        for _ in fit(learner):
            pass
    return learner


def accuracy_of(settings: Mapping[str, Any], data: Path, seed: int) -> float:
    """Return the accuracy on the test rows."""
    learner = trained(settings, data, seed)
    return evaluate(learner.model, learner.dataset.test).accuracy


def regained(truth: Mapping[str, Any], accuracy: float, reachable: float | None = None) -> float:
    """Return the share of the lost accuracy that a training has regained.

    Args:
        truth: the accuracies of the healthy and of the mutated trainings.
        accuracy: of the training after its cure.
        reachable: the accuracy that can be regained; None for that of the healthy trainings.
    """
    healthy, mutated = statistics.mean(truth["healthy"]), truth["mutated"][0]
    lost = (healthy if reachable is None else reachable) - mutated
    return float((accuracy - mutated) / lost) if lost > 0 else 1.0


def reachable(case: Case, data: Path, truth: Mapping[str, Any]) -> float | None:
    """Return the best accuracy of trainings that undo a mutation; None if all can be regained.

    A mutation that removes rows cannot be undone entirely. The healthy training and the references
    are trained on the rows that are left, each as long as before and four times as long.
    """
    undo = case.mutation.undo
    if not undo:
        return None
    settings = [{**each, **undo} for each in (case.healthy.settings, *REFERENCES)]
    longer = [{**each, "training.epochs": 4 * each["training.epochs"]} for each in settings]
    best = max(accuracy_of(each, data, SEEDS[0]) for each in (*settings, *longer))
    return min(best, statistics.mean(truth["healthy"]))
