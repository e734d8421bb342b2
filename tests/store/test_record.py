"""Damaged records of a run: each is an error of one line, found in bounded time and memory.

The files may come from other people, and then hold anything that JSON and the file system allow.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actcli.errors import DataError
from actcli.store.record import (
    MAX_LINE_BYTES,
    RunResult,
    epoch_line,
    read_epochs,
    read_last_epoch,
)

EPOCH = '{{"epoch": {epoch}, "train": {{"loss": {loss}, "accuracy": 0.5}}, "best": {best}}}\n'
RESULT = '{{"status": "finished", "run": {run}, "epochs": {epochs}, "seconds": {seconds}}}\n'

# Each kind of damage, and the number or text in place of a valid value.
NOT_NUMBERS = {
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "beyond the largest number": "1e999",
    "400 digits": "9" * 400,
    "a text": '"0.5"',
    "a truth value": "true",
    "a list": "[0.5]",
}
NOT_JSON = {
    "nested deeply": "[" * 100_000,
    "nested so deeply that Python just reads it": f'{{"epoch": {"[" * 600}{"]" * 600}}}',
    "an object nested deeply": '{"a":' * 100_000,
    "more digits than Python reads": '{"epoch": ' + "9" * 10_000 + "}",
    "not UTF-8": "\udcff",
    "empty": " ",
}


def read_all_epochs(path: Path) -> object:
    return list(read_epochs(path))


READERS = [RunResult.read, read_all_epochs, read_last_epoch]


def epoch(epoch: str = "1", loss: str = "0.5", best: str = "true") -> str:
    return EPOCH.format(epoch=epoch, loss=loss, best=best)


def result(run: str = '"relu"', epochs: str = "3", seconds: str = "1.5") -> str:
    return RESULT.format(run=run, epochs=epochs, seconds=seconds)


def write(path: Path, content: str) -> None:
    path.write_bytes(content.encode("utf-8", "surrogateescape"))


def test_valid_records_are_read(tmp_path: Path) -> None:
    """Control: the templates of the other tests are valid."""
    path = tmp_path / "record"
    write(path, epoch() + epoch("2"))
    assert [record.epoch for record in read_epochs(path)] == [1, 2]
    last = read_last_epoch(path)
    assert last is not None
    assert (last.epoch, last.train.loss, last.best) == (2, 0.5, True)
    write(path, result())
    record = RunResult.read(path)
    assert record is not None
    assert (record.run, record.epochs, record.seconds) == ("relu", 3, 1.5)


@pytest.mark.parametrize("value", NOT_NUMBERS.values(), ids=NOT_NUMBERS)
@pytest.mark.parametrize(
    ("read", "content", "fault"),
    [
        (read_all_epochs, lambda v: epoch(loss=v), ", line 1: 'train.loss' is not a finite number"),
        (
            read_all_epochs,
            lambda v: epoch() + epoch(v),
            ", line 2: 'epoch' is not a whole number of at least 0",
        ),
        (
            read_last_epoch,
            lambda v: epoch(loss=v),
            ", last line: 'train.loss' is not a finite number",
        ),
        (RunResult.read, lambda v: result(seconds=v), ": 'seconds' is not a finite number"),
        (
            RunResult.read,
            lambda v: result(epochs=v),
            ": 'epochs' is not a whole number of at least 0",
        ),
    ],
)
def test_a_field_that_is_not_a_number_is_named(
    read: Callable[[Path], object],
    content: Callable[[str], str],
    fault: str,
    value: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "record"
    write(path, content(value))
    with pytest.raises(DataError, match=f"^{re.escape(f'{path}{fault}')}$"):
        read(path)


@pytest.mark.parametrize(
    ("read", "content", "fault"),
    [
        (read_all_epochs, epoch(best="1"), ", line 1: 'best' is not true or false"),
        (RunResult.read, result(run="7"), ": 'run' is not a text"),
        (RunResult.read, result(seconds='1, "dead": 1.5'), ": 'dead' is not a number from 0 to 1"),
    ],
)
def test_other_fields_of_a_wrong_type_are_named(
    read: Callable[[Path], object], content: str, fault: str, tmp_path: Path
) -> None:
    path = tmp_path / "record"
    write(path, content)
    with pytest.raises(DataError, match=f"^{re.escape(f'{path}{fault}')}$"):
        read(path)


@pytest.mark.parametrize(
    ("lists", "fault"),
    [
        ('"update_ratio": [1, 2]', "'update_ratio' has 2 numbers, not 3"),
        ('"health": {"delta_norm": [], "silent": [0, 0]}', "'health.delta_norm' has 0 numbers, n"),
        ('"health": {"delta_norm": [1, 1, 1], "silent": []}', "'health.silent' has 0 numbers, not"),
    ],
)
def test_a_list_of_another_number_of_layers_is_named(
    lists: str, fault: str, tmp_path: Path
) -> None:
    path = tmp_path / "record"
    write(path, epoch().replace("}\n", f", {lists}}}\n"))
    assert read_last_epoch(path) is not None
    for read in (read_last_epoch, lambda path, layers: list(read_epochs(path, layers))):
        with pytest.raises(DataError, match=re.escape(fault)):
            read(path, 3)


HISTOGRAMS: dict[str, Any] = {
    "scale": [0.5, 1.0],
    "y_range": [None],
    "z": [[0, 7] * 20, [1] * 40],
    "y": [[3] * 40],
    "saturated": [None],
}


def histogram_line(**changes: object) -> str:
    return epoch().replace("}\n", f', "histograms": {json.dumps(HISTOGRAMS | changes)}}}\n')


def test_histograms_of_an_epoch_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "record"
    write(path, epoch() + histogram_line())  # a line of an earlier version has none
    older, newer = read_epochs(path, 2)
    assert older.histograms is None
    assert newer.histograms is not None
    assert json.loads(epoch_line(newer))["histograms"] == HISTOGRAMS
    assert "histograms" not in json.loads(epoch_line(older))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"scale": [1.0, 0]}, "line 1: 'histograms': 'scale' is not above 0 and at most 1e+35"),
        ({"scale": [1.0]}, "line 1: 'histograms': 'scale' is not a list of 2"),
        ({"scale": "1"}, "line 1: 'histograms': 'scale' is not a list"),
        ({"y_range": [[1, 1]]}, "line 1: 'histograms': 'y_range' is not a smaller and a larger nu"),
        ({"y_range": [7]}, "line 1: 'histograms': 'y_range' is not a list"),
        ({"z": [[1] * 40] * 3}, "line 1: 'histograms': 'y' is not a histogram for each layer of z"),
        ({"z": [[1] * 39, [1] * 40]}, "line 1: 'histograms': 'z' is not lists of 40 numbers"),
        ({"y": [[-1] * 40]}, "line 1: 'histograms': 'y' is not a whole number of at least 0"),
        ({"saturated": [1.5]}, "line 1: 'histograms': 'saturated' is not a number from 0 to 1"),
    ],
)
def test_damaged_histograms_are_named(changes: dict[str, Any], fault: str, tmp_path: Path) -> None:
    path = tmp_path / "record"
    write(path, histogram_line(**changes))
    with pytest.raises(DataError, match=re.escape(fault)):
        read_all_epochs(path)


def test_histograms_of_other_bins_or_layers_are_named(tmp_path: Path) -> None:
    path = tmp_path / "record"
    write(path, histogram_line() + histogram_line(scale=[0.5, 2.0]))
    with pytest.raises(DataError, match="line 2: 'histograms' has other bins than the lines befor"):
        read_all_epochs(path)
    with pytest.raises(DataError, match=re.escape("'histograms.scale' has 2 numbers, not 3")):
        read_last_epoch(path, 3)


@pytest.mark.parametrize("content", NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize("read", READERS)
def test_content_that_is_not_json_is_one_line(
    read: Callable[[Path], object], content: str, tmp_path: Path
) -> None:
    path = tmp_path / "record"
    write(path, f"{content}\n")
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))}.* is not JSON$"):
        read(path)


@pytest.mark.parametrize("read", READERS)
def test_a_pipe_or_a_device_is_refused_at_once(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    pipe, device, folder = tmp_path / "pipe", tmp_path / "device", tmp_path / "folder"
    os.mkfifo(pipe)  # opening it would wait for a writer
    device.symlink_to("/dev/zero")  # reading it would not end
    folder.mkdir()
    for path in (pipe, device, folder):
        with pytest.raises(DataError, match=re.escape(str(path))) as caught:
            read(path)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("read", READERS)
def test_a_record_without_an_end_is_refused(read: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "record"
    with path.open("wb") as file:
        file.truncate(1 << 33)  # a sparse file: 8 GiB of zero bytes that take no room on the disk
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b" " * MAX_LINE_BYTES + b"\n")
    with pytest.raises(DataError, match=re.escape(str(path))):
        read(path)
