"""A check-up of the installation: versions, BLAS, cores, folders, and reasons for slow training."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from actcli import __version__
from actcli.datasets.catalogue import DATASETS, cache_folder, find_dataset
from actcli.machine import (
    INHERITED_BLAS_THREADS,
    core_count,
    cpu_quota,
    worker_count,
    worker_limit,
)

LIBRARIES = ("numpy", "click", "rich", "threadpoolctl")
# OpenBLAS picks a kernel for the processor. These use vectors of at most four float32 numbers.
SLOW_KERNELS = frozenset({"prescott", "core2", "nehalem", "generic", "unknown", "armv8", "power8"})
PRODUCT_SIZE = 512  # rows and columns of the measured matrix product: 0.27 GFLOP
MEASUREMENTS = 10
BUSY_SHARE = 0.5  # of the cores, in use by other programs


@dataclass(frozen=True)
class Place:
    """A folder that actcli uses."""

    purpose: str
    path: str
    state: str


@dataclass(frozen=True)
class Checkup:
    """The result of `actcli doctor`.

    Args:
        versions: of actcli, Python and the libraries, by name.
        platform: the operating system and the kind of processor.
        blas: name, version and kernel of NumPy's BLAS; None where it is unknown.
        simd: the vector instructions that NumPy uses beyond the baseline.
        cores: number of processors that this process may use.
        workers: number of worker processes that a training uses by default.
        gflops: measured speed of a float32 matrix product on one core, in GFLOP/s.
        places: the folders in use.
        slowdowns: reasons why NumPy or a training is slower than this machine allows.
    """

    versions: dict[str, str]
    platform: str
    blas: str | None
    simd: tuple[str, ...]
    cores: int
    workers: int
    gflops: float
    places: tuple[Place, ...]
    slowdowns: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return asdict(self)


def examine_installation(runs: Path) -> Checkup:
    """Return the check-up of this installation; it takes about 0.1 s.

    Args:
        runs: the folder of the runs.
    """
    libraries = {name: importlib.metadata.version(name) for name in LIBRARIES}
    kernels = [info for info in threadpool_info() if info["user_api"] == "blas"]
    blas = next(iter(kernels), None)
    simd = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    return Checkup(
        versions={"actcli": __version__, "python": platform.python_version(), **libraries},
        platform=platform.platform(),
        blas=blas and f"{blas['internal_api']} {blas['version']}, {_kernel(blas)} kernel",
        simd=tuple(simd),
        cores=core_count(),
        workers=worker_count(),
        gflops=product_speed(),
        places=tuple(_places(runs)),
        slowdowns=tuple(_slowdowns(blas)),
    )


def product_speed() -> float:
    """Return the speed of a float32 matrix product in GFLOP/s, the best of some measurements."""
    matrix = np.ones((PRODUCT_SIZE, PRODUCT_SIZE), np.float32)
    out = np.empty_like(matrix)
    seconds = []
    for _ in range(MEASUREMENTS):
        start = time.perf_counter()
        np.matmul(matrix, matrix, out=out)
        seconds.append(time.perf_counter() - start)
    return 2 * PRODUCT_SIZE**3 / min(seconds) / 1e9


def _kernel(blas: dict[str, Any]) -> str:
    return str(blas.get("architecture", "unknown"))


def _places(runs: Path) -> Iterator[Place]:
    yield Place("runs", str(runs.absolute()), _state(runs))
    for name in DATASETS:
        folder = find_dataset(name)
        path = folder or cache_folder(name)
        yield Place(name, str(path), "readable" if folder else "downloaded when it is first used")


def _state(folder: Path) -> str:
    """Return whether a folder exists and can be written to, in words."""
    if folder.is_dir():
        return "writable" if os.access(folder, os.W_OK | os.X_OK) else "not writable"
    if folder.exists():
        return "not a folder"
    parent = next(each for each in folder.absolute().parents if each.exists())
    can_make = parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)
    return "made by the first run" if can_make else f"cannot be made: {parent} is not writable"


def _slowdowns(blas: dict[str, Any] | None) -> Iterator[str]:
    """Yield a sentence for each reason why NumPy or a training is slower than it could be."""
    if blas is None:
        yield "The BLAS of this NumPy is unknown. Wheels from PyPI have OpenBLAS: pip install numpy"
    elif blas["internal_api"] == "openblas" and _kernel(blas).lower() in SLOW_KERNELS:
        yield f"OpenBLAS runs its {_kernel(blas)} kernel, which uses no wide vector instructions"
    if kernel := os.environ.get("OPENBLAS_CORETYPE"):
        yield f"OPENBLAS_CORETYPE={kernel[:40]} sets the kernel of OpenBLAS, whatever the processor"
    if worker_limit() == 1 < core_count():
        names = ", ".join(f"{name}={text[:20]}" for name, text in INHERITED_BLAS_THREADS.items())
        yield f"{names} in the environment: a training uses one worker in place of two"
    quota = cpu_quota()
    if quota is not None and quota < core_count():
        yield f"A control group limits this process to {quota:g} of {core_count()} cores"
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        if load > BUSY_SHARE * core_count():
            yield f"Other programs are busy: a load of {load:.1f} on {core_count()} cores"
