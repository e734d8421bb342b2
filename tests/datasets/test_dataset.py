"""Splits, normalisation and batches: on MNIST itself and on sets small enough to check by hand."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from actcli.datasets import catalogue, dataset, download, idx
from actcli.datasets.batches import NORMALIZATIONS, Batches, Normalization, Split
from actcli.datasets.dataset import Dataset
from actcli.errors import DataError, UsageError
from actcli.registry import declared_names

MNIST = Path(__file__).parents[2] / "data" / "mnist"
RNG_SEED = 7


@pytest.fixture(autouse=True)
def bundled(tmp_path, monkeypatch):
    """Only the bundled data are found, whatever this machine holds."""
    monkeypatch.delenv("ACTCLI_DATA_DIR", raising=False)
    monkeypatch.setattr(catalogue.platformdirs, "user_cache_dir", lambda *_, **__: tmp_path / "hid")
    monkeypatch.setattr(catalogue, "SHARED_FOLDER", tmp_path / "shared")


@pytest.fixture(scope="module")
def mnist() -> Dataset:
    return dataset.load_dataset(str(MNIST), normalize="standard")


def write_folder(folder: Path, **changed: NDArray[np.uint8]) -> str:
    """Six training and two test images of 2 x 2, of the classes 3 and 8."""
    arrays = {
        "train-images-idx3-ubyte": np.arange(24, dtype=np.uint8).reshape(6, 2, 2),
        "train-labels-idx1-ubyte": np.array([3, 8, 8, 3, 8, 3], np.uint8),
        "t10k-images-idx3-ubyte": np.arange(8, dtype=np.uint8).reshape(2, 2, 2),
        "t10k-labels-idx1-ubyte": np.array([8, 3], np.uint8),
    }
    names = dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays, strict=True))
    for name, array in (arrays | {names[key]: array for key, array in changed.items()}).items():
        idx.write_idx(folder / name, array)
    return str(folder)


def write_npz(folder: Path, **changed: NDArray[Any]) -> str:
    arrays = {
        "x_train": np.arange(24.0).reshape(6, 4),
        "y_train": np.array([30, -1, -1, 30, 500, 500]),
        "x_test": np.arange(8.0).reshape(2, 4),
        "y_test": np.array([500, -1]),
    }
    np.savez(folder / "mine.npz", **(arrays | changed))
    return str(folder / "mine.npz")


def split(pixels: NDArray[Any], rows: list[int] | None = None) -> Split:
    chosen = np.arange(len(pixels)) if rows is None else np.array(rows, np.intp)
    return Split(pixels, chosen % 3, chosen)


# Loading.


def test_mnist(mnist):
    named = dataset.load_dataset("mnist")
    assert named.name == "mnist"
    for data in (mnist, named):
        assert data.classes == tuple("0123456789")
        assert data.shape == (28, 28)
        assert data.inputs == 784
        assert (len(data.train), len(data.validation), len(data.test)) == (55_000, 5_000, 10_000)
        assert data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
        assert data.train.pixels is data.validation.pixels
        assert data.train.pixels.dtype == np.uint8
    np.testing.assert_array_equal(named.train.rows, mnist.train.rows)


def test_a_named_set_has_its_class_names(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTCLI_DATA_DIR", str(tmp_path))
    (tmp_path / "fashion-mnist").mkdir()
    write_folder(tmp_path / "fashion-mnist")
    assert dataset.load_dataset("fashion-mnist", validation=0).classes == ("Dress", "Bag")
    picked = dataset.load_dataset("fashion-mnist", validation=0, classes=("8", "Dress"))
    assert picked.classes == ("Bag", "Dress")
    with pytest.raises(UsageError, match=r"no class 'bag'. Did you mean 'Bag'\?"):
        dataset.load_dataset("fashion-mnist", validation=0, classes=("bag", "3"))


def test_a_named_set_that_is_nowhere_is_downloaded(tmp_path, monkeypatch):
    calls = []

    def fetch(name: str, progress: download.Progress) -> Path:
        progress(name, 1, 2)
        return Path(write_folder(tmp_path))

    monkeypatch.setattr(dataset, "fetch", fetch)
    data = dataset.load_dataset("kmnist", validation=0, progress=lambda *args: calls.append(args))
    assert data.classes == ("つ", "れ")
    assert calls == [("kmnist", 1, 2)]


def test_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    write_folder(tmp_path / "digits")
    data = dataset.load_dataset("digits", validation=2)
    assert (data.name, data.classes, data.shape, data.inputs) == ("digits", ("3", "8"), (2, 2), 4)
    rows = np.concatenate([data.train.rows, data.validation.rows])
    assert sorted(rows.tolist()) == list(range(6))
    assert data.test.labels.tolist() == [1, 0]


def test_an_npz(tmp_path):
    data = dataset.load_dataset(write_npz(tmp_path), validation=0)
    assert (data.name, data.classes, data.shape) == ("mine", ("-1", "30", "500"), (4,))
    assert data.train.labels.tolist() == [1, 0, 0, 1, 2, 2]
    assert data.test.labels.tolist() == [2, 0]
    assert data.train.pixels.dtype == np.float32
    assert len(data.validation) == 0


def test_a_thousand_classes(tmp_path):
    labels = np.arange(2000) % 1000
    x = np.zeros((2000, 1))
    source = write_npz(tmp_path, x_train=x, y_train=labels, x_test=x, y_test=labels)
    data = dataset.load_dataset(source, validation=100)
    assert data.classes[999] == "999"


@pytest.mark.parametrize(
    ("rows", "held_out"), [(6, 1), (600, 100), (9_999, 1_666), (10_000, 5_000)]
)
def test_the_default_validation_split(tmp_path, rows, held_out):
    x = np.zeros((rows, 1), np.uint8)
    y = np.arange(rows) % 2
    data = dataset.load_dataset(write_npz(tmp_path, x_train=x, y_train=y, x_test=x, y_test=y))
    assert (len(data.train), len(data.validation)) == (rows - held_out, held_out)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("minst", "no data set, folder or file 'minst'. Did you mean 'mnist'"),
        ("fashion_mnist", "Did you mean 'fashion-mnist'"),
        ("/no/such/place", "no data set, folder or file '/no/such/place'. Known: mnist, fashion-"),
        ("", "no data set, folder or file ''"),
        ("nul\0", "no data set"),
    ],
)
def test_unknown_sources(tmp_path, monkeypatch, source, fault):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=fault) as caught:
        dataset.load_dataset(source)
    assert caught.value.hint.endswith("a folder of IDX files; an .npz or a CSV file")


def test_a_name_too_long_for_a_file():
    with pytest.raises(DataError, match="File name too long"):
        dataset.load_dataset("m" * 5000)


def test_an_unknown_normalization(tmp_path):
    with pytest.raises(UsageError, match=r"no normalization 'standrad'\. Did you mean 'standard'"):
        dataset.load_dataset(write_npz(tmp_path), normalize="standrad")


BYTES = np.zeros((3, 2, 2), np.uint8)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"x_test": BYTES}, "t10k-images.* has 3 images, but .*t10k-labels.* has 2 labels"),
        ({"x_train": BYTES[:, 0, 0]}, r"train-images.* holds numbers of shape \(3,\)"),
        ({"y_test": BYTES}, r"t10k-labels.* holds numbers of shape \(3, 2, 2\)"),
    ],
)
def test_files_that_do_not_belong_together(tmp_path, changed, fault):
    with pytest.raises(DataError, match=fault):
        dataset.load_dataset(write_folder(tmp_path, **changed), validation=0)


def test_training_and_test_pixels_of_different_types(tmp_path):
    source = write_npz(tmp_path, x_test=np.zeros((2, 4), np.uint8))
    with pytest.raises(DataError, match=r"pixels of type float32, but .*x_test has uint8"):
        dataset.load_dataset(source, validation=0)


# Classes.


def test_classes_are_picked_in_the_given_order():
    data = dataset.load_dataset("mnist", classes=("8", "3"), validation=1000)
    assert data.classes == ("8", "3")
    # MNIST holds 6,131 threes and 5,851 eights for training, and 1,010 and 974 for testing.
    labels = np.concatenate([data.train.labels, data.validation.labels])
    assert np.bincount(labels).tolist() == [5851, 6131]
    assert np.bincount(data.test.labels).tolist() == [974, 1010]
    truth = idx.read_idx(MNIST / "train-labels-idx1-ubyte.gz")
    np.testing.assert_array_equal(truth[data.train.rows], np.array([8, 3])[data.train.labels])


def test_test_files_without_the_classes(tmp_path):
    source = write_npz(tmp_path, y_test=np.array([30, 30]))
    with pytest.raises(DataError, match="y_test has none of the classes -1, 500"):
        dataset.load_dataset(source, validation=0, classes=("-1", "500"))


# Validation.


def test_the_validation_rows_never_change(mnist):
    """Written down when the rule was made: a change would make old and new runs incomparable."""
    assert mnist.validation.rows[:5].tolist() == [16, 19, 22, 25, 34]
    assert int(mnist.validation.rows.sum()) == 149_590_401


def test_training_and_validation_share_the_rows_out(mnist):
    rows = np.concatenate([mnist.train.rows, mnist.validation.rows])
    np.testing.assert_array_equal(np.sort(rows), np.arange(60_000))
    assert (np.diff(mnist.train.rows) > 0).all()
    assert (np.diff(mnist.validation.rows) > 0).all()
    truth = idx.read_idx(MNIST / "train-labels-idx1-ubyte.gz")
    for part in (mnist.train, mnist.validation):
        np.testing.assert_array_equal(part.labels, truth[part.rows])
    # Picked at random, each class keeps its share: between 9 and 11.2 % in MNIST.
    assert np.bincount(mnist.validation.labels).min() > 400


@pytest.mark.parametrize("count", [-1, 6, 100])
def test_validation_rows_that_there_are_not(tmp_path, count):
    with pytest.raises(UsageError, match=f"validation = {count}: there are 6 training rows"):
        dataset.load_dataset(write_folder(tmp_path), validation=count)


# Normalisation.


def test_the_names_are_read_without_importing():
    names = declared_names("actcli.datasets.batches", "NORMALIZATIONS")
    assert names == tuple(NORMALIZATIONS) == ("standard", "unit", "column", "none")


def test_the_published_mean_and_deviation_of_mnist():
    """0.1307 and 0.3081 of 255, as in PyTorch's MNIST example, over all 60,000 images."""
    fitted = dataset.load_dataset("mnist", validation=0, normalize="standard").normalization
    assert round(fitted.shift / 255, 4) == 0.1307
    assert round(1 / fitted.scale / 255, 4) == 0.3081


def test_standard_is_exact_for_bytes_of_the_training_rows_only(mnist):
    counts = np.bincount(mnist.train.pixels[mnist.train.rows].reshape(-1), minlength=256).tolist()
    number = sum(counts)
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value**2 * count for value, count in enumerate(counts))
    fitted = mnist.normalization
    assert fitted.shift == total / number
    assert fitted.scale == pytest.approx(number / (number * squares - total**2) ** 0.5, rel=1e-15)


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.float32]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=20),
        elements=st.integers(0, 255),
    )
)
def test_what_the_normalizations_promise(pixels):
    part = split(pixels)
    inputs = {}
    for name, normalization in NORMALIZATIONS.items():
        fitted = normalization(part)
        assert fitted.method == name
        inputs[name] = np.empty(pixels.shape)
        fitted.apply(pixels, inputs[name])
    np.testing.assert_array_equal(inputs["none"], pixels)
    assert abs(inputs["standard"].mean()) < 1e-9
    assert inputs["standard"].std() == pytest.approx(1.0 if np.ptp(pixels) else 0.0)
    assert inputs["unit"].min() >= 0
    assert inputs["unit"].max() <= 1 + 1e-15
    if pixels.dtype == np.uint8:
        np.testing.assert_allclose(inputs["unit"], pixels / 255, rtol=1e-15)
    elif np.ptp(pixels):
        assert (inputs["unit"].min(), inputs["unit"].max()) == pytest.approx((0, 1))


@pytest.mark.parametrize("value", [0.0, 0.1, -7e20, 1e-45])
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_pixels_that_are_all_alike_stay_finite(name, value):
    pixels = np.full((1000, 3), value, np.float32)
    fitted = NORMALIZATIONS[name](split(pixels))
    out = np.empty_like(pixels)
    fitted.apply(pixels, out)
    assert np.isfinite(out).all()
    assert fitted.scale == ((1.0,) * 3 if name == "column" else 1.0)


def test_each_column_of_a_table_gets_mean_0_and_deviation_1():
    rng = np.random.default_rng(RNG_SEED)
    pixels = (rng.normal(size=(1000, 3)) * [300, 0.01, 0] + [1e3, 0, 7]).astype(np.float32)
    fitted = NORMALIZATIONS["column"](split(pixels, list(range(0, 1000, 2))))
    out = np.empty_like(pixels)
    fitted.apply(pixels, out)
    np.testing.assert_allclose(out[::2].mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(out[::2].std(axis=0), [1, 1, 0], atol=1e-4)
    # A part of the rows, as a worker loads them, and bytes.
    batches = Batches(split(pixels, [4, 5, 6]), fitted, 3)
    ((rows, _),) = batches()
    np.testing.assert_array_equal(rows, out[4:7])


def test_statistics_of_many_rows_come_in_pieces():
    pixels = np.random.default_rng(RNG_SEED).normal(5, 3, (1000, 7)).astype(np.float32)
    fitted = NORMALIZATIONS["standard"](split(pixels, list(range(0, 1000, 2))))
    chosen = pixels[::2].astype(np.float64)
    assert fitted.shift == pytest.approx(chosen.mean(), rel=1e-12)
    assert 1 / fitted.scale == pytest.approx(chosen.std(), rel=1e-12)
    low = NORMALIZATIONS["unit"](split(pixels, list(range(0, 1000, 2))))
    assert (low.shift, 1 / low.scale) == pytest.approx((chosen.min(), np.ptp(chosen)))


# Batches.

PIXELS = np.arange(40, dtype=np.uint8).reshape(10, 4)
SHIFTED = Normalization("standard", 1.0, 0.5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_in_order(dtype):
    batches = Batches(split(PIXELS, [0, 3, 4, 8, 9]), SHIFTED, 2, dtype)
    got = [(x.copy(), labels) for x, labels in batches()]
    assert len(batches) == len(got) == 3
    assert [len(x) for x, _ in got] == [2, 2, 1]
    x = np.concatenate([x for x, _ in got])
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, (PIXELS[[0, 3, 4, 8, 9]] - 1.0) / 2)
    assert np.concatenate([labels for _, labels in got]).tolist() == [0, 0, 1, 2, 0]


def test_shuffled_batches_hold_each_row_once_with_its_label():
    batches = Batches(split(PIXELS), Normalization("none", 0.0, 1.0), 3)

    def order(rng: np.random.Generator) -> list[int]:
        seen = []
        for x, labels in batches(rng):
            rows = (x[:, 0] / 4).astype(int)
            assert (labels == rows % 3).all()
            seen += rows.tolist()
        return seen

    rng = np.random.default_rng(RNG_SEED)
    first, second = order(rng), order(rng)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert order(np.random.default_rng(RNG_SEED)) == first


def test_an_empty_split_has_no_batches():
    batches = Batches(split(PIXELS, []), SHIFTED, 3)
    assert len(batches) == 0
    assert list(batches()) == []


def test_a_batch_holds_at_least_one_row():
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        Batches(split(PIXELS), SHIFTED, 0)


def test_an_epoch_allocates_next_to_nothing(mnist):
    batches = Batches(mnist.train, mnist.normalization, 128)
    tracemalloc.start()
    try:
        first, _ = next(batches())
        for x, _ in batches(np.random.default_rng(RNG_SEED)):
            assert np.shares_memory(x, first)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The order of the epoch: 55,000 numbers of 8 bytes, as permutation, rows and labels.
    assert peak < 4 * 55_000 * 8
