"""A hundred cases of the fuzzer of run folders, and a check that the fuzzer finds faults."""

import time
import warnings
from unittest import mock

import pytest
import run_folders
from run_folders import COMMANDS, SWEEP_COMMANDS, RunFolders, fuzz, run_command

CASES = 100


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> RunFolders:
    return RunFolders(tmp_path_factory.mktemp("fuzz"), seed=0)


def test_any_damage_to_a_run_gives_a_result_or_one_error(folders: RunFolders) -> None:
    faulty = fuzz(folders, range(CASES))
    assert not faulty, "\n\n".join(faulty)


def test_every_command_works_on_intact_runs(
    folders: RunFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that refuses every run would hide each fault behind its first message."""
    monkeypatch.chdir(folders.work)
    refused = {"runs rm whole": 2, "diagnose swept": 2}  # a question; a sweep is not a run
    run = f"runs/swept/{folders.jobs[0]}"
    commands = [
        *(command.replace("RUN", "whole").removesuffix(" --yes") for command in COMMANDS),
        *(command.replace("RUN", run) for command in SWEEP_COMMANDS),
    ]
    for command in commands:
        done = run_command(command)
        allowed = {refused.get(command, 0), 3 * ("--fail-on" in command)}
        assert done.exit_code in allowed, (command, done.output)


def test_the_fuzzer_finds_faults(folders: RunFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback, a hang, an allocation without bound, a warning, and JSON that is not strict."""
    monkeypatch.chdir(folders.work)
    monkeypatch.setattr(run_folders, "MAX_SECONDS", 0.2)

    def hang() -> None:
        while True:
            time.sleep(0.01)

    def warn() -> None:
        warnings.warn("beware", RuntimeWarning, stacklevel=1)

    faults = {
        "KeyError: 'loss'": lambda: {}["loss"],
        "a hang": hang,
        "not enough memory": lambda: bytearray(10**12),
        "RuntimeWarning: beware": warn,
        "Extra data": lambda: print("{}") or [],
        "control characters {'\\x1b'}": lambda: print("\x1b[31m") or [],
    }
    for words, fault in faults.items():
        with mock.patch("actcli.cli.runs.run_folders", side_effect=lambda _, fault=fault: fault()):
            assert words in str(run_folders.outcome_of("runs --json")), words
