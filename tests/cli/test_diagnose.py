"""`actcli diagnose` from outside: its streams, exit codes, JSON, and that it fits a screen."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blob_data import make_blobs
from click.shell_completion import BashComplete
from click.testing import CliRunner, Result
from screens import on_screen

from actcli.cli import main
from actcli.datasets.dataset import load_dataset
from actcli.diagnostics.measured import measured
from actcli.diagnostics.rules import RULES

Blobs = Callable[..., Path]
PARTS = {"gradients": "Gradient flow", "units": "Units", "softmax": "Softmax", "verdict": "Verdict"}
EXAMINED = ["model", "dataset", "split", "rows", "class_weights"]
KEYS = {
    "gradients": [
        "layer", "units", "delta_norm", "backprop_factor", "derivative_mean", "derivative_bound",
        "weight_grad_norm", "bias_grad_norm", "weight_norm", "update_ratio",
    ],
    "units": [
        "layer", "activation", "units", "dead", "born_dead", "nearly_dead", "always_on",
        "active_fraction", "saturated_fraction",
    ],
    "softmax": [
        "accuracy", "nll", "confidence", "entropy", "ece", "mce", "temperature", "histogram",
        "reliability", "classes",
    ],
    "classes": [
        "label", "rows", "probability_of_true", "confidence", "entropy", "accuracy",
        "confused_with",
    ],
    "reliability": ["low", "high", "count", "confidence", "accuracy"],
    "findings": ["rule", "severity", "layers", "evidence", "cause", "remedy", "remedies", "source"],
}  # fmt: skip
VERDICT = ["reference_accuracy", "reference", "findings", "verdict"]
KEYS_OF_PARTS = ["gradients", "units", "softmax", *VERDICT]

TRAIN_ROWS, VALIDATION_ROWS, TEST_ROWS = 8000, 1000, 2000


def call(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, [*args], env={"COLUMNS": "100", **env})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with two runs on digits: one that learns and then, the newest, one that does not."""
    parent = tmp_path_factory.mktemp("digits")
    mnist = load_dataset("mnist", validation=0, progress=lambda *_: None)
    train, test = (
        (split.pixels[split.rows[:rows]].reshape(rows, 28, 28), split.labels[:rows])
        for split, rows in ((mnist.train, TRAIN_ROWS + VALIDATION_ROWS), (mnist.test, TEST_ROWS))
    )
    data = parent / "digits.npz"
    np.savez(data, x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    folder = str(parent / "runs")
    for name, config in (("healthy", "default"), ("sick", "deep-sigmoid")):
        done = call(
            *("train", config, "--dataset", str(data), "--validation", str(VALIDATION_ROWS)),
            *("--epochs", "2", "--runs-dir", folder, "--name", name, "-q"),
        )
        assert done.exit_code == 0, done.output
    return folder


def diagnose(runs: str, *args: str, **env: str) -> Result:
    return call("diagnose", "--runs-dir", runs, *args, **env)


def strict(text: str) -> Any:
    assert text.count("\n") == 1
    return json.loads(text, parse_constant=pytest.fail)


# What is shown --------------------------------------------------------------------------------


def test_the_newest_run_is_examined_on_all_rows_that_trained_it(runs: str) -> None:
    done = diagnose(runs)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("sick on 8,000 rows of digits, train: cross-entropy 2.30")
    for title in PARTS.values():
        assert f"\n{title}" in done.stdout


@pytest.mark.parametrize(
    ("target", "columns", "encoding"),
    [("sick", 100, "utf-8"), ("healthy", 80, "ascii"), ("sick", 60, "ascii")],
)
def test_it_fits_the_screen(runs: str, target: str, columns: int, encoding: str) -> None:
    text = on_screen(
        "diagnose", target, "--runs-dir", runs, "--rows", "2000", columns=columns, encoding=encoding
    )
    assert len(text.splitlines()) <= (60 if columns == 100 else 80)


def test_a_pipe_is_coloured_on_request(runs: str) -> None:
    command = [sys.executable, "-m", "actcli", "diagnose", "--runs-dir", runs, "--rows", "100"]
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    done = subprocess.run(command, env={**env, "FORCE_COLOR": "1"}, capture_output=True, check=True)
    assert b"\x1b[" in done.stdout


@pytest.mark.parametrize("part", PARTS)
def test_only_one_part(runs: str, part: str) -> None:
    done = diagnose(runs, "healthy", "--rows", "500", "--only", part)
    shown = [name for name, title in PARTS.items() if f"\n{title}" in done.stdout]
    assert shown == [part]


def test_history_is_shown_when_asked_for(runs: str) -> None:
    arguments = ("healthy", "--rows", "500", "--only", "verdict")
    assert "History" not in diagnose(runs, *arguments).stdout
    text = diagnose(runs, *arguments, "--history").stdout
    assert "\nHistory  epoch 1 to 2" in text
    assert "silent units" in text
    assert len(strict(diagnose(runs, *arguments, "--history", "--json").stdout)["history"]) == 2


def test_a_network_at_its_start(runs: str) -> None:
    done = diagnose(runs, "deep-sigmoid", "--at-init", "--only", "gradients", "--rows", "500")
    assert done.exit_code == 0
    assert done.stdout.startswith("deep-sigmoid at its start on 500 rows of mnist, train: ")
    assert "of the error reaches layer 1: each layer passes on 0.2" in done.stdout


def test_splits_and_rows(runs: str) -> None:
    for split, rows in (("validation", VALIDATION_ROWS), ("test", TEST_ROWS)):
        result = strict(diagnose(runs, "healthy", "--split", split, "--json").stdout)
        assert (result["split"], result["rows"]) == (split, rows)
    few = [diagnose(runs, "healthy", "--rows", "600", "--json").stdout for _ in range(2)]
    assert few[0] == few[1]
    assert strict(few[0])["rows"] == 600
    more = diagnose(runs, "healthy", "--split", "validation", "--rows", "99999", "--json")
    assert strict(more.stdout)["rows"] == VALIDATION_ROWS


def test_rows_of_a_sorted_file_are_drawn_from_all_classes(blobs: Blobs, tmp_path: Path) -> None:
    data = str(blobs(y_train=np.sort(np.arange(300) % 3)))
    runs = str(tmp_path / "runs")
    trained = call("train", "--dataset", data, "--epochs", "1", "--runs-dir", runs, "-q")
    assert trained.exit_code == 0
    result = strict(diagnose(runs, "--rows", "30", "--json").stdout)
    assert all(each["rows"] > 3 for each in result["softmax"]["classes"])


# JSON -----------------------------------------------------------------------------------------


def test_json_has_exactly_its_keys(runs: str) -> None:
    done = diagnose(runs, "sick", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    result = strict(done.stdout)
    assert list(result) == [*EXAMINED, *KEYS_OF_PARTS]
    for part in ("gradients", "units", "findings"):
        assert result[part]
        for row in result[part]:
            assert list(row) == KEYS[part]
    softmax = result["softmax"]
    assert list(softmax) == KEYS["softmax"]
    assert list(softmax["histogram"]) == ["edges", "counts"]
    for part in ("classes", "reliability"):
        assert all(list(row) == KEYS[part] for row in softmax[part])
    assert [row["layer"] for row in result["gradients"]] == [1, 2, 3, 4, 5, 6]
    assert result["verdict"] == result["findings"][0]["rule"] == "vanishing-gradient"
    assert result["findings"][0]["severity"] in {"note", "warning", "error"}


def test_json_adds_up(runs: str) -> None:
    result = strict(diagnose(runs, "healthy", "--json").stdout)
    softmax, histogram = result["softmax"], result["softmax"]["histogram"]
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1 == 16
    assert (
        sum(histogram["counts"]) == sum(each["rows"] for each in softmax["classes"]) == TRAIN_ROWS
    )
    gaps = [
        each["count"] * abs(each["confidence"] - each["accuracy"])
        for each in softmax["reliability"]
        if each["count"]
    ]
    assert sum(gaps) / TRAIN_ROWS == pytest.approx(softmax["ece"])
    norms = [layer["delta_norm"] for layer in result["gradients"]]
    assert result["gradients"][0]["backprop_factor"] == pytest.approx(norms[0] / norms[1])
    assert result["verdict"] == "healthy"


def test_json_of_some_parts(runs: str) -> None:
    result = strict(
        diagnose(runs, "healthy", "--rows", "500", "--only", "verdict,units", "--json").stdout
    )
    assert list(result) == [*EXAMINED, "units", *VERDICT]


def test_an_identity_output_has_no_softmax(blobs: Blobs, tmp_path: Path) -> None:
    runs = str(tmp_path / "runs")
    options = ("--dataset", str(blobs()), "--loss", "mse", "--output", "identity")
    assert call("train", *options, "--epochs", "2", "--runs-dir", runs, "-q").exit_code == 0
    assert strict(diagnose(runs, "--json").stdout)["softmax"] is None
    assert "not probabilities" in diagnose(runs).stdout


# Exit codes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "fail_on", "status"),
    [
        ("healthy", "warning", 0),
        ("healthy", "error", 0),
        ("sick", "note", 3),
        ("sick", "warning", 3),
        ("sick", "error", 3),
        ("sick", "vanishing-gradient", 3),
        ("sick", "non-finite-parameters", 0),
    ],
)
def test_fail_on(runs: str, target: str, fail_on: str, status: int) -> None:
    done = diagnose(runs, target, "--rows", "2000", "--fail-on", fail_on, "--only", "units")
    assert done.exit_code == status
    assert (done.stderr, "\nUnits" in done.stdout) == ("", True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fail-on", "warnin"], "Did you mean 'warning'?"),
        (["--fail-on", "vanishing-gradients"], "Did you mean 'vanishing-gradient'?"),
        (["--only", "unit"], "Did you mean 'units'?"),
        (["--only", "units,"], "--only: there is no part ''"),
        (["--split", "tran"], "--split: there is no split 'tran'. Did you mean 'train'?"),
        (["--explain", "dead-unit"], "Did you mean 'dead-units'?"),
        (["--rows", "0"], "at least 1, not 0"),
        (["--activation", "rellu"], "did you mean relu?"),
        (["--output", "auto"], "one of softmax, sigmoid, identity; not 'auto'"),
        (["healty"], "Did you mean 'healthy'?"),
        (["--onyl", "units"], "--only"),
        (["healthy", "--at-init", "--history"], "the untrained network, which has no history"),
    ],
    ids=" ".join,
)
def test_mistakes_name_the_nearest_allowed_value(
    runs: str, arguments: list[str], message: str
) -> None:
    done = diagnose(runs, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_empty_split_is_refused(blobs: Blobs, tmp_path: Path) -> None:
    runs = str(tmp_path / "runs")
    options = ("--dataset", str(blobs()), "--validation", "0", "--epochs", "1")
    assert call("train", *options, "--runs-dir", runs, "-q").exit_code == 0
    done = diagnose(runs, "--split", "validation")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "Error: the data set blobs has no validation rows. Allowed: train or test\n"
    )


def test_without_a_run_it_says_how_to_make_one(tmp_path: Path) -> None:
    done = diagnose(str(tmp_path / "none"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "actcli train" in done.stderr


def test_labels_that_the_network_doubts_are_those_that_are_wrong(
    blobs: Callable[..., Path], tmp_path: Path
) -> None:
    arrays = make_blobs(3, 300, 12, 16)
    labels, wrong = arrays["y_train"].copy(), [7, 100, 205]
    labels[wrong] = (labels[wrong] + 1) % 3
    data, runs = blobs(y_train=labels), str(tmp_path / "runs")
    settings = ("--dataset", str(data), "--hidden", "16", "--validation", "0", "--epochs", "9")
    assert call("train", *settings, "--batch-size", "32", "--runs-dir", runs, "-q").exit_code == 0
    shown = strict(diagnose(runs, "--only", "labels", "--json").stdout)["labels"]
    assert sorted(row["index"] for row in shown["doubted"][:3]) == wrong
    assert shown["estimated"] == 3
    first = shown["doubted"][0]
    assert first["label"] == str(labels[first["index"]])
    assert first["answer"] == str(arrays["y_train"][first["index"]])
    sampled = strict(diagnose(runs, "--only", "labels", "--rows", "250", "--json").stdout)["labels"]
    assert {row["index"] for row in sampled["doubted"]} & set(wrong)
    text = diagnose(runs, "--only", "labels").stdout
    assert "By confident learning, about 3 of 300 labels are wrong." in text
    assert "labels,7,label," in diagnose(runs, "--only", "labels", "--csv").stdout
    assert "labels" not in strict(diagnose(runs, "--json").stdout)


# The rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_explain_prints_all_texts_of_a_rule(rule: str) -> None:
    done = call("diagnose", "--explain", rule)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == rule
    words = " ".join(done.stdout.split())
    counts = measured(rule)
    texts = {**RULES[rule].texts(), "measured": counts.describe()}
    for text in texts.values():
        assert " ".join(text.split()) in words
    as_json = strict(call("diagnose", "--explain", rule, "--json").stdout)
    assert as_json == {"rule": rule, **texts, "counts": asdict(counts)}


def test_help_lists_the_exit_codes_and_the_names(runs: str) -> None:
    text = " ".join(diagnose(runs, "--help").stdout.split())
    assert "3 a finding that matches --fail-on" in text
    assert "gradients, units, softmax, verdict" in text


# Completion -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("di", "diagnose"),
        ("diagnose --only units,so", "units,softmax"),
        ("diagnose --fail-on w", "warning"),
        ("diagnose --explain dead", "dead-units"),
        ("diagnose --split te", "test"),
        ("diagnose --activation re", "relu"),
        ("diagnose --at-init deep", "deep-sigmoid"),
        ("diagnose hea", "healthy"),
    ],
)
def test_completion(runs: str, typed: str, offered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTCLI_RUNS_DIR", runs)
    *arguments, incomplete = typed.split()
    completion = BashComplete(main, {}, "actcli", "_ACTCLI_COMPLETE")
    items = completion.get_completions(arguments, incomplete)
    assert offered in [item.value for item in items]


def test_completion_needs_neither_numpy_nor_rich() -> None:
    script = (
        "import sys; from actcli.cli import main\n"
        "try: main(prog_name='actcli')\n"
        "finally: print([name for name in ('numpy', 'rich') if name in sys.modules])"
    )
    typed = "actcli diagnose --explain dead"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={
            **os.environ,
            "_ACTCLI_COMPLETE": "bash_complete",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(typed.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert "plain,dead-units" in lines
    assert lines[-1] == "[]"
