"""`actcli train` from outside: its streams and exit codes, real MNIST. For terminals: test_live."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from actcli import __version__
from actcli.cli import main
from actcli.cli.options import MOST_USED
from actcli.config.schema import KEYS, Key
from actcli.config.sources import examples
from actcli.config.values import Switch
from actcli.machine import worker_count
from actcli.model import read_model_file

Blobs = Callable[..., Path]
ROOT = Path(__file__).parents[2]
NAMES = [str(key) for key in KEYS]
# MNIST has no column to choose as data.target: see tests/datasets/test_csv_file.py.
OF_ALL_DATA = [pytest.param(key, id=str(key)) for key in KEYS if str(key) != "data.target"]
SMALL = ("--hidden", "16", "--epochs", "2", "--batch-size", "32")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, without settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ACTCLI_")]:
        monkeypatch.delenv(name)


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, ["train", *args], env={"COLUMNS": "100", **env})


def process(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "actcli", *args],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **env},
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )


def strict(text: str) -> Any:
    assert text.count("\n") == 1
    return json.loads(text, parse_constant=pytest.fail)


# The result and the progress ------------------------------------------------------------------


def test_a_line_for_each_epoch_on_stderr_and_the_result_on_stdout(blobs: Blobs) -> None:
    result = run(*SMALL, "--dataset", str(blobs()))
    assert result.exit_code == 0
    first, second = result.stderr.splitlines()
    number = r"\d+\.\d{4}"
    assert re.fullmatch(
        rf"epoch 1/2  learning rate \S+  training loss {number} accuracy \d+\.\d\d %  "
        rf"validation loss {number} accuracy \d+\.\d\d %  [\d,]+ rows/s",
        first,
    )
    assert second.startswith("epoch 2/2  ")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["loss", "accuracy", "rows"]
    assert [line.split()[0] for line in lines[1:4]] == ["train", "validation", "test"]
    assert [line.split()[-1] for line in lines[1:4]] == ["250", "50", "300"]
    facts = dict(line.split(maxsplit=1) for line in lines[5:])
    assert facts.pop("time").endswith(" rows/s")
    assert re.fullmatch(
        r"\d\d\.\d % of the hidden units: inactive on all 250 training rows", facts.pop("dead")
    )
    assert facts == {
        "parameters": str(12 * 16 + 16 + 16 * 3 + 3),
        "epochs": "2",
        "verdict": "dead-units",
        "run": "runs/default",
        "next": "actcli diagnose runs/default",
    }
    assert "\x1b" not in result.output
    assert all(line == line.rstrip() for line in lines)
    assert Path("runs/default/model.safetensors").is_file()


def test_without_validation_nothing_is_told_of_it(blobs: Blobs) -> None:
    result = run(*SMALL, "--dataset", str(blobs()), "--validation", "0")
    assert result.exit_code == 0
    assert "validation" not in result.output


def test_quiet_is_silent_on_stderr(blobs: Blobs) -> None:
    for option in ("-q", "--quiet"):
        result = run(*SMALL, "--dataset", str(blobs()), option)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith("               loss  accuracy ")


def test_json_is_strict_and_has_the_documented_keys(blobs: Blobs) -> None:
    result = run(*SMALL, "--dataset", str(blobs()), "--json", "--name", "mine")
    assert result.exit_code == 0
    assert len(result.stderr.splitlines()) == 2
    told = strict(result.stdout)
    assert list(told) == [
        *(
            "status",
            "run",
            "parameters",
            "epochs",
            "best_epoch",
            "kept_epoch",
            "train",
            "validation",
        ),
        *(
            "test",
            "seconds",
            "examples_per_second",
            "dead",
            "verdict",
            "class_weight",
            "temperature",
        ),
    ]
    assert (told["run"], told["epochs"], told["kept_epoch"]) == ("runs/mine", 2, 2)
    for split in ("train", "validation", "test"):
        assert set(told[split]) == {"loss", "accuracy"}
        assert 0 <= told[split]["accuracy"] <= 1
    lines = Path("runs/mine/metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["validation"] == told["validation"]


def test_no_epoch_saves_the_initial_network(blobs: Blobs) -> None:
    result = run(*SMALL, "--dataset", str(blobs()), "--epochs", "0", "--json", "--validation", "0")
    assert (result.exit_code, result.stderr) == (0, "")
    told = strict(result.stdout)
    assert (told["epochs"], told["best_epoch"], told["kept_epoch"]) == (0, 0, 0)
    assert (told["validation"], told["examples_per_second"]) == (None, None)
    plain = run(*SMALL, "--dataset", str(blobs()), "--epochs", "0")
    assert "epochs      0\nverdict " in plain.stdout


def test_the_epoch_that_is_kept_is_told(blobs: Blobs) -> None:
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 3, 300)
    chosen = (
        *("--dataset", str(blobs(y_train=noise)), "--hidden", "64", "--epochs", "30"),
        *("--optimizer", "adam", "--lr", "0.02", "--patience", "2", "-q"),
    )
    told = strict(run(*chosen, "--json").stdout)
    assert told["kept_epoch"] == told["best_epoch"] == told["epochs"] - 2
    line = (
        f"epochs      {told['epochs']}, the network is that of epoch {told['best_epoch']}, the be"
    )
    assert line in run(*chosen).stdout


def test_runs_are_named_after_what_is_trained(blobs: Blobs) -> None:
    Path("my first, net!.toml").write_text("[training]\nepochs = 0\n")
    Path("_.toml").write_text("[training]\nepochs = 0\n")
    for config, name in (
        (["sigmoid"], "sigmoid"),
        ([], "default"),
        (["--activation", "tanh"], "default-2"),
        (["my first, net!.toml"], "my-first-net"),
        (["_.toml"], "_"),
        (["sigmoid", "--name", "two"], "two"),
        (["sigmoid"], "sigmoid-2"),
    ):
        result = run(*config, "--dataset", str(blobs()), "--epochs", "0", "--json")
        assert strict(result.stdout)["run"] == f"runs/{name}"


@pytest.mark.parametrize(
    ("args", "note"),
    [
        ([], ""),
        (["--name", "new"], ""),
        (["--name", "default", "-q"], "runs/default exists: the new run is default-2\n"),
    ],
)
def test_a_name_of_ones_own_that_is_taken_is_reported(
    blobs: Blobs, args: list[str], note: str
) -> None:
    small = "--dataset", str(blobs()), "--epochs", "0"
    assert run(*small).stderr == ""
    assert run(*small, *args).stderr == note


def test_the_folder_of_the_runs(blobs: Blobs) -> None:
    chosen = *SMALL, "--dataset", str(blobs()), "--epochs", "0", "--json"
    assert strict(run(*chosen, "--runs-dir", "a/b").stdout)["run"] == "a/b/default"
    assert strict(run(*chosen, ACTCLI_RUNS_DIR="c").stdout)["run"] == "c/default"


# Where values come from -----------------------------------------------------------------------

# For each key a text that is neither its default nor that of the example, and its value.
OTHER = {
    "data.name": ("other", "other"),
    "data.validation": ("7", 7),
    "data.classes": ("3,8", ["3", "8"]),
    "data.normalize": ("standard", "standard"),
    "model.hidden": ("9,8", [9, 8]),
    "model.activation": ("tanh,elu", ["tanh", "elu"]),
    "model.init": ("orthogonal", "orthogonal"),
    "model.init_scale": ("2.5", 2.5),
    "model.bias_init": ("normal", "normal"),
    "model.output": ("softmax", "softmax"),
    "model.dropout": ("0.25", 0.25),
    "loss.name": ("kl-divergence", "kl-divergence"),
    "loss.label_smoothing": ("0.125", 0.125),
    "loss.class_weight": ("balanced", "balanced"),
    "optimizer.name": ("adamw", "adamw"),
    "optimizer.learning_rate": ("0.5", 0.5),
    "optimizer.momentum": ("0.5", 0.5),
    "optimizer.nesterov": ("true", True),
    "optimizer.betas": ("0.5,0.75", [0.5, 0.75]),
    "optimizer.weight_decay": ("0.5", 0.5),
    "optimizer.clip_norm": ("2", 2.0),
    "optimizer.schedule": ("linear", "linear"),
    "optimizer.warmup": ("1.5", 1.5),
    "training.epochs": ("3", 3),
    "training.batch_size": ("11", 11),
    "training.seed": ("5", 5),
    "training.patience": ("4", 4),
    "training.calibrate": ("true", True),
    "training.workers": (str(worker_count()), worker_count()),
}


def origin(name: str, *args: str, **env: str) -> tuple[Any, str]:
    """The value of a key in a dry run, and where it comes from."""
    result = run(*args, "--dry-run", "--json", **env)
    assert (result.exit_code, result.stderr) == (0, "")
    assert list(Path().glob("runs*")) == []
    table, key = name.split(".")
    found = strict(result.stdout)[table][key]
    return found["value"], found["origin"]


@pytest.mark.parametrize("key", OF_ALL_DATA)
def test_an_option_goes_before_its_variable_and_that_before_the_file(key: Key) -> None:
    text, value = OTHER[str(key)]
    option = [f"--{key.option}"] if isinstance(key.kind, Switch) else [f"--{key.option}", text]
    name, assignment = str(key), f"{key}={text}"
    written = json.dumps(value)
    Path("net.toml").write_text(f"[{key.table}]\n{key.name} = {written}\n")
    assert origin(name)[1] == "default"
    assert origin(name, "net.toml") == (value, "net.toml")
    assert origin(name, **{key.variable: text}) == (value, key.variable)
    assert origin(name, *option) == (value, f"--{key.option}")
    assert origin(name, "--set", assignment) == (value, "--set")
    assert origin(name, "net.toml", **{key.variable: text})[1] == key.variable
    assert origin(name, "net.toml", *option, **{key.variable: text})[1] == f"--{key.option}"
    assert origin(name, *option, "--set", assignment, **{key.variable: text})[1] == "--set"


def test_no_switch_goes_before_its_variable() -> None:
    assert origin("optimizer.nesterov", "--no-nesterov", ACTCLI_NESTEROV="1") == (
        False,
        "--nesterov",
    )


def test_of_two_values_the_stronger_holds() -> None:
    Path("net.toml").write_text("[training]\nepochs = 1\nseed = 1\nbatch_size = 1\n")
    chosen = "net.toml", "--epochs", "3", "--set", "training.seed=4", "--set", "training.seed=5"
    env = {"ACTCLI_EPOCHS": "2", "ACTCLI_SEED": "2", "ACTCLI_BATCH_SIZE": "2"}
    assert origin("training.epochs", *chosen, **env) == (3, "--epochs")
    assert origin("training.seed", *chosen, **env) == (5, "--set")
    assert origin("training.batch_size", *chosen, **env) == (2, "ACTCLI_BATCH_SIZE")
    assert origin("training.batch_size", *chosen) == (1, "net.toml")


def test_a_dry_run_shows_each_value_and_its_origin() -> None:
    result = run("relu", "--lr", "0.3", "--dry-run", ACTCLI_SEED="7", COLUMNS="60")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["key", "value", "from"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:] if line[0] != " "}
    assert list(rows) == NAMES  # none is cut or folded at 60 columns
    assert rows["optimizer.learning_rate"] == ["0.3", "--lr"]
    assert rows["training.seed"] == ["7", "ACTCLI_SEED"]
    assert rows["training.epochs"][0] == "5"
    assert rows["training.patience"] == ["0", "default"]
    assert "(not used" in result.stdout
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("assignment", "name", "value"),
    [
        ("model.hidden=[8, 8]", "model.hidden", [8, 8]),
        ("model.hidden=8,8", "model.hidden", [8, 8]),
        ("model.hidden=[]", "model.hidden", []),
        ('loss.name="mse"', "loss.name", "mse"),
        ("loss.name='mse'", "loss.name", "mse"),
        ('model.activation=["tanh", "relu"]', "model.activation", ["tanh", "relu"]),
        ("optimizer.nesterov=true", "optimizer.nesterov", True),
        ("training.batch_size=1_000", "training.batch_size", 1000),
    ],
)
def test_an_assignment_may_be_spelt_as_in_a_file(assignment: str, name: str, value: Any) -> None:
    assert origin(name, "--set", assignment) == (value, "--set")


def test_a_network_from_assignments_spelt_as_in_a_file(blobs: Blobs) -> None:
    chosen = "--set", "model.hidden=[8, 8]", "--set", 'loss.name="mse"', "--epochs", "1", "-q"
    result = run(*chosen, "--dataset", str(blobs()), "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert strict(result.stdout)["parameters"] == 12 * 8 + 8 + 8 * 8 + 8 + 8 * 3 + 3
    text = Path("runs/default/config.toml").read_text()
    assert "hidden = [8, 8]\n" in text
    assert 'name = "mse"\n' in text


def test_what_has_no_effect_is_told_unless_it_is_to_be_quiet(blobs: Blobs) -> None:
    Path("net.toml").write_text("[optimizer]\nbetas = [0.8, 0.9]\n")
    data = "--dataset", str(blobs()), "--epochs", "0"
    told = "{} has no effect: not used by {}\n"
    nesterov = told.format("--nesterov: optimizer.nesterov", "adam")
    betas = told.format("net.toml: optimizer.betas", "sgd")
    momentum = told.format("ACTCLI_MOMENTUM: optimizer.momentum", "adam")
    for chosen, env, stderr in (
        (("--optimizer", "adam", "--nesterov"), {}, nesterov),
        (("--optimizer", "sgd", "--nesterov"), {}, ""),
        (("net.toml",), {}, betas),
        (("--optimizer", "adam"), {"ACTCLI_MOMENTUM": "0.5"}, momentum),
    ):
        result = run(*chosen, *data, **env)
        assert (result.exit_code, result.stderr) == (0, stderr)
        for quiet in ("-q", "--quiet"):
            result = run(*chosen, *data, quiet, **env)
            assert (result.exit_code, result.stderr) == (0, "")


def test_the_configuration_of_a_run_gives_the_name_of_its_folder(blobs: Blobs) -> None:
    data = "--dataset", str(blobs()), "--epochs", "0", "--json", "-q"
    Path("e").mkdir()
    Path("e/config.toml").write_text("[model]\nhidden = [3]\n")
    assert strict(run("e/config.toml", *data).stdout)["run"] == "runs/e"
    # Those that actcli writes, too.
    assert strict(run("runs/e/config.toml", *data).stdout)["run"] == "runs/e-2"


# Mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("--lr 0", 'Invalid value for --lr: must be "auto" or a number above 0, not 0.0. See'),
        ("--lr -1", 'Invalid value for --lr: must be "auto" or a number above 0, not -1.0. See'),
        ("--lr 1e400", 'Invalid value for --lr: must be "auto" or a finite number above 0, not'),
        ("--lr nan", 'Invalid value for --lr: must be "auto" or a number above 0, not nan. See'),
        (
            "--learning-rate x",
            'Invalid value for --lr: must be "auto" or a number above 0, not \'x',
        ),
        ("--hidden 0", "Invalid value for --hidden: must be at least 1, not 0. See"),
        (
            "--hidden 1,x",
            "Invalid value for --hidden: must be a whole number of at least 1, not 'x'",
        ),
        (
            "--hidden 9999999999999999999",
            "Invalid value for --hidden: must be at most 9223372036854775807, not 99999999999999",
        ),
        (
            "--batch-size 0",
            'Invalid value for --batch-size: must be "auto" or at least 1, not 0. See',
        ),
        (
            "--epochs 1.5",
            'Invalid value for --epochs: must be "auto" or a whole number of at least 0, not',
        ),
        ("--epochs -1", 'Invalid value for --epochs: must be "auto" or at least 0, not -1. See'),
        (
            "--dropout 1",
            "Invalid value for --dropout: must be a number of at least 0 and below 1, n",
        ),
        ("--betas 0.9", "Invalid value for --betas: must be a list of 2, not of 1. See"),
        ("--activation rleu", "softsign, relu6; not 'rleu' (did you mean relu?). See"),
        (
            "--loss cross-entorpy",
            "sse, mse; not 'cross-entorpy' (did you mean cross-entropy?). See",
        ),
        (
            "--loss mse --label-smoothing 0.1",
            "label_smoothing has no meaning for loss 'mse'. It goes",
        ),
        (
            "--loss cross-entropy --output sigmoid",
            "loss 'cross-entropy' does not go with output 'sigmoid'. Its outputs: softmax, or auto",
        ),
        (
            "--activation relu,tanh,elu",
            "[model] activation names 3 for 2 hidden layers. Give one for",
        ),
        ("--nesterov --momentum 0", "[optimizer] nesterov needs a momentum above 0"),
        (
            "--warmup 7",
            "[optimizer] warmup of 7 epochs is longer than the training. [training] epoch",
        ),
        ("--patience 1 --validation 0", "[training] patience waits for the validation loss, but"),
        ("--classes 3", "classes: '3' is the only class. Choose two or more"),
        (
            "--classes 3,99",
            "there is no class '99'. Did you mean '9'? Known: 0, 1, 2, 3, 4, 5, 6, 7, 8",
        ),
        ("--classes 3,3", "classes: '3' is chosen twice"),
        (
            "--validation 60000",
            "validation = 60000: there are 60,000 training rows. Allowed: 0 to 59",
        ),
        (
            "--dataset minst",
            "there is no data set, folder or file 'minst'. Did you mean 'mnist'? Kno",
        ),
        (
            "--opimizer adam",
            "No such option '--opimizer'. (Did you mean one of: '--normalize', '--op",
        ),
        ("--lr", "Option '--lr' requires an argument."),
        (
            "--set dropout=1",
            "--set dropout=1: expected table.key=value. Example: model.dropout=0.2",
        ),
        (
            "--set model.dorpout=0",
            "[model] has no key dorpout. Did you mean dropout? Known: hidden",
        ),
        ("none.toml", "cannot read the configuration none.toml: No such file or directory"),
        (
            "sigmiod",
            "there is no configuration file or example configuration 'sigmiod'. Did",
        ),
        ("relu sigmoid", "Got unexpected extra argument (sigmoid)"),
        ("--name a/b", "a run cannot be named 'a/b'. Allowed: letters, digits and . + - _"),
        ("--name ..", "a run cannot be named '..'. Allowed: letters, digits and . + - _"),
        ("--name=", "a run cannot be named ''. Allowed: letters, digits and . + - _"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_left_behind(args: str, message: str) -> None:
    result = run(*args.split())
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 2
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("key", OF_ALL_DATA)
def test_a_wrong_variable_is_named(key: Key) -> None:
    if str(key) == "data.name":
        wrong, told = "no such thing", "there is no data set, folder or file 'no such thing'"
    else:
        wrong, told = "a,\x1b,b", f"Invalid value for {key.variable}: "
    result = run(**{key.variable: wrong})
    if str(key) == "data.classes":
        told = "there is no class 'a'"
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert "\x1b" not in result.stderr
    assert list(Path().iterdir()) == []


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    Path("net.toml").write_text("[training]\nepochs = true\n[modle]\n")
    result = run("net.toml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: 2 mistakes\n"
        '  net.toml: [training] epochs must be "auto" or a whole number of at least 0, not true\n'
        "  net.toml: there is no table [modle]. Did you mean [model]? "
        "Known: data, model, loss, optimizer, training\n"
    )


def test_divergence_is_a_failure_that_says_what_to_try(blobs: Blobs) -> None:
    result = run(*SMALL, "--dataset", str(blobs()), "--lr", "1e30")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: the loss stopped being finite in epoch 1, step 2 of 8, first in layer 2 of 2. Try "
        "--lr 0.1. runs/default/model.safetensors is the network before the first step\n"
    )
    assert Path("runs/default/model.safetensors").is_file()


def test_a_folder_that_cannot_be_made_is_a_failure(blobs: Blobs) -> None:
    Path("file").write_text("")
    for folder in ("file", "file/runs"):
        result = run(*SMALL, "--dataset", str(blobs()), "--runs-dir", folder)
        assert (result.exit_code, result.stdout) == (1, "")
        message = f"Error: cannot make a run folder in {folder}: Not a directory\n"
        assert result.stderr == message


def test_a_network_beyond_the_memory_is_a_failure(blobs: Blobs) -> None:
    result = run("--dataset", str(blobs()), "--hidden", "1000000,1000000,1000000")
    assert (result.exit_code, result.stdout) == (1, "")
    told = r"Error: this network needs \d+\.\d TB of memory, this machine has .*\n"
    assert re.fullmatch(told, result.stderr)
    assert not Path("runs").exists()


# Help and completion --------------------------------------------------------------------------


def test_help_documents_every_option() -> None:
    text = run("--help").stdout
    command = main.get_command(click.Context(main), "train")
    assert command is not None
    options = [
        option
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    ]
    assert all(option.help and option.opts[0] in text for option in options)
    assert len(options) == len(KEYS) + 10


def test_help_groups_the_options_by_their_tables() -> None:
    lines = run("--help").stdout.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        *("Most used:", "Data set:", "Network:", "Loss:", "Optimizer:", "Training:"),
        "Run and output:",
    ]
    start, end = lines.index("Most used:"), lines.index("Data set:")
    names = [line.split()[0].rstrip(",") for line in lines[start:end] if line[2:3] == "-"]
    assert names == [f"--{name}" for name in MOST_USED]


def test_the_example_configurations_are_listed() -> None:
    lines = run("--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == examples()
    assert (
        "deep-sigmoid    Vanishing gradients: less than 0.25^5 = 0.1 % of the error passes"
        in (lines[0])
    )
    assert all(line.endswith((".", "?")) and len(line) <= 120 for line in lines)
    assert ", ".join(examples()) in run("--help").stdout


@pytest.mark.parametrize("key", KEYS, ids=NAMES)
def test_every_key_has_an_option_that_is_in_the_help(key: Key) -> None:
    text = "".join(run("--help", COLUMNS="200").stdout.split())  # lines may end after a hyphen
    at = text.index(f"--{key.option}")
    entry = text[at : at + 600]
    assert key.help[1:].replace(" ", "") in entry
    for name in key.kind.completions():
        assert name in entry or name in {"true", "false"}


@pytest.mark.parametrize("config", examples())
def test_every_example_configuration_can_be_trained(config: str) -> None:
    result = run(config, "--dry-run")
    assert (result.exit_code, result.stderr) == (0, "")


START = "from actcli.cli import main; main(prog_name='actcli')"


def imported(*args: str, **env: str) -> tuple[list[str], set[str]]:
    """The lines on stdout, and the modules that were imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", START, *args],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    modules = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "actcli.cli" in modules
    return done.stdout.splitlines(), modules


def complete(words: str) -> list[str]:
    env = {"_ACTCLI_COMPLETE": "bash_complete", "COMP_WORDS": words}
    lines, modules = imported(**env, COMP_CWORD=str(len(words.split(" ")) - 1))
    assert not modules & {"numpy", "rich"}
    return lines


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("actcli tr", ["plain,train"]),
        ("actcli train --activation re", ["plain,relu", "plain,relu6"]),
        ("actcli train --activation relu,ta", ["plain,relu,tanh"]),
        ("actcli train --optimizer ad", ["plain,adagrad", "plain,adam", "plain,adamw"]),
        ("actcli train --lr a", ["plain,auto"]),
        (
            "actcli train --output ",
            [f"plain,{n}" for n in ("auto", "softmax", "sigmoid", "identity")],
        ),
        ("actcli train --learning", ["plain,--learning-rate"]),
        ("actcli train de", ["plain,deep-sigmoid", "plain,default", "file,de"]),
        ("actcli train --runs-dir x", ["dir,x"]),
    ],
)
def test_completion_knows_the_names_and_imports_neither_numpy_nor_rich(
    words: str, offered: list[str]
) -> None:
    assert complete(words) == offered


@pytest.mark.parametrize("args", [["--help"], ["train", "--help"], ["--version"]])
def test_help_and_version_import_neither_numpy_nor_rich(args: list[str]) -> None:
    lines, modules = imported(*args)
    assert not modules & {"numpy", "rich"}
    assert lines[0] in {
        "Usage: actcli [OPTIONS] COMMAND [ARGS]...",
        "Usage: actcli train [OPTIONS] [CONFIG]",
        f"actcli, version {__version__}",
    }


# In a process of its own ----------------------------------------------------------------------


def test_an_epoch_of_mnist() -> None:
    result = process("train", "--epochs", "1", "--json", NO_COLOR="1", TERM="xterm")
    assert result.returncode == 0
    assert strict(result.stdout)["test"]["accuracy"] > 0.93
    assert result.stderr.startswith("epoch 1/1  learning rate ")
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("count", [1, 2])
def test_the_number_of_workers_is_set_and_recorded(blobs: Blobs, count: int) -> None:
    chosen = *SMALL, "--dataset", str(blobs()), "--workers", str(count), "--json"
    inherited = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "actcli", "train", *chosen],
        env={**inherited, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        timeout=30,
    )
    folder = Path(json.loads(done.stdout)["run"])
    told = json.loads((folder / "environment.json").read_text())
    assert set(told["threads"].values()) == {"1"}  # of the BLAS
    assert f"workers = {count}\n" in (folder / "config.toml").read_text()


UNFINISHED = {
    *("checkpoint.safetensors", "config.toml", "environment.json", "metrics.jsonl"),
    "model.safetensors",
}


def test_an_interrupted_run_is_whole(blobs: Blobs) -> None:
    chosen = *SMALL, "--dataset", str(blobs()), "--epochs", "1000000"
    with subprocess.Popen(
        [sys.executable, "-m", "actcli", "train", *chosen],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stderr is not None
        assert started.stderr.readline().startswith("epoch 1/1000000")
        started.send_signal(signal.SIGINT)
        stdout, stderr = started.communicate(timeout=30)
    assert (started.returncode, stdout) == (130, "")
    told = r"interrupted after .*epoch \d+ of 1000000; the run is saved\. "
    told += r"To resume it: actcli train --resume runs/default"
    assert re.fullmatch(told, stderr.splitlines()[-1])
    assert "Traceback" not in stderr
    names = {path.name for path in Path("runs/default").iterdir()}
    assert names == UNFINISHED


def test_a_terminated_run_is_whole(blobs: Blobs) -> None:
    chosen = "--dataset", str(blobs()), "--hidden", "64", "--epochs", "1000"
    with subprocess.Popen(
        [sys.executable, "-m", "actcli", "train", *chosen],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stderr is not None
        for _ in range(3):
            assert re.match(r"epoch \d/1000 ", started.stderr.readline())
        sent = time.monotonic()
        started.terminate()
        stdout, stderr = started.communicate(timeout=30)
    assert time.monotonic() - sent < 5
    assert (started.returncode, stdout) == (143, "")
    assert "Traceback" not in stderr
    *epochs, told = stderr.splitlines()
    assert all(line.startswith("epoch ") for line in epochs)
    assert re.match(r"terminated after .*; the run is saved\. To resume it: ", told)
    names = {path.name for path in Path("runs/default").iterdir()}
    assert names == UNFINISHED
    assert read_model_file(Path("runs/default/model.safetensors")).sizes == (12, 64, 3)
    assert len(Path("runs/default/metrics.jsonl").read_text().splitlines()) >= 3
