"""What is lent to processes: there once, the same for all, and not to be changed."""

import os
import resource
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from actcli.datasets.dataset import Raw, read
from actcli.errors import ActcliError
from actcli.sweep.processes import Processes

Blobs = Callable[..., Path]
# To be asked of a process of a sweep, which knows no module of these tests.
DATA = "dict(__import__('actcli.sweep.work', fromlist=['work']).WORKERS[{token!r}].data)"
ARRAYS = "for raw in {data}.values() for part in (raw.train, raw.test) for each in (part.x, part.y)"
PLACES = "[(each.__array_interface__['data'][0], each.flags.writeable) {arrays}]"
MAPS = "open('/proc/self/maps').read()"


def arrays(raw: Raw) -> list[Any]:
    return [each for part in (raw.train, raw.test) for each in (part.x, part.y)]


def mode_at(address: int, maps: str) -> str:
    """How the memory is mapped there."""
    for line in maps.splitlines():
        span, mode, *_ = line.split()
        low, high = (int(each, 16) for each in span.split("-"))
        if low <= address < high:
            return mode
    return ""


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
    with closing(Processes(1)) as engine, engine.start(SimpleQueue()) as executor:
        question = DATA.format(token=engine.token)
        places = PLACES.format(arrays=ARRAYS.format(data=question))
        engine.give(data)  # while the process starts, or after it has
        received = executor.submit(eval, question).result()
        found = executor.submit(eval, places).result()
        maps = executor.submit(eval, MAPS).result()
    assert [(mode_at(address, maps), can) for address, can in found] == [("r--s", False)] * 8
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
        told = "no room for the data of the sweep: File too large"
        with closing(Processes(1)) as engine, pytest.raises(ActcliError, match=told):
            engine.give({"data": data})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
