"""Every loss with every legal output, against its definition written out for one example at a time
with the standard library's logarithm, and links against theirs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from actcli.errors import UsageError
from actcli.nn.activations import ACTIVATIONS
from actcli.nn.links import LINKS, classify, log_softmax
from actcli.nn.losses import LOSSES

PAIRS = [(name, output) for name, loss in LOSSES.items() for output in loss.outputs]
EVERY_PAIR = pytest.mark.parametrize(("name", "output"), PAIRS)
CLASSES = (2, 5, 10)
SMOOTHING = [name for name, loss in LOSSES.items() if loss.smooths]

# The definition of each loss for one row: outputs p and targets t, both lists of numbers.
DEFINITIONS = {
    "cross-entropy": lambda p, t: -sum(b * math.log(a) for a, b in zip(p, t, strict=True)),
    "binary-cross-entropy": lambda p, t: (
        -sum(b * math.log(a) + (1 - b) * math.log(1 - a) for a, b in zip(p, t, strict=True))
        / len(p)
    ),
    "kl-divergence": lambda p, t: sum(
        b * math.log(b / a) for a, b in zip(p, t, strict=True) if b > 0
    ),
    "sse": lambda p, t: sum((a - b) ** 2 for a, b in zip(p, t, strict=True)),
    "mse": lambda p, t: sum((a - b) ** 2 for a, b in zip(p, t, strict=True)) / len(p),
}
OUTPUTS = {
    "softmax": lambda z: [math.exp(each) / sum(math.exp(other) for other in z) for each in z],
    "sigmoid": lambda z: [1 / (1 + math.exp(-each)) for each in z],
    "identity": list,
}


def apply(loss, logits, targets):
    """Return the losses and the gradient in new arrays."""
    gradient, scratch = np.full_like(logits, np.nan), np.full_like(logits, np.nan)
    return loss(logits, targets, gradient, scratch), gradient


def example(loss, classes, rows=30, seed=0):
    """Return random logits and the target rows of random labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, loss.units(classes)))
    return logits, loss.targets(classes)[rng.integers(classes, size=rows)]


def losses_for_each_class_count(name, output):
    """Yield (loss, classes), with label smoothing too where the loss supports it."""
    for classes in CLASSES:
        for smoothing in (0.0, 0.1) if LOSSES[name].smooths else (0.0,):
            yield LOSSES[name](output, smoothing), classes


@EVERY_PAIR
def test_value_is_the_definition(name, output):
    for loss, classes in losses_for_each_class_count(name, output):
        logits, targets = example(loss, classes)
        expected = [
            DEFINITIONS[name](OUTPUTS[output](z.tolist()), t.tolist())
            for z, t in zip(logits, targets, strict=True)
        ]
        losses, _ = apply(loss, logits, targets)
        assert losses.shape == (30,)
        np.testing.assert_allclose(losses, expected, rtol=1e-12, atol=1e-13)


@EVERY_PAIR
def test_gradient_is_the_finite_difference_of_the_definition(name, output):
    h = 1e-5

    def cost(z, t):
        return DEFINITIONS[name](OUTPUTS[output](z.tolist()), t.tolist())

    for loss, classes in losses_for_each_class_count(name, output):
        logits, targets = example(loss, classes, rows=6)
        _, gradient = apply(loss, logits, targets)
        steps = np.eye(loss.units(classes)) * h
        for z, t, g in zip(logits, targets, gradient, strict=True):
            difference = [(cost(z + step, t) - cost(z - step, t)) / (2 * h) for step in steps]
            np.testing.assert_allclose(g, difference, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "output", "logits", "target", "cost", "gradient"),
    [
        # softmax([log 1, log 2, log 5]) = (1, 2, 5)/8; the true class has 2/8: log 4 nats.
        (
            "cross-entropy",
            "softmax",
            [0, math.log(2), math.log(5)],
            [0, 1, 0],
            math.log(4),
            [1 / 8, 2 / 8 - 1, 5 / 8],
        ),
        # A one-hot target has no entropy: the same.
        (
            "kl-divergence",
            "softmax",
            [0, math.log(2), math.log(5)],
            [0, 1, 0],
            math.log(4),
            [1 / 8, 2 / 8 - 1, 5 / 8],
        ),
        # Against the target (1, 2, 5)/8 itself nothing is lost.
        (
            "kl-divergence",
            "softmax",
            [0, math.log(2), math.log(5)],
            [1 / 8, 2 / 8, 5 / 8],
            0,
            [0, 0, 0],
        ),
        # σ(log 3) = 3/4, σ(0) = 1/2. Yes to the first costs log 4/3, no to the second log 2; the
        # mean is log(8/3) / 2. The gradient is (p - t) / 2.
        (
            "binary-cross-entropy",
            "sigmoid",
            [math.log(3), 0],
            [1, 0],
            math.log(8 / 3) / 2,
            [-1 / 8, 1 / 4],
        ),
        # One unit for two classes: yes costs log 4/3, and the slope is 3/4 - 1.
        ("binary-cross-entropy", "sigmoid", [math.log(3)], [1], math.log(4 / 3), [-1 / 4]),
        # p = (3/4, 1/2), p - t = (-1/4, 1/2), squares 1/16 + 1/4; 2 (p - t) p (1 - p) =
        # (-2/4 · 3/16, 2/2 · 1/4).
        ("sse", "sigmoid", [math.log(3), 0], [1, 0], 5 / 16, [-3 / 32, 1 / 4]),
        ("mse", "sigmoid", [math.log(3), 0], [1, 0], 5 / 32, [-3 / 64, 1 / 8]),
        # p = (3/4, 1/4), p - t = ∓1/4, squares 2/16. g = 2 (p - t) = (-1/2, 1/2), p · g = -1/4,
        # p (g - p · g) = (3/4 · -1/4, 1/4 · 3/4).
        ("sse", "softmax", [math.log(3), 0], [1, 0], 1 / 8, [-3 / 16, 3 / 16]),
        ("mse", "softmax", [math.log(3), 0], [1, 0], 1 / 16, [-3 / 32, 3 / 32]),
        # p - t = (2, -1): squares 4 + 1.
        ("sse", "identity", [3, -1], [1, 0], 5, [4, -2]),
        ("mse", "identity", [3, -1], [1, 0], 5 / 2, [2, -1]),
    ],
)
def test_worked_examples(name, output, logits, target, *, cost, gradient):
    losses, got = apply(LOSSES[name](output), np.array([logits], float), np.array([target], float))
    np.testing.assert_allclose(losses, [cost], atol=1e-15)
    np.testing.assert_allclose(got, [gradient], atol=1e-15)


def test_a_prediction_that_is_a_third_sure_costs_1_1087_nats():
    # Ten probabilities that were rounded for print sum to 0.995; a last one holds the rest,
    # so that they are a softmax: that of their logarithms. The true class, 4, has 0.330.
    printed = [0.047, 0.048, 0.061, 0.07, 0.330, 0.062, 0.001, 0.213, 0.013, 0.150]
    probabilities = np.array([[*printed, 1 - sum(printed)]])
    assert probabilities[0, -1] == pytest.approx(0.005)
    target = np.eye(11)[[4]]
    losses, gradient = apply(LOSSES["cross-entropy"](), np.log(probabilities), target)
    assert losses[0] == pytest.approx(1.1087, abs=5e-5)
    np.testing.assert_allclose(gradient, probabilities - target, atol=1e-15)
    # Left at ten, the softmax shares the missing 0.005 out, and the cost is log 0.995 less.
    losses, _ = apply(LOSSES["cross-entropy"](), np.log([printed]), np.eye(10)[[4]])
    assert losses[0] == pytest.approx(-math.log(0.330 / 0.995), abs=1e-12)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_equal_logits_cost_the_logarithm_of_the_number_of_classes(classes):
    targets = np.eye(classes)
    losses, _ = apply(LOSSES["cross-entropy"](), np.full_like(targets, 7.0), targets)
    np.testing.assert_allclose(losses, math.log(classes), rtol=1e-13)


@EVERY_PAIR
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_and_gradients_of_huge_logits_are_finite(name, output, dtype):
    loss = LOSSES[name](output)
    classes = 10
    signs = np.random.default_rng(0).choice([-1, 0, 1], (40, classes))
    targets = loss.targets(classes).astype(dtype)[np.arange(40) % classes]
    for size in (88.0, 89.0, 104.0, 710.0, 1e4):
        logits = (size * signs).astype(dtype)
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            losses, gradient = apply(loss, logits, targets)
        assert losses.dtype == gradient.dtype == dtype
        assert np.isfinite(losses).all()
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_losses_of_huge_logits_are_not_clipped(dtype):
    # No clipped logarithm: an error of 20,000 costs 20,000 nats.
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype)
    first = np.eye(2, dtype=dtype)[[0, 0]]
    for name in ("cross-entropy", "kl-divergence"):
        losses, gradient = apply(LOSSES[name](), logits, first)
        np.testing.assert_array_equal(losses, [0, 2e4])
        # A probability near 0 stops at 1e-28, above the denormal numbers.
        np.testing.assert_allclose(gradient, [[0, 0], [-1, 1]], atol=1e-27)
    # Each unit is a separate question: two errors of 10,000, of which the mean counts.
    losses, gradient = apply(LOSSES["binary-cross-entropy"](), logits, first)
    np.testing.assert_array_equal(losses, [0, 1e4])
    np.testing.assert_allclose(gradient, [[0, 0], [-0.5, 0.5]], atol=1e-27)


@EVERY_PAIR
def test_float32_agrees_with_float64(name, output):
    loss = LOSSES[name](output)
    logits, targets = example(loss, 10, rows=200)
    logits = logits.astype(np.float32)
    single = apply(loss, logits, targets.astype(np.float32))
    double = apply(loss, logits.astype(np.float64), targets)
    for got, expected in zip(single, double, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=2e-6, atol=1e-6)


@EVERY_PAIR
def test_the_loss_of_a_row_does_not_depend_on_the_other_rows(name, output):
    loss = LOSSES[name](output)
    logits, targets = example(loss, 10)
    losses, gradient = apply(loss, logits, targets)
    order = np.random.default_rng(3).permutation(30)[:17]
    others = logits[order].copy()
    others[5:] *= 1000
    part, part_gradient = apply(loss, others, targets[order])
    np.testing.assert_array_equal(part[:5], losses[order[:5]])
    np.testing.assert_array_equal(part_gradient[:5], gradient[order[:5]])


@EVERY_PAIR
def test_logits_and_targets_are_not_overwritten(name, output):
    loss = LOSSES[name](output)
    logits, targets = example(loss, 10)
    copies = logits.copy(), targets.copy()
    apply(loss, logits, targets)
    np.testing.assert_array_equal(logits, copies[0])
    np.testing.assert_array_equal(targets, copies[1])


@EVERY_PAIR
def test_value_of_a_thousand_classes_is_the_definition(name, output):
    loss = LOSSES[name](output)
    logits, targets = example(loss, 1000, rows=20)
    losses, gradient = apply(loss, logits, targets)
    expected = [
        DEFINITIONS[name](OUTPUTS[output](z.tolist()), t.tolist())
        for z, t in zip(logits[:3], targets[:3], strict=True)
    ]
    np.testing.assert_allclose(losses[:3], expected, rtol=1e-11)
    assert gradient.shape == (20, 1000)
    if output == "softmax":  # a shift of all the logits changes nothing
        np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-13)


@pytest.mark.parametrize("name", LOSSES)
def test_targets_are_one_hot_and_only_binary_cross_entropy_has_one_unit_for_two_classes(name):
    loss = LOSSES[name]()
    for classes in (2, 3, 5, 10):
        targets = loss.targets(classes)
        assert targets.shape == (classes, loss.units(classes))
        if name == "binary-cross-entropy" and classes == 2:
            np.testing.assert_array_equal(targets, [[0], [1]])  # the unit answers for class 1
        else:
            np.testing.assert_array_equal(targets, np.eye(classes))


@pytest.mark.parametrize(
    ("name", "classes", "rows"),
    [
        # Szegedy et al. (2016), section 7: (1 - ε) one-hot + ε / K.
        ("cross-entropy", 4, [[0.925, 0.025, 0.025, 0.025], [0.025, 0.925, 0.025, 0.025]]),
        ("kl-divergence", 4, [[0.925, 0.025, 0.025, 0.025], [0.025, 0.925, 0.025, 0.025]]),
        # Each question has two answers, whatever the number of classes: (1 - ε) t + ε / 2.
        ("binary-cross-entropy", 4, [[0.95, 0.05, 0.05, 0.05], [0.05, 0.95, 0.05, 0.05]]),
        ("binary-cross-entropy", 2, [[0.05], [0.95]]),
    ],
)
def test_label_smoothing(name, classes, rows):
    targets = LOSSES[name](label_smoothing=0.1).targets(classes)
    np.testing.assert_allclose(targets[:2], rows, rtol=1e-14)


def test_the_table_above_has_every_loss_with_label_smoothing():
    assert set(SMOOTHING) == {"cross-entropy", "kl-divergence", "binary-cross-entropy"}


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in SMOOTHING])
def test_label_smoothing_is_refused_where_it_has_no_meaning(name):
    with pytest.raises(UsageError, match="label_smoothing") as caught:
        LOSSES[name](label_smoothing=0.1)
    for smoothing in SMOOTHING:
        assert smoothing in str(caught.value)
    assert repr(name) in caught.value.message


@pytest.mark.parametrize(("classes", "smoothing"), [(2, 0.1), (5, 0.0), (10, 0.9)])
def test_kl_divergence_is_cross_entropy_less_the_entropy_of_the_target(classes, smoothing):
    cross_entropy = LOSSES["cross-entropy"](label_smoothing=smoothing)
    divergence = LOSSES["kl-divergence"](label_smoothing=smoothing)
    logits, targets = example(cross_entropy, classes)
    entropy = [-sum(p * math.log(p) for p in t.tolist() if p > 0) for t in targets]
    total, gradient = apply(cross_entropy, logits, targets)
    excess, same_gradient = apply(divergence, logits, targets)
    np.testing.assert_allclose(excess, total - entropy, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(gradient, same_gradient)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_accepts_only_its_outputs(name):
    legal = LOSSES[name].outputs
    for output in legal:
        assert LOSSES[name](output).output == output
    for output in {*LINKS, "sofmax"} - set(legal):
        with pytest.raises(UsageError) as caught:
            LOSSES[name](output)
        assert repr(name) in caught.value.message
        assert repr(output) in caught.value.message
        assert caught.value.hint == f"Its outputs: {', '.join(legal)}, or auto"


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("cross-entropy", "softmax"),
        ("kl-divergence", "softmax"),
        ("binary-cross-entropy", "sigmoid"),
        ("sse", "sigmoid"),  # as in Nielsen's text
        ("mse", "sigmoid"),
    ],
)
def test_auto_output(name, output):
    assert LOSSES[name]().output == output
    assert type(LOSSES[name]().link) is LINKS[output]


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_described(name):
    loss = LOSSES[name]
    assert set(loss.outputs) <= set(LINKS)
    assert loss.summary.endswith((".", "?"))
    assert loss.source.strip()


# Links


@pytest.mark.parametrize("name", LINKS)
def test_link_is_its_definition(name):
    logits = np.random.default_rng(0).normal(0, 3, (20, 7))
    out = np.empty_like(logits)
    LINKS[name]().value(logits, out)
    np.testing.assert_allclose(out, [OUTPUTS[name](z.tolist()) for z in logits], rtol=1e-13)


@pytest.mark.parametrize("name", LINKS)
def test_pullback_multiplies_by_the_transposed_jacobian(name):
    h = 1e-6
    rng = np.random.default_rng(0)
    logits, gradient = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    link = LINKS[name]()
    outputs = np.empty_like(logits)
    link.value(logits, outputs)
    pulled = gradient.copy()
    link.pullback(outputs, pulled)
    for z, g, got in zip(logits, gradient, pulled, strict=True):
        columns = []
        for step in np.eye(5) * h:
            above, below = OUTPUTS[name]((z + step).tolist()), OUTPUTS[name]((z - step).tolist())
            columns.append((np.array(above) - below) / (2 * h))
        np.testing.assert_allclose(got, np.array(columns) @ g, rtol=0, atol=1e-8)


def test_classify():
    np.testing.assert_array_equal(classify(np.array([[0.1, 0.9, 0.2], [3, -1, 2]])), [1, 0])
    # One unit stands for class 1 where σ(z) > 1/2.
    np.testing.assert_array_equal(classify(np.array([[0.1], [-0.1], [0.0]])), [1, 0, 0])


def test_sigmoid_output_and_sigmoid_activation_are_one_function():
    logits = np.linspace(-20, 20, 400).reshape(40, 10)
    out = np.empty_like(logits)
    LINKS["sigmoid"]().value(logits, out)
    np.testing.assert_array_equal(out, ACTIVATIONS["sigmoid"]()(logits))


# Properties

numbers = st.floats(-1e4, 1e4, width=32)
logit_rows = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(2, 12)), elements=numbers
)


@given(logits=logit_rows, seed=st.integers(0, 99), smoothing=st.sampled_from([0.0, 0.1, 0.5]))
@settings(deadline=None)
def test_no_loss_is_negative(logits, seed, smoothing):
    rows, classes = logits.shape
    labels = np.random.default_rng(seed).integers(classes, size=rows)
    for name in LOSSES:
        loss = LOSSES[name](label_smoothing=smoothing if LOSSES[name].smooths else 0.0)
        columns = logits[:, : loss.units(classes)].copy()
        losses, gradient = apply(loss, columns, loss.targets(classes)[labels])
        assert losses.min() >= -1e-12 * max(1.0, np.abs(logits).max())
        assert np.isfinite(gradient).all()


@given(logits=logit_rows)
@settings(deadline=None)
def test_softmax_is_a_distribution(logits):
    out = np.empty_like(logits)
    LINKS["softmax"]().value(logits, out)
    assert out.min() >= 0
    np.testing.assert_allclose(out.sum(axis=1), 1, rtol=1e-14)
    likeliest = np.take_along_axis(out, classify(logits)[:, np.newaxis], axis=1)
    np.testing.assert_array_equal(likeliest[:, 0], out.max(axis=1))
    np.testing.assert_allclose(np.exp(log_softmax(logits)), out, rtol=1e-11, atol=1e-300)


@given(logits=logit_rows, shift=numbers)
@settings(deadline=None)
def test_a_shift_of_all_logits_changes_neither_softmax_nor_cross_entropy(logits, shift):
    loss = LOSSES["cross-entropy"]()
    targets = np.eye(logits.shape[1])[np.zeros(len(logits), int)]
    losses, gradient = apply(loss, logits, targets)
    shifted, same_gradient = apply(loss, logits + shift, targets)
    np.testing.assert_allclose(shifted, losses, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(same_gradient, gradient, rtol=1e-9, atol=1e-9)


@given(logits=logit_rows)
@settings(deadline=None)
def test_binary_cross_entropy_is_symmetric(logits):
    # A yes at logit z costs as much as a no at logit -z.
    loss = LOSSES["binary-cross-entropy"]()
    yes, gradient = apply(loss, logits, np.ones_like(logits))
    no, opposite = apply(loss, -logits, np.zeros_like(logits))
    np.testing.assert_allclose(yes, no, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradient, -opposite, rtol=0, atol=1e-15)
