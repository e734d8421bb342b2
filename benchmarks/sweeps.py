"""What a sweep costs beside the training: on this machine, on a Dask cluster, with tiny jobs.

    python benchmarks/sweeps.py            all of them, in some minutes on two idle cores
    python benchmarks/sweeps.py tiny       one of them: default, dask or tiny

Times are those of whole commands, from their start to their end. On a busy machine they are worth
little; each pair is measured in turns, and the best of each counts.
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
    """Seconds that commands take one after another."""
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
    """The shortest time of each of two, measured in turns."""
    times = [(first(turn), second(turn)) for turn in range(TURNS)]
    return min(each[0] for each in times), min(each[1] for each in times)


def default(folder: Path) -> str:
    """Eight runs of the default configuration: a sweep on two cores, and one after another."""
    seeds = [str(seed) for seed in range(8)]
    together, apart = best(
        lambda turn: timed(
            folder, ["sweep", "--seeds", "8", "--workers", "2", "--name", f"a{turn}"]
        ),
        lambda _: timed(folder, *(["train", "--workers", "2", "--seed", seed] for seed in seeds)),
    )
    told = f"{together:.1f} s, one after another with two workers each {apart:.1f} s"
    return f"eight default runs on two processes: {told}: {together / apart:.2f} (at most 0.6)"


def dask(folder: Path) -> str:
    """Sixteen runs on four workers of one thread: of Dask, and processes of this machine."""
    chosen = ["sweep", "--seeds", "16", "--epochs", "3"]
    with cluster(folder, 4) as address:
        far, near = best(
            lambda turn: timed(folder, [*chosen, "--name", f"d{turn}", "--scheduler", address]),
            lambda turn: timed(folder, [*chosen, "--name", f"l{turn}", "--workers", "4"]),
        )
    told = f"{far:.1f} s on four workers of Dask, {near:.1f} s on four processes"
    return f"sixteen runs: {told}: {100 * (far / near - 1):+.1f} % (at most 5 %)"


def tiny(folder: Path) -> str:
    """A thousand runs of next to no time each."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (400, 16)).astype(np.uint8)
    labels = np.arange(400) % 3
    parts = {"x_train": pixels[:300], "y_train": labels[:300]}
    np.savez(folder / "tiny.npz", **parts, x_test=pixels[300:], y_test=labels[300:])
    chosen = ["--dataset", "tiny.npz", "--hidden", "8", "--epochs", "1", "--seeds", "1000"]
    seconds = min(
        timed(folder, ["sweep", *chosen, "--workers", "2", "--name", f"t{turn}"])
        for turn in range(TURNS)
    )
    shown = subprocess.run(
        [*ACTCLI, "sweep", "show", "t0", "--csv"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    training = sum(float(row["seconds"]) for row in csv.DictReader(shown.stdout.splitlines())) / 2
    told = f"{seconds:.1f} s, of which {training:.1f} s are steps"
    return f"1000 tiny runs: {told}: {seconds - training:.1f} ms more for each (at most 10 ms)"


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """A Dask cluster on this machine, of processes of one thread."""
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
        time.sleep(5)  # until the workers have found the scheduler
        yield address


if __name__ == "__main__":
    measures = {"default": default, "dask": dask, "tiny": tiny}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=", ".join(measures))
    wanted = parser.parse_args().what or [*measures]
    if unknown := set(wanted) - set(measures):
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(measures)}")
    for name in wanted:
        with tempfile.TemporaryDirectory() as temporary:
            print(measures[name](Path(temporary)), flush=True)
