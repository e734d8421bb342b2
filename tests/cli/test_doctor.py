"""Test `actcli doctor`: the facts that it shows, and the reasons for slow training."""

import importlib.metadata
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from actcli import machine
from actcli.cli import main
from actcli.explore import doctor


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, on a machine that is not busy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))


def checkup() -> Any:
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_versions_speed_and_folders() -> None:
    record = checkup()
    assert record["versions"]["numpy"] == importlib.metadata.version("numpy")
    assert 0.1 < record["gflops"] < 10_000
    assert record["cores"] == len(os.sched_getaffinity(0))
    places = {place["purpose"]: place for place in record["places"]}
    assert places["runs"]["path"] == str(Path("runs").absolute())
    assert places["runs"]["state"] == "made by the first run"
    assert places["mnist"]["state"] == "readable"
    Path("runs").touch()
    assert checkup()["places"][0]["state"] == "not a folder"


def test_the_view_has_a_line_for_each_fact() -> None:
    result = CliRunner().invoke(main, ["doctor"], env={"COLUMNS": "120"})
    labels = [line[:15].strip() for line in result.stdout.splitlines()]
    assert labels[:6] == ["versions", "platform", "BLAS", "speed", "cores", "runs"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"threads": {"OMP_NUM_THREADS": "1"}}, "OMP_NUM_THREADS=1 in the environment"),
        ({"kernel": "Prescott"}, "OpenBLAS runs its Prescott kernel"),
        ({"core_type": "Haswell"}, "OPENBLAS_CORETYPE=Haswell sets the kernel"),
        ({"quota": 0.5}, "A control group limits this process to 0.5 of"),
        ({"load": 9.0}, "Other programs are busy: a load of 9.0"),
        ({"blas": []}, "The BLAS of this NumPy is unknown"),
    ],
)
def test_each_reason_for_slow_training_is_found(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str
) -> None:
    kernel = changes.get("kernel", "Haswell")
    blas = {"user_api": "blas", "internal_api": "openblas", "version": "1", "architecture": kernel}
    monkeypatch.setattr(doctor, "threadpool_info", lambda: changes.get("blas", [blas]))
    monkeypatch.setattr(machine, "INHERITED_BLAS_THREADS", changes.get("threads", {}))
    monkeypatch.setattr(doctor, "INHERITED_BLAS_THREADS", changes.get("threads", {}))
    monkeypatch.setattr(doctor, "core_count", lambda: 4)
    monkeypatch.setattr(doctor, "cpu_quota", lambda: changes.get("quota"))
    monkeypatch.setattr(os, "getloadavg", lambda: (changes.get("load", 0.0), 0.0, 0.0))
    if "core_type" in changes:
        monkeypatch.setenv("OPENBLAS_CORETYPE", changes["core_type"])
    (found,) = checkup()["slowdowns"]
    assert found.startswith(reason)


def test_a_control_group_limits_the_processors(tmp_path: Path) -> None:
    (tmp_path / "groups").write_text("0::/a/b\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "cpu.max").write_text("max 100000\n")
    assert machine.cpu_quota(tmp_path, tmp_path / "groups") is None
    (tmp_path / "a" / "cpu.max").write_text("150000 100000\n")
    assert machine.cpu_quota(tmp_path, tmp_path / "groups") == 1.5
