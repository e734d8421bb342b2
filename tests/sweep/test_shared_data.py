"""Test the data shared with worker processes: in memory once, complete, and read-only."""

import errno
import os
import resource
import signal
from collections.abc import Callable
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from actcli.datasets.dataset import read_dataset
from actcli.datasets.raw import RawDataset, RawSplit
from actcli.errors import ActcliError
from actcli.sweep.processes import Pool, Processes

Blobs = Callable[..., Path]
# Expressions that a worker process evaluates, since it cannot import the modules of these tests.
DATA = "dict(__import__('actcli.sweep.work', fromlist=['work']).WORKERS[{token!r}].data)"
ARRAYS = "for raw in {data}.values() for part in (raw.train, raw.test) for each in (part.x, part.y)"
PLACES = "[(each.__array_interface__['data'][0], each.flags.writeable) {arrays}]"
MAPS = "open('/proc/self/maps').read()"


def arrays(raw: RawDataset) -> list[Any]:
    return [each for part in (raw.train, raw.test) for each in (part.x, part.y)]


def mode_at(address: int, maps: str) -> str:
    """Return the mode in which the memory at an address is mapped, such as r--s."""
    for line in maps.splitlines():
        span, mode, *_ = line.split()
        low, high = (int(each, 16) for each in span.split("-"))
        if low <= address < high:
            return mode
    return ""


@pytest.mark.parametrize("in_memory", [True, False])
def test_data_sets_arrive_unchanged_and_are_not_copied(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    data = {
        ("bytes", "last"): read_dataset(str(blobs())),
        ("floats", "last"): read_dataset(
            str(blobs(x_train=np.linspace(0, 1, 3600).reshape(300, 3, 4)))
        ),
    }
    with closing(Processes(1)) as engine, engine.start(SimpleQueue()) as executor:
        question = DATA.format(token=engine.token)
        places = PLACES.format(arrays=ARRAYS.format(data=question))
        engine.set_data(data)  # while the process starts, or after it has
        received = executor.submit(eval, question).result()
        arrays_there = executor.submit(eval, places).result()
        maps = executor.submit(eval, MAPS).result()
    assert [(mode_at(address, maps), can) for address, can in arrays_there] == [("r--s", False)] * 8
    assert list(received) == list(data)
    for name, raw in data.items():
        assert (received[name].name, received[name].class_names) == (raw.name, raw.class_names)
        assert received[name].test.x_name == raw.test.x_name
        for ours, theirs in zip(arrays(received[name]), arrays(raw), strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)


def test_all_fields_of_a_data_set_arrive() -> None:
    x = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2]
    train = RawSplit(x, np.arange(4), "é", "\udc80")
    test = RawSplit(np.zeros((0, 3), np.uint8), np.zeros(0, np.int64), "x of test", "y of test")
    raw = RawDataset("größe", {0: "é", -1: "\udc80"}, train, test)
    with closing(Processes(1)) as engine, engine.start(SimpleQueue()) as executor:
        engine.set_data({("a", "last"): raw})
        received = executor.submit(eval, DATA.format(token=engine.token)).result()["a", "last"]
    assert (received.name, received.class_names) == (raw.name, raw.class_names)
    for ours, theirs in ((received.train, train), (received.test, test)):
        assert (ours.x_name, ours.y_name) == (theirs.x_name, theirs.y_name)
        np.testing.assert_array_equal(ours.x, theirs.x, strict=True)
        np.testing.assert_array_equal(ours.y, theirs.y, strict=True)


def test_if_the_second_process_cannot_be_started_the_first_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spawn, spawned = Pool._spawn_process, []

    def once(pool: Pool) -> None:
        if spawned:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        spawn(pool)
        spawned.extend(active_children())

    monkeypatch.setattr(Pool, "_spawn_process", once)
    with pytest.raises(ActcliError, match="cannot start a worker process: Resource temporarily"):
        Processes(2)
    assert len(spawned) == 1
    assert not spawned[0].is_alive()


def test_processes_without_a_job_are_stopped_while_they_start() -> None:
    engine = Processes(2)
    children = active_children()
    assert len(children) == 2
    engine.close()
    assert [child.exitcode for child in children] == [-signal.SIGKILL] * 2


def test_too_little_memory_for_the_data_is_reported(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full, or does not allow a file of this size."""
    data = read_dataset(str(blobs(inputs=99)))
    monkeypatch.delattr(os, "memfd_create")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        message = "not enough memory for the data of the sweep: File too large"
        with closing(Processes(1)) as engine, pytest.raises(ActcliError, match=message):
            engine.set_data({("data", "last"): data})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
