"""ONNX files: those of PyTorch and by hand, with logits of their framework, and what is refused."""

import contextlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actcli.errors import ActcliError, DataError
from actcli.formats import protobuf
from actcli.formats.onnx_writer import onnx_constant, onnx_model, onnx_node, onnx_value
from actcli.formats.protobuf import WireReader, message_field, text_field, varint_field
from actcli.model import read_model_file
from actcli.nn.activations import ACTIVATIONS

ORACLES = Path(__file__).parents[1] / "oracles" / "onnx"
EXPECTED = json.loads((ORACLES / "expected.json").read_text(encoding="utf-8"))
TOLERANCE = 1e-5

W, V = np.arange(12.0).reshape(3, 4) / 10, np.arange(6.0).reshape(2, 3) / 10
PRODUCT = onnx_node("Gemm", ["x", "W"], ["h"], "first", transB=1)
LAST = onnx_node("Gemm", ["a", "V"], ["z"], "last", transB=1)
RELU = onnx_node("Relu", ["h"], ["a"], "act")
INPUT = onnx_value(11, "x", ["n", 4])
OUTPUT = onnx_value(12, "z", ["n", 2])
WEIGHTS = [*onnx_constant("W", W), *onnx_constant("V", V)]


def content(*parts: Any, producer: str = "pytorch") -> bytes:
    """The bytes of a file whose graph has these parts, an input and an output."""
    flat = [each for part in parts for each in part]
    return b"".join(onnx_model([*flat, *INPUT, *OUTPUT, *WEIGHTS], {}, producer=producer))


def written(folder: Path, *parts: Any) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(content(*parts))
    return path


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_model_file(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_files_of_pytorch_and_by_hand_give_the_logits_of_their_framework() -> None:
    """Both exporters, each activation, each precision, raw and typed data, alpha, beta, transA."""
    assert {path.stem for path in ORACLES.glob("*.onnx")} == set(EXPECTED)
    used = {name for each in EXPECTED.values() for name in each["activations"]}
    assert used == set(ACTIVATIONS) - {"identity"}
    for name, expected in EXPECTED.items():
        file = read_model_file(ORACLES / f"{name}.onnx")
        assert file.description["activations"] == expected["activations"], name
        assert file.description.get("output") == expected["output"], name
        assert file.framework == expected.get("framework", "PyTorch")
        rows = np.array(expected["rows"], np.float32)
        logits = file.model().logits(rows.reshape(len(rows), -1))
        np.testing.assert_allclose(logits, expected["logits"], atol=TOLERANCE, err_msg=name)


def test_a_normalization_in_the_graph_is_the_models_own() -> None:
    file = read_model_file(ORACLES / "torch-normalized-script.onnx")
    normalization = file.model().normalization
    assert normalization.method == "column"
    shift, scale = np.array(normalization.shift), np.array(normalization.scale)
    np.testing.assert_allclose(shift, [102.0] * 4 + [127.5] * 4, rtol=1e-6)
    np.testing.assert_allclose(scale, [1 / 51] * 4 + [1 / 76.5] * 4, rtol=1e-6)


def test_a_batch_normalization_is_folded_and_said_so() -> None:
    notes = read_model_file(ORACLES / "hand-norms.onnx").notes
    assert notes[0].endswith("is folded into the linear layer after it, layer 1, with ε = 0.001.")
    assert notes[1].endswith("is folded into the linear layer after it, layer 2, with ε = 1e-05.")


def test_two_activations_in_a_row_and_one_on_the_inputs(tmp_path: Path) -> None:
    tanh = onnx_node("Tanh", ["h"], ["b"], "first act")
    again = onnx_node("Sigmoid", ["b1"], ["a"], "second act")
    shift = onnx_node("Add", ["b", "s"], ["b1"], "shift")
    message = fault(
        written(tmp_path, PRODUCT, tanh, shift, again, LAST, onnx_constant("s", [1.0, 2, 3]))
    )
    assert "node 'second act' (Sigmoid) comes after node 'first act' (Tanh)" in message
    early = onnx_node("Relu", ["x"], ["r"], "early")
    product = onnx_node("Gemm", ["r", "W"], ["h"], transB=1)
    assert "node 'early' (Relu) acts on the inputs" in fault(
        written(tmp_path, early, product, RELU, LAST)
    )


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (
            [onnx_node("Conv", ["h", "V"], ["a"], "conv1")],
            "node 'conv1' (Conv) is not a part of a multilayer perceptron",
        ),
        (
            [onnx_node("LeakyRelu", ["h"], ["a"], "act", alpha=0.2)],
            "node 'act' (LeakyRelu, alpha = 0.2) is not an activation of actcli. Known: identity,",
        ),
        (
            [onnx_node("Selu", ["h"], ["a"], "act", alpha=1.67, gamma=1.0507)],
            "node 'act' (Selu, alpha = 1.67, gamma = 1.0507) is not an activation of actcli. "
            "It differs from selu by up to 0.0",
        ),
        (
            [onnx_node("HardSwish", ["h"], ["a"], "act")],
            "node 'act' (HardSwish) is not an activation of actcli",
        ),
        (
            [onnx_node("Relu", ["h"], ["r"], "relu"), onnx_node("Add", ["r", "h"], ["a"], "skip")],
            "node 'relu' (Relu), node 'skip' (Add) together are not an activation of actcli",
        ),
        (
            [onnx_node("Gemm", ["x", "W"], ["g"], "gate", transB=1),
             onnx_node("Mul", ["g", "h"], ["a"], "join")],
            "node 'join' (Mul) joins two branches of the graph",
        ),
        ([], "nothing in the graph has the name 'a'"),
        (
            [onnx_node("Softmax", ["h"], ["p"], "attention", axis=0)],
            "nothing in the graph has the name 'a'",
        ),
        (
            [onnx_node("Softmax", ["h"], ["a"], "soft", axis=1)],
            "node 'last' (Gemm) after the output activation is not passed over",
        ),
        (
            [onnx_node("Cast", ["h"], ["a"], "round", to=7)],
            "node 'round' (Cast) rounds the numbers of a row",
        ),
    ],
)  # fmt: skip
def test_a_graph_that_is_not_a_multilayer_perceptron(
    tmp_path: Path, nodes: list[Any], expected: str
) -> None:
    assert expected in fault(written(tmp_path, PRODUCT, *nodes, LAST))


def test_external_data_sparse_weights_and_other_types_are_refused(tmp_path: Path) -> None:
    location = message_field(13, [text_field(1, "location"), text_field(2, "../secret")])
    shape = [varint_field(1, 3), varint_field(1, 4)]
    external = [*shape, varint_field(2, 1), text_field(8, "W"), *location, varint_field(14, 1)]
    path = tmp_path / "m.onnx"
    for tensor, expected in (
        (external, "tensor 'W' is in another file, which is not opened. Save the weights inside"),
        ([*shape, varint_field(2, 8), text_field(8, "W")], "tensor 'W' is of type string"),
        ([*shape, varint_field(2, 17), text_field(8, "W")], "tensor 'W' is of type float8"),
        ([*shape, varint_field(2, 1), text_field(8, "W")], "tensor 'W' has the shape (3, 4), but"),
    ):
        graph = [*PRODUCT, *RELU, *LAST, *INPUT, *OUTPUT, *onnx_constant("V", V)]
        path.write_bytes(b"".join(onnx_model([*graph, *message_field(5, tensor)], {})))
        assert expected in fault(path)
    graph = [*PRODUCT, *INPUT, *OUTPUT, *message_field(15, [])]
    path.write_bytes(b"".join(onnx_model(graph, {})))
    assert "it has sparse weights" in fault(path)


def test_weights_that_do_not_fit_name_their_node(tmp_path: Path) -> None:
    last = onnx_node("Gemm", ["a", "V"], ["z"], "last")
    message = fault(written(tmp_path, PRODUCT, RELU, last))
    assert "node 'last' (Gemm) has weights for 2 inputs, but rows of shape (3,)" in message
    images = onnx_value(11, "x", ["n", 2, 2])
    path = tmp_path / "m.onnx"
    parts = [*PRODUCT, *RELU, *LAST, *images, *OUTPUT, *WEIGHTS]
    path.write_bytes(b"".join(onnx_model(parts, {})))
    assert "node 'first' (Gemm) gets rows of shape (2, 2). Expected a vector" in fault(path)


@pytest.mark.parametrize(
    ("damaged", "expected"),
    [
        (b"", "is not"),
        (b"\x08\x08\x3a\x7f", "field 7 would have 127 bytes, but 0 remain"),
        (b"\x08\x08\x12" + b"\xff" * 9 + b"\x01", "field 2 would have 18,446,744,073,709,551,615"),
        (b"\x08" + b"\xff" * 30, "a number does not end"),
        (b"\x08\x08\x13", "field 2 has the unknown type 3"),
        (b"\x08\x08\x00\x00", "a field has the number 0"),
        (b"\x08\x08\x12\x00", "it has no graph"),
        (b"text", "is not an ONNX file: it is a text"),
    ],
)
def test_bytes_that_are_not_a_model(tmp_path: Path, damaged: bytes, expected: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(damaged)
    assert expected in fault(path)


def test_too_many_fields_and_nodes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 20)
    assert "it has more than 20 fields" in fault(written(tmp_path, PRODUCT, RELU, LAST))
    monkeypatch.undo()
    nodes = onnx_node("Relu", ["h"], ["a"]) * 10_001
    assert "its graph has more than 10,000 nodes" in fault(written(tmp_path, nodes))


def test_nodes_cannot_compute_more_than_the_file_holds(tmp_path: Path) -> None:
    """A few nodes that double a constant would fill any memory."""
    column, row = onnx_constant("c", np.ones((2000, 1))), onnx_constant("r", np.ones((1, 2000)))
    wide = onnx_node("Add", ["c", "r"], ["a"], "wide")
    message = fault(written(tmp_path, PRODUCT, wide, LAST, column, row))
    assert "node 'wide' (Add) computes more constants than the file holds" in message


def test_packed_numbers_are_those_of_the_fields() -> None:
    ends = [0, 2**64 - 1, *(2 ** (7 * size) + step for size in range(1, 10) for step in (-1, 0, 1))]
    numbers = ends * 40
    packed = b"".join(varint_field(1, number)[1:] for number in numbers)
    assert protobuf.packed_varints(memoryview(packed)).tolist() == numbers
    message = b"".join(varint_field(3, number) for number in numbers)
    assert [value for _, value in WireReader().fields(memoryview(message))] == numbers


def test_a_number_that_is_not_finite_is_named(tmp_path: Path) -> None:
    damaged = content(PRODUCT, RELU, LAST).replace(struct.pack("<f", 1.1), struct.pack("<f", 1e400))
    path = tmp_path / "m.onnx"
    path.write_bytes(damaged)
    assert "inf at [2, 3] of tensor 'first' is not a finite number" in fault(path)


FILES = [path.read_bytes() for path in sorted(ORACLES.glob("hand-*.onnx"))]


@settings(max_examples=40)
@given(st.data())
def test_any_damage_gives_a_result_or_one_clear_error(data: st.DataObject) -> None:
    path = Path(data.draw(st.just(PATHS[0])))
    damaged = bytearray(data.draw(st.sampled_from(FILES)))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))] or b"\0")
    with contextlib.suppress(ActcliError):
        read_model_file(path)


PATHS: list[str] = []


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    PATHS.append(str(tmp_path_factory.mktemp("onnx") / "damaged.onnx"))
