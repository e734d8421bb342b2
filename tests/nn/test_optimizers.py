"""Every optimizer on functions whose minimum is known, and every schedule at its ends.

test_torch_oracle.py compares the steps with PyTorch's, number by number.
"""

import copy
import dataclasses
import itertools
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actcli.nn.optimizers import OPTIMIZERS, clip_by_norm
from actcli.nn.schedules import SCHEDULES

EVERY = pytest.mark.parametrize("name", OPTIMIZERS)
EVERY_SCHEDULE = pytest.mark.parametrize("name", SCHEDULES)

# Learning rates that fit each rule: for the parabola, then for Rosenbrock's valley.
RATES = {
    "sgd": (0.1, 1e-3),
    "rmsprop": (0.01, 1e-3),
    "adagrad": (1.0, 1.0),
    "adam": (0.1, 0.05),
    "adamw": (0.1, 0.05),
}


def parabola(p):
    """Σ (p - 1)² and its gradient, as in optax's tests: the minimum is at 1."""
    return np.sum((p - 1) ** 2), 2 * (p - 1)


def rosenbrock(p):
    """(1 - x)² + 100 (y - x²)²: a curved valley down to (1, 1) (Rosenbrock 1960, section 4)."""
    x, y = p
    value = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    return value, np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])


def minimise(optimizer, function, start, rate, steps):
    """Return the point after the last step; the rate falls linearly, so that any rule settles."""
    p = np.array(start, dtype=np.float64)
    state = optimizer.start(p)
    for step in range(steps):
        optimizer.step(p, function(p)[1], state, rate * (1 - step / steps), decayed=p.size)
    assert state.step == steps
    return p


@EVERY
def test_every_optimizer_finds_the_minimum_of_a_parabola(name):
    p = minimise(OPTIMIZERS[name](), parabola, [-1, 0, 3, 10], RATES[name][0], 3000)
    np.testing.assert_allclose(p, 1, atol=1e-3)


@EVERY
def test_every_optimizer_descends_rosenbrocks_valley(name):
    start = [-1.0, 1.0]
    p = minimise(OPTIMIZERS[name](), rosenbrock, start, RATES[name][1], 15_000)
    assert rosenbrock(p)[0] < 1e-2 * rosenbrock(np.array(start))[0]
    np.testing.assert_allclose(p, 1, atol=0.1)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_descends_the_valley_faster(nesterov):
    plain = minimise(OPTIMIZERS["sgd"](), rosenbrock, [-1, 1], 1e-3, 2000)
    fast = OPTIMIZERS["sgd"](momentum=0.9, nesterov=nesterov)
    p = minimise(fast, rosenbrock, [-1, 1], 1e-3, 2000)
    assert rosenbrock(p)[0] < rosenbrock(plain)[0] / 100


@pytest.mark.parametrize(
    ("name", "options", "after"),
    # One parameter 1, gradients 0.5 and 0.5, learning rate 0.1: after the first and second step.
    [
        ("sgd", {}, [0.95, 0.9]),
        # v = 0.5, then 0.9 · 0.5 + 0.5 = 0.95
        ("sgd", {"momentum": 0.9}, [0.95, 0.855]),
        # g + 0.9 v = 0.5 + 0.45, then 0.5 + 0.9 · 0.95
        ("sgd", {"momentum": 0.9, "nesterov": True}, [0.905, 0.7695]),
        # g + 0.2 p = 0.7, then 0.5 + 0.2 · 0.93
        ("sgd", {"weight_decay": 0.2}, [0.93, 0.8614]),
        # s = 0.01 · 0.25: the step is 0.1 · 0.5 / 0.05 = 1; s = 0.0199 · 0.25: 0.1 / √0.0199
        ("rmsprop", {}, [0.0, -0.1 / math.sqrt(0.0199)]),
        # s = 0.25, then 0.5: steps 0.1 and 0.1/√2
        ("adagrad", {}, [0.9, 0.9 - 0.1 / math.sqrt(2)]),
        # Corrected for their start, m̂ = 0.5 and v̂ = 0.25 at each step.
        ("adam", {}, [0.9, 0.8]),
        ("adam", {"betas": (0.5, 0.6)}, [0.9, 0.8]),
        # p shrinks to 1 - 0.1 · 0.2 = 0.98 of itself before each step.
        ("adamw", {"weight_decay": 0.2}, [0.88, 0.88 * 0.98 - 0.1]),
    ],
)
def test_two_steps_worked_out_by_hand(name, options, after):
    optimizer = OPTIMIZERS[name](**options)
    p = np.array([1.0])
    state = optimizer.start(p)
    for expected in after:
        optimizer.step(p, np.array([0.5]), state, 0.1, decayed=1)
        np.testing.assert_allclose(p, [expected], rtol=1e-6, atol=1e-6)


@EVERY
def test_weight_decay_acts_on_the_first_parameters_alone(name):
    start = np.array([2.0, -2.0, 2.0, -2.0])
    gradient = np.array([0.3, 0.4, -0.5, 0.6])
    results = []
    for decay in (0.0, 0.3):
        p = start.copy()
        optimizer = OPTIMIZERS[name](weight_decay=decay)
        state = optimizer.start(p)
        for _ in range(3):
            optimizer.step(p, gradient.copy(), state, 0.01, decayed=2)
        results.append(p)
    without, decayed = results
    np.testing.assert_array_equal(decayed[2:], without[2:])
    assert (decayed[:2] != without[:2]).all()


@EVERY
def test_weight_decay_pulls_to_zero(name):
    # Where the gradient is 0, a parameter can only shrink.
    p = np.array([2.0, -2.0])
    optimizer = OPTIMIZERS[name](weight_decay=0.1)
    state = optimizer.start(p)
    for _ in range(20):
        optimizer.step(p, np.zeros(2), state, 0.01, decayed=2)
    assert 0 < p[0] < 2
    assert -2 < p[1] < 0


def test_decoupled_decay_is_not_scaled():
    # Loshchilov, Hutter (2019), proposition 1: Adam divides an L2 penalty by the gradient's size,
    # AdamW shrinks each weight by the same share, whatever its gradient.
    gradient = np.array([1e-3, 10.0])
    shares = {}
    for name in ("adam", "adamw"):
        moved = []
        for decay in (0.0, 0.01):
            p = np.array([1.0, 1.0])
            optimizer = OPTIMIZERS[name](weight_decay=decay)
            optimizer.step(p, gradient.copy(), optimizer.start(p), 0.1, decayed=2)
            moved.append(p)
        shares[name] = moved[0] - moved[1]
    np.testing.assert_allclose(shares["adamw"], 0.1 * 0.01, rtol=1e-9)
    assert abs(shares["adam"]).max() < 1e-5  # the first step has the gradient's sign alone


@EVERY
def test_a_parameter_whose_gradient_is_0_stays(name):
    p = np.array([1.5, -2.5, 0.0], np.float32)
    optimizer = OPTIMIZERS[name]()
    state = optimizer.start(p)
    for _ in range(10):
        optimizer.step(p, np.array([0, 0, 1], np.float32), state, 0.1, decayed=3)
    np.testing.assert_array_equal(p[:2], np.array([1.5, -2.5], np.float32))
    assert p[2] < 0


@EVERY
def test_decaying_slots_do_not_become_denormal_numbers(name):
    # There arithmetic is ten times slower, and 0.9 times the smallest float rounds to itself.
    smallest = np.finfo(np.float32).tiny
    rule = OPTIMIZERS[name]
    optimizer = rule(momentum=0.9) if "momentum" in rule.__dataclass_fields__ else rule()
    p = np.ones(4, np.float32)
    state = optimizer.start(p)
    for slot in state.slots.values():
        slot[...] = [2 * smallest, 1e-25, 0.5, 0]
    for _ in range(400):
        optimizer.step(p, np.zeros_like(p), state, 1e-3, decayed=4)
    for slot in state.slots.values():
        negligible = np.abs(slot) < smallest
        assert not slot[negligible].any()
        assert slot[0] == 0
        assert slot[2] > 0  # larger values are kept
    assert np.isfinite(p).all()


@pytest.mark.parametrize("momentum", [0.3, 0.5, 0.9, 0.99])
def test_no_momentum_leaves_denormal_numbers_for_long(momentum):
    smallest = np.finfo(np.float32).tiny
    optimizer = OPTIMIZERS["sgd"](momentum=momentum)
    p = np.ones(1, np.float32)
    state = optimizer.start(p)
    state.slots["velocity"][...] = 0.1
    for _ in range(5000):
        optimizer.step(p, np.zeros_like(p), state, 1e-3, decayed=1)
        velocity = state.slots["velocity"][0]
        assert velocity == 0 or velocity > 1e4 * smallest


def test_decaying_weights_do_not_become_denormal_numbers():
    p = np.ones(3, np.float32)
    optimizer = OPTIMIZERS["adamw"](weight_decay=1.0)
    state = optimizer.start(p)
    for _ in range(2000):
        optimizer.step(p, np.zeros_like(p), state, 0.1, decayed=2)
    np.testing.assert_array_equal(p, np.array([0, 0, 1], np.float32))


@EVERY
@pytest.mark.parametrize(
    ("dtype", "size"), [("float32", 1e-12), ("float64", 1.0), ("float32", 1e12)]
)
def test_gradients_of_any_size_give_finite_steps(name, dtype, size):
    p = np.zeros(3, dtype)
    optimizer = OPTIMIZERS[name]()
    state = optimizer.start(p)
    for slot in state.slots.values():
        assert slot.dtype == p.dtype
        assert slot.shape == p.shape
        assert not slot.any()
    for _ in range(5):
        optimizer.step(p, np.array([size, -size, 0], dtype), state, 0.01, decayed=3)
    assert np.isfinite(p).all()
    assert p[0] < 0 < p[1]
    assert p[2] == 0


@EVERY
def test_a_step_depends_on_its_arguments_alone(name):
    # So training resumes exactly from a saved state.
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(8, 5))
    optimizer = OPTIMIZERS[name](weight_decay=0.01)
    p = rng.normal(size=5)
    state = optimizer.start(p)
    for gradient in gradients[:4]:
        optimizer.step(p, gradient.copy(), state, 0.1, decayed=3)
    saved = p.copy(), copy.deepcopy(state)
    saved[1].scratch.fill(np.nan)  # scratch is not a part of the state
    for parameters, memory in ((p, state), saved):
        other = OPTIMIZERS[name](weight_decay=0.01)
        for gradient in gradients[4:]:
            other.step(parameters, gradient.copy(), memory, 0.1, decayed=3)
    np.testing.assert_array_equal(p, saved[0])
    for slot, values in state.slots.items():
        np.testing.assert_array_equal(values, saved[1].slots[slot])


@EVERY
def test_every_optimizer_is_described(name):
    rule = OPTIMIZERS[name]
    assert rule.summary.strip().endswith(".")
    assert rule.source.strip()
    assert rule.default_learning_rate > 0
    assert rule.default_weight_decay >= 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule().weight_decay = 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clipping_bounds_the_norm_and_keeps_short_gradients(dtype):
    gradient = np.array([3, -4], dtype)  # of norm 5
    clip_by_norm(gradient, 5.0)
    np.testing.assert_array_equal(gradient, [3, -4])
    clip_by_norm(gradient, 1.0)
    np.testing.assert_allclose(gradient, [0.6, -0.8], rtol=1e-6)
    assert np.linalg.norm(gradient) <= 1
    before = gradient.copy()
    clip_by_norm(gradient, 2.0)
    np.testing.assert_array_equal(gradient, before)
    nothing = np.zeros(2, dtype)
    clip_by_norm(nothing, 1.0)
    np.testing.assert_array_equal(nothing, 0)


# Schedules


@EVERY_SCHEDULE
def test_shares_of_the_peak_lie_between_0_and_1(name):
    for total, warmup in itertools.product((1, 2, 3, 10, 1000), (0, 1, 2, 5, 10, 2000)):
        shares = [SCHEDULES[name](step, total, warmup) for step in range(total)]
        assert all(0 < share <= 1 for share in shares[:-1])
        assert 0 <= shares[-1] <= 1  # one-cycle's end is 4 millionths


@EVERY_SCHEDULE
@given(total=st.integers(1, 10_000), warmup=st.floats(0, 12_000), where=st.floats(0, 1))
@settings(deadline=None)
def test_any_step_of_any_run_has_a_share(name, total, warmup, where):
    step = min(total - 1, int(where * total))
    share = SCHEDULES[name](step, total, warmup)
    assert 0 <= share <= 1
    assert share == SCHEDULES[name](step, total, warmup)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "one-cycle"])
def test_warmup_rises_linearly_to_the_peak(name):
    shares = [SCHEDULES[name](step, 100, 10) for step in range(11)]
    np.testing.assert_allclose(shares[:10], np.arange(1, 11) / 10, rtol=1e-14)
    assert shares[10] == 1
    # The schedule itself spans the rest, like a run of 90 steps without warmup.
    rest = [SCHEDULES[name](step, 100, 10) for step in range(10, 100)]
    np.testing.assert_allclose(rest, [SCHEDULES[name](step, 90, 0) for step in range(90)])


def test_one_cycle_takes_the_warmup_as_the_length_of_its_rise():
    shares = [SCHEDULES["one-cycle"](step, 100, 10) for step in range(100)]
    assert shares.index(max(shares)) == 9
    assert shares[9] == 1
    plain = [SCHEDULES["one-cycle"](step, 100, 0) for step in range(100)]
    assert plain.index(max(plain)) == 29  # the last of the first 30 %
    assert all(before < after for before, after in pairwise(plain[:30]))
    assert all(before > after for before, after in pairwise(plain[29:]))


@pytest.mark.parametrize(
    ("name", "start", "middle", "end"),
    [
        ("constant", 1, 1, 1),
        ("linear", 1, 1 / 2, 0),
        ("cosine", 1, 1 / 2, 0),
        ("exponential", 1, 1 / 10, 1 / 100),  # the same factor each half: √0.01
    ],
)
def test_schedules_at_their_start_middle_and_end(name, start, middle, end):
    schedule = SCHEDULES[name]
    assert schedule(0, 1000, 0) == start
    assert schedule(500, 1000, 0) == pytest.approx(middle, abs=1e-15)
    assert schedule(1000, 1000, 0) == pytest.approx(end, abs=1e-15)
    # The last step that is taken, number 999, is one short of the end.
    assert schedule(999, 1000, 0) == pytest.approx(end, abs=1.1e-3)


def test_one_cycle_at_its_ends():
    schedule = SCHEDULES["one-cycle"]
    assert schedule(0, 100, 0) == pytest.approx(1 / 25, rel=1e-12)
    assert schedule(99, 100, 0) == pytest.approx(1 / 250_000, rel=1e-6)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "one-cycle"])
def test_without_warmup_the_rate_never_rises(name):
    shares = [SCHEDULES[name](step, 50, 0) for step in range(50)]
    assert all(before >= after for before, after in pairwise(shares))


def test_exponential_falls_by_the_same_factor_at_each_step():
    shares = [SCHEDULES["exponential"](step, 50, 0) for step in range(51)]
    np.testing.assert_allclose(np.diff(np.log(shares)), math.log(0.01) / 50, rtol=1e-10)


@EVERY_SCHEDULE
def test_every_schedule_is_documented(name):
    assert SCHEDULES[name].__doc__.strip()
