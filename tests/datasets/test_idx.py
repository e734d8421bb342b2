"""The IDX format: round trips, MNIST itself, and the faults that no command test provokes."""

import functools
import gzip
import hashlib
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from actcli import files
from actcli.datasets import idx
from actcli.errors import ActcliError, DataError

pack = functools.partial(gzip.compress, mtime=0)  # the same bytes at any time

MNIST = Path(__file__).parents[2] / "data" / "mnist"
IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
RAW = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, *range(24)])


def header(*shape: int, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


def save(folder: Path, content: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_reads_the_bytes_of_the_format(tmp_path):
    array = idx.read_idx(save(tmp_path, RAW))
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, IMAGES)


def test_gzip_shows_in_the_content_and_not_in_the_name(tmp_path):
    np.testing.assert_array_equal(idx.read_idx(save(tmp_path, pack(RAW), "plain")), IMAGES)
    np.testing.assert_array_equal(idx.read_idx(save(tmp_path, RAW, "plain.gz")), IMAGES)


def test_gzip_of_several_members_is_one_file(tmp_path):
    packed = pack(RAW[:10]) + pack(RAW[10:])
    np.testing.assert_array_equal(idx.read_idx(save(tmp_path, packed)), IMAGES)


def test_mnist():
    images = idx.read_idx(MNIST / "t10k-images-idx3-ubyte.gz")
    labels = idx.read_idx(MNIST / "t10k-labels-idx1-ubyte.gz")
    assert images.shape == (10_000, 28, 28)
    # The first test image is the 7 that every tutorial shows; the counts are those of MNIST.
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(labels).tolist() == counts


@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_write(tmp_path, name):
    path = tmp_path / name
    idx.write_idx(path, np.asfortranarray(IMAGES))
    content = path.read_bytes()
    assert (gzip.decompress(content) if name.endswith("gz") else content) == RAW
    idx.write_idx(path, np.repeat(IMAGES, 2, axis=1)[:, ::2])
    assert path.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [name]


@given(hnp.arrays(np.uint8, hnp.array_shapes(max_dims=4, max_side=5)), st.sampled_from(["", ".gz"]))
def test_round_trip(tmp_path_factory, array, suffix):
    path = tmp_path_factory.mktemp("idx") / f"file{suffix}"
    idx.write_idx(path, array)
    np.testing.assert_array_equal(idx.read_idx(path), array)
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    raw = header + array.tobytes()
    assert idx.raw_sha256(path, max_bytes=len(raw)) == hashlib.sha256(raw).hexdigest()
    with pytest.raises(DataError, match="too long"):
        idx.raw_sha256(path, max_bytes=len(raw) - 1)


@pytest.mark.parametrize(
    "array", [np.zeros(3), np.zeros((0, 3), np.uint8), np.zeros((), np.uint8)], ids=str
)
def test_what_cannot_be_written_is_refused(tmp_path, array):
    with pytest.raises(ValueError, match="cannot hold"):
        idx.write_idx(tmp_path / "file", array)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = save(tmp_path, b"old")

    def interrupted() -> None:
        with files.replace_atomically(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_unwritable_place_is_named(tmp_path):
    save(tmp_path, b"")
    with pytest.raises(ActcliError, match=r"cannot write .*file/below: Not a directory"):
        idx.write_idx(tmp_path / "file" / "below", IMAGES)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\0\0\x08", "is not an IDX file"),
        (b"\0\0\x08\0", "is not an IDX file"),
        (b"\0\0\x08\xff" + bytes(2000), "is not an IDX file"),
        (RAW[:9], "truncated"),
        (pack(RAW[:-1]), "truncated: .* but 23 follow"),
        (pack(RAW + b"\0"), "too long"),
        (pack(header(2**31, 28, 28)), "more than the file can hold"),
        (pack(RAW)[:5], "truncated: its gzip stream has no end"),
        (pack(RAW) + b"rubbish", "damaged"),
        (pack(RAW)[:10] + b"\xff" * 20, "damaged"),
    ],
)
def test_damaged_files(tmp_path, content, fault):
    path = save(tmp_path, content)
    with pytest.raises(DataError, match=fault) as caught:
        idx.read_idx(path)
    assert str(path) in caught.value.message


def test_places_that_are_not_files(tmp_path):
    with pytest.raises(DataError, match="is not a file"):
        idx.read_idx(tmp_path)
    with pytest.raises(DataError, match=r"cannot read .*absent: No such file"):
        idx.read_idx(tmp_path / "absent")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is not a file"):
        idx.read_idx(tmp_path / "pipe")


def test_a_file_that_may_not_be_read(tmp_path):
    path = save(tmp_path, RAW)
    path.chmod(0)
    before = os.geteuid()
    os.seteuid(before or 65534)  # root may read everything: be nobody for a moment
    try:
        with pytest.raises(DataError, match=r"cannot read .*: Permission denied"):
            idx.read_idx(path)
    finally:
        os.seteuid(before)


@given(
    st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=60).map(lambda tail: RAW[:4] + tail),
        st.binary(max_size=60).map(pack),
        st.tuples(st.integers(0, len(pack(RAW)) - 1), st.integers(0, 255)).map(
            lambda flip: bytes(
                flip[1] if i == flip[0] else byte for i, byte in enumerate(pack(RAW))
            )
        ),
    )
)
def test_any_bytes_are_an_array_or_a_data_error(tmp_path_factory, content):
    path = save(tmp_path_factory.mktemp("idx"), content)
    try:
        array = idx.read_idx(path)
    except DataError:
        return
    raw = gzip.decompress(content) if content.startswith(idx.GZIP_MAGIC) else content
    assert raw == header(*array.shape) + array.tobytes()


def test_a_lying_header_allocates_nothing(tmp_path):
    path = save(tmp_path, pack(header(200_000, 28, 28) + bytes(1000)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="more than the file can hold"):
            idx.read_idx(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_stream_without_end_is_left_after_the_announced_bytes(tmp_path):
    path = save(tmp_path, pack(RAW + bytes(100_000_000), 1))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="too long"):
            idx.read_idx(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_images_are_in_memory_once():
    tracemalloc.start()
    try:
        images = idx.read_idx(MNIST / "train-images-idx3-ubyte.gz")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < images.nbytes + 4_000_000


def test_locate_takes_each_spelling_and_prefers_what_needs_no_unpacking(tmp_path):
    spelt = (
        "train-images-idx3-ubyte.gz",
        "train-labels.idx1-ubyte",
        "t10k-images.idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte",
    )
    for name in (*spelt, "t10k-labels-idx1-ubyte.gz"):
        save(tmp_path, b"", name)
    assert idx.locate_files(tmp_path) == tuple(tmp_path / name for name in spelt)


def test_locate_names_what_is_missing(tmp_path):
    save(tmp_path, b"", "train-images-idx3-ubyte")
    save(tmp_path, b"", "t10k-images-idx3-ubyte")
    fault = "lacks train-labels-idx1-ubyte, t10k-labels-idx1-ubyte"
    with pytest.raises(DataError) as caught:
        idx.locate_files(tmp_path)
    assert caught.value.message.startswith(str(tmp_path))
    assert caught.value.message.endswith(fault)
