"""Set-ups with a known verdict: healthy networks, and networks with one planted fault.

A set-up is a configuration as `actcli train` takes it, on all of MNIST or on its first few thousand
training rows. Faults that no configuration causes are planted by a change of the parameters. A
set-up with R training rows equals `actcli train --validation N` with N = 60000 - R, except that it
uses at most 2,000 rows of the validation split.

`verdicts.py` runs all set-ups; the tests run some.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.config.resolved import ResolvedConfig, ResolvedData
from actcli.config.sources import assemble, find_config, parse_assignment, read_toml
from actcli.datasets.batches import Split
from actcli.datasets.dataset import Dataset, read_dataset
from actcli.diagnostics.evidence import Evidence, Provenance, Training, gather
from actcli.errors import DivergedError
from actcli.nn.network import MLP
from actcli.training import build
from actcli.training.events import EpochDone
from actcli.training.learner import Learner
from actcli.training.loop import fit

ROWS = 60_000  # training rows of MNIST
VALIDATION_ROWS = 2_000

Change = Callable[[MLP, np.random.Generator], None]
Pick = Callable[[Split], Split]


@dataclass(frozen=True)
class Setup:
    """A training whose verdict is known.

    Args:
        expected: the rule of the first finding, or "healthy".
        settings: `table.key=value`, separated by spaces.
        config: an example configuration, or a file, that the settings change.
        rows: training rows; None for the usual 55,000.
        pick: chooses among the training rows.
        before, after: change the parameters before or after the training.
    """

    expected: str
    settings: str = ""
    config: str | None = None
    rows: int | None = None
    pick: Pick | None = None
    before: Change | None = None
    after: Change | None = None

    def __str__(self) -> str:
        changes = (self.pick, self.before, self.after)
        parts = [
            "" if self.config is None else f"configs/{self.config}.toml",
            self.settings,
            "" if self.rows is None else f"{self.rows} rows",
            *(change.__name__.strip("_").replace("_", " ") for change in changes if change),
        ]
        return ", ".join(part for part in parts if part)

    @property
    def resolved(self) -> ResolvedConfig:
        """The complete configuration."""
        settings = read_toml(find_config(self.config)) if self.config else []
        # Many set-ups are trained at a time: two processes for each would wait for each other.
        settings.append(parse_assignment("training.workers=1"))
        settings += [parse_assignment(text) for text in self.settings.split()]
        if self.rows is not None:
            settings.append(parse_assignment(f"data.validation={ROWS - self.rows}"))
        return assemble(settings).resolve()


def examine(setup: Setup) -> Evidence:
    """Train a set-up, and return the evidence on its training rows."""
    config, dataset = _data(setup.resolved, setup.pick)
    learner = Learner(config, dataset)
    rng = np.random.default_rng(config.training.seed)
    if setup.before:
        setup.before(learner.network, rng)
    network = learner.network
    start = MLP(network.sizes, network.activation_names)
    start.parameters[:] = network.parameters
    initial = learner.model.with_network(start)
    epochs, diverged = _train(learner)
    if setup.after:
        setup.after(network, rng)
    names = Provenance(str(setup), "mnist", "train", config.loss.name)
    return gather(
        learner.model,
        dataset.train,
        names,
        initial,
        Training.of(config, tuple(epochs), len(epochs), diverged),
        held_out=(dataset.train, dataset.validation),
    )


def _data(config: ResolvedConfig, pick: Pick | None) -> tuple[ResolvedConfig, Dataset]:
    """Return a configuration and its data set, with at most VALIDATION_ROWS validation rows."""
    data, dataset = _load(config.data)
    train = pick(dataset.train) if pick else dataset.train
    validation = _first(dataset.validation, VALIDATION_ROWS)
    return replace(config, data=data), replace(dataset, train=train, validation=validation)


@functools.cache
def _load(data: ResolvedData) -> tuple[ResolvedData, Dataset]:
    return build.split_dataset(data, read_dataset(data.name, lambda *_: None))


def _first(split: Split, rows: int) -> Split:
    return Split(split.pixels, split.labels[:rows], split.rows[:rows])


def mostly_zeros(split: Split) -> Split:
    """Return all rows of the digit 0 and a few of the others, so that 95 % of the rows are 0."""
    zero = split.labels == 0
    others = np.flatnonzero(~zero)[: int(zero.sum() / 19)]
    selected = np.sort(np.concatenate([np.flatnonzero(zero), others]))
    return Split(split.pixels, split.labels[selected], split.rows[selected])


def shuffled_labels(split: Split) -> Split:
    """Return the rows with shuffled labels."""
    labels = np.random.default_rng(0).permutation(split.labels)
    return Split(split.pixels, labels, split.rows)


def standard_normal_weights(network: MLP, rng: np.random.Generator) -> None:
    """Draw the weights from N(0, 1), as `randn(units, inputs)` does, without a factor 1/√inputs."""
    for layer in network.layers:
        layer.weights[...] = rng.normal(size=layer.weights.shape)


def equal_weights(network: MLP, _rng: np.random.Generator) -> None:
    """Give all weights of a layer the same value."""
    for layer in network.layers:
        layer.weights[...] = 1 / layer.weights.shape[1]


def one_nan(network: MLP, _rng: np.random.Generator) -> None:
    """Set a weight of the last layer to NaN."""
    network.layers[-1].weights[0, 0] = np.nan


def one_infinity(network: MLP, _rng: np.random.Generator) -> None:
    """Set a bias of the first layer to infinity."""
    network.layers[0].biases[0] = np.inf


def sharpened_logits(network: MLP, _rng: np.random.Generator) -> None:
    """Make the logits ten times as large: the same predictions with much more confidence."""
    network.layers[-1].weights[...] *= 10
    network.layers[-1].biases[...] *= 10


def shifted_outputs(network: MLP, _rng: np.random.Generator) -> None:
    """Shift the outputs by one class, as if the labels counted from 1."""
    _reorder(network, np.roll(np.arange(network.sizes[-1]), 1))


def two_swapped_outputs(network: MLP, _rng: np.random.Generator) -> None:
    """Swap two pairs of classes."""
    order = np.arange(network.sizes[-1])
    order[[0, 1, 2, 3]] = [1, 0, 3, 2]
    _reorder(network, order)


def _reorder(network: MLP, order: NDArray[np.intp]) -> None:
    last = network.layers[-1]
    last.weights[...] = last.weights[order]
    last.biases[...] = last.biases[order]


def half_shuffled_labels(split: Split) -> Split:
    """Return the rows, of which three in five have the label of another row."""
    labels = split.labels.copy()
    rows = np.flatnonzero(np.arange(len(labels)) % 5 < 3)
    labels[rows] = np.random.default_rng(0).permutation(labels[rows])
    return Split(split.pixels, labels, split.rows)


def noisy_weights(network: MLP, rng: np.random.Generator) -> None:
    """Add noise to the trained weights, as a file of low precision or another machine might."""
    for layer in network.layers:
        layer.weights[...] += rng.normal(scale=0.1, size=layer.weights.shape)


def one_large_bias(network: MLP, _rng: np.random.Generator) -> None:
    """Lift the logit of one class above all others."""
    network.layers[-1].biases[3] = 1000


def _train(learner: Learner) -> tuple[list[EpochDone], bool]:
    """Train until the end or until the loss is not finite; the last finite network stays."""
    epochs: list[EpochDone] = []
    last_finite = learner.network.parameters.copy()
    try:
        for event in fit(learner):
            if isinstance(event, EpochDone):
                epochs.append(event)
                np.copyto(last_finite, learner.network.parameters)
    except DivergedError:
        np.copyto(learner.network.parameters, last_finite)
        return epochs, True
    return epochs, False


def healthy() -> list[Setup]:
    """Return set-ups that learn MNIST to 97 % or more, without a fault."""
    seeds = range(5)
    deep = [
        Setup(
            "healthy",
            f"model.activation={activation} model.hidden={','.join(['100'] * depth)} "
            f"training.epochs=4 training.seed={seed}",
        )
        for activation in ("relu", "tanh", "gelu", "elu")
        for depth in (1, 2, 3, 4)
        for seed in seeds
    ]
    return [Setup("healthy", f"training.seed={seed}", "default") for seed in seeds] + deep


FEW = 5000  # training rows of most faulty set-ups, which then train for a third of a second
CONSTANT = "optimizer.schedule=constant"


def faulty() -> list[Setup]:
    """Return set-ups with one fault each; `expected` is the rule that should report it first."""
    return [
        replace(setup, settings=f"{setup.settings} training.seed={seed}".strip())
        for setup in _faulty()
        for seed in (0, 1)
    ]


def _faulty() -> list[Setup]:
    groups = (_of_parameters, _of_flow, _of_architecture, _of_steps, _of_outputs)
    return [setup for group in groups for setup in group()]


def _few(expected: str, settings: str, **more: Any) -> Setup:
    return Setup(expected, f"{settings} training.epochs={more.pop('epochs', 3)}", rows=FEW, **more)


def _of_parameters() -> list[Setup]:
    """Return set-ups with a fault in the initial or in the trained parameters."""
    normal = {"before": standard_normal_weights}
    return [
        _few("non-finite-parameters", "model.hidden=50", after=one_nan),
        _few("non-finite-parameters", "model.activation=tanh", after=one_infinity),
        _few("untrained", "model.hidden=50", epochs=0),
        _few("permuted-labels", "model.hidden=50", after=shifted_outputs),
        _few("permuted-labels", "model.activation=tanh", after=two_swapped_outputs),
        _few("symmetric-units", "model.init=zeros"),
        _few("symmetric-units", "model.init=zeros model.activation=sigmoid"),
        _few("symmetric-units", "model.activation=tanh model.hidden=64", before=equal_weights),
        _few("unscaled-input", "data.normalize=none"),
        _few("unscaled-input", "data.normalize=none model.activation=tanh optimizer.name=adam"),
        _few("unscaled-input", "data.normalize=none model.activation=sigmoid"),
        _few("born-dead", "model.hidden=2,2,2,2,2,2,2,2,2,2"),
        _few("born-dead", "model.hidden=3,3,3,3,3,3,3,3,3,3,3,3,3,3,3 model.bias_init=normal"),
        _few("born-dead", "model.hidden=4,4,4,4,4,4,4,4,4,4,4,4,4,4,4,4,4,4,4,4"),
        _few("small-weights", "model.init_scale=0.001"),
        _few("small-weights", "model.init_scale=0.1 optimizer.name=adam model.hidden=50,50,50"),
        _few(
            "large-weights",
            "model.init=standard-normal loss.name=mse model.output=identity optimizer.name=adam "
            "model.hidden=100",
        ),
        _few(
            "large-weights",
            "model.init_scale=20 loss.name=mse model.output=identity optimizer.name=adam "
            "model.activation=leaky-relu model.hidden=100",
        ),
        _few("poor-initial-loss", "model.hidden=100", **normal),
        _few("poor-initial-loss", "model.hidden=50 optimizer.name=adam", **normal),
        _few("saturation", "model.hidden=100,100 model.activation=tanh", **normal),
        _few(
            "saturation",
            "model.hidden=100 model.activation=sigmoid data.normalize=standard",
            **normal,
        ),
    ]


def _of_flow() -> list[Setup]:
    """Return set-ups with a fault of the backward pass."""
    normal = {"before": standard_normal_weights}
    sigmoid = "model.activation=sigmoid"
    return [
        Setup("vanishing-gradient", config="deep-sigmoid"),
        _few("vanishing-gradient", f"model.hidden=50,50,50,50 {sigmoid}", epochs=4),
        _few("vanishing-gradient", f"model.hidden=30,30,30,30,30,30 {sigmoid} optimizer.name=adam"),
        _few("exploding-gradient", "model.hidden=100,100,100,100", **normal),
        _few(
            "exploding-gradient",
            "model.hidden=100,100,100,100 model.activation=gelu optimizer.name=adam",
            **normal,
        ),
        _few(
            "exploding-gradient",
            "model.hidden=100,100,100,100 model.activation=tanh optimizer.name=adam",
            **normal,
        ),
        Setup("dead-units", config="dying-relu"),
        _few(
            "dead-units",
            f"model.hidden=100,100 optimizer.name=adam {CONSTANT} optimizer.learning_rate=0.03",
            epochs=4,
        ),
        _few(
            "dead-units",
            f"model.hidden=128,128,128 model.activation=relu6 optimizer.name=adam {CONSTANT} "
            "optimizer.learning_rate=0.02",
            epochs=4,
        ),
    ]


def _of_architecture() -> list[Setup]:
    """Return set-ups with a fault of the architecture, the regularisation or the clipping."""
    twelve = ",".join(["3"] * 12)
    return [
        _few("no-nonlinearity", "model.activation=identity"),
        _few("no-nonlinearity", "model.activation=identity optimizer.name=adam model.hidden=64,64"),
        _few("bottleneck", "model.hidden=3,3"),
        _few("bottleneck", f"model.hidden={twelve} model.activation=leaky-relu"),
        _few("bottleneck", "model.hidden=5,5,5,5,5,5 model.activation=tanh"),
        _few(
            "too-deep",
            f"model.hidden={','.join(['16'] * 18)} model.activation=gelu optimizer.name=adam",
        ),
        _few("over-regularised", "optimizer.name=adamw optimizer.weight_decay=30"),
        _few("over-regularised", "optimizer.weight_decay=0.1 model.activation=gelu"),
        _few("over-regularised", "model.dropout=0.95"),
        _few("over-regularised", "loss.label_smoothing=0.9"),
        _few("starving-clipping", "optimizer.clip_norm=0.001"),
        _few("starving-clipping", "optimizer.clip_norm=0.1 model.activation=tanh model.hidden=100"),
    ]


def _of_steps() -> list[Setup]:
    """Return set-ups with a wrong learning rate or a wrong number of epochs."""
    adam = f"optimizer.name=adam model.hidden=100,100 {CONSTANT}"
    return [
        _few("learning-rate-too-high", f"optimizer.learning_rate=1 {CONSTANT}"),
        _few("learning-rate-too-high", f"{adam} optimizer.learning_rate=1 model.activation=tanh"),
        _few("learning-rate-too-high", f"{adam} optimizer.learning_rate=1 model.activation=gelu"),
        _few(
            "learning-rate-too-high",
            f"model.hidden=100,100 model.activation=sigmoid {CONSTANT} optimizer.learning_rate=5",
        ),
        _few("learning-rate-too-low", "optimizer.learning_rate=1e-5"),
        _few("learning-rate-too-low", "optimizer.learning_rate=0.001 model.activation=elu"),
        _few("learning-rate-too-low", f"{adam} optimizer.learning_rate=1e-6 model.activation=tanh"),
        _few("underfitting-too-short", f"optimizer.learning_rate=0.01 {CONSTANT}", epochs=1),
        _few(
            "underfitting-too-short",
            f"optimizer.learning_rate=0.015 optimizer.momentum=0 {CONSTANT} model.activation=tanh",
        ),
        _few(
            "underfitting-too-short",
            f"optimizer.momentum=0 model.activation=sigmoid {CONSTANT} model.hidden=100",
            epochs=4,
        ),
        _few("batch-too-large", "training.batch_size=5000", epochs=8),
        Setup("overfitting", "training.epochs=40 optimizer.name=adam", rows=500),
        Setup("overfitting", "training.epochs=50 model.activation=tanh", rows=300),
    ]


def _of_outputs() -> list[Setup]:
    """Return set-ups with a fault of the loss, the data or the predictions."""
    return [
        Setup("loss-output-mismatch", config="quadratic-cost"),
        _few("loss-output-mismatch", "loss.name=mse model.output=sigmoid model.hidden=100"),
        _few("loss-output-mismatch", "loss.name=mse model.output=softmax model.activation=tanh"),
        Setup("class-imbalance", "training.epochs=3 model.hidden=100", pick=mostly_zeros),
        Setup("class-imbalance", "training.epochs=3 model.activation=sigmoid", pick=mostly_zeros),
        _few("wrong-labels", "model.hidden=100", pick=half_shuffled_labels),
        _few("not-learning", "model.hidden=100", pick=shuffled_labels),
        _few("not-learning", "model.activation=tanh optimizer.name=adam", pick=shuffled_labels),
        _few("underfitting", "model.activation=tanh", epochs=25, after=noisy_weights),
        _few("underfitting", "model.activation=elu", epochs=25, after=noisy_weights),
        _few("collapsed-output", "model.hidden=64 optimizer.name=adam", after=one_large_bias),
        _few("collapsed-output", "model.activation=tanh", after=one_large_bias),
        _few("overconfident", "model.hidden=100", epochs=1, after=sharpened_logits),
        _few("overconfident", "model.hidden=none", epochs=1, after=sharpened_logits),
    ]
