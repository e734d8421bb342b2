"""Test which runs in a sweep's folder belong to which jobs: by configuration and data, not name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actcli.config.sources import parse_assignment
from actcli.datasets.dataset import read_dataset
from actcli.sweep.axes import parse_axis
from actcli.sweep.inventory import Inventory, take_inventory
from actcli.sweep.plan import Job, Plan
from actcli.sweep.store import store_run
from actcli.sweep.worker import Worker
from actcli.training.build import split_dataset

Blobs = Callable[..., Path]
SMALL = ("model.hidden=[4]", "training.epochs=0", "training.workers=1")


@pytest.fixture
def data(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data set, in a process with one BLAS thread, as a worker has it."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    return blobs()


@pytest.fixture
def flowers(data: Path) -> Path:
    """Return a table whose first column has the classes."""
    rows = [f"{'rose' if i % 2 else 'tulip'},{i},{i * i}" for i in range(300)]
    (path := data.with_name("flowers.csv")).write_text("\n".join(["kind,a,b", *rows]))
    return path


def jobs(data: Path, *vary: str, base: tuple[str, ...] = (), seeds: int = 1) -> list[Job]:
    settings = (*SMALL, *base, f"data.name={data}")
    return Plan(tuple(map(parse_assignment, settings)), tuple(map(parse_axis, vary)), seeds).jobs()


def inventory(folder: Path, jobs: list[Job]) -> Inventory:
    splits = {
        job.config.data: split_dataset(
            job.config.data, read_dataset(job.config.data.name, target=job.config.data.target)
        )
        for job in jobs
    }
    return take_inventory(folder, jobs, splits)


def trained(folder: Path, jobs: list[Job]) -> Inventory:
    """Train the jobs that have no run, and return the inventory before."""
    before = inventory(folder, jobs)
    folder.mkdir(exist_ok=True)
    for job in before.todo:
        raw = read_dataset(job.config.data.name, target=job.config.data.target)
        files = Worker({job.config.data.source: raw}).train(job.name, job.config)
        store_run(folder, job, files)
    return before


def names(jobs: list[Job]) -> list[str]:
    return [job.name for job in jobs]


RATES = "optimizer.learning_rate=0.1,0.2"


def test_a_sweep_that_grows_keeps_its_runs(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    assert names(trained(folder, jobs(data, RATES)).todo) == ["lr=0.1,seed=0", "lr=0.2,seed=0"]
    assert inventory(folder, jobs(data, RATES)).todo == []
    assert names(inventory(folder, jobs(data, RATES, seeds=2)).todo) == [
        *("lr=0.1,seed=1", "lr=0.2,seed=1")
    ]
    # Where another key varies, too, the runs keep their names.
    more = inventory(folder, jobs(data, "model.dropout=0,0.5", RATES))
    assert names(more.jobs) == [
        *("lr=0.1,seed=0", "lr=0.2,seed=0"),
        *("dropout=0.5,lr=0.1,seed=0", "dropout=0.5,lr=0.2,seed=0"),
    ]
    assert more.done == {"lr=0.1,seed=0", "lr=0.2,seed=0"}


def test_runs_that_were_named_by_a_hash_are_recognized(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    trained(folder, jobs(data, RATES))
    (folder / "lr=0.1,seed=0").rename(folder / "4a5895978572")
    resumed = inventory(folder, jobs(data, RATES))
    assert names(resumed.jobs) == ["4a5895978572", "lr=0.2,seed=0"]
    assert resumed.todo == []


def test_a_run_of_another_configuration_keeps_its_name(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    trained(folder, jobs(data, RATES))
    other = inventory(folder, jobs(data, RATES, base=("training.batch_size=7",)))
    assert [name[:14] for name in names(other.todo)] == ["lr=0.1,seed=0-", "lr=0.2,seed=0-"]
    assert other.outdated == ()


def test_a_run_on_changed_data_is_outdated(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    trained(folder, jobs(data, RATES))
    moved = data.rename(tmp_path / "moved.npz")
    assert inventory(folder, jobs(moved, RATES)).todo == []
    arrays = dict(np.load(moved))
    arrays["x_train"][0, 0] ^= 1
    np.savez(moved, **arrays)
    changed = trained(folder, jobs(moved, RATES, seeds=2))
    assert changed.outdated == ("lr=0.1,seed=0", "lr=0.2,seed=0")
    assert [name[:14] for name in names(changed.todo)] == [
        *("lr=0.1,seed=0-", "lr=0.1,seed=1", "lr=0.2,seed=0-", "lr=0.2,seed=1")
    ]
    again = inventory(folder, jobs(moved, RATES, seeds=2))
    assert (again.todo, again.outdated) == ([], ())
    assert again.done == set(names(changed.todo))


def test_a_run_without_its_checkpoint_is_known_by_its_configuration(
    data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    trained(folder, jobs(data, RATES))
    (folder / "lr=0.1,seed=0" / "checkpoint.safetensors").unlink()
    (folder / "lr=0.1,seed=0" / "checkpoint.safetensors").symlink_to("/dev/zero")
    (folder / "lr=0.2,seed=0" / "checkpoint.safetensors").unlink()
    (folder / "lr=0.2,seed=0" / "config.toml").write_text("damaged")
    found = inventory(folder, jobs(data, RATES))
    assert found.unchecked == ("lr=0.1,seed=0",)
    assert [name[:14] for name in names(found.todo)] == ["lr=0.2,seed=0-"]


def test_the_same_data_under_two_names_are_two_runs(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    other.write_bytes(data.read_bytes())
    both: Any = f"data.name={data},{other}"
    trained(tmp_path / "s", jobs(data, both))
    again = inventory(tmp_path / "s", jobs(data, both))
    assert names(again.jobs) == ["dataset=blobs.npz,seed=0", "dataset=other.npz,seed=0"]
    assert again.todo == []


def test_jobs_on_a_table_that_chooses_their_settings(flowers: Path, tmp_path: Path) -> None:
    folder, vary = tmp_path / "s", ("training.batch_size=auto,8", "data.target=kind,1")
    todo = trained(folder, jobs(flowers, *vary)).todo
    assert len(todo) == 4
    assert not inventory(folder, jobs(flowers, *vary)).todo
    text = (folder / todo[0].name / "config.toml").read_text()
    assert "batch_size = 32\n" in text
    assert 'normalize = "column"' in text
    # The same settings, written out, are the same run.
    explicit = jobs(flowers, "training.batch_size=32,8", "data.target=kind,1")
    assert not inventory(folder, explicit).todo
