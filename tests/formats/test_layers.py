"""From the contents of a file to layers: order by shapes, missing biases, batch normalization."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actcli.errors import DataError
from actcli.formats.contents import (
    Activation,
    BatchNorm,
    FileNetwork,
    Format,
    LayerChain,
    Linear,
    NamedTensors,
    Step,
    Tensors,
)
from actcli.formats.layers import to_network
from actcli.formats.tensors import path_through

PATH = Path("m.any")


def network(contents: NamedTensors | LayerChain) -> FileNetwork:
    any_format = Format("a file", "PyTorch", (), lambda _: True, lambda _: contents)
    return to_network(PATH, contents, any_format)


def fault(contents: NamedTensors | LayerChain) -> str:
    with pytest.raises(DataError) as caught:
        network(contents)
    return str(caught.value)


def layer(units: int, inputs: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(units * 1000 + inputs)
    return rng.normal(size=(units, inputs)), rng.normal(size=units)


def named(sizes: dict[str, tuple[int, int]], **extra: Any) -> Tensors:
    tensors: Tensors = {}
    for name, (units, inputs) in sizes.items():
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = layer(units, inputs)
    return tensors | extra


def norm(name: str, features: int) -> BatchNorm:
    rng = np.random.default_rng(features)
    mean, scale, shift = rng.normal(size=(3, features))
    return BatchNorm(name, mean, rng.uniform(0.1, 3, features), scale, shift, 1e-3)


def tensors_of(norm: BatchNorm) -> Tensors:
    parts = {"running_mean": norm.mean, "running_var": norm.variance, "weight": norm.scale,
             "bias": norm.shift, "num_batches_tracked": np.array(7)}  # fmt: skip
    return {f"{norm.name}.{part}": values for part, values in parts.items() if values is not None}


def outputs(steps: list[Any], x: Any) -> Any:
    """What the steps compute, by their definitions."""
    for step in steps:
        if isinstance(step, Linear):
            x = x @ step.weights.T + (0 if step.biases is None else step.biases)
        elif isinstance(step, BatchNorm):
            x = (x - step.mean) / np.sqrt(step.variance + step.epsilon) * step.scale + step.shift
        else:
            x = {"relu": np.maximum(x, 0), "tanh": np.tanh(x), "identity": x, "softmax": x}[
                step.name
            ]
    return x


def logits(layers: Any, activations: list[str], x: Any) -> Any:
    steps: list[Any] = []
    for (w, b), name in itertools.zip_longest(layers, activations, fillvalue="identity"):
        steps += [Linear("", w, b), Activation(name, "")]
    return outputs(steps, x)


# The order of the layers ----------------------------------------------------------------------


def test_layers_are_in_the_order_in_which_their_shapes_fit() -> None:
    read = network(NamedTensors(named({"classifier": (3, 5), "hidden": (5, 8), "input": (8, 6)})))
    assert [w.shape for w, _ in read.layers] == [(8, 6), (5, 8), (3, 5)]
    assert read.notes == ()


@pytest.mark.parametrize(
    ("names", "in_order", "order", "is_doubtful"),
    [
        (("fc_in", "zeta", "alpha", "last"), True, (0, 1, 2, 3), False),  # as they were defined
        (("fc_in", "zeta", "alpha", "last"), False, (0, 2, 1, 3), True),
        (("h3", "h2", "h1", "h4"), False, (0, 2, 1, 3), False),  # numbers; the first fits nowhere
        (("in", "h2", "h10", "out"), False, (0, 1, 2, 3), True),
    ],
)
def test_layers_of_equal_width(
    names: tuple[str, ...], in_order: bool, order: tuple[int, ...], is_doubtful: bool
) -> None:
    """The order of definition decides, else the numbers, else the alphabet, which is said."""
    shapes = [(5, 7), (5, 5), (5, 5), (3, 5)]
    tensors = named(dict(zip(names, shapes, strict=True)))
    read = network(NamedTensors(tensors, in_order=in_order))
    for (w, _), index in zip(read.layers, order, strict=True):
        np.testing.assert_array_equal(w, tensors[f"{names[index]}.weight"].astype("f4"))
    assert bool(read.notes) == is_doubtful


@given(st.lists(st.integers(1, 4), min_size=2, max_size=30), st.randoms())
def test_any_chain_of_shapes_is_found(sizes: list[int], random: Any) -> None:
    ends = list(itertools.pairwise(sizes))
    random.shuffle(ends)
    order = path_through(ends)
    assert order is not None
    assert sorted(order) == list(range(len(ends)))
    assert all(ends[a][1] == ends[b][0] for a, b in itertools.pairwise(order))


@pytest.mark.parametrize("ends", [[(1, 2), (3, 4)], [(1, 2), (1, 3)], [(1, 1), (2, 2)],
                                  [(1, 2), (2, 3), (2, 3)]])  # fmt: skip
def test_negative_control_shapes_that_form_no_chain(ends: list[tuple[int, int]]) -> None:
    assert path_through(ends) is None


def test_thousands_of_layers_are_put_in_order_at_once() -> None:
    count = 20_000
    ends = [(1, 1)] * count
    assert path_through(ends) == list(range(count))


def test_missing_biases_are_0() -> None:
    tensors = named({"a": (4, 6), "b": (3, 4)})
    del tensors["a.bias"]
    read = network(NamedTensors(tensors))
    assert not read.layers[0][1].any()
    np.testing.assert_array_equal(read.layers[1][1], tensors["b.bias"].astype("f4"))


# Batch normalization --------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("0", "1", "3"), ("fc1", "bn1", "fc2"), ("hid", "norm", "out")])
def test_a_batch_normalization_after_a_layer_is_folded_into_it(names: tuple[str, ...]) -> None:
    first, second, between = Linear("", *layer(5, 4)), Linear("", *layer(3, 5)), norm(names[1], 5)
    tensors = {
        **named({names[0]: (5, 4)}), **tensors_of(between), **named({names[2]: (3, 5)})
    }  # fmt: skip
    x = np.random.default_rng(0).normal(size=(9, 4))
    expected = outputs([first, between, Activation("relu", ""), second], x)
    for contents in (
        NamedTensors(tensors, in_order=True, epsilon=1e-3),
        NamedTensors(dict(sorted(tensors.items())), epsilon=1e-3),
        LayerChain([first, between, Activation("relu", ""), second]),
    ):
        read = network(contents)
        np.testing.assert_allclose(logits(read.layers, ["relu"], x), expected, rtol=1e-5, atol=1e-5)
        said = "is folded into the linear layer before it, layer 1, with ε = 0.001."
        assert any(note.endswith(said) for note in read.notes)
        is_assumed = isinstance(contents, NamedTensors) and names[0] != "0"
        assert any("taken to stand before the activation" in n for n in read.notes) == is_assumed


def test_a_batch_normalization_after_an_activation_is_folded_into_the_next_layer() -> None:
    first, second, between = Linear("", *layer(5, 4)), Linear("", *layer(3, 5)), norm("2", 5)
    x = np.random.default_rng(0).normal(size=(9, 4))
    expected = outputs([first, Activation("tanh", ""), between, second], x)
    numbered = {**named({"0": (5, 4), "3": (3, 5)}), **tensors_of(between)}
    for contents in (
        NamedTensors(numbered, epsilon=1e-3),
        LayerChain([first, Activation("tanh", ""), between, second]),
    ):
        read = network(contents)
        np.testing.assert_allclose(logits(read.layers, ["tanh"], x), expected, rtol=1e-5, atol=1e-5)
        assert "is folded into the linear layer after it, layer 2" in " ".join(read.notes)


def test_batch_normalizations_of_inputs_and_of_logits_are_folded() -> None:
    steps: list[Step] = [norm("0", 4), Linear("1", *layer(5, 4)), Activation("relu", ""),
             Linear("3", *layer(3, 5)), norm("4", 3)]  # fmt: skip
    x = np.random.default_rng(0).normal(size=(9, 4))
    numbered = {
        **tensors_of(norm("0", 4)), **named({"1": (5, 4), "3": (3, 5)}), **tensors_of(norm("4", 3))
    }  # fmt: skip
    for contents in (NamedTensors(numbered, epsilon=1e-3), LayerChain(steps)):
        layers = network(contents).layers
        np.testing.assert_allclose(
            logits(layers, ["relu"], x), outputs(steps, x), rtol=1e-5, atol=1e-5
        )


def test_a_batch_normalization_without_parameters_scales_by_1() -> None:
    bare = BatchNorm("1", np.full(5, 2.0), np.full(5, 4.0), epsilon=0.0)
    read = network(LayerChain([Linear("0", np.ones((5, 4))), bare]))
    np.testing.assert_allclose(read.layers[0][0], 0.5)
    np.testing.assert_allclose(read.layers[0][1], -1.0)


# Chains ---------------------------------------------------------------------------------------


def test_a_chain_says_its_activations_and_its_output() -> None:
    steps: list[Step] = [
        *(Linear("a", *layer(5, 4)), Activation("tanh", "a")),
        *(Linear("b", *layer(6, 5)), Linear("c", *layer(3, 6)), Activation("softmax", "d")),
    ]
    read = network(LayerChain(steps, loss="cross-entropy"))
    assert read.description == {
        "activations": ["tanh", "identity"], "output": "softmax", "loss": "cross-entropy"
    }  # fmt: skip
    # Without an activation at the end, the outputs are logits or a regression.
    assert network(LayerChain(steps[:4])).description == {"activations": ["tanh", "identity"]}


RELU = Activation("relu", "act")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], "holds no linear layer"),
        ([RELU, Linear("a", *layer(5, 4))], "the activation 'relu' at 'act' does not fit there"),
        ([Linear("a", *layer(5, 4)), RELU], "the activation 'relu' at 'act' does not fit there"),
        (
            [Linear("a", *layer(5, 4)), RELU, RELU, Linear("b", *layer(3, 5))],
            "the activation 'relu' at 'act' does not fit there",
        ),
        (
            [Linear("a", *layer(5, 4)), Activation("softmax", "s"), Linear("b", *layer(3, 5))],
            "the activation 'softmax' at 's' does not fit there",
        ),
        (
            [Linear("a", *layer(5, 4)), Linear("b", *layer(3, 6))],
            "weights 'b' have the shape (3, 6), but 5 inputs and 3 biases go with them",
        ),
        (
            [Linear("a", np.ones((5, 4)), np.ones((5, 1)))],
            "weights 'a' have the shape (5, 4), but 4 inputs and biases (5, 1) go with them",
        ),
        (
            [Linear("a", *layer(5, 4)), norm("n", 6)],
            "the mean of the batch normalization 'n' has the shape (6,). Expected (5,)",
        ),
        (
            [Linear("a", np.ones((1, 1))), BatchNorm("n", np.zeros(1), np.array([-1.0]))],
            "a variance of the batch normalization 'n' is negative",
        ),
        (
            [Linear("a", *layer(5, 4)), Activation("softmax", "s"), norm("n", 5)],
            "no linear layer follows the batch normalization 'n'",
        ),
    ],
)
def test_chains_that_are_refused(steps: list[Step], expected: str) -> None:
    assert expected in fault(LayerChain(steps))


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        (
            {**named({"a": (5, 4), "b": (5, 5)}), **tensors_of(norm("n", 5))},
            "the layer before the batch normalization 'n' of 5 features is not clear: 2 layers",
        ),
        (
            {**named({"0": (5, 4), "3": (3, 5)}), **tensors_of(norm("1", 4))},
            "the layer before the batch normalization '1' of 4 features is not clear: 0 layers",
        ),
        (named({"0": (5, 4)}, **{"norm.weight": np.ones(5)}), "'norm.weight' has the shape (5,)"),
        (named({"embed": (9, 4), "fc": (3, 4)}), "weights 'fc.weight' have the shape (3, 4), but"),
    ],
)
def test_tensors_that_are_refused(tensors: Tensors, expected: str) -> None:
    assert expected in fault(NamedTensors(tensors))
