"""Fix a run: apply the remedies of its diagnosis, train again, and keep what helps.

The search starts from the run and its findings. A try applies one remedy to the best configuration
so far, and trains it as an ordinary run, `NAME-fix-1`. If the network is then healthy and at least
as accurate as the run was, the run is cured. If it is better, but not healthy, the search continues
from there, with the remedies of its own findings. If it is not better, the next remedy is tried;
when no other is left, the search returns to it, since one fault may have hidden another.

Accuracy is measured on the validation rows, or on the training rows if there are none. A remedy
never changes the data, the classes or the rows: the task stays the same. Tries that an earlier call
has trained are found by their configuration, so that an interrupted fix resumes where it stopped.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from actcli.config.schema import Config
from actcli.datasets.dataset import ignore_progress
from actcli.datasets.download import Progress
from actcli.diagnostics import HEALTHY
from actcli.diagnostics.findings import Remedy, Severity
from actcli.errors import ActcliError, DivergedError, UsageError
from actcli.explore.lr_find import find_learning_rate
from actcli.store import DEFAULT_TRIES
from actcli.store.condition import Condition, examine_run
from actcli.store.fix_record import tries_of, write_fix
from actcli.store.fix_result import (
    BETTER,
    CALIBRATED,
    CURED,
    NO_BETTER,
    FixResult,
    Try,
    differences,
)
from actcli.store.folder import CONFIG, RESULT
from actcli.store.record import FINISHED, RunResult
from actcli.store.start import branch_run, resume_run, start_run
from actcli.store.train import Run
from actcli.training.build import prepare_dataset

# The last remedy of every run. Its change is known when its turn comes.
RANGE_TEST = Remedy("The learning-rate range test measures a rate that suits network and data.")
CALIBRATION = Remedy(
    "The temperature of the validation rows calibrates the logits, without training again.",
    {"training.calibrate": True},
)
OVERCONFIDENT = "overconfident"  # the rule whose remedy it is
AFTER_TRAINING = CALIBRATION.changes.keys()  # keys that change no step of a training
# Keys that no remedy changes.
TASK = frozenset({"data.name", "data.target", "data.classes", "data.validation"})


def train_to_end(run: Run, _number: int) -> None:
    """Train a run without showing its progress."""
    for _ in run.train():
        pass


@dataclass
class Fix:
    """The search for a cure of one run.

    Args:
        folder: the folder of the run.
        runs: the folder for the runs of the tries.
        tries: the largest number of trainings.
        train: trains the run of a try to its end; called with the run and the number of the try.
        report: called after each try.
        progress: receives the progress of downloads.
        workers: largest number of processes that share the rows of a diagnosis.
    """

    folder: Path
    runs: Path
    tries: int = DEFAULT_TRIES
    train: Callable[[Run, int], None] = train_to_end
    report: Callable[[Try], None] = lambda _: None
    progress: Progress = ignore_progress
    workers: int = 1
    _done: list[Try] = field(default_factory=list, init=False)
    _before: Condition | None = field(default=None, init=False)

    def calibrate(self) -> FixResult:
        """Scale the logits by the temperature of the validation rows, without any training.

        Raises:
            UsageError: the run has no validation rows, its outputs are not probabilities, or it is
                calibrated already.
            ActcliError: the run is damaged or has not ended, or a file cannot be written.
        """
        before = self._before = self._examine(self.folder)
        config = before.config.with_values(CALIBRATION.changes)
        if config == before.config:
            raise UsageError(f"{self.folder} is calibrated already")
        result = RunResult.read(self.folder / RESULT)
        if result is None or result.status != FINISHED:
            raise ActcliError(f"{self.folder} has not ended", "Only a finished run is calibrated")
        after = self._train(config, 1, before)
        gain = after.score - before.score
        self._note(Try(1, OVERCONFIDENT, CALIBRATION, before.run, after, gain, CALIBRATED))
        fix = FixResult(before, after, tuple(self._done))
        write_fix(fix, after.folder)
        return fix

    def search(self, dry_run: bool = False) -> FixResult:
        """Try remedies until the run is cured, no remedy is left, or all tries are used.

        Args:
            dry_run: whether to return the remedies that would be tried first, and to train nothing.

        Raises:
            ActcliError: the run is damaged, or a file cannot be written.
        """
        before = best = self._before = self._examine(self.folder)
        queue = _remedies(before)
        if dry_run:
            return FixResult(before, before, planned=tuple(remedy for _, _, remedy in queue))
        tried = [before.config]
        while queue and len(self._done) < self.tries and best.verdict != HEALTHY:
            base, rule, remedy = queue.pop(0)
            if remedy is RANGE_TEST:
                remedy = self._measured_rate(base.config)
            config = _apply(remedy, base.config)
            if config in tried:
                continue
            number = len(self._done) + 1
            if isinstance(config, str):
                self._note(Try(number, rule, remedy, base.run, None, None, config))
                continue
            tried.append(config)
            after = self._train(config, number, base)
            outcome = _outcome(before, best, after, rule)
            gain = after.score - base.score
            self._note(Try(number, rule, remedy, base.run, after, gain, outcome))
            found = _remedies(after)
            if outcome != NO_BETTER:
                best, queue = after, [*found, *queue]
            elif found and found[0][1] not in {each.rule for each in self._done}:
                # The remedy has uncovered another fault, whose own remedy may be the right one.
                _, uncovered, first = found[0]
                queue = [(base, uncovered, first), *queue, *found]
            else:
                queue = [*queue, *found]
            write_fix(FixResult(before, best, tuple(self._done)), after.folder)
        return FixResult(before, best, tuple(self._done))

    def _measured_rate(self, config: Config) -> Remedy:
        """Return `RANGE_TEST` with a number; without changes if the network learns at no rate."""
        resolved, dataset = prepare_dataset(config.resolve(), self.progress)
        test = find_learning_rate(resolved, dataset)
        rate = test.suggestion
        return replace(
            RANGE_TEST, changes={} if rate is None else {"optimizer.learning_rate": rate}
        )

    def _note(self, attempt: Try) -> None:
        self._done.append(attempt)
        self.report(attempt)

    def _train(self, config: Config, number: int, base: Condition) -> Condition:
        """Train a configuration as a run, or the rest of it if an earlier call began it.

        A change that comes after the training takes over the steps of the base.
        """
        resolved, folder = config.resolve(), self._folder_of(config)
        if folder is None:
            name = f"{self.folder.absolute().name}-fix-{self._next_number()}"
            is_trained = differences(base.config, config).keys() <= AFTER_TRAINING
            start = partial(branch_run, base.folder) if is_trained else start_run
            run: Run | RunResult = start(resolved, self.runs, name, self.progress)
        elif RunResult.read(folder / RESULT):
            return self._examine(folder)
        else:
            run = resume_run(folder, resolved, self.progress)
        if isinstance(run, RunResult):  # another process has finished it in the meantime
            return self._examine(self.runs / run.run)
        with contextlib.closing(run), contextlib.suppress(DivergedError):
            # A run that diverges leaves its last good model, which is examined.
            self.train(run, number)
            run.finish()
        return self._examine(run.folder)

    def _examine(self, folder: Path) -> Condition:
        by_class = self._before.by_class if self._before else None
        return examine_run(folder, self.progress, self.workers, by_class)

    def _folder_of(self, config: Config) -> Path | None:
        """Return the folder of an earlier try with this configuration, or None."""
        for folder in self._earlier():
            try:
                if Config.load(folder / CONFIG).resolve() == config.resolve():
                    return folder
            except ActcliError:  # a damaged run is not the try that is looked for
                continue
        return None

    def _earlier(self) -> list[Path]:
        return tries_of(self.folder, self.runs)

    def _next_number(self) -> int:
        return 1 + max((int(each.name.rpartition("-")[2]) for each in self._earlier()), default=0)


def _remedies(condition: Condition) -> list[tuple[Condition, str, Remedy]]:
    """Return the remedies of a run that change its configuration, with their rules."""
    faults = [
        each
        for each in condition.findings
        if each.severity >= Severity.WARNING or each.rule == condition.verdict
    ]
    remedies = [
        (condition, finding.rule, remedy)
        for finding in faults
        for remedy in finding.remedies
        if remedy.changes
    ]
    return [*remedies, *((condition, finding.rule, RANGE_TEST) for finding in faults[:1])]


def _apply(remedy: Remedy, config: Config) -> Config | str:
    """Return the configuration with the changes of a remedy, or why they are not allowed."""
    if TASK & remedy.changes.keys():
        return "not allowed: it changes the task"
    try:
        return config.with_values(remedy.changes)
    except UsageError as error:
        return f"not allowed: {error}"


def _outcome(before: Condition, best: Condition, after: Condition, rule: str) -> str:
    """Return whether a try has cured the run, or is at least better than the best run so far.

    A network that is as accurate is better if it is healthier, or if the fault is gone whose remedy
    was tried: another fault may have been behind it.
    """
    is_as_good = after.score >= before.score and not best.is_better(after, standard_errors=1)
    if after.verdict == HEALTHY and is_as_good:
        return CURED
    if after.is_better(best):
        return BETTER
    is_healthier = rule not in after.faults or after.ills < best.ills
    return BETTER if is_healthier and after.score >= best.score else NO_BETTER
