"""Read a file in a process of its own, with limits on its time and memory.

A reader that rests on a large library in C, as that of HDF5, is at the mercy of this library: a
damaged file can make it loop for ever, crash, or fill the memory, and Python cannot interrupt it.
Such a reader works in a fork of this process, which the system kills when it exceeds its limits. It
sends the layers through a pipe as plain numbers and JSON. Where a fork is not safe (macOS), the
reader works in this process.
"""

import contextlib
import json
import os
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from actcli.errors import ActcliError, DataError, UsageError
from actcli.formats.contents import Activation, BatchNorm, LayerChain, Linear, Step
from actcli.machine import FORK_IS_SAFE

CPU_SECONDS, WALL_SECONDS = 10, 300
FREE_BYTES = 2_000_000_000  # of address space, beside that of this process and the file
TIMES_THE_FILE = 4  # bytes that may be sent for each byte of the file
LENGTH_BYTES = 8

ERRORS = {each.__name__: each for each in (ActcliError, DataError, UsageError)}
STEPS: dict[str, type[Step]] = {each.__name__: each for each in (Linear, BatchNorm, Activation)}


def read_isolated(path: Path, read: Callable[[Path], LayerChain]) -> LayerChain:
    """Return what a reader returns, or raise what it raises.

    Raises:
        DataError: the reader took too much time or memory, or crashed.
    """
    if not FORK_IS_SAFE:
        return read(path)
    receiving, sending = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with warnings.catch_warnings():  # of threads, such as one that draws progress
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            _serve(path, read, sending)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(sending)
    try:
        content = _receive(path, receiving)
    finally:
        os.close(receiving)
        # Where SIGCHLD is ignored, the system reaps the process and `waitpid` fails.
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return _decoded(path, content)


def _serve(path: Path, read: Callable[[Path], LayerChain], sending: int) -> NoReturn:
    """Read the file, send the layers or the error, and end the process."""
    try:
        _limit_resources(path)
        try:
            parts = _encoded(read(path))
        except ActcliError as error:
            fault = {"error": type(error).__name__, "of": [error.message, error.hint]}
            parts = [json.dumps(fault).encode()]
        except MemoryError:  # seen as a process that ended without an answer
            os._exit(1)
        except Exception:  # a defect, whose traceback belongs to the caller
            parts = [json.dumps({"defect": traceback.format_exc()}).encode()]
        with os.fdopen(sending, "wb") as pipe:
            pipe.write(len(parts[0]).to_bytes(LENGTH_BYTES, "little"))
            for part in parts:
                pipe.write(part)
    finally:
        os._exit(0)


def _limit_resources(path: Path) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    most = mapped + TIMES_THE_FILE * path.stat().st_size + FREE_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _receive(path: Path, receiving: int) -> bytes:
    """Return all bytes that the other process sends.

    Raises:
        DataError: it sends too many, or takes too long.
    """
    parts: list[bytes] = []
    most = TIMES_THE_FILE * path.stat().st_size + FREE_BYTES
    deadline = time.monotonic() + WALL_SECONDS
    while time.monotonic() < deadline and most > 0:
        ready, _, _ = select.select([receiving], [], [], max(0, deadline - time.monotonic()))
        if ready:
            part = os.read(receiving, 1 << 20)
            if not part:
                return b"".join(parts)
            most -= len(part)
            parts.append(part)
    raise _given_up(path)


def _given_up(path: Path) -> DataError:
    return DataError(
        f"{path} is damaged: reading it crashed, or took more than {CPU_SECONDS} s of processor "
        "time or too much memory"
    )


def _encoded(chain: LayerChain) -> list[bytes]:
    """Return the layers as JSON, followed by the numbers of each array."""
    arrays: list[bytes] = []

    def plain(value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        arrays.append(np.ascontiguousarray(value).tobytes())
        return {"dtype": value.dtype.str, "shape": value.shape}

    steps = [
        {"step": type(step).__name__}
        | {each.name: plain(getattr(step, each.name)) for each in fields(step)}
        for step in chain.steps
    ]
    others = {"loss": chain.loss, "notes": chain.notes, "description": chain.description}
    return [json.dumps({"steps": steps, **others}).encode(), *arrays]


def _decoded(path: Path, content: bytes) -> LayerChain:
    start = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "little")
    if len(content) <= LENGTH_BYTES or len(content) < start:
        raise _given_up(path)
    header = json.loads(content[LENGTH_BYTES:start])
    if "defect" in header:
        raise RuntimeError(header["defect"])
    if "error" in header:
        raise ERRORS[header["error"]](*header["of"])
    steps: list[Step] = []
    for described in header["steps"]:
        values = dict(described)
        kind = STEPS[values.pop("step")]
        for name, value in values.items():
            if isinstance(value, dict):
                dtype, shape = np.dtype(value["dtype"]), tuple(value["shape"])
                array = np.frombuffer(content, dtype, int(np.prod(shape)), start)
                values[name] = array.reshape(shape)
                start += array.nbytes
        steps.append(kind(**values))
    return LayerChain(steps, header["loss"], tuple(header["notes"]), header["description"])
