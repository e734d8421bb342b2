"""`actcli activations` from outside: its streams, exit codes, JSON, and that it fits a screen."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result
from screens import on_screen

from actcli.cli import main
from actcli.nn.activations import ACTIVATIONS


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, ["activations", *args], env={"COLUMNS": "100", **env})


def fields(*args: str) -> list[dict[str, Any]]:
    done = run(*args, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    found: list[dict[str, Any]] = json.loads(done.stdout, parse_constant=pytest.fail)["activations"]
    return found


def test_all_of_them_in_one_table_in_a_pipe() -> None:
    done = run(COLUMNS="")
    assert (done.exit_code, done.stderr) == (0, "")
    title, heading, *rows = done.stdout.splitlines()
    assert title.startswith("Activations")
    assert re.split(" {2,}", heading.strip()) == [
        "f(z)", "range", "sup|f'|", "mean f", "zero-centred", "can die", "initializer", "source",
    ]  # fmt: skip
    assert [row.split()[0] for row in rows] == list(ACTIVATIONS)
    sigmoid = rows[1]
    for part in (
        "1 / (1 + e^-z)",
        "0 to 1",
        "0.25",
        "0.500",
        "no",
        "Nature 323 (1986), equation 2",
    ):
        assert part in sigmoid


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("args", [(), ("sigmoid", "relu", "selu", "--at", "-2,0,0.5,1e6")])
def test_it_fits_the_screen(args: tuple[str, ...], columns: int, encoding: str) -> None:
    text = on_screen("activations", *args, columns=columns, encoding=encoding)
    for name in ACTIVATIONS if not args else args[:3]:
        assert name in text
        assert ACTIVATIONS[name].source.split(",")[0] in text


def test_in_120_columns_formulas_stand_in_the_table() -> None:
    lines = run(COLUMNS="120").stdout.splitlines()
    assert lines[1].split()[:2] == ["f(z)", "range"]
    assert lines[lines.index("Sources") - 1] == ""
    (silu,) = [line for line in lines[:20] if line.startswith("silu")]
    assert "  1.100  " in silu  # 1.0998 to four digits, and not the exact 1.1 that it would seem


def test_two_side_by_side() -> None:
    text = run("sigmoid", "relu", "--at", "-2,0,0.5", COLUMNS="80").stdout
    assert text.splitlines()[0].split() == ["sigmoid", "relu"]
    rows = [line.split() for line in text.splitlines()]
    assert ["z", "f(z)", "f'(z)", "z", "f(z)", "f'(z)"] in rows
    assert ["-2", "0.1192", "0.1050", "-2", "0", "0"] in rows
    assert ["0.5", "0.6225", "0.2350", "0.5", "0.5000", "1"] in rows
    assert "0.0000010." in text
    assert "The plot covers" not in text


def test_one_below_the_other_where_it_is_narrow() -> None:
    assert run("sigmoid", "relu", COLUMNS="60").stdout.splitlines()[0] == "sigmoid"


def test_what_lies_beyond_the_plot_is_said_to() -> None:
    assert "The plot covers z = -5 to 5" in run("relu", "--at", "0,1e6").stdout


def test_json() -> None:
    everything = fields()
    assert [each["name"] for each in everything] == list(ACTIVATIONS)
    assert list(everything[0]) == [
        "name", "formula", "summary", "range", "bound", "mean", "zero_centred", "can_die",
        "initializer", "source",
    ]  # fmt: skip
    (relu,) = fields("relu", "--at", "-1e-3, 7")
    assert relu["range"] == [0, None]
    assert (relu["at"], relu["values"], relu["slopes"]) == ([-0.001, 7], [0, 7], [0, 1])
    assert relu["remark"].startswith("The derivative is at most 1")
    assert not any("course" in key for key in relu)


def test_a_name_twice_is_one() -> None:
    assert [each["name"] for each in fields("relu", "tanh", "relu")] == ["relu", "tanh"]


def test_at_without_a_name_is_for_all() -> None:
    assert [each["at"] for each in fields("--at", "-1")] == [[-1]] * len(ACTIVATIONS)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["sigmod"], "there is no activation 'sigmod'. Did you mean 'sigmoid'? Known: identity, "),
        (["relu", "--at", "1,x"], "--at, point 2, 'x', is not a number. Allowed: such as -1, .5"),
        (["relu", "--at", "1,,2"], "--at, point 2 is missing. A comma must have a number on both"),
        (["relu", "--at", "nan"], "--at: point 1 is nan. Allowed: finite numbers"),
        (["relu", "--at", "0,-inf"], "--at: point 2 is -inf. Allowed: finite numbers"),
        (["relu", "--at", ""], "--at: there is no point. Give at least one number"),
        (
            ["relu", "--at", "1", "2"],
            "'2' belongs to no option. Put commas, and no spaces, between",
        ),
        (["relu,", "tanh"], "there is no activation ''. Known: identity, "),
        (["relu", "--ta", "1"], "No such option '--ta'."),
    ],
)
def test_a_mistake_is_one_clear_line(args: list[str], message: str) -> None:
    done = run(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {message}")
    assert done.stderr.count("\n") == 1


def test_names_may_have_commas_between_them() -> None:
    assert run("relu,tanh", "relu").stdout == run("relu", "tanh").stdout


def test_where_the_stream_is_ascii_all_columns_but_the_formula_fit_80() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "actcli", "activations"],
        env={**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    text = done.stdout.decode("ascii")
    assert "-inf to inf" in text
    assert "zero-centred  can die  initializer" in text.splitlines()[1]
