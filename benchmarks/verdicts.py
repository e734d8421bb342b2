"""Measure how often the verdicts are right, and write docs/verdicts.md.

    python benchmarks/verdicts.py                           # ours: a few minutes on one core
    python benchmarks/verdicts.py --published               # faults that others published
    python benchmarks/verdicts.py --generated 300 --seed 1  # mutations of drawn trainings
    python benchmarks/verdicts.py --misses                  # what went wrong on even seeds

Each set has its own section of the page, which is replaced. The generated set keeps each finished
case in a cache folder, so that an interrupted benchmark resumes. It also writes the counts of each
rule into the package, for `--explain` and, by docs/make_rules.py, for docs/rules.md. For our own
set-ups, the exit code is 1 if a verdict is wrong; the other two sets are measurements, and exit
with 0.
"""

import argparse
import os
import sys
from pathlib import Path

if __name__ == "__main__":  # before NumPy; narrow networks are slower on two threads
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import verdicts_generated
from rule_counts import write_counts
from verdict_misses import misses
from verdict_page import PAGE, SECTIONS, table, write_section
from verdicts_ours import run_ours
from verdicts_published import run_published

CACHE = Path(__file__).parent / ".verdicts_cache"
OURS, PUBLISHED, GENERATED, OTHERS = SECTIONS

# Rates that others published: tool, rate, source.
RATES = (
    (
        "AutoTrainer",
        "repairs 414 of 422 buggy models, of 701; accuracy rises by 36 points",
        "its README; IEEE TDSC 2024",
    ),
    ("DeepFD", "of 52 real faults, detects 47 and diagnoses 27", "arXiv 2205.01938"),
    (
        "UMLAUT, DeepLocalize, AutoTrainer",
        "of the same 52, detect 50, 36, 12 and diagnose 14, 7, 10",
        "arXiv 2205.01938",
    ),
    (
        "DeepLocalize, UMLAUT, DeepDiagnosis",
        "accuse 78, 68, 37 of 78 normal MNIST models",
        "DeepDiagnosis, ICSE 2022",
    ),
    ("NeuraLint", "recall 70.5 %, precision 100 % on 34 programs", "arXiv 2105.08095"),
    (
        "best of nine; DeepFD with alternative truths",
        "recall 0.33, precision 0.21; recall 0.55, precision 0.37",
        "Humbatova et al. 2025, PMC12152046",
    ),
)


def main() -> int:
    """Run one set, write its section of the page, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--published", action="store_true", help="run the published set-ups")
    parser.add_argument("--generated", type=int, metavar="N", help="run N generated cases")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first case")
    parser.add_argument("--step", type=int, default=1, help="2: only even, or only odd seeds")
    parser.add_argument("--processes", type=int, default=2, help="worker processes")
    parser.add_argument("--minutes", type=float, default=600, help="no case starts after these")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the finished cases")
    parser.add_argument("--misses", action="store_true", help="list the wrong cases of even seeds")
    arguments = parser.parse_args()
    if arguments.misses:
        records = verdicts_generated.current(arguments.cache)
        print(*misses([each for each in records if each["seed"] % 2 == 0]), sep="\n")
        return 0
    wrong = 0
    if arguments.generated:
        write_section(GENERATED, generated(arguments))
        others = ["Measured by others, on other faults; for comparison only.", ""]
        write_section(OTHERS, [*others, *table(["tool", "rate", "source"], RATES)])
    elif arguments.published:
        write_section(PUBLISHED, run_published(arguments.cache, arguments.minutes))
    else:
        lines, wrong = run_ours()
        write_section(OURS, lines)
        print(f"{wrong} verdicts are wrong; see {PAGE}")
    return 1 if wrong else 0


def generated(arguments: argparse.Namespace) -> list[str]:
    """Run the generated cases, write the counts of the rules, and return the section's lines."""
    first, step = arguments.seed, arguments.step
    seeds = range(first, first + step * arguments.generated, step)
    verdicts_generated.run_cases(seeds, arguments.cache, arguments.processes, arguments.minutes)
    everything = verdicts_generated.current(arguments.cache)
    write_counts(everything)
    command = f"python benchmarks/verdicts.py --generated {arguments.generated} --seed {first}"
    return verdicts_generated.section(everything, f"{command} --step {step}")


if __name__ == "__main__":
    sys.exit(main())
