"""Measure the overhead of a sweep: on local processes, on a Dask cluster, with tiny jobs.

    python benchmarks/sweeps.py            all measurements: some minutes on two idle cores
    python benchmarks/sweeps.py tiny       one measurement: default, dask or tiny

Times are those of whole commands, from their start to their end. They mean little on a busy
machine. The two commands of a comparison run in turn, and the shortest time of each counts.
"""

import argparse
import contextlib
import csv
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

CLEAN = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
ACTCLI = [sys.executable, "-m", "actcli"]
TURNS = 2


def timed(folder: Path, *commands: list[str]) -> float:
    """Run commands one after another; return the total time in seconds."""
    start = time.perf_counter()
    for command in commands:
        subprocess.run(
            [*ACTCLI, *command],
            cwd=folder,
            env=CLEAN,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return time.perf_counter() - start


def best(first: Callable[[int], float], second: Callable[[int], float]) -> tuple[float, float]:
    """Return the shortest times of two measurements that run in turn."""
    times = [(first(turn), second(turn)) for turn in range(TURNS)]
    return min(pair[0] for pair in times), min(pair[1] for pair in times)


def default(folder: Path) -> str:
    """Compare a sweep of eight default runs on two processes with eight trainings in sequence."""
    seeds = [str(seed) for seed in range(8)]
    together, apart = best(
        lambda turn: timed(
            folder, ["sweep", "--seeds", "8", "--workers", "2", "--name", f"a{turn}"]
        ),
        lambda _: timed(folder, *(["train", "--workers", "2", "--seed", seed] for seed in seeds)),
    )
    times = f"{together:.1f} s, in sequence with two workers each {apart:.1f} s"
    return f"eight default runs on two processes: {times}: {together / apart:.2f} (at most 0.6)"


def dask(folder: Path) -> str:
    """Compare sixteen runs on four Dask workers of one thread with four local processes."""
    command = ["sweep", "--seeds", "16", "--epochs", "3"]
    with cluster(folder, 4) as address:
        far, near = best(
            lambda turn: timed(folder, [*command, "--name", f"d{turn}", "--scheduler", address]),
            lambda turn: timed(folder, [*command, "--name", f"l{turn}", "--workers", "4"]),
        )
    times = f"{far:.1f} s on four Dask workers, {near:.1f} s on four local processes"
    return f"sixteen runs: {times}: {100 * (far / near - 1):+.1f} % (at most 5 %)"


def tiny(folder: Path) -> str:
    """Measure the overhead per run of a sweep of 1,000 very short runs."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (400, 16)).astype(np.uint8)
    labels = np.arange(400) % 3
    parts = {"x_train": pixels[:300], "y_train": labels[:300]}
    np.savez(folder / "tiny.npz", **parts, x_test=pixels[300:], y_test=labels[300:])
    options = ["--dataset", "tiny.npz", "--hidden", "8", "--epochs", "1", "--seeds", "1000"]
    seconds = min(
        timed(folder, ["sweep", *options, "--workers", "2", "--name", f"t{turn}"])
        for turn in range(TURNS)
    )
    table = subprocess.run(
        [*ACTCLI, "sweep", "show", "t0", "--csv"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    training = sum(float(row["seconds"]) for row in csv.DictReader(table.stdout.splitlines())) / 2
    times = f"{seconds:.1f} s, of which {training:.1f} s are training steps"
    overhead = seconds - training  # for 1,000 runs in seconds: for one run in ms
    return f"1,000 tiny runs: {times}: {overhead:.1f} ms more per run (at most 10 ms)"


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """Start a local Dask cluster of processes with one thread each; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", port]
    worker = ["worker", address, "--nthreads", "1", "--no-nanny"]
    with contextlib.ExitStack() as stack:
        for command in (scheduler, *([worker] * workers)):
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *command, "--no-dashboard"],
                cwd=folder,
                env=CLEAN | {"OPENBLAS_NUM_THREADS": "1"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        time.sleep(5)  # until the workers have connected to the scheduler
        yield address


if __name__ == "__main__":
    measures = {"default": default, "dask": dask, "tiny": tiny}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measurements", nargs="*", help=", ".join(measures))
    wanted = parser.parse_args().measurements or [*measures]
    if unknown := set(wanted) - set(measures):
        names = ", ".join(measures)
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}. Known: {names}")
    for name in wanted:
        with tempfile.TemporaryDirectory() as temporary:
            print(measures[name](Path(temporary)), flush=True)
