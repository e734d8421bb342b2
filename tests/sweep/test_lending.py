"""What is lent to processes: there once, the same for all, and not to be changed."""

import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from actcli.datasets.dataset import Raw, read
from actcli.errors import ActcliError
from actcli.sweep.engine import Processes
from actcli.sweep.lending import Lent

Blobs = Callable[..., Path]
GIVEN: dict[str, Raw] = {}


def take(value: dict[str, Raw]) -> None:
    GIVEN.update(value)


def given() -> dict[str, Raw]:
    return GIVEN


def arrays(raw: Raw) -> list[Any]:
    return [each for part in (raw.train, raw.test) for each in (part.x, part.y)]


def is_mapped(array: Any) -> bool:
    """Whether an array lies in a file that is read only."""
    start = array.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, mode, *_ = line.split()
        low, high = (int(each, 16) for each in span.split("-"))
        if low <= start < high:
            return mode == "r--s" and not array.flags.writeable
    return False


def all_mapped() -> list[bool]:
    return [is_mapped(array) for raw in GIVEN.values() for array in arrays(raw)]


@pytest.mark.parametrize("in_memory", [True, False])
def test_they_arrive_as_they_are_and_are_not_copied(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    data = {
        "bytes": read(str(blobs())),
        "floats": read(str(blobs(x_train=np.linspace(0, 1, 3600).reshape(300, 3, 4)))),
    }
    lent, context = Lent(data), get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=take, initargs=(lent,)) as executor:
        mapped = executor.submit(all_mapped).result()
        received = executor.submit(given).result()
    lent.close()
    assert mapped == [True] * 8
    assert list(received) == list(data)
    for name, raw in data.items():
        assert (received[name].name, received[name].known) == (raw.name, raw.known)
        assert received[name].test.x_name == raw.test.x_name
        for ours, theirs in zip(arrays(received[name]), arrays(raw), strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)


def test_no_room_for_the_data_is_told(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is full, or allows no file of this size."""
    data = read(str(blobs(inputs=99)))
    monkeypatch.delattr(os, "memfd_create")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        engine = Processes(1, {"data": data}).start(SimpleQueue())
        with pytest.raises(ActcliError, match="no room for the data of the sweep: File too large"):
            engine.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
