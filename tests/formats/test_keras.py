"""Files of Keras 2 and 3: those that Keras wrote, other models, and files that lie."""

import contextlib
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actcli.errors import ActcliError, DataError
from actcli.model import read_model_file

ORACLES = Path(__file__).parents[1] / "oracles" / "keras_models"
EXPECTED: dict[str, Any] = {}
CASES: dict[str, list[Any]] = {}
for version in ("keras2", "keras3"):
    with np.load(ORACLES / f"{version}.npz") as file:
        CASES |= json.loads(str(file["cases"]))
        EXPECTED |= {name: file[name] for name in file.files if name.startswith("outputs/")}
        EXPECTED |= {f"inputs/{name}": file["inputs"] for name in json.loads(str(file["cases"]))}

KERNEL, BIAS = np.arange(12, dtype="f4").reshape(4, 3), np.ones(3, "f4")


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_model_file(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def dense(**config: Any) -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": "d", "activation": "linear", **config}}


def sequential(*layers: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"layers": list(layers)}}


@contextlib.contextmanager
def hdf5(path: Path, model: Any = None) -> Iterator[h5py.Group]:
    """Write the configuration of a model, and yield the group of its layer d."""
    with h5py.File(path, "w") as file:
        model = sequential(dense()) if model is None else model
        file.attrs["model_config"] = model if isinstance(model, str) else json.dumps(model)
        group = file.create_group("model_weights/d")
        group.attrs["weight_names"] = ["kernel", "bias"]
        yield group


# Files of Keras -------------------------------------------------------------------------------


def test_outputs_are_those_of_keras() -> None:
    deviations = {}
    for name, (activations, output, loss) in CASES.items():
        model = read_model_file(ORACLES / name).model()
        assert model.network.activation_names == tuple(activations), name
        assert (model.loss.output, model.loss_name) == (output, loss), name
        logits = model.logits(EXPECTED[f"inputs/{name}"].astype(np.float32))
        outputs = EXPECTED[f"outputs/{name}"]
        is_probability = outputs.min() >= 0 and outputs.max() <= 1
        found = model.outputs(logits)[0] if is_probability else logits
        deviations[name] = float(np.abs(found - outputs).max())
    assert len(deviations) >= 30
    assert {name: each for name, each in deviations.items() if not each < 1e-5} == {}


def test_what_the_file_says_and_what_was_folded() -> None:
    file = read_model_file(ORACLES / "keras3_functional.keras")
    assert (file.framework, file.description["loss"]) == ("Keras", "cross-entropy")
    assert file.notes[0].startswith("The batch normalization 'batch_normalization' is folded into")
    rescaled = read_model_file(ORACLES / "keras3_rescaled.keras")
    described = rescaled.description["normalization"]
    assert (described["shift"], 1 / described["scale"]) == pytest.approx((127.5, 127.5))


@pytest.mark.parametrize("version", ["keras2", "keras3"])
def test_models_that_are_no_perceptrons(version: str) -> None:
    assert "takes the outputs of 'input_" in fault(ORACLES / f"{version}_refused_branched.keras")
    assert "is a 'Conv2D'. Expected" in fault(ORACLES / f"{version}_refused_convolution.keras")
    message = fault(ORACLES / f"{version}_refused.weights.h5")
    assert "holds no configuration of a model" in message
    assert message.endswith("model.save('model.keras')")


def test_without_h5py_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    for name in ("keras3_sequential.keras", "keras3_sequential.h5"):
        with pytest.raises(ActcliError) as caught:
            read_model_file(ORACLES / name)
        assert "files of Keras need h5py. Install it: pip install 'actcli[keras]'" in str(
            caught.value
        )


# Configurations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("{", "model_config is not JSON"),
        ("[1]", "model_config is not a JSON object"),
        ("[" * 100_000, "model_config is not JSON: it is nested too deeply"),
        ({"class_name": "Net", "config": {}}, "a model of the class 'Net', whose layers are in"),
        (sequential(3), "a layer of its configuration is 3"),
        (sequential(), "holds no linear layer"),
        (sequential(sequential(dense())), "layer '' is a 'Sequential'. Expected a multilayer"),
        (sequential(dense(activation="os.system")), "layer 'd' has the activation 'os.system'"),
        (sequential(dense(activation="relu")), "the activation 'relu' at 'd' does not fit there"),
        (sequential(dense(use_bias=False)), "layer 'd' has 2 variables; expected 1"),
        (sequential(dense(name="e")), "'e' is missing or lies in another file"),
        (
            sequential(dense(), {"class_name": "LeakyReLU", "config": {"negative_slope": [0.3]}}),
            "layer '' is a LeakyReLU with {'negative_slope': [0.3]}. Known: ReLU with",
        ),
        (
            sequential({"class_name": "Rescaling", "config": {"scale": [1, 2]}}, dense()),
            "layer '' is a Rescaling by [1, 2] and 0.0. Known: one number",
        ),
        (
            sequential(dense(), {"class_name": "BatchNormalization", "config": {"axis": 2}}),
            "layer '' acts on the axis 2",
        ),
    ],
)
def test_configurations_that_are_refused(tmp_path: Path, model: Any, expected: str) -> None:
    with hdf5(tmp_path / "m.h5", model) as group:
        group["kernel"], group["bias"] = KERNEL, BIAS
    assert expected in fault(tmp_path / "m.h5")


# Files that lie -------------------------------------------------------------------------------


def test_a_file_made_by_hand_is_read(tmp_path: Path) -> None:
    with hdf5(tmp_path / "m.h5") as group:
        group["kernel"], group["bias"] = KERNEL, BIAS
    np.testing.assert_array_equal(read_model_file(tmp_path / "m.h5").layers[0][0], KERNEL.T)


def test_no_other_file_is_opened_and_nothing_is_unpacked(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["kernel"] = KERNEL
    (tmp_path / "raw").write_bytes(KERNEL.tobytes())
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "kernel", (4, 3))
    makers: dict[str, Any] = {
        "'d/kernel' is missing or lies in another file": lambda group: group.update(
            kernel=h5py.ExternalLink(str(tmp_path / "other.h5"), "kernel")
        ),
        "'model_weights/d/kernel' are in another file": lambda group: group.create_dataset(
            "kernel", (4, 3), "f4", external=[(str(tmp_path / "raw"), 0, 48)]
        ),
        "the numbers of 'model_weights/d/kernel' are": lambda group: group.create_virtual_dataset(
            "kernel", layout
        ),
        "has 4,000,000,000,000 bytes, but the file stores 0": lambda group: group.create_dataset(
            "kernel", (10**6, 10**6), "f4"
        ),
        "Arrays that are compressed or lack numbers": lambda group: group.create_dataset(
            "kernel", data=np.zeros((500, 500), "f4"), compression="gzip"
        ),
        "is of type int32. Known: float64": lambda group: group.create_dataset(
            "kernel", data=KERNEL.astype("i4")
        ),
        "is not an array": lambda group: group.create_group("kernel"),
    }
    for expected, make in makers.items():
        with hdf5(tmp_path / "m.h5") as group:
            make(group)
            group["bias"] = BIAS
        assert expected.removeprefix("'d/") in fault(tmp_path / "m.h5")


def test_archives_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(ORACLES / "keras3_sequential.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def write(**changed: bytes) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, changed.get(name.partition(".")[0], content))
        return path

    assert read_model_file(write()).sizes == (6, 5, 5, 3)  # packed once more
    assert "config.json is not JSON" in fault(write(config=b"{"))
    assert "config.json has 10,000,001 bytes. At most" in fault(write(config=b" " * 10_000_001))
    assert "is not an HDF5 file, or is damaged" in fault(write(model=b"\x89HDF\r\n\x1a\n"))
    swapped = members["config.json"].replace(b'"zeta"', b'"other"')
    assert "the variables of layer 'other' are those of 'zeta'" in fault(write(config=swapped))
    path.write_bytes(path.read_bytes()[:-1000])
    assert "m.keras is not a .keras file, or is damaged" in fault(path)


# Any bytes at all -----------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_changed_bytes_are_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray((ORACLES / "keras3_float16.h5").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("bytes") / "m.h5"
    path.write_bytes(content)
    with contextlib.suppress(ActcliError):
        assert read_model_file(path).layers
