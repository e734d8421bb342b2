"""The training loop: its events, its arithmetic beside plain NumPy, its ends, its evaluation."""

import contextlib
import itertools
import math
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from actcli.config.sources import assemble, parse_assignment
from actcli.datasets.batches import Batches
from actcli.errors import ActcliError, DivergedError
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.losses import LOSSES
from actcli.nn.optimizers import OPTIMIZERS
from actcli.nn.schedules import SCHEDULES
from actcli.training import build, evaluation, loop, step
from actcli.training.evaluation import evaluate
from actcli.training.events import EpochDone, StepDone
from actcli.training.learner import Learner
from actcli.training.loop import fit
from actcli.training.parallel import parallel_step

Blobs = Callable[..., Path]
PLAIN = ("optimizer.momentum=0", "optimizer.schedule=constant")
REGRESSION = (*PLAIN, "model.hidden=none", "data.normalize=unit")


def learner(path: Path, *assignments: str) -> Learner:
    """Return an untrained learner, with a small network by default."""
    texts = (f"data.name={path}", "model.hidden=16,8", "training.batch_size=32", *assignments)
    config = assemble([parse_assignment(text) for text in texts]).resolve()
    return Learner(*build.prepare_dataset(config, lambda *_: None))


def epochs(trained: Learner) -> list[EpochDone]:
    return [event for event in fit(trained) if isinstance(event, EpochDone)]


def parameters(path: Path, *assignments: str) -> NDArray[Any]:
    """Return the parameters after a training."""
    trained = learner(path, *assignments)
    assert epochs(trained)
    return trained.network.parameters


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def orders(seed: int, rows: int) -> Iterator[NDArray[Any]]:
    """Yield the order of the rows in each epoch, from the second of the three streams of a seed."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[1])
    while True:
        yield rng.permutation(rows)


# Events ---------------------------------------------------------------------------------------


def test_every_step_and_every_epoch_yields_an_event_in_order(blobs: Blobs) -> None:
    trained = learner(blobs(rows=300), "training.epochs=3", "data.validation=50")
    events = list(fit(trained))
    steps = [32, 64, 96, 128, 160, 192, 224, 250]
    position = 0
    for epoch in (1, 2, 3):
        for number, rows in enumerate(steps, start=1):
            assert events[position] == StepDone(epoch, number, rows)
            position += 1
        done = events[position]
        assert isinstance(done, EpochDone)
        assert done.epoch == epoch
        assert done.seconds > 0
        assert done.examples_per_second == 250 / done.seconds
        assert done.validation is not None
        position += 1
    assert position == len(events)
    assert trained.state.step == 3 * len(steps)
    assert done.validation == evaluate(trained.model, trained.dataset.validation)


def test_the_time_that_the_caller_spends_on_events_does_not_count(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: clock[0])
    trained = learner(blobs(), "training.epochs=1")
    forward = trained.network.forward

    def slow(*args: Any) -> Any:
        clock[0] += 2
        return forward(*args)

    monkeypatch.setattr(trained.network, "forward", slow)
    taken = 0
    for event in fit(trained):
        clock[0] += 100
        taken += isinstance(event, StepDone)
        if isinstance(event, EpochDone):
            assert event.seconds == 2 * taken


def test_the_training_score_of_an_epoch_is_measured_before_each_step(blobs: Blobs) -> None:
    trained = learner(blobs(), "training.epochs=1", "data.validation=0")
    before: list[Any] = []
    forward = trained.network.forward
    trained.network.forward = lambda *args: before.append(forward(*args).copy()) or forward(*args)
    (epoch,) = epochs(trained)
    order = next(orders(0, 300))
    labels = trained.dataset.train.labels[order]
    p = softmax(np.concatenate(before).astype(np.float64))
    assert epoch.train.loss == pytest.approx(-np.log(p[np.arange(300), labels]).mean(), rel=1e-6)
    assert epoch.train.accuracy == (p.argmax(axis=1) == labels).mean()
    assert epoch.validation is None
    assert epoch.train != evaluate(trained.model, trained.dataset.train)


def test_zero_epochs_yield_no_event(blobs: Blobs) -> None:
    trained = learner(blobs(), "training.epochs=0")
    before = trained.network.parameters.copy()
    assert list(fit(trained)) == []
    np.testing.assert_array_equal(trained.network.parameters, before)


# Random numbers -------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits(blobs: Blobs) -> None:
    options = blobs(), "training.epochs=2", "model.dropout=0.3", "model.bias_init=normal"
    first = parameters(*options)
    np.testing.assert_array_equal(first, parameters(*options))
    assert first.dtype == np.float32
    assert not np.array_equal(first, parameters(*options, "training.seed=1"))


def inputs_in_order(trained: Learner) -> NDArray[Any]:
    """Train, and return all inputs in the order of the steps."""
    inputs: list[NDArray[Any]] = []
    forward = trained.network.forward
    trained.network.forward = lambda x, *rest: inputs.append(x.copy()) or forward(x, *rest)
    assert epochs(trained)
    return np.concatenate(inputs)


@pytest.mark.parametrize(
    "change", ["model.dropout=0.5", "model.hidden=5", "model.init=orthogonal", "loss.name=mse"]
)
def test_the_order_of_the_rows_depends_on_the_seed_alone(blobs: Blobs, change: str) -> None:
    # With this normalization every column is active in every mini-batch.
    dense = "data.normalize=standard", "data.validation=0"
    options = blobs(), "training.epochs=2", *dense
    plain, changed = inputs_in_order(learner(*options)), inputs_in_order(learner(*options, change))
    np.testing.assert_array_equal(plain, changed)
    assert not np.array_equal(plain[:300], plain[300:])  # each epoch has another order
    assert not np.array_equal(plain, inputs_in_order(learner(*options, "training.seed=1")))


def test_dropout_has_a_separate_random_stream_and_acts_in_training_alone(blobs: Blobs) -> None:
    options = blobs(), "training.epochs=1", "data.validation=0"
    plain, dropped = learner(*options), learner(*options, "model.dropout=0.5")
    np.testing.assert_array_equal(plain.network.parameters, dropped.network.parameters)
    assert evaluate(plain.model, plain.dataset.train) == evaluate(
        dropped.model, dropped.dataset.train
    )
    assert epochs(plain)[0].train != epochs(dropped)[0].train


@pytest.mark.parametrize("workers", [1, 2])
def test_active_columns_change_a_training_by_rounding_alone(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 12)).astype(np.uint8)
    pixels[:, [0, 3, 4, 11]] = 0
    pixels[:290, 5] = 0  # in some mini-batches
    options = blobs(x_train=pixels), "training.epochs=3", f"training.workers={workers}"
    monkeypatch.setattr(parallel_step, "MIN_WORK_PER_WORKER", 1)
    load, widths = Batches.load, set()

    def load_and_note_width(*args: Any, **keywords: Any) -> Any:
        inputs = load(*args, **keywords)
        if keywords or len(args) > 2:  # by a step, not by an evaluation
            widths.add(getattr(inputs, "values", inputs).shape[1])
        return inputs

    monkeypatch.setattr(Batches, "load", load_and_note_width)
    trained = []
    for minimum, expected in ((1, {7, 8}), (10**9, {12})):
        monkeypatch.setattr(step, "MIN_WORK_FOR_ACTIVE_COLUMNS", minimum)
        widths.clear()
        trained.append(parameters(*options, "optimizer.weight_decay=0.1"))
        assert widths == expected
    np.testing.assert_allclose(*trained, atol=2e-5)


# One step -------------------------------------------------------------------------------------


def full_gradient(one: Learner) -> NDArray[Any]:
    """Return the gradient of the mean loss over all training rows, through actcli.nn."""
    data, network = one.dataset, one.network
    inputs = (data.train.pixels[data.train.rows] / 255.0).astype(np.float32)
    trace = network.trace(len(inputs))
    last = trace.layers[-1]
    targets = one.loss.targets(len(data.classes)).astype(np.float32)[data.train.labels]
    one.loss(network.forward(inputs, trace), targets, last.delta, last.derivative)
    last.delta[...] /= len(inputs)
    gradient = np.empty_like(network.parameters)
    network.backward(inputs, trace, network.views(gradient))
    return gradient


def test_balanced_classes_have_the_same_share_of_loss_and_gradient(blobs: Blobs) -> None:
    labels = np.repeat([0, 1, 2], [200, 80, 20])
    path = blobs(y_train=labels)
    every_row = ("training.batch_size=300", "training.epochs=1", "data.validation=0")
    one = learner(path, *PLAIN, *every_row, "loss.class_weight=balanced")
    weights = np.array(one.model.class_weights)
    np.testing.assert_allclose(weights, [0.5, 1.25, 5])  # 300 / (3 * 200), …
    before, network = one.network.parameters.copy(), one.network
    trace = network.trace(300)
    rows = one.dataset.train
    inputs = (rows.pixels[rows.rows] / 255.0).astype(np.float32)
    probabilities = softmax(network.forward(inputs, trace).astype(float))
    losses = -np.log(probabilities[np.arange(300), labels])
    last = trace.layers[-1]
    last.delta[...] = (probabilities - np.eye(3)[labels]) * weights[labels, np.newaxis] / 300
    gradient = np.empty_like(before)
    network.backward(inputs, trace, network.views(gradient))
    _, epoch = fit(one)
    np.testing.assert_allclose(one.network.parameters, before - 0.1 * gradient, atol=1e-7)
    assert isinstance(epoch, EpochDone)
    assert epoch.train.loss == pytest.approx(np.mean(weights[labels] * losses), rel=1e-6)
    by_class = [losses[labels == label].mean() for label in range(3)]
    assert epoch.train.loss == pytest.approx(np.mean(by_class), rel=1e-6)


@pytest.mark.parametrize("batch_size", [300, 301, 10**15])
def test_a_mini_batch_of_all_rows_is_one_step_on_the_full_gradient(
    blobs: Blobs, batch_size: int
) -> None:
    size = f"training.batch_size={batch_size}"
    one = learner(blobs(), *PLAIN, size, "training.epochs=1", "data.validation=0")
    before, gradient = one.network.parameters.copy(), full_gradient(one)
    step, epoch = fit(one)
    assert step == StepDone(1, 1, 300)
    np.testing.assert_allclose(one.network.parameters, before - 0.1 * gradient, atol=1e-7)
    assert np.abs(0.1 * gradient).max() > 1e-4
    assert isinstance(epoch, EpochDone)


def test_two_epochs_of_softmax_regression_equal_plain_numpy(blobs: Blobs) -> None:
    # 300 rows in mini-batches of 128: the last has 44 rows, each with a larger weight.
    one = learner(
        blobs(), *REGRESSION, "training.batch_size=128", "training.epochs=2", "data.validation=0"
    )
    layer = one.network.layers[0]
    weights, biases = layer.weights.astype(np.float64), layer.biases.astype(np.float64)
    x = one.dataset.train.pixels / 255.0
    y = np.eye(3)[one.dataset.train.labels]
    order = orders(0, 300)
    for epoch in epochs(one):
        rows, total = next(order), 0.0
        for start in range(0, 300, 128):
            batch = rows[start : start + 128]
            p = softmax(x[batch] @ weights.T + biases)
            total -= np.log(p[y[batch] == 1]).sum()
            error = (p - y[batch]) / len(batch)
            weights -= 0.1 * error.T @ x[batch]
            biases -= 0.1 * error.sum(axis=0)
        assert epoch.train.loss == pytest.approx(total / 300, rel=1e-6)
    np.testing.assert_allclose(layer.weights, weights, atol=1e-6)
    np.testing.assert_allclose(layer.biases, biases, atol=1e-6)


class Recorder:
    """An optimizer that records its learning rates."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.rates: list[float] = []

    def step(self, *args: Any, **options: Any) -> None:
        self.rates.append(args[3])
        self.optimizer.step(*args, **options)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 1.5])
def test_the_schedule_spans_all_steps_and_warmup_is_in_epochs(
    blobs: Blobs, name: str, warmup: float
) -> None:
    one = learner(
        *(blobs(rows=100), "data.validation=0", "training.epochs=3", "optimizer.learning_rate=0.2"),
        *(f"optimizer.schedule={name}", f"optimizer.warmup={warmup}", "training.batch_size=30"),
    )
    one.optimizer = recorder = Recorder(one.optimizer)
    done = epochs(one)
    expected = [0.2 * SCHEDULES[name](step, 12, 4 * warmup) for step in range(12)]
    assert recorder.rates == pytest.approx(expected, rel=1e-12)
    means = [sum(recorder.rates[start : start + 4]) / 4 for start in (0, 4, 8)]
    assert [epoch.learning_rate for epoch in done] == pytest.approx(means)
    if warmup:
        assert max(recorder.rates) == pytest.approx(0.2)
        assert recorder.rates.index(max(recorder.rates)) == 5


FULL = ("training.batch_size=1000", "training.epochs=1", "model.bias_init=normal", *PLAIN)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_pulls_weights_and_leaves_biases_alone(blobs: Blobs, name: str) -> None:
    options = blobs(), *FULL, f"optimizer.name={name}", "optimizer.learning_rate=0.01"
    network = learner(*options).network
    start, biases = network.parameters.copy(), network.weight_count
    free = parameters(*options, "optimizer.weight_decay=0")
    pulled = parameters(*options, "optimizer.weight_decay=0.5")
    np.testing.assert_array_equal(pulled[biases:], free[biases:])
    assert np.linalg.norm(pulled[:biases]) < np.linalg.norm(free[:biases])
    if name in {"sgd", "adamw"}:
        np.testing.assert_allclose((free - pulled)[:biases], 0.005 * start[:biases], atol=1e-6)


def test_clipping_bounds_the_norm_of_the_gradient(blobs: Blobs) -> None:
    path = blobs()
    start = learner(path, *FULL).network.parameters
    free = parameters(path, *FULL) - start
    clipped = parameters(path, *FULL, "optimizer.clip_norm=0.01") - start
    assert np.linalg.norm(free) > 0.01
    assert np.linalg.norm(clipped) == pytest.approx(0.1 * 0.01, rel=1e-3)
    np.testing.assert_allclose(
        clipped / np.linalg.norm(clipped), free / np.linalg.norm(free), atol=1e-3
    )
    np.testing.assert_array_equal(parameters(path, *FULL, "optimizer.clip_norm=1e6") - start, free)


def test_a_step_allocates_nothing_large(blobs: Blobs) -> None:
    options = "training.batch_size=128", "training.epochs=2", "data.validation=0"
    one = learner(blobs(rows=1000, inputs=784), *options, "model.hidden=64,32", "model.dropout=0.1")
    peak = 0
    for event in fit(one):
        if isinstance(event, EpochDone) and event.epoch == 1:
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
        if isinstance(event, StepDone) and event.epoch == 2:
            peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    # The order of 1,000 rows and their labels take 24 kB. A mini-batch takes 401 kB for its inputs,
    # 100 kB for their bytes, 33 kB for its 64 hidden units.
    assert 0 < peak < 80_000


# The end --------------------------------------------------------------------------------------


def test_patience_waits_for_a_better_validation_loss(blobs: Blobs) -> None:
    noise = np.random.default_rng(0).integers(0, 3, 300)  # nothing to learn, only to memorise
    options = "optimizer.name=adam", "optimizer.learning_rate=0.02", "optimizer.schedule=constant"
    one = learner(
        blobs(y_train=noise),
        *options,
        "training.epochs=60",
        "training.patience=3",
        "data.validation=100",
        "model.hidden=64",
    )
    done = epochs(one)
    losses = [epoch.validation.loss for epoch in done if epoch.validation]
    lowest = [min(losses[: at + 1]) for at in range(len(losses))]
    best = [at == 0 or losses[at] < lowest[at - 1] for at in range(len(losses))]
    assert [epoch.best for epoch in done] == best
    assert len(done) < 60
    assert len(done) == len(losses) == losses.index(min(losses)) + 1 + 3
    last = [at for at, is_best in enumerate(best) if is_best][-1]
    assert last == len(done) - 4


def test_an_epoch_with_an_equal_loss_is_not_better(blobs: Blobs) -> None:
    options = "optimizer.learning_rate=1e-30", "training.epochs=9", "training.patience=2"
    done = epochs(learner(blobs(), *options))
    assert len({epoch.validation for epoch in done}) == 1
    assert [epoch.best for epoch in done] == [True, False, False]


def test_without_patience_every_epoch_is_trained(blobs: Blobs) -> None:
    noise = np.random.default_rng(0).integers(0, 3, 300)
    one = learner(blobs(y_train=noise), "training.epochs=9", "optimizer.name=adam")
    assert len(epochs(one)) == 9


def test_divergence_names_epoch_step_and_layer(blobs: Blobs) -> None:
    one = learner(blobs(), "optimizer.learning_rate=1e10", "training.epochs=3")
    with pytest.raises(DivergedError) as caught:
        epochs(one)
    assert caught.value.message == (
        "the loss stopped being finite in epoch 1, step 3 of 8, first in layer 2 of 3"
    )
    assert caught.value.hint == "Try --lr 0.1"


def test_divergence_in_the_last_step_of_an_epoch(blobs: Blobs) -> None:
    one = learner(
        *(blobs(), "optimizer.learning_rate=1e35", "training.batch_size=1000"),
        *("training.epochs=1", "data.normalize=none", "optimizer.clip_norm=1", *PLAIN),
    )
    with pytest.raises(DivergedError) as caught:
        epochs(one)
    assert caught.value.message == (
        "the loss stopped being finite after step 1 of epoch 1, first in layer 2 of 3"
    )
    assert caught.value.hint == "Try --lr 0.1 or --normalize unit"


def test_divergence_in_the_loss_alone(blobs: Blobs) -> None:
    one = learner(blobs(), "loss.name=sse", "model.output=identity", *REGRESSION)
    one.network.parameters[...] = 1e25  # squared, it is beyond float32
    with pytest.raises(DivergedError) as caught:
        epochs(one)
    assert caught.value.message == (
        "the loss stopped being finite in epoch 1, step 1 of 8, first in the loss, not in a layer"
    )


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_divergence_names_the_first_layer_that_is_not_finite(blobs: Blobs, layer: int) -> None:
    one = learner(blobs(), "model.activation=sigmoid")
    one.network.layers[layer - 1].biases[2] = np.nan
    with pytest.raises(DivergedError, match=f"step 1 of 8, first in layer {layer} of 3"):
        epochs(one)


@pytest.mark.parametrize("rate", [1e10, 1e300])
@pytest.mark.parametrize(
    ("activation", "optimizer"), list(zip(ACTIVATIONS, itertools.cycle(OPTIMIZERS), strict=False))
)
def test_a_diverging_training_emits_no_warning(
    blobs: Blobs, activation: str, optimizer: str, rate: float
) -> None:
    one = learner(
        *(blobs(rows=100), f"model.activation={activation}", f"optimizer.name={optimizer}"),
        *(f"optimizer.learning_rate={rate}", "training.epochs=2", "optimizer.schedule=constant"),
    )
    if rate == 1e300:
        with pytest.raises(DivergedError, match="first in layer"):
            epochs(one)
    else:
        with contextlib.suppress(DivergedError):
            epochs(one)
            assert np.isfinite(one.network.parameters).all()


# Scores ---------------------------------------------------------------------------------------


def test_a_score_does_not_depend_on_the_mini_batches(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = learner(blobs(noise=90), "training.epochs=2")
    epochs(one)
    scores = []
    for rows in (1, 7, 299, 1000):
        monkeypatch.setattr(evaluation, "EVALUATION_ROWS", rows)
        scores.append(evaluate(one.model, one.dataset.test))
    assert len({score.accuracy for score in scores}) == 1
    assert [score.loss for score in scores] == pytest.approx([scores[0].loss] * 4, rel=1e-6)


def test_a_score_equals_plain_numpy(blobs: Blobs) -> None:
    one = learner(blobs(noise=90), "training.epochs=2", "model.activation=tanh")
    epochs(one)
    split = one.dataset.test
    y = split.pixels[split.rows] / 255.0
    for at, layer in enumerate(one.network.layers):
        z = y @ layer.weights.astype(np.float64).T + layer.biases
        y = np.tanh(z) if at < 2 else softmax(z)
    score = evaluate(one.model, split)
    assert score.loss == pytest.approx(-np.log(y[np.arange(300), split.labels]).mean(), rel=1e-5)
    assert score.accuracy == (y.argmax(axis=1) == split.labels).mean()
    assert 0.4 < score.accuracy < 1


# Learning -------------------------------------------------------------------------------------

QUICKLY = ("optimizer.name=adam", "optimizer.learning_rate=0.02", "training.epochs=40")
PAIRS = [(name, output) for name, loss in LOSSES.items() for output in loss.outputs]


def accuracy(one: Learner) -> float:
    epochs(one)
    return evaluate(one.model, one.dataset.test).accuracy


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_learns(blobs: Blobs, name: str) -> None:
    assert accuracy(learner(blobs(), *QUICKLY, f"model.activation={name}")) > 0.9


@pytest.mark.parametrize(("name", "output"), PAIRS)
def test_every_loss_with_every_output_learns(blobs: Blobs, name: str, output: str) -> None:
    options = f"loss.name={name}", f"model.output={output}"
    one = learner(blobs(), *QUICKLY, *options)
    assert evaluate(one.model, one.dataset.test).accuracy < 0.85
    assert accuracy(one) > 0.9


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns_with_its_default_learning_rate(blobs: Blobs, name: str) -> None:
    assert accuracy(learner(blobs(), f"optimizer.name={name}", "training.epochs=200")) > 0.9


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_learns_two_classes(blobs: Blobs, name: str) -> None:
    one = learner(blobs(2), *QUICKLY, f"loss.name={name}")
    assert one.network.sizes[-1] == (1 if name == "binary-cross-entropy" else 2)
    assert accuracy(one) > 0.9


def test_a_network_without_a_hidden_layer_learns(blobs: Blobs) -> None:
    one = learner(blobs(), "model.hidden=none", *QUICKLY)
    assert one.network.sizes == (12, 3)
    assert accuracy(one) > 0.9


def test_a_thousand_classes_start_at_the_loss_of_a_uniform_distribution(blobs: Blobs) -> None:
    one = learner(blobs(1000, rows=2000), "training.epochs=1", "data.validation=0")
    (epoch,) = epochs(one)
    assert epoch.train.loss == pytest.approx(math.log(1000), rel=0.1)
    assert one.network.sizes[-1] == 1000
    assert len(one.dataset.classes) == 1000


def test_a_learner_that_does_not_fit_into_memory_is_refused(blobs: Blobs) -> None:
    one = learner(blobs(), "training.epochs=0")
    model = replace(one.config.model, hidden=(10**6,) * 3)
    with pytest.raises(ActcliError, match=r"this network needs \d+\.\d TB of memory"):
        Learner(replace(one.config, model=model), one.dataset)
