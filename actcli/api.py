"""The public API: the functions that `import actcli` offers to a notebook or a script.

The commands are built on the same functions. Nothing here prints or handles signals, and worker
processes start only if the configuration sets their number. `actcli/__init__.py` exports the names.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from numpy.typing import ArrayLike
from threadpoolctl import ThreadpoolController

from actcli.config.keys import find_option
from actcli.config.resolved import ResolvedConfig, left_to_data
from actcli.config.schema import Config
from actcli.datasets.batches import Split
from actcli.datasets.catalogue import DATASETS
from actcli.datasets.dataset import Dataset, ignore_progress, load_dataset
from actcli.diagnostics import LABELS, PARTS, PICTURES
from actcli.diagnostics.calibration import calibrated
from actcli.diagnostics.evidence import Training
from actcli.diagnostics.report import Diagnosis, find_split, require_fit
from actcli.diagnostics.report import diagnose as examine
from actcli.errors import UsageError
from actcli.explore.loss import LossComparison, compare_losses
from actcli.explore.lr_find import RangeTest, find_learning_rate
from actcli.explore.softmax import LogitAnalysis, analyse_logits
from actcli.model import Model
from actcli.pages.document import Report, find_sweep, make_report
from actcli.registry import unknown_name
from actcli.store import DEFAULT_TRIES
from actcli.store.catalog import Summary, find_run, run_folders, summarize
from actcli.store.export import Exported, export_source, model_source, run_source
from actcli.store.fix import Fix
from actcli.store.fix_result import FixResult
from actcli.store.record import RunResult
from actcli.store.start import start_run
from actcli.store.targets import Overrides
from actcli.training import evaluation, loop
from actcli.training.automatic import complete
from actcli.training.build import prepare_dataset
from actcli.training.events import EpochDone, Score
from actcli.training.learner import Learner


def load_data(
    source: str = "mnist",
    *,
    validation: int | None = None,
    classes: Sequence[str] = (),
    normalize: str = "auto",
    target: str = "last",
) -> Dataset:
    """Return a data set with its splits `train`, `validation` and `test`.

    Args:
        source: a name (`mnist`, `fashion-mnist`, `kmnist`), a folder of IDX files, an `.npz` file,
            or a CSV file.
        validation: number of training rows to hold out. None holds out 5,000, or a sixth of the
            training rows if there are fewer than 10,000.
        classes: names or labels of the classes to keep; an empty sequence keeps all.
        normalize: `unit`, `standard`, `column` or `none`; `auto` is `column` for tables and `unit`
            for images.
        target: the column of the classes in a CSV file: its name, its number from 1, or "last".

    Raises:
        UsageError: the source, a class, the target or the normalization does not exist, or
            `validation` is out of range.
        DataError: a file is damaged or does not fit the others, or a download failed.
    """
    return load_dataset(
        source, validation=validation, classes=classes, normalize=normalize, target=target
    )


class fit:  # noqa: N801 - it is used like a function, as `enumerate` is
    """Train a model on a data set. Each step of the iteration trains one epoch.

    Iterate to watch the epochs (`for epoch in actcli.fit(data): …`), or call `run()` to train to
    the end. The training uses this process and one BLAS thread, even if NumPy was imported before;
    with `workers=2` it starts a second process. Nothing is written to the disk. The model is the
    one of the last epoch; with `patience`, `actcli.train` keeps the one of the best epoch instead.

    Args:
        data: the data set; the table [data] of the configuration does not change it.
        config: the configuration; None for the default one.
        changes: values that replace those of the configuration, by the names of their options:
            `lr=0.01, epochs=3`.

    Attributes:
        model: the model that learns; it can be used and saved between two epochs.
        history: the `EpochDone` of each epoch so far.

    Raises:
        UsageError: a key does not exist, a value is not allowed, or keys exclude each other.
        DivergedError: raised by the iteration if the loss is not finite any more.
    """

    def __init__(self, data: Dataset, config: Config | None = None, **changes: Any) -> None:
        ignored = [name for name in changes if find_option(name).table == "data"]
        if ignored:
            raise UsageError(
                f"fit takes its data from the data set, not from {ignored[0]!r}",
                "Give it to load_data",
            )
        self.config = complete(_resolved(config, changes, data), data)
        self.history: list[EpochDone] = []
        self._data = data
        self._learner = Learner(self.config, data)
        self._events = loop.fit(self._learner)
        self._blas = ThreadpoolController()

    @property
    def model(self) -> Model:
        """The model that learns, with the parameters of the latest epoch."""
        return replace(self._learner.model, epoch=len(self.history))

    @property
    def training(self) -> Training:
        """How the model was trained so far, for `diagnose`."""
        return Training.of(self.config, tuple(self.history), len(self.history))

    def initial_model(self) -> Model:
        """Return the model as it was before the first step."""
        return self._learner.initial_model()

    def __iter__(self) -> Iterator[EpochDone]:
        return self

    def __next__(self) -> EpochDone:
        with self._blas.limit(limits=1, user_api="blas"):
            for event in self._events:
                if isinstance(event, EpochDone):
                    self.history.append(event)
                    return event
        raise StopIteration

    def run(self) -> Self:
        """Train to the end, and return this object."""
        for _ in self:
            pass
        return self


def evaluate(model: Model, data: Dataset | Split, split: str = "test") -> Score:
    """Return the mean loss and the accuracy of a model.

    Args:
        model: the model, from `fit` or `Model.load`.
        data: a data set, or one of its splits.
        split: `train`, `validation` or `test`; ignored if `data` is a split.

    Raises:
        UsageError: the split is empty or does not exist, or the model does not fit the data set.
    """
    if isinstance(data, Split):
        return evaluation.evaluate(model, data)
    require_fit(model, data)
    return evaluation.evaluate(model, find_split(data, split))


class NotebookDiagnosis(Diagnosis):
    """A diagnosis that a notebook, and rich's `print`, show as the tables of `actcli diagnose`."""

    def __rich__(self) -> Any:
        from actcli.render.diagnose import DiagnoseView

        return DiagnoseView(self)

    def _repr_html_(self) -> str:
        from actcli.render.diagnose import notebook_html

        return notebook_html(self)

    def __repr__(self) -> str:
        evidence = self.evidence
        return f"<Diagnosis of {evidence.model} on {evidence.dataset}: {self.verdict}>"


def diagnose(
    model: Model | fit,
    data: Dataset,
    *,
    split: str = "train",
    rows: int | None = None,
    name: str = "model",
    parts: Collection[str] = (),
) -> NotebookDiagnosis:
    """Return the faults of a model, the numbers that show them, and remedies.

    Args:
        model: a model, or a `fit`. A `fit` also gives the rules its history and its initial model.
        data: the data set.
        split: `train`, `validation` or `test`.
        rows: size of a fixed random sample of the split; None for all rows.
        name: the name of the model in the report.
        parts: more to measure: `activations` fills `.histograms`, `weights` `.first_layer`,
            `labels` `.doubts`.

    Returns:
        A diagnosis with `.verdict`, `.findings`, `.gradients`, `.units`, `.outputs`, `.confusion`,
        `.activity`, `.history`, and `.to_dict()`, which returns the object that
        `actcli diagnose --json` prints.

    Raises:
        UsageError: the split is empty or does not exist, or a part does not exist.
    """
    known = (*PARTS, *PICTURES, LABELS)
    for part in parts:
        if part not in known:
            raise unknown_name("part", part, known)
    if isinstance(model, fit):
        diagnosis = examine(
            model.model,
            data,
            split=split,
            rows=rows,
            name=name,
            initial=model.initial_model(),
            training=model.training,
            parts=parts,
        )
    else:
        diagnosis = examine(model, data, split=split, rows=rows, name=name, parts=parts)
    return NotebookDiagnosis(
        diagnosis.evidence,
        diagnosis.findings,
        doubts=diagnosis.doubts,
        first_layer=diagnosis.first_layer,
    )


def train(
    config: Config | None = None,
    *,
    runs: str | Path = "runs",
    name: str = "run",
    **changes: Any,
) -> RunResult:
    """Train a model as `actcli train` does, record the run in a folder, and return its result.

    With the same number of workers, the files of the run are those that the command writes.

    Args:
        config: the configuration; None for the default one.
        runs: the folder of all runs.
        name: the name of the run; if it is taken, `name-2`, `name-3`, ….
        changes: values that replace those of the configuration, by the names of their options:
            `lr=0.01, epochs=3`.

    Returns:
        The result. Its `run` is the name of the run's folder in `runs`.

    Raises:
        UsageError: a key does not exist, a value is not allowed, or keys exclude each other.
        ActcliError: the data cannot be read, or the run cannot be written.
        DivergedError: the loss is not finite any more; the last good model is in the folder.
    """
    run = start_run(_resolved(config, changes), Path(runs), name)
    try:
        with ThreadpoolController().limit(limits=1, user_api="blas"):
            for _ in run.train():
                pass
            return run.finish()
    finally:
        run.close()


def fix(run: str | Path, *, runs: str | Path = "runs", tries: int = DEFAULT_TRIES) -> FixResult:
    """Cure a run as `actcli fix` does: apply remedies, train again, and keep what helps.

    Each try is a run of its own in `runs`, with the number of workers of the run.

    Args:
        run: the name or the folder of the run, which stays as it is.
        runs: the folder of all runs.
        tries: the largest number of trainings.

    Returns:
        The result, with `.is_healthy`, `.before`, `.after`, `.changes`, `.tries` and `.to_dict()`,
        which returns the object that `actcli fix --json` prints.

    Raises:
        UsageError: there is no such run.
        ActcliError: the run is damaged, or a run cannot be written.
    """
    folder = find_run(str(run), Path(runs))
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        return Fix(folder, Path(runs), tries).search()


def calibrate(model: Model, data: Dataset, *, split: str = "validation") -> Model:
    """Return a model whose logits are divided by the temperature that calibrates them best.

    No predicted class changes. The last layer's weights and biases hold the temperature, so that
    `save` writes a file that is calibrated for every reader; `.temperature` is the number.

    Args:
        model: the model, which stays as it is.
        data: the data set that holds the split.
        split: rows on which the model was not trained.

    Raises:
        UsageError: the split is empty or does not exist, the model does not fit the data set, or
            its outputs are not probabilities.
    """
    require_fit(model, data)
    return calibrated(model, find_split(data, split))


def export(
    source: Model | str | Path,
    to: str,
    output: str | Path | None = None,
    *,
    runs: str | Path = "runs",
    force: bool = False,
) -> Exported:
    """Write the files of `actcli export`: a network for another framework, or the metrics of a run.

    Args:
        source: a model, the name or the folder of a run, or the path of a model file.
        to: `onnx`, `torch`, `npz` (scikit-learn) or `csv` (metrics).
        output: the path of the first file; None for the name of the source in the current folder.
        runs: the folder of all runs.
        force: whether files that exist are replaced.

    Returns:
        The result, with `.files` (each with `.path` and `.size`), `.usage` (lines of Python that
        use the files) and `.to_dict()`, which returns the object that `actcli export --json`
        prints.

    Raises:
        UsageError: there is no such run or format, the format cannot hold the network, or a file
            exists.
        ActcliError: the source cannot be read, or a file cannot be written.
    """
    path = None if output is None else Path(output)
    if isinstance(source, Model):
        model = source
        return export_source(model_source(lambda: model, "model"), to, path, force)
    found = find_run(str(source), Path(runs), or_file=True)
    if found.is_dir():
        return export_source(run_source(found), to, path, force)
    return export_source(model_source(lambda: Model.load(found), found.stem), to, path, force)


def lr_find(config: Config | None = None, data: Dataset | None = None, **changes: Any) -> RangeTest:
    """Return the learning-rate range test of a configuration, as `actcli lr-find` shows it.

    Args:
        config: the configuration; None for the default one.
        data: the data set; None for the one of the configuration.
        changes: values that replace those of the configuration, by the names of their options:
            `optimizer="adam"`.

    Returns:
        The test, with `.suggestion`, `.divergence`, `.steepest`, `.reason`, `.rates`, `.losses` and
        `.smoothed`. The suggestion is None if the network did not learn.

    Raises:
        UsageError: a key does not exist, a value is not allowed, or keys exclude each other.
        ActcliError: the data cannot be read, or the network does not fit into the memory.
    """
    resolved = _resolved(config, changes, data)
    if data is None:
        resolved, data = prepare_dataset(resolved, ignore_progress)
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        return find_learning_rate(resolved, data)


def report(
    *targets: str | Path,
    runs: str | Path = "runs",
    activation: str | Sequence[str] | None = None,
    dataset: str | None = None,
) -> Report:
    """Return everything about a run, several runs, a sweep or a file of weights, as one page.

    Args:
        targets: the name or the folder of a run or of a sweep, or the path of a file of weights;
            several runs stand side by side.
        runs: the folder of all runs.
        activation: the activation of the hidden layers of a file that does not name it, or one for
            each.
        dataset: the data set of a file that does not name it, in place of MNIST.

    Returns:
        A report, with `.to_dict()`, which returns the object that `actcli report --json` prints,
        `.to_html()`, and `.save(path)`.

    Raises:
        UsageError: there is no such target, or not all of several targets are runs.
        ActcliError: a file is damaged.
    """
    if not targets:
        raise UsageError("report needs a run, a sweep or a file", "Give its name or path")
    folder = Path(runs)
    paths = [find_sweep(str(each), folder) or _run_or_file(str(each), folder) for each in targets]
    names = (activation,) if isinstance(activation, str) else activation
    overrides = Overrides(activation=tuple(names) if names else None, dataset=dataset)
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        return make_report(paths, overrides)


def _run_or_file(target: str, runs: Path) -> Path:
    return find_run(target, runs, or_file=True)


def runs(folder: str | Path = "runs") -> list[Summary]:
    """Return a summary of each run in a folder, the newest first, as `actcli runs` lists them."""
    summaries = map(summarize, run_folders(Path(folder)))
    return sorted(summaries, key=lambda summary: (-summary.changed, summary.name))


def softmax(
    logits: ArrayLike,
    *,
    temperature: float = 1.0,
    labels: Sequence[str] | None = None,
    target: int | None = None,
) -> LogitAnalysis:
    """Return the softmax of a vector of logits, its entropy, and the sigmoids of the same logits.

    Args:
        logits: shape (K,); -inf masks a class.
        temperature: divides the logits.
        labels: the names of the classes.
        target: the index of the true class.

    Raises:
        UsageError: the vector, the temperature, the labels or the target is not allowed.
    """
    return analyse_logits(logits, temperature, labels, target)


def losses(
    target: ArrayLike | int,
    prediction: ArrayLike,
    *,
    logits: bool = False,
    renormalize: bool = False,
    labels: Sequence[str] | None = None,
) -> LossComparison:
    """Return the value of every loss for one prediction and its target.

    Args:
        target: the index of the true class, or a probability for each class.
        prediction: a probability for each class, or logits.
        logits: whether the prediction holds logits.
        renormalize: whether to divide target and prediction by their sums.
        labels: the names of the classes.

    Raises:
        UsageError: a vector is not a distribution, or the two do not fit each other.
    """
    return compare_losses(target, prediction, logits=logits, renormalize=renormalize, labels=labels)


def _resolved(
    config: Config | None, changes: dict[str, Any], data: Dataset | None = None
) -> ResolvedConfig:
    """Return a configuration with changes; "auto" workers become one, so that no process starts.

    Args:
        config: the configuration; None for the default one.
        changes: values that replace those of the configuration.
        data: the data set that is used in place of the configuration's.
    """
    config = config or Config()
    if changes:
        config = config.with_values(changes)
    if config.training.workers == "auto":
        config = replace(config, training=replace(config.training, workers=1))
    resolved = config.resolve()
    if data is not None and data.name not in DATASETS:
        return replace(resolved, automatic=left_to_data(config))
    return resolved
