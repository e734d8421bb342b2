"""Wrong configurations, given to `actcli train`: all mistakes are reported at once, with place."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from actcli.cli import main
from actcli.config.schema import KEYS

Refused = Callable[..., str]


def message_of(refused: Refused, content: str | bytes, *options: str) -> str:
    """Return the message about a file of this content, called c.toml."""
    Path("c.toml").write_bytes(content.encode() if isinstance(content, str) else content)
    return refused("train", "c.toml", "--dry-run", *options, status=2)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# One mistake ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "[optimiser]\nname = 'sgd'",
            "c.toml: there is no table [optimiser]. Did you mean [optimizer]? Known: data, model",
        ),
        (
            "[model]\nhiden = [3]",
            "c.toml: [model] has no key hiden. Did you mean hidden? Known: hidden, activation",
        ),
        (
            "[training]\nepochs = true",
            'c.toml: [training] epochs must be "auto" or a whole number of at least 0, not true',
        ),
        (
            "[training]\nepochs = 1.5",
            'c.toml: [training] epochs must be "auto" or a whole number of at least 0, not 1.5',
        ),
        (
            "[training]\nbatch_size = 0",
            'c.toml: [training] batch_size must be "auto" or at least 1, not 0',
        ),
        (
            "[optimizer]\nmomentum = 1.0",
            "c.toml: [optimizer] momentum must be a number of at least 0 and below 1, not 1.0",
        ),
        ("[training]\nepochs = \n", "c.toml is not TOML: Invalid value (at line 2, column 10)"),
        (
            "[training]\nepochs = 1\nepochs = 2\n",
            "c.toml is not TOML: Cannot overwrite a value (at line 3, column 11)",
        ),
        (b"[data]\n\nname = '\xff'", "c.toml is not UTF-8 text: byte 16, in line 3"),
        (
            f"\n[training]\nseed = {'9' * 5000}",
            "c.toml holds a number with too many digits: line 3",
        ),
        ("a = " + "[" * 9999, "c.toml is not TOML: its values are nested too deeply"),
        ("a" + ".a" * 100_000 + " = 1", "c.toml is not a configuration: line 1 has 100,000 dots"),
        (bytes(2_000_000), "c.toml is not a configuration: it is larger than 1,000,000 bytes"),
        (
            "[model]\nhidden." + "a." * 150 + "b = 1",
            "c.toml: [model] hidden must be a list, not {'a': {'a': ",
        ),
        (
            f"[training]\nepochs = [0x{'f' * 5000}]",
            'c.toml: [training] epochs must be "auto" or a whole number of at least 0, not a list',
        ),
        (
            "[model]\nactivation = ['\\u001b[2J']",
            "c.toml: [model] activation must be one of identity, sigmoid",
        ),
        ('["\\u001b[2J"]\n', "c.toml: there is no table [\\x1b[2J]. Known: data"),
        ('[data]\n"\\u001b[2J" = 1\n', "c.toml: [data] has no key \\x1b[2J. Known: name"),
    ],
)
def test_a_mistake_in_a_file(refused: Refused, content: str | bytes, message: str) -> None:
    text = message_of(refused, content)
    assert text.startswith(message)
    assert len(text) < 300
    assert "\n" not in text
    assert "\x1b" not in text


def test_an_illegal_pair_names_the_outputs_that_are_legal(refused: Refused) -> None:
    text = message_of(refused, "[loss]\nname = 'cross-entropy'\n[model]\noutput = 'sigmoid'")
    assert text.endswith(
        "loss 'cross-entropy' does not go with output 'sigmoid'. Its outputs: softmax, or auto"
    )


def test_a_file_may_start_with_the_mark_of_an_editor() -> None:
    from actcli.config.sources import read_toml

    Path("c.toml").write_bytes(b"\xef\xbb\xbf[training]\nepochs = 3\n")
    assert [each.value for each in read_toml(Path("c.toml"))] == [3]


def test_a_folder_and_a_missing_file(refused: Refused) -> None:
    Path("folder.toml").mkdir()
    Path("folder").mkdir()
    for name, reason in (
        ("folder.toml", "Is a directory"),
        ("folder", "Is a directory"),
        ("none.toml", "No such file or directory"),
    ):
        message = f"cannot read the configuration {name}: {reason}"
        assert refused("train", name, status=2) == message


def test_a_file_without_end_is_not_read_to_its_end(refused: Refused) -> None:
    message = "/dev/zero is not a configuration: it is larger than 1,000,000 bytes"
    assert refused("train", "/dev/zero", status=2) == message


# Many mistakes --------------------------------------------------------------------------------


def test_mistakes_of_all_kinds_at_once(refused: Refused) -> None:
    content = """
        [training]
        epochz = 3
        batch_size = 0
        [loss]
        name = "mse"
        label_smoothing = 0.1
        [model]
        hidden = [8, 8]
        activation = ["relu", "tanh", "elu"]
        [optimizer]
        nesterov = true
        momentum = 0
        """
    assert message_of(refused, content).splitlines() == [
        "5 mistakes",
        "  c.toml: [training] has no key epochz. Did you mean epochs? Known: epochs, batch_size, "
        "seed, patience, calibrate, workers",
        '  c.toml: [training] batch_size must be "auto" or at least 1, not 0',
        "  c.toml: [model] activation names 3 for 2 hidden layers. Give one for all, or one for "
        "each",
        "  c.toml: label_smoothing has no meaning for loss 'mse'. It goes with: cross-entropy, "
        "binary-cross-entropy, kl-divergence",
        "  c.toml: [optimizer] nesterov needs a momentum above 0",
    ]


@pytest.mark.parametrize(
    "wrong", ["hidden = [0]", "hiden = [8, 8, 8]", "hidden = 8", "hidden = ['8', '8', '8']"]
)
def test_consequences_of_another_mistake_are_not_reported(refused: Refused, wrong: str) -> None:
    """Three activations may well be right: how many layers there are is not known."""
    content = f"[model]\nactivation = ['relu', 'tanh', 'elu']\n{wrong}\n"
    assert "activation names" not in message_of(refused, content)


def test_a_clash_names_the_origins_of_its_keys(refused: Refused) -> None:
    content = "[training]\nseed = -1\n[loss]\nname = 'mse'"
    text = message_of(refused, content, "--label-smoothing", "0.1").splitlines()[2]
    assert text.startswith("  c.toml, --label-smoothing: label_smoothing has no meaning for loss")


def test_of_very_many_mistakes_the_first_are_reported(refused: Refused) -> None:
    lines = message_of(refused, "".join(f"[t{number}]\n" for number in range(50_000))).splitlines()
    assert lines[0] == "more than 20 mistakes, of which the first are"
    assert len(lines) == 21


# Values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--lr", "0", 'must be "auto" or a number above 0, not 0.0'),
        ("--lr", "-1", 'must be "auto" or a number above 0, not -1.0'),
        ("--lr", "1e400", "must be \"auto\" or a finite number above 0, not '1e400'"),
        ("--lr", "nan", 'must be "auto" or a number above 0, not nan'),
        ("--hidden", "0", "must be at least 1, not 0"),
        ("--hidden", "8,-3", "must be at least 1, not -3"),
        ("--batch-size", "0", 'must be "auto" or at least 1, not 0'),
        ("--epochs", "1.5", "must be \"auto\" or a whole number of at least 0, not '1.5'"),
        ("--seed", "99999999999999999999", "must be at most 9223372036854775807, not 9999999999"),
    ],
)
def test_a_value_out_of_range(refused: Refused, option: str, value: str, message: str) -> None:
    text = refused("train", option, value, status=2)
    assert text.startswith(f"Invalid value for {option}: {message}")


def test_environment_variables_of_thousands_of_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key's variable is refused by its name; a terminal of that many columns has 10,000."""
    digits = "1" * 5000
    dry_run = "train", "--dry-run", "--hidden", "8"
    for key in KEYS:
        done = CliRunner().invoke(main, dry_run, env={key.variable: digits})
        assert isinstance(done.exception, SystemExit | None), (key, done.exception)
        assert done.exit_code in {0, 2}
        assert done.stderr.count("\n") == (done.exit_code == 2)
        if done.exit_code:
            assert key.variable in done.stderr
    monkeypatch.setenv("COLUMNS", digits)
    monkeypatch.setenv("LINES", digits)
    for command in (
        "runs",
        "train --dry-run",
        "softmax 1 2",
        "loss --target 1 --logits 1,2",
        "activations relu",
    ):
        done = CliRunner().invoke(main, command.split())
        assert (done.exit_code, done.stderr) == (0, ""), command
        assert max(map(len, done.stdout.splitlines())) <= 10_000


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("3", "classes: '3' is the only class. Choose two or more"),
        ("3,3", "classes: '3' is chosen twice"),
        ("3,x\x1b[2J", "there is no class 'x\\x1b[2J'. Known: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
    ],
)
def test_classes_that_cannot_be_picked(refused: Refused, classes: str, message: str) -> None:
    assert refused("train", "--classes", classes, status=2) == message


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("model.hidden=[0]", "--set model.hidden: must be at least 1, not 0"),
        ("training.epochs=1.5", '--set training.epochs: must be "auto" or a whole number of at '
         "least 0, not '1.5'"),
        ("optimizer.lerning_rate=1", "[optimizer] has no key lerning_rate. Did you mean learn"),
    ],
)  # fmt: skip
def test_an_assignment_out_of_range(refused: Refused, assignment: str, message: str) -> None:
    assert refused("train", "--set", assignment, status=2).startswith(message)


def test_classes_that_are_shown_cannot_drive_the_terminal() -> None:
    """Those of a configuration that is only shown, which no data set has judged yet."""
    Path("c.toml").write_text('[data]\nclasses = ["\\u001b[31mred", "\\u009b31m"]\n')
    for option in ((), ("--json",)):
        done = subprocess.run(
            [sys.executable, "-m", "actcli", "train", "c.toml", "--dry-run", *option],
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
            encoding="utf-8",
        )
        assert "\x1b" not in done.stdout
        assert "\x9b" not in done.stdout
        assert "31mred" in done.stdout
