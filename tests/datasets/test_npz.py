"""A user's `.npz`: what is accepted, and each fault with the file and the array that has it."""

import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from actcli.datasets import npz
from actcli.errors import DataError

GOOD = {
    "x_train": np.arange(24, dtype=np.uint8).reshape(6, 4),
    "y_train": np.array([0, 1, 0, 1, 0, 1]),
    "x_test": np.arange(8, dtype=np.uint8).reshape(2, 4),
    "y_test": np.array([1, 0]),
}


def save(folder: Path, **changed: NDArray[Any]) -> Path:
    path = folder / "set.npz"
    np.savez(path, **(GOOD | changed))
    return path


def npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def with_member(folder: Path, content: bytes, kind: int = zipfile.ZIP_STORED) -> Path:
    """A good file whose x_train is these bytes."""
    path = folder / "set.npz"
    with zipfile.ZipFile(path, "w", kind) as archive:
        for key, array in GOOD.items():
            archive.writestr(f"{key}.npy", content if key == "x_train" else npy(array))
    return path


@pytest.mark.parametrize("save_with", [np.savez, np.savez_compressed])
def test_bytes_stay_as_they_are(tmp_path, save_with):
    path = tmp_path / "set.npz"
    save_with(path, **GOOD, remark=np.array("more arrays do no harm"))
    raw = npz.read_npz(path)
    for part, examples in (("train", raw.train), ("test", raw.test)):
        assert examples.x.dtype == np.uint8
        np.testing.assert_array_equal(examples.x, GOOD[f"x_{part}"])
        np.testing.assert_array_equal(examples.y, GOOD[f"y_{part}"])
        assert examples.x_name == f"{path}: x_{part}"
        assert examples.y_name == f"{path}: y_{part}"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float16, np.float32),
        (np.float32, np.float32),
        (">f4", np.float32),
        (np.float64, np.float32),
        (np.int64, np.uint8),
        (">i2", np.uint8),
        (np.uint16, np.uint8),
        (np.bool_, np.uint8),
    ],
)
def test_pixels_of_other_types(tmp_path, given, kept):
    x = np.asfortranarray(GOOD["x_train"].reshape(6, 2, 2).astype(given))
    train = npz.read_npz(save(tmp_path, x_train=x)).train
    assert train.x.dtype == kept
    assert train.x.flags.c_contiguous
    np.testing.assert_array_equal(train.x, x)


@pytest.mark.parametrize(
    "labels",
    [np.array([-3, 1000] * 3, ">i8"), np.array([3.0, 7.0] * 3), np.array([True, False] * 3)],
)
def test_labels_are_any_whole_numbers(tmp_path, labels):
    train = npz.read_npz(save(tmp_path, y_train=labels)).train
    assert train.y.dtype == np.int64
    np.testing.assert_array_equal(train.y, labels)


def pixels(value: float, dtype: type = np.float64) -> NDArray[Any]:
    x = np.zeros((6, 4), dtype)
    x[4, 3] = value
    return x


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"x_test": pixels(np.nan).reshape(6, 2, 2)}, "x_test: nan at row 4, column 3"),
        ({"x_train": pixels(-1, np.int8)}, "x_train holds whole numbers from -1 to 0"),
        ({"x_train": pixels(1, np.complex64)}, "x_train holds complex64"),
        ({"x_train": np.zeros(6, [("\x1b[2J", "f4")])}, "x_train holds records"),
        ({"x_train": np.zeros(6, [("a", "O")])}, "x_train holds Python objects"),
        ({"x_train": np.zeros((2, 3, 4, 5))}, "x_train has the shape"),
        ({"x_test": np.zeros((4, 0))}, "x_test is empty"),
        ({"y_train": np.array([0.0, np.nan])}, "y_train: nan at row 1"),
        ({"y_train": np.array([0.0, 1e30])}, r"y_train: 1e\+30 at row 1"),
        ({"y_test": np.array([[1], [0]])}, "Flatten it"),
        ({"y_test": np.eye(2, dtype=int)}, r"argmax\(axis=1\) undoes a one-hot"),
        ({"y_test": np.array(None)}, "y_test holds Python objects"),
    ],
)
def test_faults_of_arrays(tmp_path, changed, fault):
    path = save(tmp_path, **changed)
    with pytest.raises(DataError, match=fault) as caught:
        npz.read_npz(path)
    assert caught.value.message.startswith(f"{path}: ")


def test_pickles_are_not_run(tmp_path):
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (tmp_path / "run").touch, ()

    array = np.empty((6, 4), object)
    array[:] = Trap()
    with pytest.raises(DataError, match="Python objects"):
        npz.read_npz(with_member(tmp_path, npy(array)))
    with pytest.raises(DataError, match="x_train cannot be read"):
        npz.read_npz(with_member(tmp_path, pickle.dumps(Trap())))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"is not an \.npz file"):
        npz.read_npz(tmp_path / "pickle.npz")
    assert not (tmp_path / "run").exists()


def announcing(shape: str) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(24)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (announcing("(6, 5)"), "is truncated: its header announces uint8"),
        (announcing("(10**9, 784)"), "cannot be read"),
        (announcing("(1000000000, 784)"), "is truncated"),
        (announcing("(-6, -4)"), "cannot be read"),
        (announcing("'six'"), "cannot be read"),
        (announcing(f"({10**30}, 0)"), "cannot be read: Python int too large"),
        (announcing(f"({'1,' * 99})"), "cannot be read: maximum supported dimension"),
        (announcing("(6, 4"), "cannot be read"),
        (b"", "cannot be read"),
        (b"\x93NUMPY\x09\x00" + bytes(100), "cannot be read"),
        (npy(GOOD["x_train"])[:-1], "is truncated"),
    ],
)
def test_bad_headers(tmp_path, content, fault):
    with pytest.raises(DataError, match=f"x_train {fault}"):
        npz.read_npz(with_member(tmp_path, content))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    """The directory says that a few bytes unpack to gigabytes, and so does the array's header."""
    content = bytearray(with_member(tmp_path, announcing("(3000000000, 1)")).read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (3_000_000_000).to_bytes(4, "little")
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError, match="x_train is truncated"):
        npz.read_npz(tmp_path / "set.npz")


def test_a_zip_of_an_unknown_version(tmp_path):
    content = bytearray(save(tmp_path).read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 254
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"damaged: zip file version 25\.4"):
        npz.read_npz(tmp_path / "set.npz")


def test_places_that_are_not_npz_files(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*absent: No such file"):
        npz.read_npz(tmp_path / "absent")
    with pytest.raises(DataError, match=r"cannot read .*: Is a directory"):
        npz.read_npz(tmp_path)
    np.save(tmp_path / "array.npy", GOOD["x_train"])
    with pytest.raises(DataError, match=r"array.npy is not an \.npz file"):
        npz.read_npz(tmp_path / "array.npy")


@given(st.data())
def test_any_flipped_byte_is_harmless(tmp_path_factory, data):
    """Damage anywhere gives a data error, or arrays of the right kind; never another exception."""
    folder = tmp_path_factory.mktemp("npz")
    path = save(folder)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with warnings.catch_warnings():
        # NumPy warns when it reads a header that Python 2 may have written.
        warnings.simplefilter("ignore", UserWarning)
        try:
            raw = npz.read_npz(path)
        except DataError:
            return
    assert raw.train.x.dtype in (np.uint8, np.float32)
    assert raw.test.y.dtype == np.int64
