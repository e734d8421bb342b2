"""How fast actcli trains, beside PyTorch, scikit-learn and the machine's own matrix products.

    pip install 'actcli[bench]'
    python benchmarks/speed.py                      # all, some 15 minutes
    python benchmarks/speed.py --rounds 3 --only M,MA,cold

Each library trains in a process of its own. One epoch of each follows one of each other, round
after round, so that what else the machine does falls on all alike; only ratios within a round
count, and of these the median. The first round of each is left out. The accuracies after the last
round show that the work was the same. Whole commands, from a cold start, are compared likewise.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from peers import KINDS, PEERS, WORKLOADS

HERE = Path(__file__).parent
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
TARGETS = {"S": 2.0, "M": 1.2, "MA": 1.1, "L": 1.1, "LA": 1.0}
# Seconds before each epoch: threads of a BLAS or of OpenMP go on asking for work for a while, and
# who comes next would pay for it.
PAUSE = 0.3
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")

COLD_TORCH = """
import sys; sys.path.insert(0, {here!r})
from peers import Torch, WORKLOADS
peer = Torch(WORKLOADS["M"], {cores})
for _ in range(5): peer.epoch()
print(peer.accuracy())
peer.torch.save(peer.model.state_dict(), {path!r})
"""


def environment(threads):
    """That of a process with so many threads."""
    return os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))


class Peer:
    """A process that trains an epoch, or makes a diagnosis, when it is told to."""

    def __init__(self, kind, name, workload, threads):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, HERE / "peers.py", kind, name, workload, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(1 if name == "actcli" else threads),  # its threads are its own
            text=True,
        )
        self.seconds = []
        self.process.stdout.readline()

    def epoch(self):
        self.process.stdin.write("epoch\n")
        self.process.stdin.flush()
        self.seconds.append(json.loads(self.process.stdout.readline())["seconds"])

    def end(self):
        out, _ = self.process.communicate()
        return json.loads(out)["accuracy"]


def ratios(theirs, ours):
    """The median of the ratios round by round, without the first."""
    return statistics.median(t / o for t, o in list(zip(theirs, ours, strict=True))[1:])


def throughput(workload, rounds, threads, kind="train"):
    """A row of the table: rows per second of each, and the ratios."""
    peers = [
        Peer(kind, name, workload, CORES if name != "actcli" else threads) for name in KINDS[kind]
    ]
    for number in range(rounds):
        for peer in peers[number % len(peers) :] + peers[: number % len(peers)]:
            time.sleep(PAUSE)
            peer.epoch()
    accuracies = {peer.name: peer.end() for peer in peers}
    ours = next(peer for peer in peers if peer.name == "actcli")
    return {
        "rows/s": round(60_000 / statistics.median(ours.seconds[1:])),
        "seconds": {peer.name: statistics.median(peer.seconds[1:]) for peer in peers},
        "ratios": {
            peer.name: ratios(peer.seconds, ours.seconds) for peer in peers if peer is not ours
        },
        "accuracy": accuracies,
    }


def once(command, threads):
    """Seconds and peak memory in MB of a whole process."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=environment(threads) if threads else os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{command} failed")
    return seconds, usage.ru_maxrss / 1024


def pair(ours, theirs, rounds, threads=None):
    """Two commands in turn: the median ratio of their times and of their memory."""
    times, memory = [], []
    for _ in range(rounds):
        (a, m), (b, n) = once(theirs, CORES), once(ours, threads)
        times.append((a, b))
        memory.append((m, n))
    return {
        "seconds": [statistics.median(column) for column in zip(*times, strict=True)][::-1],
        "ratio": statistics.median(a / b for a, b in times),
        "megabytes": [statistics.median(column) for column in zip(*memory, strict=True)][::-1],
        "memory": statistics.median(n / m for m, n in memory),
    }


def cold(rounds, threads, folder):
    """Whole commands against whole commands."""
    python = [sys.executable, "-c"]
    actcli = [sys.executable, "-m", "actcli"]
    from peers import assignments

    chosen = [f"--set={each}" for each in assignments(WORKLOADS["M"])]
    train = [*actcli, "train", "--epochs", "5", "--quiet", "--runs-dir", folder, *chosen]
    script = COLD_TORCH.format(here=str(HERE), cores=CORES, path=str(Path(folder) / "model.pt"))
    softmax = "import torch; print(torch.softmax(torch.tensor([1.0, 2.0, 3.0]), 0))"
    return {
        "train 5 epochs of M and save": pair(
            [*train, "--workers", str(threads)], [*python, script], rounds
        ),
        "softmax 1 2 3": pair([*actcli, "softmax", "1", "2", "3"], [*python, softmax], rounds),
        "--help, beside import numpy": pair([*actcli, "--help"], [*python, "import numpy"], rounds),
    }


def versions():
    """What was compared, and where."""
    names = ("actcli", "numpy", "torch", "scikit-learn")
    told = [f"{name} {metadata.version(name)}" for name in names]
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    return f"{model}, {CORES} cores, Python {platform.python_version()}, {', '.join(told)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=7, help="of each measurement, the first unused"
    )
    parser.add_argument("--workers", type=int, default=CORES, help="worker processes of actcli")
    parser.add_argument("--only", default=",".join([*WORKLOADS, "diagnosis", "cold"]))
    parser.add_argument("--json", type=Path, help="write all figures there")
    chosen = parser.parse_args()
    wanted, found = chosen.only.split(","), {"machine": versions(), "workers": chosen.workers}
    print(found["machine"], f"actcli with {chosen.workers} workers", sep="\n", end="\n\n")
    peers = [name for name in PEERS if name != "actcli"]
    print(
        "| workload | rows/s | target |", *(f" × {name} |" for name in peers), " accuracy |", sep=""
    )
    print("|---" * (len(peers) + 4), "|", sep="")
    for name in [each for each in WORKLOADS if each in wanted]:
        row = found[name] = throughput(name, chosen.rounds, chosen.workers)
        cells = [f" {row['ratios'][peer]:.2f} |" for peer in peers]
        known = [f"{peer} {score:.4f}" for peer, score in row["accuracy"].items() if score]
        print(
            f"| {name} | {row['rows/s']:,} | {TARGETS[name]} |",
            *cells,
            f" {', '.join(known)} |",
            sep="",
        )
    if "diagnosis" in wanted:
        row = found["diagnosis"] = throughput("M", chosen.rounds, chosen.workers, "diagnose")
        known = ", ".join(f"{peer} {score:.4f}" for peer, score in row["accuracy"].items())
        ratio = row["ratios"]["torch"]
        print(f"| diagnosis of M | {row['rows/s']:,} | 1.5 | {ratio:.2f} | | | | {known} |")
    if "cold" in wanted:
        print(
            "\n| command | seconds | theirs | ratio | MB | theirs | share |\n",
            "|---" * 7,
            "|",
            sep="",
        )
        with tempfile.TemporaryDirectory() as folder:
            found["cold"] = cold(chosen.rounds, chosen.workers, folder)
        for name, row in found["cold"].items():
            (ours, theirs), (mb, their_mb) = row["seconds"], row["megabytes"]
            print(
                f"| {name} | {ours:.3f} | {theirs:.3f} | {row['ratio']:.2f} "
                f"| {mb:.0f} | {their_mb:.0f} | {row['memory']:.0%} |"
            )
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
