"""Compare the speed of actcli with PyTorch, scikit-learn and NumPy's matrix products alone.

    pip install 'actcli[bench]'
    python benchmarks/speed.py                      # everything: about 15 minutes
    python benchmarks/speed.py --rounds 3 --only M,MA,cold

Each library trains in a separate process. The libraries train one epoch each in turn, round after
round, so that other load on the machine affects all of them. The result is the median of the ratios
within a round; the first round does not count. The accuracies after the last round show that all
libraries did the same work. Whole commands, from a cold start, are compared in the same way.
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
# Before each epoch: threads of a BLAS or of OpenMP keep spinning for a while, which would slow down
# the next library.
PAUSE_SECONDS = 0.3
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
    """Return the environment of a process with `threads` BLAS threads."""
    return os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))


class Peer:
    """A process that trains one epoch, or makes one diagnosis, for each call of `epoch`."""

    def __init__(self, kind, name, workload, threads):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, HERE / "peers.py", kind, name, workload, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(1 if name == "actcli" else threads),  # it sets its BLAS threads itself
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
    """Return the median of the ratios theirs / ours, round by round, without the first round."""
    return statistics.median(t / o for t, o in list(zip(theirs, ours, strict=True))[1:])


def throughput(workload, rounds, threads, kind="train"):
    """Return a row of the table: our rows per second, all seconds, ratios and accuracies."""
    peers = [
        Peer(kind, name, workload, CORES if name != "actcli" else threads) for name in KINDS[kind]
    ]
    for number in range(rounds):
        for peer in peers[number % len(peers) :] + peers[: number % len(peers)]:
            time.sleep(PAUSE_SECONDS)
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


def measure_command(command, threads):
    """Run a command; return its seconds and its peak memory in MB."""
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


def compare_commands(ours, theirs, rounds, threads=None):
    """Run two commands in turn; return the medians of their times, memory and ratios."""
    times, memory = [], []
    for _ in range(rounds):
        (a, m), (b, n) = measure_command(theirs, CORES), measure_command(ours, threads)
        times.append((a, b))
        memory.append((m, n))
    return {
        "seconds": [statistics.median(column) for column in zip(*times, strict=True)][::-1],
        "ratio": statistics.median(a / b for a, b in times),
        "megabytes": [statistics.median(column) for column in zip(*memory, strict=True)][::-1],
        "memory": statistics.median(n / m for m, n in memory),
    }


def cold(rounds, threads, folder):
    """Compare whole commands, from the start of the process to its end."""
    python = [sys.executable, "-c"]
    actcli = [sys.executable, "-m", "actcli"]
    from peers import assignments

    options = [f"--set={assignment}" for assignment in assignments(WORKLOADS["M"])]
    train = [*actcli, "train", "--epochs", "5", "--quiet", "--runs-dir", folder, *options]
    script = COLD_TORCH.format(here=str(HERE), cores=CORES, path=str(Path(folder) / "model.pt"))
    softmax = "import torch; print(torch.softmax(torch.tensor([1.0, 2.0, 3.0]), 0))"
    return {
        "train 5 epochs of M and save": compare_commands(
            [*train, "--workers", str(threads)], [*python, script], rounds
        ),
        "softmax 1 2 3": compare_commands(
            [*actcli, "softmax", "1", "2", "3"], [*python, softmax], rounds
        ),
        "--help, compared with import numpy": compare_commands(
            [*actcli, "--help"], [*python, "import numpy"], rounds
        ),
    }


def versions():
    """Return one line about the processor, the cores and the versions of all libraries."""
    names = ("actcli", "numpy", "torch", "scikit-learn")
    packages = [f"{name} {metadata.version(name)}" for name in names]
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    return f"{model}, {CORES} cores, Python {platform.python_version()}, {', '.join(packages)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=7, help="rounds of each measurement; the first does not count"
    )
    parser.add_argument("--workers", type=int, default=CORES, help="worker processes of actcli")
    everything = ",".join([*WORKLOADS, "diagnosis", "cold"])
    parser.add_argument("--only", default=everything, help=f"some of {everything}")
    parser.add_argument("--json", type=Path, help="file for all results")
    args = parser.parse_args()
    wanted, results = args.only.split(","), {"machine": versions(), "workers": args.workers}
    print(results["machine"], f"actcli with {args.workers} workers", sep="\n", end="\n\n")
    peers = [name for name in PEERS if name != "actcli"]
    print(
        "| workload | rows/s | target |", *(f" × {name} |" for name in peers), " accuracy |", sep=""
    )
    print("|---" * (len(peers) + 4), "|", sep="")
    for name in [workload for workload in WORKLOADS if workload in wanted]:
        row = results[name] = throughput(name, args.rounds, args.workers)
        cells = [f" {row['ratios'][peer]:.2f} |" for peer in peers]
        accuracies = [f"{peer} {value:.4f}" for peer, value in row["accuracy"].items() if value]
        print(
            f"| {name} | {row['rows/s']:,} | {TARGETS[name]} |",
            *cells,
            f" {', '.join(accuracies)} |",
            sep="",
        )
    if "diagnosis" in wanted:
        row = results["diagnosis"] = throughput("M", args.rounds, args.workers, "diagnose")
        accuracies = ", ".join(f"{peer} {value:.4f}" for peer, value in row["accuracy"].items())
        ratio = row["ratios"]["torch"]
        print(f"| diagnosis of M | {row['rows/s']:,} | 1.5 | {ratio:.2f} | | | | {accuracies} |")
    if "cold" in wanted:
        print(
            "\n| command | seconds | PyTorch | ratio | MB | PyTorch | ratio |\n",
            "|---" * 7,
            "|",
            sep="",
        )
        with tempfile.TemporaryDirectory() as folder:
            results["cold"] = cold(args.rounds, args.workers, folder)
        for name, row in results["cold"].items():
            (ours, theirs), (mb, their_mb) = row["seconds"], row["megabytes"]
            print(
                f"| {name} | {ours:.3f} | {theirs:.3f} | {row['ratio']:.2f} "
                f"| {mb:.0f} | {their_mb:.0f} | {row['memory']:.0%} |"
            )
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
