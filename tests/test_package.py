"""What is shipped and what is written about it: the wheel, the README, the help, the start."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from actcli import files
from actcli.cli import Commands, main
from actcli.datasets.dataset import read_dataset

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if "actcli" in line and "venv" not in line
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The path of a data set with every twentieth image of MNIST."""
    mnist = read_dataset("mnist")
    arrays = {}
    for part, split in (("train", mnist.train), ("test", mnist.test)):
        arrays[f"x_{part}"] = split.x[::20].reshape(-1, 28, 28)
        arrays[f"y_{part}"] = split.y[::20]
    path = tmp_path_factory.mktemp("data") / "sample.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def shell(tmp_path, sample):
    """Runs a line as it stands in a folder with some models, on a sample of MNIST."""
    for model in (ROOT / "tests" / "oracles" / "readme_models").glob("digits.*"):
        shutil.copy(model, tmp_path)
    program = tmp_path / "bin" / "actcli"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m actcli "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {
        "PATH": path,
        "ACTCLI_DATASET": str(sample),
        "ACTCLI_EPOCHS": "1",
        "ACTCLI_WORKERS": "1",
    }

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_readme_has_one_command_to_train_and_one_to_test():
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert [line.split()[-1] for line in lines] == ["train", ".venv/bin/pytest"]


def test_each_picture_of_the_readme_is_there_for_dark_and_for_light_pages():
    dark = re.findall(r'<img alt="[^"]+" src="(docs/pictures/\w+)\.(svg|png)">', README)
    light = re.findall(
        r'<source media="\(prefers-color-scheme: light\)" srcset="(.*)-light\.(svg|png)">', README
    )
    assert dark == light
    forms = [f"{Path(name).name}{form}.{kind}" for name, kind in dark for form in ("", "-light")]
    assert {path.name for path in (ROOT / "docs" / "pictures").iterdir()} == set(forms)


def examples(name: str) -> list[str]:
    """The lines at the end of a command's `--help`."""
    command = main.get_command(click.Context(main), name)
    lines = (command.epilog or "").splitlines()
    return [line.strip() for line in lines if "actcli" in line and line.startswith("  ")]


EXAMPLES = [line for name in Commands.names for line in examples(name)]


@pytest.mark.slow
@pytest.mark.parametrize("line", dict.fromkeys([*COMMANDS, *EXAMPLES]))
def test_commands_of_the_readme_and_of_the_help_work_as_they_stand(line, shell):
    done = shell(line)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("name", Commands.names)
def test_each_command_has_two_or_three_examples(name):
    assert 2 <= len(examples(name)) <= 3


def test_every_example_configuration_and_the_data_are_shipped():
    for pattern in ("*.toml", "sweeps/*.toml"):
        assert {path.name for path in (ROOT / "configs").glob(pattern)} == {
            path.name for path in files.packaged_folder("configs").glob(pattern)
        }
    assert len(list(files.packaged_folder("data").glob("mnist/*.gz"))) == 4


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], *([name, "--help"] for name in Commands.names)],
    ids=" ".join,
)
def test_help_imports_neither_numpy_nor_rich(arguments, tmp_path):
    script = (
        "import sys; from actcli.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('numpy', 'rich') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("actcli tr", "train"),
        ("actcli train --activation re", "relu"),
        ("actcli train --activation relu,ta", "relu,tanh"),
        ("actcli train --optimizer ad", "adamw"),
        ("actcli train deep", "deep-sigmoid"),
        ("actcli sweep dead", "dead-units-vs-learning-rate"),
        ("actcli activations sigmoid re", "relu"),
    ],
)
def test_completion_offers_names_without_importing_numpy_or_rich(typed, offered, tmp_path):
    environment = os.environ | {
        "_ACTCLI_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-c",
            "from actcli.cli import main; main(prog_name='actcli')",
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"plain,{offered}" in done.stdout.splitlines()
    assert not re.search(r"\| +(numpy|rich)$", done.stderr, re.MULTILINE)
