"""Weights from files: ours, PyTorch's, scikit-learn's, and whatever else a file may hold."""

import itertools
import json
import math
import pickle
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from actcli import files
from actcli.config.sources import assemble, parse_assignment
from actcli.config.values import quoted
from actcli.datasets.batches import Normalization
from actcli.datasets.dataset import load_dataset
from actcli.errors import DataError
from actcli.model import Model, ModelFile, read_model_file
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP
from actcli.training.build import prepare_dataset
from actcli.training.learner import Learner

Tensors = dict[str, np.ndarray[Any, Any]]


def drawn(*sizes: int, dtype: str = "f4") -> list[tuple[Any, Any]]:
    """Weights (units, inputs) and biases of layers of these sizes."""
    rng = np.random.default_rng(len(sizes))
    return [
        (rng.normal(size=(units, inputs)).astype(dtype), rng.normal(size=units).astype(dtype))
        for inputs, units in itertools.pairwise(sizes)
    ]


def by_hand(path: Path, header: Any, data: bytes = b"") -> Path:
    """A safetensors file of any header and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def tensor(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def fault(path: Path) -> str:
    """What is expected of a file, which is named."""
    with pytest.raises(DataError) as caught:
        read_model_file(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def assert_layers(weights: ModelFile, layers: list[tuple[Any, Any]]) -> None:
    assert len(weights.layers) == len(layers)
    for (w, b), (expected_w, expected_b) in zip(weights.layers, layers, strict=True):
        assert w.dtype == b.dtype == np.float32
        assert w.flags.c_contiguous
        np.testing.assert_array_equal(w, expected_w)
        np.testing.assert_array_equal(b, expected_b)


# Files that are read --------------------------------------------------------------------------


def test_our_own_file(tmp_path: Path, blobs: Callable[..., Path]) -> None:
    settings = [f"data.name={blobs()}", "model.hidden=5,4", "model.activation=tanh,relu"]
    config = assemble([parse_assignment(each) for each in settings]).resolve()
    config, dataset = prepare_dataset(config, lambda *_: None)
    learner = Learner(config, dataset)
    files.write(tmp_path / "model.safetensors", *learner.model.file_parts(epoch=3))
    weights = read_model_file(tmp_path / "model.safetensors")
    assert weights.sizes == (12, 5, 4, 3)
    assert_layers(weights, [(each.weights, each.biases) for each in learner.network.layers])
    assert weights.description == json.loads(json.dumps(learner.model.description(3)))
    assert weights.description["activations"] == ["tanh", "relu"]
    assert weights.description["dataset"] == load_dataset(str(blobs())).name


@pytest.mark.parametrize("style", ["{}", "layers.{}", "net.{}.linear", "fc{}"])
def test_the_layers_are_in_the_order_of_their_numbers(tmp_path: Path, style: str) -> None:
    layers = drawn(*range(4, 17))  # a dozen
    tensors: Tensors = {}
    for index in np.random.default_rng(0).permutation(len(layers)).tolist():
        name = style.format(2 * index)
        tensors[f"{name}.bias"], tensors[f"{name}.weight"] = layers[index][::-1]
    assert len(layers) == 12
    save_file(tensors, tmp_path / "model.safetensors")
    np.savez(tmp_path / "model.npz", **tensors)
    for file in ("model.safetensors", "model.npz"):
        weights = read_model_file(tmp_path / file)
        assert weights.sizes == tuple(range(4, 17))
        assert_layers(weights, layers)
        assert weights.description == {}


def test_a_layer_without_a_number_is_the_last(tmp_path: Path) -> None:
    (first, a), (second, b), (third, c) = layers = drawn(4, 5, 6, 3)
    named = {"a.weight": third, "a.bias": c, "h.1.weight": second, "h.1.bias": b}
    save_file({**named, "h.0.weight": first, "h.0.bias": a}, tmp_path / "m.safetensors")
    assert_layers(read_model_file(tmp_path / "m.safetensors"), layers)


def test_layers_without_biases(tmp_path: Path) -> None:
    layers = drawn(4, 5, 3)
    save_file({f"{i}.weight": w for i, (w, _) in enumerate(layers)}, tmp_path / "m.safetensors")
    assert_layers(
        read_model_file(tmp_path / "m.safetensors"), [(w, np.zeros(len(w))) for w, _ in layers]
    )


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_floats_of_any_width(tmp_path: Path, dtype: str, suffix: str) -> None:
    layers = drawn(4, 5, 3, dtype=dtype)
    tensors = {f"{i}.{kind}": each for i, pair in enumerate(layers) for kind, each in
               zip(("weight", "bias"), pair, strict=True)}  # fmt: skip
    path = tmp_path / f"m.{suffix}"
    if suffix == "npz":
        np.savez(path, **tensors)
    else:
        save_file(tensors, path)
    assert_layers(
        read_model_file(path), [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]
    )


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, "f2"), (np.inf, "f4"), (-np.inf, "f8")])
def test_a_number_that_is_not_finite_is_named(tmp_path: Path, value: float, dtype: str) -> None:
    """In an npz file; tests/cli/test_bad_weights.py does the same with safetensors."""
    tensors = {"0.weight": np.ones((3, 4), dtype), "0.bias": np.ones(3, dtype)}
    tensors["0.bias"][2] = value
    np.savez(tmp_path / "m.npz", **tensors)
    message = fault(tmp_path / "m.npz")
    assert f"{value} at [2] of tensor '0.bias' is not a finite number. " in message


def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path: Path) -> None:
    values = {1.0: 0x3F80, -2.0: 0xC000, 0.5: 0x3F00, 3.140625: 0x4049, 0.0: 0, 2.0**-126: 0x0080}
    path = by_hand(
        tmp_path / "m.safetensors",
        {"0.weight": tensor("BF16", [2, 2], 0, 8), "0.bias": tensor("BF16", [2], 8, 12)},
        struct.pack("<6H", *values.values()),
    )
    numbers = list(values)
    weights = read_model_file(path)
    assert_layers(weights, [(np.reshape(numbers[:4], (2, 2)), np.array(numbers[4:]))])


@pytest.mark.parametrize("sizes", [(12, 8, 8, 3), (12, 3), (6, 5, 1), (8, 8, 8, 8)])
def test_scikit_learn_has_its_weights_the_other_way_round(
    tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    layers = drawn(*sizes)
    named: Tensors = {}
    for index, (w, b) in enumerate(layers):
        named |= {f"coefs_{index}": w.T, f"intercepts_{index}": b}
    np.savez(tmp_path / "named.npz", **named)
    np.savez_compressed(tmp_path / "small.npz", **named)
    save_file(
        {name: np.ascontiguousarray(each) for name, each in named.items()},
        tmp_path / "m.safetensors",
    )
    for file in ("named.npz", "small.npz", "m.safetensors"):
        assert_layers(read_model_file(tmp_path / file), layers)


def test_scikit_learns_arrays_without_names(tmp_path: Path) -> None:
    layers = drawn(*range(14, 2, -1))  # eleven: arr_10 comes after arr_9
    np.savez(tmp_path / "m.npz", *[w.T for w, _ in layers], *[b for _, b in layers])
    weights = read_model_file(tmp_path / "m.npz")
    assert weights.sizes == tuple(range(14, 2, -1))
    assert_layers(weights, layers)


def test_square_layers_are_taken_as_pytorch_has_them_unless_their_names_say_more(
    tmp_path: Path,
) -> None:
    layers = drawn(6, 6, 6)
    for name, turned in (("{}.weight", False), ("coefs_{}", True)):
        path = tmp_path / "m.safetensors"
        tensors = {name.format(i): w for i, (w, _) in enumerate(layers)}
        save_file(tensors | {f"b{i}": b for i, (_, b) in enumerate(layers)}, path)
        expected = [(w.T if turned else w, b) for w, b in layers]
        assert_layers(read_model_file(path), expected)


# Files that are refused -----------------------------------------------------------------------


def w(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ({"c.weight": w(8, 1, 3, 3), "1.weight": w(3, 8)}, "'c.weight' has the shape (8, 1, 3, 3)"),
        ({"scale": w(), "0.weight": w(3, 8)}, "'scale' has the shape ()"),
        ({"0.weight": w(3, 0)}, "'0.weight' has the shape (3, 0)"),
        (
            {"0.bias": w(3), "1.bias": w(4)},
            "0 tensors are weights and 2 are biases; '1.bias' has the shape (4,)",
        ),
        (
            {"w0": w(5, 4), "b": w(5), "w1": w(3, 5)},
            "2 tensors are weights and 1 are biases; 'b' has the shape (5,)",
        ),
        (
            {"0.weight": w(5, 4), "0.bias": w(5), "1.weight": w(3, 7), "1.bias": w(3)},
            "weights '1.weight' have the shape (3, 7), but 5 inputs and 3 biases go with them",
        ),
        (
            {"coefs_0": w(4, 5), "coefs_1": w(6, 3)},
            "weights 'coefs_1' have the shape (6, 3), but 5 inputs and 3 biases go with them",
        ),
        (
            {"0.weight": w(5, 4), "0.bias": w(6)},
            "weights '0.weight' have the shape (5, 4), but 4 inputs and 6 biases go with them",
        ),
        ({}, "holds no tensor"),
    ],
)
def test_what_is_no_perceptron(tmp_path: Path, tensors: Tensors, expected: str) -> None:
    save_file(tensors, tmp_path / "m.safetensors")
    np.savez(tmp_path / "m.npz", **tensors)
    for file in ("m.safetensors", "m.npz"):
        message = fault(tmp_path / file)
        assert expected in message
        assert message.endswith(
            "Expected a multilayer perceptron: "
            "for each layer weights (units, inputs) and biases (units,)"
        )


HEADER: dict[str, Any] = {"0.weight": tensor("F32", [1, 2], 0, 8)}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08",
        struct.pack("<Q", 99_999_999) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        b"PK\x03\x04 is a zip file",
        pickle.dumps({"0.weight": 1}),
    ],
)
def test_what_is_no_safetensors_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    assert "is not a safetensors file: " in fault(path)


@pytest.mark.parametrize(
    "shape", [[2**62, 2**62], [2**40, 2**10], [3, 2], [1]], ids=["overflow", "huge", "more", "less"]
)
def test_a_shape_that_is_not_that_of_the_data(tmp_path: Path, shape: list[int]) -> None:
    path = by_hand(tmp_path / "m.safetensors", {"0.weight": tensor("F32", shape, 0, 8)}, bytes(8))
    assert "is not a safetensors file: " in fault(path)


@pytest.mark.parametrize(
    ("header", "data", "expected"),
    [
        ({"a": 3}, b"", "tensor 'a' lacks its dtype, shape or data_offsets"),
        ({"a": {"dtype": "F32"}}, b"", "tensor 'a' lacks its dtype, shape or data_offsets"),
        ({"a": tensor("F32", [-1], 0, 4)}, bytes(4), "tensor 'a' has an invalid shape or invalid"),
        ({"a": tensor("F32", [True], 0, 4)}, bytes(4), "tensor 'a' has an invalid shape or inval"),
        (
            {"a": tensor("F32", [1] * 99, 0, 4)},
            bytes(4),
            "tensor 'a' has an invalid shape or inval",
        ),
        ({"a": tensor("F32", [2**62] * 99, 0, 4)}, bytes(4), "tensor 'a' has an invalid shape"),
        ({"a": tensor("F32", [2**62, 2**62, 0], 0, 0)}, b"", "tensor 'a': "),
        (HEADER | {"a": tensor("F32", [1], 4, 8)}, bytes(8), "no tensor starts at byte 8 of the d"),
        ({"a": tensor("F32", [1], 4, 8)}, bytes(8), "no tensor starts at byte 0 of the data"),
        (HEADER, bytes(9), "its tensors have 8 bytes, but 9 follow its header"),
        (
            HEADER | {"__metadata__": {"a": 3}},
            bytes(8),
            "its __metadata__ does not consist of strings",
        ),
        (HEADER | {"__metadata__": [3]}, bytes(8), "its __metadata__ does not consist of strings"),
        (b'{"a": ' + b"9" * 5000 + b"}", b"", "its header is not JSON: Exceeds the limit"),
        (b"[" * 99_999, b"", "its header is not JSON: it is nested too deeply"),
        (b"\xff{}", b"", "its header is not JSON: 'utf-8' codec can't decode byte 0xff"),
        (b" " * 10_000_001, b"", "its header has 10,000,001 bytes; at most 10,000,000 are read"),
    ],
)
def test_a_header_that_is_wrong(tmp_path: Path, header: Any, data: bytes, expected: str) -> None:
    message = fault(by_hand(tmp_path / "m.safetensors", header, data))
    assert f"is not a safetensors file: {expected}" in message


def test_a_normalization_of_columns_is_read_back_and_must_fit_the_inputs(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    columns = Normalization("column", (1.0, 2.5), (0.1, 4.0))
    for inputs in (2, 3):
        network = MLP((inputs, 4, 2), ("relu",))
        Model(network, LOSSES["cross-entropy"]("auto", 0.0), columns, ("a", "b")).save(path)
        if inputs == 2:
            assert Model.load(path).normalization == columns
            continue
        with pytest.raises(DataError, match="for 2 columns, but the network has 3 inputs"):
            Model.load(path)


@pytest.mark.parametrize("text", ["no JSON", "[]", "[" * 100_000, "{", '"text"'])
def test_a_description_that_is_no_json_object(tmp_path: Path, text: str) -> None:
    path = by_hand(tmp_path / "m.safetensors", {**HEADER, "__metadata__": {"actcli": text}},
                   bytes(8))  # fmt: skip
    assert fault(path).endswith("the description 'actcli' in its header is not a JSON object")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("activations", "relu"),
        ("activations", [1]),
        ("output", None),
        ("loss", 3),
        ("label_smoothing", "0.1"),
        ("label_smoothing", 1),
        ("dataset", ["mnist"]),
        ("classes", {"0": "a"}),
        ("normalization", "unit"),
        ("normalization", {"method": "unit"}),
        ("normalization", {"method": "unit", "shift": 0, "scale": "1"}),
        ("normalization", {"method": 0, "shift": 0, "scale": 1}),
        ("normalization", {"method": "unit", "shift": [0], "scale": [1]}),
        ("normalization", {"method": "column", "shift": 0, "scale": 1}),
        ("normalization", {"method": "column", "shift": [0, 0], "scale": [1]}),
        ("normalization", {"method": "column", "shift": [0], "scale": [1e39]}),
        ("normalization", {"method": "unit", "shift": 0, "scale": 1e39}),
        ("label_smoothing", math.nan),
        ("class_weights", [1, 0]),
    ],
)
def test_a_description_of_the_wrong_kind(tmp_path: Path, key: str, value: Any) -> None:
    described = json.dumps({key: value})
    header = {**HEADER, "__metadata__": {"actcli": described}}
    message = fault(by_hand(tmp_path / "m.safetensors", header, bytes(8)))
    expected = f"{key!r} in the description 'actcli' in its header is {quoted(value)}"
    assert message.endswith(expected)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ({"activations": ["rleu"]}, "there is no activation 'rleu'. Did you mean 'relu'? Known: "),
        ({"output": "auto"}, "there is no output 'auto'. Known: "),
        ({"loss": "mse", "label_smoothing": 0.1}, "label_smoothing has no meaning for loss 'mse'"),
        (
            {"normalization": {"method": "z", "shift": 0, "scale": 1}},
            "there is no normalization 'z'",
        ),
    ],
)
def test_a_description_with_names_that_are_not_known(
    tmp_path: Path, description: Any, expected: str
) -> None:
    header = {**HEADER, "__metadata__": {"actcli": json.dumps(description)}}
    assert expected in fault(by_hand(tmp_path / "m.safetensors", header, bytes(8)))


@pytest.mark.parametrize("metadata", [{}, {"format": "pt"}, None])
def test_other_metadata_is_of_no_account(tmp_path: Path, metadata: Any) -> None:
    path = by_hand(tmp_path / "m.safetensors", {**HEADER, "__metadata__": metadata}, bytes(8))
    assert read_model_file(path).description == {}


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    trap = Trap(tmp_path / "sprung")
    np.savez(tmp_path / "m.npz", coefs=np.array([trap], dtype=object))
    assert "'coefs' holds Python objects" in fault(tmp_path / "m.npz")
    (tmp_path / "p.npz").write_bytes(pickle.dumps(trap))
    assert "is not an .npz file" in fault(tmp_path / "p.npz")
    assert not trap.path.exists()


@pytest.mark.parametrize(
    "array", [np.array([["a"]]), np.array([[True]]), np.array([[1j]]), np.zeros((1, 1), "M8[s]")]
)
def test_arrays_that_hold_no_numbers(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    np.savez(tmp_path / "m.npz", w=array)
    assert f"array 'w' holds {array.dtype}. Expected" in fault(tmp_path / "m.npz")


def test_an_npz_that_is_none(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", w(2, 2))
    for content in (b"", b"text", (tmp_path / "a.npy").read_bytes()):
        (tmp_path / "m.npz").write_bytes(content)
        assert "is not an .npz file" in fault(tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("readme.txt", "not an array")
    assert "'readme.txt' cannot be read" in fault(tmp_path / "m.npz")


def test_an_array_that_announces_more_than_there_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", w=w(2, 2))
    content = (tmp_path / "m.npz").read_bytes()
    assert content.count(b"(2, 2), ") == 1
    for name, shape in (("m.npz", b"(9, 9), "), ("n.npz", b"(9999,9)")):
        (tmp_path / name).write_bytes(content.replace(b"(2, 2), ", shape))
        assert "'w' " in fault(tmp_path / name)


def test_a_damaged_compressed_array(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "m.npz", w=w(40, 40))
    content = bytearray((tmp_path / "m.npz").read_bytes())
    middle = len(content) // 3
    content[middle : middle + 20] = bytes(20)
    (tmp_path / "m.npz").write_bytes(content)
    fault(tmp_path / "m.npz")


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_a_folder_and_a_missing_file(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / f"folder.{suffix}"
    folder.mkdir()
    assert fault(folder) == f"cannot read {folder}: Is a directory"
    absent = tmp_path / f"absent.{suffix}"
    assert fault(absent) == f"cannot read {absent}: No such file or directory"


# Any bytes at all -----------------------------------------------------------------------------


def good(suffix: str) -> bytes:
    """A small file that can be read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m.{suffix}"
        tensors = {"0.weight": w(2, 3), "0.bias": w(2), "1.weight": w(1, 2), "1.bias": w(1)}
        if suffix == "npz":
            np.savez_compressed(path, **tensors)
        else:
            save_file(tensors, path, {"actcli": '{"loss": "mse"}'})
        return path.read_bytes()


GOOD = {suffix: good(suffix) for suffix in ("safetensors", "npz")}


def assert_weights_or_a_data_error(path: Path) -> None:
    with warnings.catch_warnings():
        # NumPy warns when it reads a header that Python 2 may have written.
        warnings.simplefilter("ignore", UserWarning)
        try:
            weights = read_model_file(path)
        except DataError:
            return
    assert len(weights.sizes) == len(weights.layers) + 1
    assert min(weights.sizes) >= 1


@pytest.mark.parametrize("suffix", GOOD)
@given(content=st.binary(max_size=200), headed=st.booleans())
def test_random_bytes_are_harmless(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes, headed: bool
) -> None:
    path = tmp_path_factory.mktemp("bytes") / f"m.{suffix}"
    path.write_bytes(struct.pack("<Q", len(content)) + content if headed else content)
    assert_weights_or_a_data_error(path)


@pytest.mark.parametrize("suffix", GOOD)
@given(data=st.data())
def test_any_changed_bytes_are_harmless(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    content = bytearray(GOOD[suffix])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("bytes") / f"m.{suffix}"
    path.write_bytes(content)
    assert_weights_or_a_data_error(path)
