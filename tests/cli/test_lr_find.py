"""`actcli lr-find`: its view, its numbers, and the command that it proposes."""

import csv
import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import actcli
from actcli.cli import main

Blobs = Callable[..., Path]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, args, env={"COLUMNS": "400", **env})


def test_the_view_shows_the_curve_the_rates_and_the_next_command(blobs: Blobs) -> None:
    options = ["--dataset", str(blobs()), "--hidden", "8,8", "--nesterov", "--set", "data.classes="]
    result = run("lr-find", *options, "--lr", "0.3")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Learning-rate range test  sgd on blobs: 221 of 265 steps, mini-")
    assert lines[1] == "⠤⠤⠤ smoothed loss  ● suggestion  ✕ divergence"
    assert max(map(len, lines[1:-1])) <= 84
    facts = {line[:15].strip(): line[15:] for line in lines}
    assert facts["divergence"] == "at 0.2: half of the lead over a constant answer is lost"
    assert facts["default"] == "0.1, of sgd"
    assert facts["configured"] == "0.3"
    assert not Path("runs").exists()
    command = lines[-1].removeprefix("next  actcli ")
    assert command.endswith(f"--lr {facts['suggestion']}")
    assert "--hidden 8,8" in command
    assert "--nesterov" in command
    assert "0.3" not in command
    proposed = run(*shlex.split(command), "--dry-run", "--json")
    by_hand = run("train", *options, "--lr", facts["suggestion"], "--dry-run", "--json")
    settings, expected = json.loads(proposed.stdout), json.loads(by_hand.stdout)
    for table, keys in expected.items():
        for key in keys:
            assert settings[table][key]["value"] == keys[key]["value"]


def test_json_and_csv_hold_each_step_and_equal_the_api(blobs: Blobs) -> None:
    options = ["--dataset", str(blobs()), "--hidden", "8", "--workers", "1", "--optimizer", "adam"]
    record = json.loads(run("lr-find", *options, "--json").stdout)
    test = actcli.lr_find(dataset=str(blobs()), hidden=(8,), optimizer="adam")
    assert record == json.loads(json.dumps(test.to_dict()))
    data = actcli.load_data(str(blobs()))
    assert actcli.lr_find(None, data, hidden=(8,), optimizer="adam").losses == test.losses
    rows = list(csv.DictReader(io.StringIO(run("lr-find", *options, "--csv").stdout)))
    assert [float(row["rate"]) for row in rows] == record["rates"]
    assert [float(row["smoothed"]) for row in rows] == record["smoothed"]
    assert rows[-1]["step"] == str(len(record["losses"]))


def test_a_network_that_cannot_learn_gets_no_command(blobs: Blobs) -> None:
    nothing = np.zeros((300, 12), np.uint8)
    options = ["--dataset", str(blobs(x_train=nothing, x_test=nothing)), "--hidden", "8"]
    result = run("lr-find", *options)
    assert result.exit_code == 0
    assert "suggestion     none\n" in result.stdout
    assert "No rate is suggested: in " in result.stdout
    assert "next" not in result.stdout
    assert json.loads(run("lr-find", *options, "--json").stdout)["suggestion"] is None


def test_ascii_and_a_narrow_terminal(blobs: Blobs) -> None:
    result = run(
        "lr-find",
        "--dataset",
        str(blobs()),
        "--hidden",
        "8",
        COLUMNS="40",
        PYTHONIOENCODING="ascii",
    )
    assert result.exit_code == 0
    view = result.stdout.split("next")[0]
    assert max(map(len, view.splitlines()[1:])) <= 40


def test_settings_without_effect_are_named_once(blobs: Blobs) -> None:
    args = ["lr-find", "--dataset", str(blobs()), "--hidden", "8"]
    args += ["--optimizer", "adam", "--momentum", "0.5"]
    note = "--momentum: optimizer.momentum has no effect: not used by adam\n"
    assert run(*args).stderr == note
    assert run(*args, "-q").stderr == ""


# train --lr find ------------------------------------------------------------------------------


def test_a_found_rate_is_named_and_recorded_as_a_number(blobs: Blobs) -> None:
    options = ["--dataset", str(blobs()), "--hidden", "8", "--epochs", "1"]
    suggestion = json.loads(run("lr-find", *options, "--json").stdout)["suggestion"]
    result = run("train", *options, "--lr", "find", "--name", "found")
    note = f"--lr find: {suggestion:g}, after 265 steps with growing rates; actcli lr-find shows"
    assert result.exit_code == 0
    assert result.stderr.startswith(note)
    run("train", *options, "--lr", str(suggestion), "--name", "typed", "-q")
    for name in ("config.toml", "model.safetensors"):
        assert Path("runs/found", name).read_bytes() == Path("runs/typed", name).read_bytes()
    dry = run("train", *options, "--dry-run", "--json", "-q", ACTCLI_LR="find")
    rate = json.loads(dry.stdout)["optimizer"]["learning_rate"]
    assert (rate, dry.stderr) == ({"value": suggestion, "origin": "ACTCLI_LR find"}, "")


def test_a_number_overrides_find(blobs: Blobs) -> None:
    options = ["--dataset", str(blobs()), "--hidden", "8", "--dry-run", "--json"]
    dry = run("train", *options, "--lr", "0.2", ACTCLI_LR="find")
    assert json.loads(dry.stdout)["optimizer"]["learning_rate"] == {"value": 0.2, "origin": "--lr"}
    assert dry.stderr == ""


def test_a_rate_that_cannot_be_found_is_an_error(blobs: Blobs, refused: Callable[..., str]) -> None:
    nothing = np.zeros((300, 12), np.uint8)
    path = str(blobs(x_train=nothing, x_test=nothing))
    message = refused("train", "--dataset", path, "--hidden", "8", "--lr", "find")
    assert message.startswith("--lr find: no rate is suggested: in ")
    assert message.endswith("Give --lr a number")
    message = refused("sweep", "--dataset", path, "--lr", "find", status=2)
    assert "must be \"auto\" or a number above 0, not 'find'" in message
