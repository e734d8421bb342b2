"""Folders of sweeps, made up: a result for each job, and nothing else."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_sweep(folder: Path, axes: list[str], varied: Iterable[tuple[Any, ...]]) -> None:
    """Write a sweep with one seed for each combination of values."""
    jobs = []
    for number, values in enumerate(varied):
        name = f"job{number}"
        jobs.append({"name": name, "varied": values, "seed": 0, "error": None})
        score = {"loss": 1.0, "accuracy": (number % 97) / 97}
        record = {"status": "finished", "validation": score, "test": score, "dead": 0.1}
        (folder / name).mkdir(parents=True)
        (folder / name / "result.json").write_text(json.dumps({**record, "seconds": 2.5}))
    plan = {"format": 1, "shows": "", "axes": axes, "jobs": jobs}
    (folder / "sweep.json").write_text(json.dumps(plan))
