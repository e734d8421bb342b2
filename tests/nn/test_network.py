"""The network: its gradient against finite differences, the layout of its vectors, its buffers.

The gradient is checked along random directions, as autograd's `check_grads` does: for a direction v
the slope (L(p + hv) - L(p - hv)) / 2h of the mean loss must be g · v. All parameters at once, so a
wrong factor anywhere shows; negative controls verify that it does.
"""

import tracemalloc

import numpy as np
import pytest

from actcli.nn.activations import ACTIVATIONS
from actcli.nn.initializers import BIAS_INITIALIZERS, INITIALIZERS
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP, Dropout
from actcli.nn.optimizers import OPTIMIZERS

PAIRS = [(name, output) for name, loss in LOSSES.items() for output in loss.outputs]


def make_network(sizes, activations, dtype="float64", seed=0):
    network = MLP(sizes, activations, dtype)
    network.initialize(np.random.default_rng(seed), bias_init="normal")
    return network


def make_batch(network, loss, classes, rows=12, seed=1):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, network.sizes[0])).astype(network.parameters.dtype)
    targets = loss.targets(classes).astype(inputs.dtype)[rng.integers(classes, size=rows)]
    return inputs, targets


def mean_loss(network, loss, inputs, targets, *, rate=0.0, capacity=None):
    """Return the mean loss and its gradient, with the same dropout mask each time."""
    dropout = Dropout(rate, np.random.default_rng(7)) if rate else None
    trace = network.trace(capacity or len(inputs), dropout).first(len(inputs))
    logits = network.forward(inputs, trace)
    delta, scratch = trace.layers[-1].delta, trace.layers[-1].derivative
    losses = loss(logits, targets, delta, scratch)
    delta /= len(inputs)
    gradient = np.full_like(network.parameters, np.nan)
    network.backward(inputs, trace, network.views(gradient))
    return losses.mean(), gradient


def worst_error(network, loss, inputs, targets, *, tamper=None, **options):
    """Return the largest relative error of g · v over random directions v."""
    h = 1e-5
    start = network.parameters.copy()
    _, gradient = mean_loss(network, loss, inputs, targets, **options)
    if tamper is not None:
        tamper(network.views(gradient))
    errors = []
    for direction in np.random.default_rng(5).normal(size=(4, start.size)):
        network.parameters[...] = start + h * direction
        above, _ = mean_loss(network, loss, inputs, targets, **options)
        network.parameters[...] = start - h * direction
        below, _ = mean_loss(network, loss, inputs, targets, **options)
        network.parameters[...] = start
        slope = (above - below) / (2 * h)
        errors.append(abs(gradient @ direction - slope) / abs(slope))
    return max(errors)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradient_with_every_activation(name):
    network = make_network((7, 6, 5, 4), (name, name))
    loss = LOSSES["cross-entropy"]()
    batch = make_batch(network, loss, 4)
    for rate in (0.0, 0.3):
        assert worst_error(network, loss, *batch, rate=rate) < 1e-6


@pytest.mark.parametrize(("name", "output"), PAIRS)
def test_gradient_with_every_loss(name, output):
    loss = LOSSES[name](output, 0.1 if LOSSES[name].smooths else 0.0)
    for classes, rate in ((2, 0.0), (2, 0.3), (3, 0.3), (10, 0.0)):
        network = make_network((7, 6, 5, loss.units(classes)), ("tanh", "gelu"))
        batch = make_batch(network, loss, classes)
        assert worst_error(network, loss, *batch, rate=rate) < 1e-6


@pytest.mark.parametrize(
    ("sizes", "activations"),
    [
        ((7, 5), ()),
        ((7, 4, 5), ("selu",)),
        ((7, 1, 5), ("softsign",)),
        ((1, 6, 5), ("mish",)),
        ((6, 5, 4, 6, 5), ("relu", "sigmoid", "elu")),
        ((5, *(4 for _ in ACTIVATIONS), 5), tuple(ACTIVATIONS)),
    ],
)
def test_gradient_of_networks_of_other_shapes(sizes, activations):
    network = make_network(sizes, activations)
    loss = LOSSES["cross-entropy"]()
    assert worst_error(network, loss, *make_batch(network, loss, 5)) < 1e-6


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_gradient_of_a_mini_batch_that_is_smaller_than_the_buffers(rate):
    network = make_network((7, 6, 5, 4), ("silu", "relu"))
    loss = LOSSES["cross-entropy"]()
    batch = make_batch(network, loss, 4)
    assert worst_error(network, loss, *batch, rate=rate, capacity=100) < 1e-6


def scale_all(layers):
    for layer in layers:
        layer.weights[...] *= 1.01
        layer.biases[...] *= 1.01


def drop_first_weights(layers):
    layers[0].weights[...] = 0


def drop_middle_biases(layers):
    layers[1].biases[...] = 0


def transpose_square_weights(layers):
    layers[1].weights[...] = layers[1].weights.T.copy()


@pytest.mark.parametrize(
    "tamper", [scale_all, drop_first_weights, drop_middle_biases, transpose_square_weights]
)
def test_negative_control_a_wrong_gradient_is_detected(tamper):
    network = make_network((7, 6, 6, 4), ("tanh", "silu"))
    loss = LOSSES["cross-entropy"]()
    batch = make_batch(network, loss, 4)
    assert worst_error(network, loss, *batch) < 1e-6
    assert worst_error(network, loss, *batch, tamper=tamper) > 1e-3


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "identity"])
def test_negative_control_a_wrong_derivative_is_detected(name, monkeypatch):
    derivative = ACTIVATIONS[name].derivative

    def wrong(self, z, y, out, scratch):
        derivative(self, z, y, out, scratch)
        out *= 1.01

    network = make_network((7, 6, 5, 4), (name, name))
    loss = LOSSES["cross-entropy"]()
    batch = make_batch(network, loss, 4)
    monkeypatch.setattr(ACTIVATIONS[name], "derivative", wrong)
    assert worst_error(network, loss, *batch) > 1e-4


def test_forward_and_backward_of_a_network_worked_out_by_hand():
    # Two inputs, two ReLU units, one logit.
    #   x = (1, 2), W = ((1, 1), (1, -1)), b = (0.5, 0)  ->  z = (3.5, -1), y = (3.5, 0)
    #   w = (2, 3), c = 1                                ->  logit = 8
    # With δ = 1 at the logit: ∂w = y, ∂c = 1, δ of the units = (2, 3) ⊙ (1, 0) = (2, 0),
    # ∂W = ((2, 4), (0, 0)), ∂b = (2, 0).
    network = MLP((2, 2, 1), ("relu",), "float64")
    network.parameters[...] = [1, 1, 1, -1, 2, 3, 0.5, 0, 1]  # W^T, w, b, c
    trace = network.trace(1)
    inputs = np.array([[1.0, 2.0]])
    np.testing.assert_array_equal(network.forward(inputs, trace), [[8]])
    np.testing.assert_array_equal(trace.layers[0].z, [[3.5, -1]])
    np.testing.assert_array_equal(trace.layers[0].y, [[3.5, 0]])
    trace.layers[-1].delta[...] = 1
    gradient = np.full(9, np.nan)
    network.backward(inputs, trace, network.views(gradient))
    np.testing.assert_array_equal(gradient, [2, 0, 4, 0, 3.5, 0, 2, 0, 1])
    np.testing.assert_array_equal(trace.layers[0].delta, [[2, 0]])


def test_parameters_are_one_vector_weights_first():
    network = MLP((3, 4, 2), ("tanh",))
    assert network.parameters.dtype == np.float32
    assert network.weight_count == 3 * 4 + 4 * 2
    assert network.parameters.shape == (12 + 8 + 4 + 2,)
    assert not network.parameters.any()
    network.parameters[...] = np.arange(26)
    first, last = network.layers
    np.testing.assert_array_equal(first.weights, np.arange(12).reshape(3, 4).T)
    np.testing.assert_array_equal(last.weights, np.arange(12, 20).reshape(4, 2).T)
    np.testing.assert_array_equal(first.biases, [20, 21, 22, 23])
    np.testing.assert_array_equal(last.biases, [24, 25])
    for layer in network.layers:
        assert np.shares_memory(layer.weights, network.parameters)
        assert np.shares_memory(layer.biases, network.parameters)
        assert layer.weights.T.flags.c_contiguous


def test_views_of_another_vector_leave_the_parameters_alone():
    network = MLP((3, 4, 2), ("tanh",))
    vector = np.zeros_like(network.parameters)
    for layer in network.views(vector):
        layer.weights[...] = 1
        layer.biases[...] = 2
    np.testing.assert_array_equal(vector, [1] * 20 + [2] * 6)
    assert not network.parameters.any()


def test_the_number_of_activations_must_fit():
    with pytest.raises(ValueError, match="2 hidden layers, 1 activations"):
        MLP((3, 4, 4, 2), ("tanh",))


@pytest.mark.parametrize("init", ["auto", *INITIALIZERS])
def test_initialization_is_reproducible(init):
    for bias_init in BIAS_INITIALIZERS:
        networks = [MLP((6, 5, 4), ("relu",)) for _ in range(3)]
        for network, seed in zip(networks, (3, 3, 4), strict=True):
            network.initialize(np.random.default_rng(seed), init, bias_init)
        first, same, other = (network.parameters for network in networks)
        np.testing.assert_array_equal(first, same)
        is_random = init != "zeros" or bias_init != "zeros"
        assert np.array_equal(first, other) != is_random
        assert np.isfinite(first).all()


def test_the_scale_multiplies_the_initial_weights_and_not_the_biases():
    drawn, scaled = (MLP((6, 5, 4), ("relu",)) for _ in range(2))
    drawn.initialize(np.random.default_rng(3), "auto", "normal")
    scaled.initialize(np.random.default_rng(3), "auto", "normal", 0.25)
    for before, after in zip(drawn.layers, scaled.layers, strict=True):
        np.testing.assert_array_equal(after.weights, before.weights / 4)
        np.testing.assert_array_equal(after.biases, before.biases)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_auto_takes_the_initializer_that_fits_each_activation(name):
    network = MLP((40, 30, 20), (name,), "float64")
    network.initialize(np.random.default_rng(0))
    rng = np.random.default_rng(0)
    first = INITIALIZERS[ACTIVATIONS[name].initializer](rng, 30, 40)
    # Only the link follows the logits: their layer is initialized as for the identity.
    last = INITIALIZERS[ACTIVATIONS["identity"].initializer](rng, 20, 30)
    np.testing.assert_array_equal(network.layers[0].weights, first)
    np.testing.assert_array_equal(network.layers[1].weights, last)
    assert not network.layers[0].biases.any()


def test_parameters_are_drawn_layer_after_layer():
    # So the first layers of two networks with the same seed are the same.
    short, long = MLP((6, 5, 4), ("relu",)), MLP((6, 5, 4, 3), ("relu", "relu"))
    for network in (short, long):
        network.initialize(np.random.default_rng(0), "he-normal", "normal")
    np.testing.assert_array_equal(short.layers[0].weights, long.layers[0].weights)
    np.testing.assert_array_equal(short.layers[0].biases, long.layers[0].biases)
    np.testing.assert_array_equal(short.layers[1].weights, long.layers[1].weights)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_do_not_depend_on_the_mini_batches(dtype):
    network = make_network((20, 16, 12, 10), ("relu", "gelu"), dtype)
    inputs = np.random.default_rng(2).normal(size=(103, 20)).astype(dtype)
    whole = network.forward(inputs, network.trace(103)).copy()
    trace = network.trace(32)
    pieces = [
        network.forward(inputs[at : at + 32], trace.first(min(32, 103 - at))).copy()
        for at in range(0, 103, 32)
    ]
    tolerance = {"float32": 2e-6, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=tolerance, atol=tolerance)


def test_the_gradient_is_the_mean_of_the_gradients_of_the_rows():
    network = make_network((7, 6, 5), ("tanh",))
    loss = LOSSES["cross-entropy"]()
    inputs, targets = make_batch(network, loss, 5)
    _, whole = mean_loss(network, loss, inputs, targets)
    rows = [mean_loss(network, loss, inputs[[i]], targets[[i]])[1] for i in range(len(inputs))]
    np.testing.assert_allclose(whole, np.mean(rows, axis=0), rtol=1e-12, atol=1e-15)


def test_first_rows_are_views_of_the_same_buffers():
    trace = MLP((3, 4, 2), ("relu",)).trace(10, Dropout(0.5, np.random.default_rng(0)))
    part = trace.first(4)
    assert part.logits.shape == (4, 2)
    assert part.ones.shape == (4,)
    assert trace.first(10) is trace
    assert part.dropout is trace.dropout
    for small, large in zip(part.layers, trace.layers, strict=True):
        for field in ("z", "y", "output", "mask", "delta", "derivative"):
            a, b = getattr(small, field), getattr(large, field)
            assert (a is None) == (b is None)
            assert a is None or (len(a) == 4 and np.shares_memory(a, b))


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_a_training_step_allocates_nothing_big(rate):
    network = make_network((784, 256, 128, 10), ("relu", "gelu"), "float32")
    loss = LOSSES["cross-entropy"]()
    inputs, targets = make_batch(network, loss, 10, rows=512)
    dropout = Dropout(rate, np.random.default_rng(0)) if rate else None
    trace = network.trace(512, dropout)
    gradient = np.empty_like(network.parameters)
    views = network.views(gradient)
    optimizer = OPTIMIZERS["adam"]()
    state = optimizer.start(network.parameters)

    def step():
        logits = network.forward(inputs, trace)
        delta, scratch = trace.layers[-1].delta, trace.layers[-1].derivative
        loss(logits, targets, delta, scratch)
        delta /= len(inputs)
        network.backward(inputs, trace, views)
        optimizer.step(network.parameters, gradient, state, 0.001, network.weight_count)

    step()
    before = network.parameters.copy()
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not np.array_equal(before, network.parameters)
    # NumPy broadcasts through an internal buffer of 8,192 elements, whatever the arrays' size.
    # Truth values for the smaller hidden layer alone would be 512 x 128 = 65,536 bytes.
    assert peak < 50_000


@pytest.mark.parametrize(("dtype", "rate"), [("float32", 0.1), ("float64", 0.5), ("float32", 0.8)])
def test_dropout_silences_its_share_of_the_units_and_keeps_the_mean(dtype, rate):
    mask = np.full((400, 500), np.nan, dtype)
    Dropout(rate, np.random.default_rng(0)).draw(mask)
    # A share of 200,000 draws: five standard deviations.
    margin = 5 * np.sqrt(rate * (1 - rate) / mask.size)
    assert np.mean(mask == 0) == pytest.approx(rate, abs=margin)
    np.testing.assert_allclose(mask[mask > 0], 1 / (1 - rate), rtol=1e-6)
    assert mask.mean(dtype=float) == pytest.approx(1, abs=margin / (1 - rate) + 1e-6)


def test_dropout_acts_on_hidden_layers_and_not_on_the_logits():
    network = make_network((5, 300, 300, 4), ("sigmoid", "sigmoid"))
    trace = network.trace(40, Dropout(0.5, np.random.default_rng(0)))
    network.forward(np.random.default_rng(1).normal(size=(40, 5)), trace)
    *hidden, last = trace.layers
    assert last.mask is None
    for at in hidden:
        assert 0.45 < np.mean(at.output == 0) < 0.55
        assert at.y.all()  # the activations themselves stay
        silent = at.output == 0
        np.testing.assert_allclose(at.output[~silent], 2 * at.y[~silent], rtol=1e-15)
    assert not np.array_equal(hidden[0].mask, hidden[1].mask)


def test_dropout_draws_anew_each_time_and_the_same_for_the_same_seed():
    network = make_network((5, 30, 4), ("tanh",))
    inputs = np.random.default_rng(1).normal(size=(40, 5))
    logits = []
    for _ in range(2):
        trace = network.trace(40, Dropout(0.5, np.random.default_rng(0)))
        logits += [network.forward(inputs, trace).copy() for _ in range(2)]
    assert not np.array_equal(logits[0], logits[1])
    np.testing.assert_array_equal(logits[:2], logits[2:])


def test_the_mean_logits_with_dropout_are_the_logits_without():
    # The units of a linear network: the expectation passes through.
    network = make_network((5, 60, 3), ("identity",))
    inputs = np.random.default_rng(1).normal(size=(1, 5)).repeat(20_000, axis=0)
    expected = network.forward(inputs[:1], network.trace(1))[0]
    logits = network.forward(inputs, network.trace(20_000, Dropout(0.5, np.random.default_rng(0))))
    deviation = logits.std(axis=0) / np.sqrt(len(logits))
    assert (np.abs(logits.mean(axis=0) - expected) < 5 * deviation).all()
