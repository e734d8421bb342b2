"""Faulty data sets, given to `actcli train`: the message, and that nothing is left behind."""

import functools
import gzip
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

from actcli.datasets import idx

pack = functools.partial(gzip.compress, mtime=0)  # the same bytes at any time

Refused = Callable[..., str]
LittleMemory = Callable[..., CompletedProcess[str]]

IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = idx.FILE_NAMES
ROWS = 12


def header(*shape: int, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


GOOD = {
    IMAGES: header(ROWS, 2, 2) + bytes(range(4 * ROWS)),
    LABELS: header(ROWS) + bytes([0, 1, 2] * 4),
    TEST_IMAGES: header(3, 2, 2) + bytes(12),
    TEST_LABELS: header(3) + bytes([0, 1, 2]),
}
PACKED = pack(GOOD[IMAGES])


def folder(path: Path, changed: dict[str, bytes]) -> Path:
    """A data set of four files, some of them changed."""
    path.mkdir(parents=True)
    for name, content in (GOOD | changed).items():
        (path / name).write_bytes(content)
    return path


def data_fault(refused: Refused, source: Path, **options: int) -> str:
    return refused("train", "--dataset", str(source), "--epochs", "1", **options)


# IDX ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {IMAGES: b"hello there"},
            f"{IMAGES} is not an IDX file: it starts with 68 65 6c 6c. Allowed: 00 00 08 and",
        ),
        ({LABELS: b""}, f"{LABELS} is not an IDX file: it starts with nothing"),
        (
            {IMAGES: header(3, 2, kind=13)},
            f"{IMAGES} holds IDX numbers of type 0x0d. Only unsigned bytes are read: type 0x08",
        ),
        (
            {IMAGES: GOOD[IMAGES][:-5]},
            f"{IMAGES} is truncated: its header announces 12 x 2 x 2 = 48 bytes, but 43 follow",
        ),
        (
            {TEST_LABELS: GOOD[TEST_LABELS] + b"x"},
            f"{TEST_LABELS} is too long: its header announces 3 = 3 bytes, but more follow",
        ),
        (
            {LABELS: header(9) + bytes([0, 1, 2] * 3)},
            f"{IMAGES} has 12 images, but {{}}/{LABELS} has 9 labels",
        ),
        (
            {IMAGES: header(2**31, 2**31, 4)},
            f"{IMAGES} is truncated: its header announces 2147483648 x 2147483648 x 4 = "
            "18,446,744,073,709,551,616 bytes, which is more than the file can hold",
        ),
        ({IMAGES: header(2**20, 28, 28)}, "bytes, which is more than the file can hold"),
        ({IMAGES: header(0, 2, 2), LABELS: header(0)}, f"{IMAGES} is empty: its header announces"),
        (
            {TEST_LABELS: header(3) + bytes([0, 1, 7])},
            f"{TEST_LABELS}: the label 7 at row 2 is not a class. The classes are the labels in",
        ),
        ({LABELS: header(ROWS) + bytes(ROWS)}, f"{LABELS} holds a single class, 0"),
        ({TEST_IMAGES: header(3, 1, 4) + bytes(12)}, "has images of shape (2, 2), but {}/t10k"),
        ({IMAGES: PACKED[:-8] + bytes(8)}, f"{IMAGES} is damaged: CRC check failed"),
        ({IMAGES: PACKED[:-12]}, f"{IMAGES} is truncated: its gzip stream has no end"),
    ],
)
def test_idx_faults(
    tmp_path: Path, refused: Refused, changed: dict[str, bytes], expected: str
) -> None:
    source = folder(tmp_path / "set", changed)
    message = data_fault(refused, source)
    assert message.startswith(f"{source}/")
    assert expected.replace("{}", str(source)) in message
    assert "\n" not in message


def test_a_folder_in_place_of_a_file(tmp_path: Path, refused: Refused) -> None:
    source = folder(tmp_path / "set", {})
    (source / IMAGES).unlink()
    (source / IMAGES).mkdir()
    expected = (
        f"{source} lacks {IMAGES}; {IMAGES} there is not a file. A data set is the four files"
    )
    assert data_fault(refused, source).startswith(expected)


@pytest.mark.parametrize("changed", [LABELS, TEST_LABELS])
def test_a_label_that_a_named_set_does_not_have(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """Even where it occurs in the training labels, too."""
    labels = {name: bytearray(GOOD[name]) for name in (LABELS, changed)}
    for content in labels.values():
        content[10] = 11
    source = folder(tmp_path / "mnist", {name: bytes(each) for name, each in labels.items()})
    monkeypatch.setenv("ACTCLI_DATA_DIR", str(tmp_path))
    assert refused("train", "--epochs", "1") == (
        f"{source}/{LABELS}: the label 11 at row 2 is not a class. The classes are 0 to 9"
    )
    (source / LABELS).write_bytes(GOOD[LABELS])
    if changed == TEST_LABELS:
        assert f"{TEST_LABELS}: the label 11 at row 2 is not" in refused("train", "--epochs", "1")


def test_gzip_without_end_is_left_after_the_announced_bytes(
    tmp_path: Path, little_memory: LittleMemory
) -> None:
    zeros = pack(bytes(10_000_000), 1)
    endless = pack(GOOD[IMAGES]) + 100 * zeros  # members of one stream: a gigabyte
    source = folder(tmp_path / "set", {IMAGES: endless})
    done = little_memory("train", "--dataset", str(source), most=700_000_000)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is too long: its header announces 12 x 2 x 2 = 48 bytes, but more" in done.stderr


def test_more_images_than_memory_are_refused_before_they_are_read(
    tmp_path: Path, little_memory: LittleMemory
) -> None:
    source = folder(tmp_path / "set", {IMAGES: header(5_000_000, 28, 28)})
    with (source / IMAGES).open("r+b") as file:
        file.truncate(16 + 5_000_000 * 784)  # takes no space on the disk
    done = little_memory("train", "--dataset", str(source), most=2_000_000_000)
    assert (done.returncode, done.stdout) == (1, "")
    expected = f"{source}/{IMAGES} needs 3.92 GB of memory, this process may use 2.00 GB"
    assert done.stderr == f"Error: {expected}\n"


# npz ------------------------------------------------------------------------------------------


def npz(path: Path, **changed: Any) -> Path:
    y = np.arange(ROWS) % 3
    x = np.linspace(0, 1, ROWS * 4).reshape(ROWS, 4)
    arrays = {"x_train": x, "y_train": y, "x_test": x[:3], "y_test": y[:3]} | changed
    np.savez(path, **{name: each for name, each in arrays.items() if each is not None})
    return path


def with_pixel(value: float) -> Any:
    x = np.zeros((ROWS, 4))
    x[7, 3] = value
    return x


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"y_test": None, "x_test": None},
            " lacks x_test, y_test. It holds x_train, y_train; needed are x_train, y_train, x_test",
        ),
        (
            {"x_train": np.array([{}] * ROWS)},
            ": x_train holds Python objects. Pickles are never loaded",
        ),
        ({"y_train": np.array([0, "a", None] * 4, object)}, ": y_train holds Python objects."),
        ({"x_train": with_pixel(np.nan)}, ": x_train: nan at row 7, column 3 is not a finite num"),
        ({"x_train": with_pixel(-np.inf)}, ": x_train: -inf at row 7, column 3 is not a finite"),
        ({"x_train": with_pixel(1e300)}, ": x_train: 1e+300 at row 7, column 3 is beyond float32"),
        ({"x_train": np.full((ROWS, 4), "a")}, ": x_train holds <U1. Allowed: whole numbers from"),
        ({"x_train": np.full((ROWS, 4), 300)}, ": x_train holds whole numbers from 300 to 300. A"),
        ({"x_train": np.zeros(ROWS)}, ": x_train has the shape (12,). Allowed: (N, D) or (N, H,"),
        ({"x_test": np.zeros((3, 5))}, ": x_train has images of shape (4,), but "),
        ({"y_train": np.arange(ROWS) / 2}, ": y_train: 0.5 at row 1 is not a whole number"),
        ({"y_train": np.array(["\x1b[2J"] * ROWS)}, ": y_train holds words, but "),
        ({"y_train": np.arange(ROWS - 1)}, ": x_train has 12 images, but "),
        ({"y_train": np.full(ROWS, 2**64 - 1, np.uint64)}, "at row 0 is not a whole number of 64"),
        ({"y_test": np.array([0, 1, 9])}, ": y_test: the label 9 at row 2 is not a class. The cl"),
        ({"x_train": np.zeros((0, 4)), "y_train": np.zeros(0)}, ": x_train is empty: its shape "),
    ],
)
def test_npz_faults(
    tmp_path: Path, refused: Refused, changed: dict[str, Any], expected: str
) -> None:
    source = npz(tmp_path / "set.npz", **changed)
    message = data_fault(refused, source)
    assert message.startswith(f"{source}{expected}" if expected[0] in " :" else str(source))
    assert expected in message
    assert "\n" not in message
    assert "\x1b" not in message


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x05\x06" + bytes(10)])
def test_what_is_no_npz(tmp_path: Path, refused: Refused, content: bytes) -> None:
    (tmp_path / "set.npz").write_bytes(content)
    expected = f"{tmp_path}/set.npz is not an .npz file, or is damaged: File is not a zip file"
    assert data_fault(refused, tmp_path / "set.npz") == expected


def test_a_truncated_npz(tmp_path: Path, refused: Refused) -> None:
    source = npz(tmp_path / "set.npz")
    source.write_bytes(source.read_bytes()[:-100])
    assert f"{source} is not an .npz file, or is damaged: " in data_fault(refused, source)


def test_names_of_arrays_are_harmless_and_short(tmp_path: Path, refused: Refused) -> None:
    source = tmp_path / "set.npz"
    with zipfile.ZipFile(source, "w") as archive:
        for name in ("\x1b[2J", "a" * 5000, *map(str, range(5000))):
            archive.writestr(name, b"")
    message = data_fault(refused, source)
    assert "It holds \\x1b[2J, aaaa" in message
    assert "\x1b" not in message
    assert len(message) < 1000


def test_an_npz_with_more_arrays_than_a_network_has(tmp_path: Path, refused: Refused) -> None:
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        for number in range(20_001):
            archive.writestr(str(number), b"")
    expected = f"{tmp_path}/set.npz holds 20,001 arrays. At most 20,000"
    assert data_fault(refused, tmp_path / "set.npz") == expected


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_npz_that_is_packed_otherwise(tmp_path: Path, refused: Refused, packing: int) -> None:
    npz(tmp_path / "set.npz")
    with (
        zipfile.ZipFile(tmp_path / "set.npz") as archive,
        zipfile.ZipFile(tmp_path / "new.npz", "w", packing) as new,
    ):
        for name in archive.namelist():
            new.writestr(name, archive.read(name))
    assert data_fault(refused, tmp_path / "new.npz") == (
        f"{tmp_path}/new.npz is packed in a way that NumPy does not use. Allowed: files "
        "of numpy.savez and numpy.savez_compressed"
    )


def test_a_header_that_exhausts_the_parser(tmp_path: Path, refused: Refused) -> None:
    """Python's parser gives up on it with a MemoryError."""
    text = b"-" * 9000 + b"1\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    source = npz(tmp_path / "set.npz", x_train=None)
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("x_train.npy", content)
    expected = f"{source}: x_train does not fit into memory: its header"
    assert data_fault(refused, source) == expected


@pytest.mark.slow
def test_zeros_that_unpack_to_more_than_the_memory(
    tmp_path: Path, little_memory: LittleMemory
) -> None:
    """A million rows of zeros take less than a megabyte on the disk."""
    source = npz(tmp_path / "set.npz", x_train=None)
    with zipfile.ZipFile(source, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        np.lib.format.open_memmap(
            tmp_path / "zeros.npy", "w+", np.uint8, (1_000_000, 784)
        ).flush()  # takes no space on the disk
        archive.write(tmp_path / "zeros.npy", "x_train.npy")
    done = little_memory("train", "--dataset", str(source), most=700_000_000)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {source} needs 784 MB of memory, this process may use 700 MB\n"


def test_an_npz_that_is_a_folder(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "set.npz").mkdir()
    assert f"{tmp_path}/set.npz lacks train-images" in data_fault(refused, tmp_path / "set.npz")


def test_a_path_that_is_not_utf_8(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Latin-1 é: the config.toml of a run could not hold it."""
    latin = tmp_path / "caf\udce9"
    latin.mkdir()
    npz(latin / "set.npz")
    for command in (("train",), ("sweep", "--seeds", "2"), ("diagnose", "--at-init")):
        text = refused(*command, "--dataset", str(latin / "set.npz"), status=2)
        assert "must be UTF-8 text, not '" in text
        monkeypatch.chdir(latin)
        if command != ("diagnose", "--at-init"):
            text = refused(*command, "--dataset", "set.npz", "--epochs", "1", status=2)
            path = ascii(str(latin / "set.npz"))
            assert text.startswith(f"the path of the data set, {path}, is not UTF-8 text. Rename")
        monkeypatch.chdir(tmp_path)


def test_a_data_set_that_is_shown_cannot_drive_the_terminal(tmp_path: Path) -> None:
    """Neither in a table nor in JSON: its name is that of its folder or file."""
    from click.testing import CliRunner

    from actcli.cli import main

    source = folder(tmp_path / "\x1b[31mred", {})
    copy = shutil.copy(npz(tmp_path / "set.npz"), tmp_path / "\x9b31mred.npz")
    for data in (source, copy):
        runs = ("--runs-dir", str(tmp_path / "\x1b[31mruns"))
        chosen = ("--dataset", str(data), "--hidden", "3", "--epochs", "1", *runs)
        for args in (("train", *chosen, "-q"), ("diagnose", *runs), ("diagnose", *runs, "--json")):
            result = CliRunner().invoke(main, args)
            assert result.exit_code == 0
            assert "\x1b" not in result.output
            assert "\x9b" not in result.output
