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

from actcli.datasets.dataset import read
from actcli.errors import ActcliError
from actcli.sweep.engine import Processes
from actcli.sweep.lending import Lent

GIVEN: dict[str, Any] = {}


def take(value: dict[str, Any]) -> None:
    GIVEN.update(value)


def given() -> dict[str, Any]:
    return GIVEN


def is_mapped(name: str) -> bool:
    """Whether an array lies in the file that was lent, and cannot be written to."""
    start = GIVEN[name].__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, mode, *_ = line.split()
        low, high = (int(each, 16) for each in span.split("-"))
        if low <= start < high:
            return mode == "r--s" and not GIVEN[name].flags.writeable
    return False


def ask(lent: Lent[Any], *questions: Any) -> list[Any]:
    """What a process answers that was started with something lent."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=take, initargs=(lent,)) as executor:
        return [executor.submit(*question).result() for question in questions]


@pytest.mark.parametrize("in_memory", [True, False])
def test_it_arrives_as_it_is_and_is_not_copied(
    in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    rng = np.random.default_rng(0)
    value = {
        "pixels": rng.integers(0, 256, (1000, 17)).astype(np.uint8),
        "labels": np.arange(1000),
        "scattered": np.arange(100.0).reshape(10, 10)[::3, ::2],
        "nothing": np.zeros((0, 4), np.float32),
        "text": "é",
    }
    lent = Lent(value)
    received, pixels, labels = ask(lent, (given,), (is_mapped, "pixels"), (is_mapped, "labels"))
    assert pixels
    assert labels
    assert list(received) == list(value)
    for name, expected in value.items():
        np.testing.assert_array_equal(received[name], expected, strict=True)
    lent.close()


def test_what_has_no_arrays_can_be_lent() -> None:
    lent = Lent({"text": [1, 2]})
    assert ask(lent, (given,)) == [{"text": [1, 2]}]
    lent.close()


def test_no_room_for_the_data_is_told(
    blobs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
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
