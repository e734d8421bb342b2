"""Files of `torch.save`: those that PyTorch wrote, damaged ones, and attacks."""

import contextlib
import json
import pickle
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_archives import archive, attacks, good, program, state, storage, tensor

from actcli.errors import ActcliError, DataError
from actcli.model import read_model_file

ORACLES = Path(__file__).parents[1] / "oracles" / "torch_models"
with np.load(ORACLES / "expected.npz") as file:
    EXPECTED = dict(file)
CASES: dict[str, str] = json.loads(str(EXPECTED["cases"]))

SIX = np.arange(6, dtype="<f4")


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_model_file(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


# Files of PyTorch -----------------------------------------------------------------------------


def test_logits_are_those_of_pytorch() -> None:
    deviations = {}
    for name, activation in CASES.items():
        model = read_model_file(ORACLES / name).model(activation=activation)
        logits = model.logits(EXPECTED["inputs"].astype(np.float32))
        deviations[name] = float(np.abs(logits - EXPECTED[f"logits/{name}"]).max())
    assert len(deviations) >= 20
    assert {name: each for name, each in deviations.items() if not each < 1e-5} == {}


def test_what_was_folded_is_said() -> None:
    notes = " ".join(read_model_file(ORACLES / "named_norms.pt").notes)
    assert (
        "'first_norm' is folded into the linear layer before it, layer 1, with ε = 1e-05" in notes
    )
    assert "'a_norm' is taken to stand before the activation of 'deeper.weight'" in notes
    notes = " ".join(read_model_file(ORACLES / "norms_after.pt").notes)
    assert "'2' is folded into the linear layer after it, layer 2" in notes
    assert "taken" not in notes


@pytest.mark.parametrize(
    ("name", "expected", "weights"),
    [
        ("module", "holds more than tensors: 'torch.nn.modules.container.S", "saved.state_dict()"),
        (
            "in_checkpoint",
            "holds more than tensors: 'torch.nn.modul",
            "saved['model'].state_dict()",
        ),
        ("scalar", "holds more than tensors: 'numpy._core.multi", "saved['model_state_dict']"),
        ("legacy", "in the format before PyTorch 1.6", "weights"),
        ("script", "is a TorchScript module", "module.state_dict()"),
    ],
)
def test_what_holds_no_tensors_alone_is_refused_with_two_lines(
    name: str, expected: str, weights: str
) -> None:
    message = fault(ORACLES / f"refused_{name}.pt")
    assert expected in message
    load, save = [line for line in message.splitlines() if line.startswith("  ")]
    assert f"load('refused_{name}.pt'" in load
    assert save == f"  torch.save({weights}, 'refused_{name}-weights.pt')"


def test_a_program_of_torch_export_is_named() -> None:
    message = fault(ORACLES / "refused_program.pt2")
    assert "is a program of torch.export, not a model that can be read" in message
    assert "  torch.save(program.state_dict, 'refused_program-weights.pt')" in message


# Archives made by hand ------------------------------------------------------------------------


def test_an_archive_of_another_byte_order(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt", good(), {"0": SIX.astype(">f4").tobytes()}, b"big")
    np.testing.assert_array_equal(read_model_file(path).layers[0][0], SIX.reshape(2, 3))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (tensor((2, 4), (4, 1)), "shape (2, 4) with strides (4, 1) and offset 0 does not lie with"),
        (tensor(offset=1), "offset 1 does not lie within its 6 numbers"),
        (tensor((2, 3), (2**62, 1)), "does not lie within its 6 numbers"),
        (tensor((2, 3), (3,)), "with strides (3,)"),
        (tensor((0, 3), (3, 1)), "tensor 'weight' has the shape (0, 3)"),
        (tensor((1,) * 9, (1,) * 9), "tensor 'weight' has the shape (1, 1, 1, 1"),
        (tensor((2**40, 2**20), (0, 0)), "its tensors have 1,152,921,504,606,846,976 numbers"),
        (tensor((-1, 3)), "its pickle cannot be followed: a size, stride or offset that is not"),
        (tensor(of=storage(count=7)), "storage '0' has 24 bytes; 7 numbers of type float32 are"),
        (tensor(of=storage(key="../0")), "storage '../0' is missing; 6 numbers"),
        (tensor(of=storage("torch IntStorage")), "tensor 'weight' is of type int32. Known: flo"),
        (tensor(of=storage("torch ComplexFloatStorage")), "'torch.ComplexFloatStorage'"),
    ],
)  # fmt: skip
def test_tensors_that_lie(tmp_path: Path, value: bytes, expected: str) -> None:
    assert expected in fault(archive(tmp_path / "m.pt", good(value), {"0": SIX.tobytes()}))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            program(b"N"),
            "holds no state dict, but a NoneType. Expected tensors by name, at the top",
        ),
        (program(tensor()), "holds no state dict, but a single tensor"),
        (program(state(("epoch", b"K\1"), ("net", b"}"))), "but the keys 'epoch', 'net'. Expected"),
        (program(b"NN"), "its pickle cannot be followed"),
        (program(b"("), "its pickle cannot be followed"),
        (program(b"a"), "its pickle cannot be followed"),
        (b"\x80\x02", "its pickle cannot be followed: pickle exhausted before seeing STOP"),
        (b"", "its pickle cannot be followed: pickle exhausted before seeing STOP"),
        (b"\x80\x02\xff.", "its pickle cannot be followed: at position 2, opcode b'\\xff' unknown"),
        (program(b"I1\n"), "its pickle has the opcode INT, which tensors do not need"),
    ],
)
def test_pickles_of_something_else(tmp_path: Path, content: bytes, expected: str) -> None:
    assert expected in fault(archive(tmp_path / "m.pt", content, {"0": SIX.tobytes()}))


def test_archives_that_lie(tmp_path: Path) -> None:
    zeros = {"0": bytes(1_000_000)}
    path = archive(tmp_path / "m.pt", good(), zeros, compression=zipfile.ZIP_DEFLATED)
    assert "'archive/data.pkl' is compressed. torch.save does not compress" in fault(path)
    archive(path, good(), {"0": SIX.tobytes(), "1": bytes(20_000)})
    with zipfile.ZipFile(path, "a") as file:  # both entries of the directory are the same bytes
        file.writestr("archive/more", b"")
        file.filelist[2].header_offset = file.filelist[3].header_offset
    assert "is damaged: File name in directory" in fault(path)
    with zipfile.ZipFile(path, "a") as file:  # the directory announces more than there is
        file.writestr("archive/most", b"")
        file.filelist[2].file_size = file.filelist[2].compress_size = 2_000_000_000
    assert "its members are larger than the file" in fault(path)


def test_a_directory_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt", good(), {"0": SIX.tobytes()})
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\5\6")
    content[end:end] = bytes(20_000_000)
    struct.pack_into("<L", content, end + 20_000_000 + 12, 20_000_000)
    path.write_bytes(content)
    assert "is a zip archive whose directory has 20,000,000 bytes. At most 10,000,000" in fault(
        path
    )


# Attacks --------------------------------------------------------------------------------------


def test_attacks_execute_nothing(tmp_path: Path) -> None:
    flag = tmp_path / "sprung"
    found = attacks(flag)
    assert len(found) >= 40
    for name, content in found.items():
        path = archive(tmp_path / "m.pt", content, {"0": SIX.tobytes()})
        started = time.process_time()
        message = fault(path)
        assert not flag.exists(), name
        assert len(message) < 1000, name
        assert time.process_time() - started < 10, name


def test_negative_control_python_carries_the_attacks_out(tmp_path: Path) -> None:
    flag = tmp_path / "sprung"
    harmless = []
    for name, content in attacks(flag).items():
        if name.startswith("run"):
            with contextlib.suppress(TypeError, ValueError, pickle.UnpicklingError):
                pickle.loads(content)  # noqa: S301
            if not flag.exists():
                harmless.append(name)
            flag.unlink(missing_ok=True)
    assert harmless == []


def test_advice_to_load_a_file_is_not_given_for_an_attack(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt", attacks(tmp_path)["run: os.system"])
    message = fault(path)
    assert "names 'os.system', which tensors do not need: loading it could run code" in message
    assert "torch.load" not in message


# Any bytes at all -----------------------------------------------------------------------------


def fault_or_layers(path: Path) -> None:
    with contextlib.suppress(ActcliError):
        assert read_model_file(path).layers


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300))
def test_any_pickle_is_harmless(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "m.pt"
    fault_or_layers(archive(path, content, {"0": SIX.tobytes()}))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_changed_bytes_are_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray((ORACLES / "float32.pt").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("bytes") / "m.pt"
    path.write_bytes(content)
    fault_or_layers(path)


@pytest.mark.slow
def test_a_pickle_of_millions_of_opcodes_is_given_up(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt", program(b"N" * 600_000))
    started = time.process_time()
    assert "its pickle has more than 500,000 opcodes" in fault(path)
    assert time.process_time() - started < 5
    path = archive(tmp_path / "m.pt", program(b"N" * 22_000_000))
    assert "its pickle has 22,000,003 bytes. At most 20,000,000 are read" in fault(path)
