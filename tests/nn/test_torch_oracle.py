"""Five steps of training, each activation and each schedule, compared with PyTorch's numbers.

oracles/torch_steps.npz was written by oracles/make_torch_steps.py; see there for what it holds. An
entry of a registry that no case there uses fails here.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from actcli.nn.activations import ACTIVATIONS
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP
from actcli.nn.optimizers import OPTIMIZERS, clip_by_norm
from actcli.nn.schedules import SCHEDULES

with np.load(Path(__file__).parents[1] / "oracles" / "torch_steps.npz") as file:
    ORACLE = dict(file)
CASES = json.loads(str(ORACLE["cases"]))
SCHEDULED = [key.split("/")[1:] for key in ORACLE if key.startswith("schedule/")]

# The rounding error that five steps leave in a parameter of size 1.
TOLERANCE = {"float32": 2e-6, "float64": 1e-12}


def replay(case, dtype):
    """Return the losses of five steps and the parameters after them."""
    loss = LOSSES[case["loss"]](case["output"], case["label_smoothing"])
    inputs = ORACLE["inputs"].astype(dtype)
    labels = ORACLE[f"labels/{case['classes']}"]
    targets = loss.targets(case["classes"]).astype(dtype)[labels]
    network = MLP((12, 9, 8, loss.units(case["classes"])), [case["activation"]] * 2, dtype)
    end = 0
    for tensor in tensors(network):  # in the order of PyTorch
        start, end = end, end + tensor.size
        tensor[...] = ORACLE[f"start/{network.sizes[-1]}"][start:end].reshape(tensor.shape)
    optimizer = OPTIMIZERS[case["optimizer"]](**case["options"])
    state = optimizer.start(network.parameters)
    trace = network.trace(len(inputs))
    delta, scratch = trace.layers[-1].delta, trace.layers[-1].derivative
    gradient = np.empty_like(network.parameters)
    losses = []
    for _ in range(5):
        logits = network.forward(inputs, trace)
        losses.append(loss(logits, targets, delta, scratch).mean())
        delta /= len(inputs)
        network.backward(inputs, trace, network.views(gradient))
        if case["clip_norm"] is not None:
            clip_by_norm(gradient, case["clip_norm"])
        rate, decayed = case["learning_rate"], network.weight_count
        optimizer.step(network.parameters, gradient, state, rate, decayed)
    return losses, np.concatenate([tensor.ravel() for tensor in tensors(network)])


def tensors(network):
    """The weights (units, inputs) of all layers, and then their biases."""
    return [layer.weights for layer in network.layers] + [layer.biases for layer in network.layers]


@pytest.mark.parametrize("name", CASES)
def test_five_steps_are_pytorchs_and_move_far_more_than_the_tolerance(name):
    case = CASES[name]
    for dtype, limit in TOLERANCE.items():
        losses, parameters = replay(case, dtype)
        tolerance = {"rtol": limit, "atol": limit}
        assert parameters.dtype == dtype
        np.testing.assert_allclose(losses, ORACLE[f"losses/{name}/{dtype}"], **tolerance)
        np.testing.assert_allclose(parameters, ORACLE[f"end/{name}/{dtype}"], **tolerance)
    units = LOSSES[case["loss"]]().units(case["classes"])
    change = ORACLE[f"end/{name}/float64"] - ORACLE[f"start/{units}"]
    assert np.abs(change).max() > 1000 * TOLERANCE["float32"]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_pytorchs_at_kinks_too(name):
    z = ORACLE["activation/z"]
    assert {0.0, 6.0} <= set(z)
    value, slope = ORACLE[f"activation/{name}"]
    f = ACTIVATIONS[name]()
    np.testing.assert_allclose(f(z), value, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(f.slope(z), slope, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_is_pytorchs(name):
    for total, warmup in ((int(t), int(w)) for schedule, t, w in SCHEDULED if schedule == name):
        expected = ORACLE[f"schedule/{name}/{total}/{warmup}"]
        shares = [SCHEDULES[name](step, total, warmup) for step in range(total)]
        np.testing.assert_allclose(shares, expected, rtol=1e-12, atol=1e-14)


def test_every_entry_of_the_registries_has_a_case():
    cases = CASES.values()
    assert {case["activation"] for case in cases} == set(ACTIVATIONS)
    assert {case["optimizer"] for case in cases} == set(OPTIMIZERS)
    assert {name for name, _, _ in SCHEDULED} == set(SCHEDULES)
    pairs = {(name, output) for name, loss in LOSSES.items() for output in loss.outputs}
    for classes in (2, 5):
        has = {(case["loss"], case["output"]) for case in cases if case["classes"] == classes}
        assert has == pairs
    smoothed = {case["loss"] for case in cases if case["label_smoothing"]}
    assert smoothed == {name for name, loss in LOSSES.items() if loss.smooths}
    decayed = {case["optimizer"] for case in cases if "weight_decay" in case["options"]}
    assert decayed == set(OPTIMIZERS)
