"""Runs side by side: what differs in how they were set up, how fast they learnt, where they ended.

Accuracies are those on the validation rows if all runs have such rows, else those on the training
rows, which a training gathers while the network still changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actcli.training.events import EpochDone


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    Args:
        name: of the run.
        state: how it ended, or "unfinished".
        settings: key of the configuration and its value as TOML.
        history: its epochs.
        test_loss, test_accuracy: of the kept network; None if the run is not finished.
        dead: share of hidden units that no training row activates; of a finished run.
        silent: share of hidden units that no row of a sample activates after the last epoch, at
            least as many as are dead: what is known of a run that has not ended.
        verdict: what the run ended with, or that of a diagnosis; None where none was made.
    """

    name: str
    state: str
    settings: Mapping[str, str]
    history: tuple[EpochDone, ...]
    test_loss: float | None
    test_accuracy: float | None
    dead: float | None
    silent: float | None
    verdict: str | None


@dataclass(frozen=True)
class Comparison:
    """What `actcli compare` shows.

    Args:
        runs: in the order in which they were named.
        rows: "validation" or "train": those whose accuracies these are.
        curves: the accuracy of each run after each of its epochs.
        goal: an accuracy.
        reached: by each run, the first epoch after which the accuracy was at least the goal; None
            if it never was.
        differences: by key, the value of each run, where they are not all the same.
    """

    runs: tuple[ComparedRun, ...]
    rows: str
    curves: tuple[tuple[float, ...], ...]
    goal: float
    reached: tuple[int | None, ...]
    differences: Mapping[str, tuple[str, ...]]


def compare_runs(runs: Sequence[ComparedRun], goal: float) -> Comparison:
    """Compare runs by the epochs that they took to a goal, an accuracy from 0 to 1."""
    validated = all(epoch.validation is not None for run in runs for epoch in run.history)
    curves = tuple(
        tuple(
            epoch.train.accuracy
            if not validated or epoch.validation is None
            else epoch.validation.accuracy
            for epoch in run.history
        )
        for run in runs
    )
    return Comparison(
        runs=tuple(runs),
        rows="validation" if validated else "train",
        curves=curves,
        goal=goal,
        reached=tuple(
            next((epoch for epoch, share in enumerate(curve, 1) if share >= goal), None)
            for curve in curves
        ),
        differences=_differences(runs),
    )


def _differences(runs: Sequence[ComparedRun]) -> dict[str, tuple[str, ...]]:
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    values = {key: tuple(run.settings.get(key, "") for run in runs) for key in keys}
    return {key: each for key, each in values.items() if len(set(each)) > 1}
