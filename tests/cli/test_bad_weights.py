"""Faulty model files, given to `actcli diagnose`: the message, and how much memory is used."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from actcli.cli import main

Refused = Callable[..., str]
LittleMemory = Callable[..., CompletedProcess[str]]

OFFSETS = {"0.weight": {"dtype": "F32", "shape": [10, 784], "data_offsets": [0, 31_360]}}


def perceptron(dtype: str = "f4") -> dict[str, np.ndarray[Any, Any]]:
    """Return the tensors of a network with 784 inputs, 8 units and 10 logits."""
    rng = np.random.default_rng(0)
    return {
        "0.weight": rng.normal(0, 0.05, (8, 784)).astype(dtype),
        "0.bias": np.zeros(8, dtype),
        "2.weight": rng.normal(0, 0.5, (10, 8)).astype(dtype),
        "2.bias": np.zeros(10, dtype),
    }


def saved(path: Path, tensors: dict[str, np.ndarray[Any, Any]], **description: Any) -> Path:
    """A file as actcli writes it."""
    save_file(tensors, path, {"actcli": json.dumps({"activations": ["relu"], **description})})
    return path


def sparse(path: Path, start: bytes, size: int) -> Path:
    """A file of that size, which takes hardly any space on the disk."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


def headed(header: object) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def bfloat16(path: Path) -> Path:
    header, data = {}, b""
    for name, values in perceptron().items():
        packed = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
        place = [len(data), len(data) + len(packed)]
        header[name] = {"dtype": "BF16", "shape": values.shape, "data_offsets": place}
        data += packed
    path.write_bytes(headed(header) + data)
    return path


# What is converted ----------------------------------------------------------------------------


def test_weights_of_any_precision_are_diagnosed(tmp_path: Path) -> None:
    """To three digits alike, since bfloat16 keeps no more."""
    accuracy = []
    for dtype in ("f8", "f4", "f2", "bf16"):
        path = tmp_path / f"{dtype}.safetensors"
        bfloat16(path) if dtype == "bf16" else saved(path, perceptron(dtype))
        args = ("diagnose", str(path), "--activation", "relu", "--rows", "500", "--json")
        result = CliRunner().invoke(main, args)
        assert (result.exit_code, result.stderr) == (0, "")
        accuracy.append(json.loads(result.stdout)["softmax"]["accuracy"])
    assert accuracy == pytest.approx([accuracy[0]] * 4, abs=0.02)


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "value", "dtype", "expected"),
    [
        (("2.weight", (3, 4)), np.nan, "f4", "nan at [3, 4] of tensor '2.weight' is not a finite"),
        (("0.bias", (3,)), np.inf, "f2", "inf at [3] of tensor '0.bias' is not a finite number"),
        (("0.weight", (1, 2)), 1e300, "f8", "1e+300 at [1, 2] of tensor '0.weight' is beyond fl"),
    ],
)
def test_numbers_that_are_not_finite(
    tmp_path: Path, refused: Refused, place: Any, value: float, dtype: str, expected: str
) -> None:
    tensors = perceptron(dtype)
    tensors[place[0]][place[1]] = value
    path = saved(tmp_path / "m.safetensors", tensors)
    message = refused("diagnose", str(path))
    assert message.startswith(f"{path}: {expected}")
    assert message.endswith("A training that diverged leaves such weights; a smaller learning rat"
                            "e may fix it")  # fmt: skip


@pytest.mark.parametrize("kept", [0, 5, 60, -100])
def test_truncated_weights(tmp_path: Path, refused: Refused, kept: int) -> None:
    path = saved(tmp_path / "m.safetensors", perceptron())
    path.write_bytes(path.read_bytes()[:kept])
    assert refused("diagnose", str(path)).startswith(f"{path} is not a safetensors file: its ")


def test_tensors_of_wrong_shapes_and_types(tmp_path: Path, refused: Refused) -> None:
    path = saved(tmp_path / "m.safetensors", perceptron() | {"0.bias": np.zeros(7, np.float32)})
    expected = (
        "weights '0.weight' have the shape (8, 784), but 784 inputs and 7 biases go with them"
    )
    assert expected in refused("diagnose", str(path))
    path.write_bytes(headed({"w": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}))
    expected = f"{path}: tensor 'w' is of type 'F8_E4M3'. Known: F64, F32, F16, BF16"
    assert refused("diagnose", str(path)) == expected


GIGABYTE = 1 << 30


@pytest.mark.parametrize(
    ("start", "size", "expected"),
    [
        (
            struct.pack("<Q", 4 * GIGABYTE),
            20 * GIGABYTE,
            "its header has 4,294,967,296 bytes; at most 10,000,000 are read",
        ),
        (
            struct.pack("<Q", 2**64 - 1),
            GIGABYTE,
            "its header would have 18,446,744,073,709,551,615 bytes, the file has 1,073,741,824",
        ),
        (struct.pack("<Q", 2) + b"no", 20 * GIGABYTE, "its header is not JSON: Expecting value"),
        (headed(OFFSETS), 20 * GIGABYTE, "its tensors have 31,360 bytes, but 21,474,836,394 foll"),
    ],
)
def test_a_huge_file_is_not_read_before_its_header_is_judged(
    tmp_path: Path, little_memory: LittleMemory, start: bytes, size: int, expected: str
) -> None:
    path = sparse(tmp_path / "m.safetensors", start, size)
    done = little_memory("diagnose", str(path), most=700_000_000)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {path} is not a safetensors file: {expected}")


def test_weights_that_need_more_memory_than_there_is(
    tmp_path: Path, little_memory: LittleMemory
) -> None:
    rows = 1_000_000
    size = 4 * 784 * rows
    entry = {"dtype": "F32", "shape": [rows, 784], "data_offsets": [0, size]}
    start = headed({"0.weight": entry})
    path = sparse(tmp_path / "m.safetensors", start, len(start) + size)
    done = little_memory("diagnose", str(path), most=2_000_000_000)
    expected = f"Error: {path} needs 6.27 GB of memory, this process may use 2.00 GB\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ({"loss": "\x1b[2J"}, "there is no loss '\\x1b[2J'. Known: cross-entropy"),
        ({"activations": ["\x1b[2J"]}, "there is no activation '\\x1b[2J'. Known: "),
        ({"output": "zzz"}, "there is no output 'zzz'. Known: softmax, sigmoid, identity"),
        ({"loss": "mse", "output": "tanh"}, "loss 'mse' does not go with output 'tanh'"),
        ({"classes": ["\x1b", 2]}, "'classes' in the description 'actcli' in its header is ['\\x1"),
        (
            {"normalization": {"method": "unit", "shift": 10**400, "scale": 1}},
            "'normalization' in the description 'actcli' in its header is {'method': 'unit', 'shi",
        ),
    ],
)
def test_what_a_header_says_is_judged(
    tmp_path: Path, refused: Refused, description: dict[str, Any], expected: str
) -> None:
    path = saved(tmp_path / "m.safetensors", perceptron(), **description)
    assert refused("diagnose", str(path)).startswith(f"{path}: {expected}")


def test_names_of_tensors_are_harmless_and_short(tmp_path: Path, refused: Refused) -> None:
    name = "\x1b[2J" + "a" * 100_000
    path = saved(tmp_path / "m.safetensors", {name: np.zeros((2, 2, 2), np.float32)})
    message = refused("diagnose", str(path))
    assert "tensor '\\x1b[2Jaaaa" in message
    assert "\x1b" not in message
    assert len(message) < 500


def test_a_file_of_weights_that_is_shown_cannot_drive_the_terminal(tmp_path: Path) -> None:
    path = saved(tmp_path / "\x1b[31mred.safetensors", perceptron())
    for option in ((), ("--json",)):
        result = CliRunner().invoke(main, ["diagnose", str(path), "--rows", "500", *option])
        assert result.exit_code == 0
        assert "\x1b" not in result.output
