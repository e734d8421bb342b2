"""Test `actcli sweep` as a command: mistakes, tables and plots, JSON and CSV, the live view."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len
from rich.console import Console
from sweep_commands import ENVIRONMENT, actcli, strict

from actcli.cli import main
from actcli.cli.sweep import show
from actcli.cli.sweep_watch import aligned
from actcli.config.schema import KEYS
from actcli.render.sweep import SweepView
from actcli.render.sweep_list import ForecastView
from actcli.sweep.axes import parse_axis
from actcli.sweep.estimate import JobForecast, SweepForecast
from actcli.sweep.plan import Job, Plan
from actcli.sweep.results import read_table

Blobs = Callable[..., Path]
SMALL = ("--hidden", "8", "--epochs", "1", "--batch-size", "32")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, with one BLAS thread, as the workers of a sweep."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, ["sweep", *args], env={"COLUMNS": "100", **env})


def planned(vary: tuple[str, ...], seeds: int = 1) -> list[Job]:
    return Plan((), tuple(map(parse_axis, vary)), seeds).jobs()


def make(
    vary: tuple[str, ...],
    score: Callable[..., dict[str, Any] | None],
    seeds: int = 1,
    name: str = "made",
    shows: str = "",
) -> Path:
    """Write the folder of a sweep without training, and return its path.

    Args:
        vary: the arguments of `--vary`.
        score: returns the result of a job from its varied values and its seed; None for a job
            that has no run.
        seeds: number of seeds.
        name: the name of the folder.
        shows: the description of the result.
    """
    folder = Path("runs", name)
    axes = tuple(map(parse_axis, vary))
    jobs = planned(vary, seeds)
    records = []
    for job in jobs:
        result = score(*job.varied, job.seed)
        error = (result or {}).pop("error", None)
        records.append({"name": job.name, "varied": job.varied, "seed": job.seed, "error": error})
        if result and error is None:
            (folder / job.name).mkdir(parents=True)
            (folder / job.name / "result.json").write_text(json.dumps(result))
    folder.mkdir(parents=True, exist_ok=True)
    plan = {"format": 1, "shows": shows, "axes": [str(each.key) for each in axes], "jobs": records}
    (folder / "sweep.json").write_text(json.dumps(plan))
    return folder


def result(test: float, dead: float = 0.0, verdict: str = "healthy") -> dict[str, Any]:
    return {
        "status": "finished",
        "validation": {"loss": 0.5, "accuracy": min(1.0, test + 0.001)},
        "test": {"loss": 0.5, "accuracy": test},
        "dead": dead,
        "verdict": verdict,
        "seconds": 1.25,
    }


# Mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("", "nothing varies. Example: --vary optimizer.learning_rate=0.01,0.1, or --seeds 3"),
        ("relu", "nothing varies. Example"),
        ("--vary optimizer.learning_rat=1", "Did you mean learning_rate? Known: name, learning"),
        ("--vary model.dropout=0 --vary model.dropout=0.5", "--vary model.dropout is given twice"),
        (
            "--vary optimizer.learning_rate=0.1,0.2 --lr 0.3",
            "--lr: optimizer.learning_rate varies in this sweep. Give its values: --vary optimiz",
        ),
        (
            "initialisation --set model.init=zeros",
            "--set: model.init varies in this sweep. Give its values: --vary model.init=zeros",
        ),
        ("--vary model.dropout=0..0.5", "a range needs a random search. Example: --random 20"),
        (
            "--seeds 3 --random 5",
            "--random: nothing varies, so there is nothing to sample. Add a --vary",
        ),
        ("--seeds 0", "Invalid value for '--seeds': must be at least 1, not 0"),
        ("--seeds 2 --workers 0", "Invalid value for '--workers': must be at least 1, not 0"),
        (
            "--seeds 2 --workers 2 --scheduler tcp://a:1",
            "--workers and --scheduler exclude each other",
        ),
        ("--seeds 2 --json --csv", "--json and --csv exclude each other. Choose one of them"),
        (
            "--seeds 2 --name a/b",
            "a sweep cannot be named 'a/b'. Allowed: letters, digits, . + - _",
        ),
        ("--seeds 2 --name .a", "a sweep cannot be named '.a'"),
        ("--seeds 2 --dataset minst", "there is no data set, folder or file 'minst'. Did you mean"),
        (
            "initialization --seeds 2",
            "example configuration 'initialization'. Did you mean 'initialisation'?",
        ),
        (
            "--vary loss.name=cross-entropy --output sigmoid",
            "loss 'cross-entropy' does not go with output 'sigmoid'",
        ),
        ("--sceduler x", "No such option '--sceduler'."),
        ("show", "there is no sweep in runs. See actcli sweep --help"),
        ("show x --json --csv", "--json and --csv exclude each other"),
    ],
)
def test_a_mistake_is_reported_and_leaves_no_files(args: str, message: str) -> None:
    done = run(*args.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_without_dask_the_error_says_how_to_install_it(blobs: Blobs) -> None:
    script = (
        "import sys; sys.modules['distributed'] = None\n"
        "from actcli.cli import main; main(sys.argv[1:])"
    )
    arguments = "sweep", "--seeds", "2", "--dataset", str(blobs()), "--scheduler", "tcp://a:1"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: --scheduler needs Dask: ")
    assert done.stderr.endswith("Install it with: pip install 'actcli[dask]'\n")
    assert not Path("runs").exists()


def test_an_unknown_sweep_is_reported_with_the_nearest_name() -> None:
    make(("model.dropout=0,0.5",), lambda *_: result(0.9), name="dropout")
    done = run("show", "dorpout")
    assert done.exit_code == 2
    assert done.stderr == (
        "Error: there is no sweep 'dorpout'. Did you mean 'dropout'? Sweeps in runs: dropout\n"
    )


def test_the_folder_of_a_run_is_not_a_sweep(blobs: Blobs) -> None:
    trained = CliRunner().invoke(
        main, ["train", *SMALL, "--dataset", str(blobs()), "--name", "s", "-q"]
    )
    assert trained.exit_code == 0
    done = run(*SMALL, "--dataset", str(blobs()), "--seeds", "2", "--name", "s")
    assert done.exit_code == 2
    assert done.stderr == "Error: runs/s exists and is not a sweep. Choose another --name\n"


JOB = '{"format": 1, "shows": "", "axes": [], "jobs": [{"varied": [], "error": null, '


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "{", '{"format": 1, "jobs": [{}]}', "null"),
        *(f'{JOB}"name": "{"x" * 1000}", "seed": 1}}]}}', f'{JOB}"name": "a", "seed": -1}}]}}'),
        f'{JOB}"name": "a", "seed": 1}}]}}'.replace("[]", "[NaN]"),
        f'{JOB}"name": "a", "seed": 1}}]}}'.replace("[]", '["\\u0000"]'),
    ],
)
def test_a_damaged_plan_is_reported(text: str) -> None:
    folder = make(("model.dropout=0,0.5",), lambda *_: result(0.9))
    (folder / "sweep.json").write_text(text)
    done = run("show", "made")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: runs/made/sweep.json is not the plan of a sweep\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", " is not JSON"),
        ("[]", " is not a JSON object"),
        ("{}", ": 'status' is not a text"),
        ('{"status": "finished", "test": 3}', ": 'test' is not an object"),
        ('{"status": "finished", "dead": 1e999}', ": 'dead' is not a finite number"),
    ],
)
def test_a_damaged_result_is_reported(text: str, fault: str) -> None:
    folder = make(("model.dropout=0,0.5",), lambda *_: result(0.9))
    path = min(folder.glob("*/result.json"))
    path.write_text(text)
    done = run("show", "made")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"Error: {path}{fault}\n"


# Tables and pictures --------------------------------------------------------------------------


def test_the_best_comes_first_with_its_deviation() -> None:
    scores = {0.01: 0.9, 0.1: 0.95, 1.0: 0.5}
    make(
        ("optimizer.learning_rate=0.01,0.1,1",),
        lambda rate, seed: result(scores[rate] + seed / 100, rate / 4, "dead-units"),
        seeds=2,
        shows="It works.",
    )
    done = run("show")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:5] == [
        "made  6 runs, mean ± standard deviation over seeds, best validation first",
        "     lr  validation %        test %      dead %  verdict     seconds  run",
        "1  0.1   95.60 ± 0.71  95.50 ± 0.71   2.5 ± 0.0  dead-units     1.25  lr=0.1",
        "2  0.01  90.60 ± 0.71  90.50 ± 0.71   0.2 ± 0.0  dead-units     1.25  lr=0.01",
        "3  1     50.60 ± 0.71  50.50 ± 0.71  25.0 ± 0.0  dead-units     1.25  lr=1",
    ]
    assert "test accuracy %" in lines[6]
    assert "dead units %" in lines[6]
    assert sum(line.count("●") for line in lines) == 2 + 6
    assert "0.01" in lines[-6]
    assert lines[-4:] == [
        "It works.",
        "",
        "next  actcli diagnose runs/made/lr=1,seed=0    the worst: dead-units",
        "      actcli diagnose runs/made/lr=0.1,seed=1  the best: dead-units",
    ]
    assert "\x1b" not in done.stdout
    assert run("show", COLUMNS="62").stdout.splitlines()[-2:] == [
        "next  actcli diagnose runs/made/lr=1,seed=0    the worst",
        "      actcli diagnose runs/made/lr=0.1,seed=1  the best",
    ]
    narrow = run("show", COLUMNS="60").stdout.splitlines()
    assert narrow[0] == "made  6 runs, mean ± standard deviation over seeds"
    assert "run" not in narrow[1].split()


def test_missing_failed_and_diverged_runs_are_listed() -> None:
    diverged = {"status": "diverged", "message": "not finite"}
    outcomes = {0.1: result(0.9), 1.0: diverged, 2.0: {"error": "no such thing"}, 3.0: None}
    make(("optimizer.learning_rate=0.1,1,2,3",), lambda rate, _: outcomes[rate])
    lines = run("show").stdout.splitlines()
    assert lines[0] == "made  4 runs, 1 diverged, 1 failed, 1 missing, best validation first"
    assert [line.split() for line in lines[2:6]] == [
        ["1", "0.1", "90.10", "90.00", "0.0", "healthy", "1", "of", "1", "1.25", "lr=0.1,seed=0"],
        ["2", "1", "–", "–", "–", "diverged", "0", "of", "1", "–", "lr=1,seed=0"],
        ["3", "2", "–", "–", "–", "failed", "0", "of", "1", "–", "lr=2,seed=0"],
        ["4", "3", "–", "–", "–", "missing", "0", "of", "1", "–", "lr=3,seed=0"],
    ]


def test_without_a_sick_run_only_the_best_is_next() -> None:
    make(("optimizer.learning_rate=0.1,1",), lambda rate, _: result(rate / 2))
    assert run("show").stdout.splitlines()[-1] == "next  actcli diagnose runs/made/lr=1,seed=0"


def test_diagnose_of_a_sweep_lists_its_runs() -> None:
    verdicts = {0.1: "healthy", 1.0: "dead-units"}
    make(
        ("optimizer.learning_rate=0.1,1",),
        lambda rate, seed: result(0.9 - rate / 2 - seed / 100, 0, verdicts[rate]),
        seeds=10,
    )
    lists = [
        "  lr=0.1,seed=0  85.00 %  healthy",
        "  lr=0.1,seed=1  84.00 %  healthy",
    ]
    ends = [
        "  lr=1,seed=9    31.00 %  dead-units",
        "  8 more: actcli sweep show runs/made --csv",
        "The worst: actcli diagnose runs/made/lr=1,seed=9",
        "The best: actcli diagnose runs/made/lr=0.1,seed=0",
    ]
    for target, message in (
        (["made"], "runs/made is a sweep, not a run"),
        (["runs/made/"], "runs/made is a sweep, not a run"),
        ([], "there is no run in runs, but runs/made is a sweep"),
    ):
        done = CliRunner().invoke(main, ["diagnose", *target])
        assert (done.exit_code, done.stdout) == (2, "")
        lines = done.stderr.splitlines()
        assert lines[:3] == [f"Error: {message}. Its runs:", *lists]
        assert lines[-4:] == ends
        assert len(lines) == 1 + 12 + 3
    done = CliRunner().invoke(main, ["compare", "made/lr=1,sed=0", "made"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "Error: there is no run 'lr=1,sed=0' in the sweep runs/made. Did you mean 'lr=1,seed=0'?"
    )


def test_runs_lists_sweeps() -> None:
    make(
        ("optimizer.learning_rate=0.1,1", "model.hidden=8,9"),
        lambda rate, hidden, _: result(rate / 2) if hidden == (8,) else None,
    )
    damaged = make(("optimizer.learning_rate=0.1,1",), lambda *_: result(0.9), name="bad")
    (damaged / "sweep.json").write_text("{}")
    os.utime(damaged / "sweep.json", (1e9, 1e9))
    done = CliRunner().invoke(main, ["runs"], env={"COLUMNS": "100"})
    assert (done.exit_code, done.stderr) == (0, "")
    title, *lines = done.stdout.splitlines()
    assert title == "Sweeps  accuracy: of the best run. actcli sweep show SWEEP"
    assert re.sub(r"\d+ s", "0 s", "\n".join(lines)).splitlines() == [
        "sweep  finished  varies      accuracy  age  best run",
        "made     2 of 4  lr, hidden   50.00 %  0 s  lr=1,hidden=8,seed=0",
        "bad is damaged: sweep.json is not the plan of a sweep",
    ]
    record = strict(CliRunner().invoke(main, ["runs", "--json"]).stdout)
    assert record["runs"] == []
    made, bad = record["sweeps"]
    assert (made["planned"], made["finished"], made["axes"]) == (
        *(4, 2),
        ["optimizer.learning_rate", "model.hidden"],
    )
    assert made["best"] == {"run": "lr=1,hidden=8,seed=0", "test": 0.5, "verdict": "healthy"}
    assert (made["worst"], made["fault"]) == (None, None)
    assert bad["fault"] == "sweep.json is not the plan of a sweep"


def test_a_sweep_without_any_finished_run_is_shown() -> None:
    make(("optimizer.learning_rate=0.1,1,2,3",), lambda *_: None)
    done = run("show")
    assert done.exit_code == 0
    assert "next" not in done.stdout
    assert strict(run("show", "--json").stdout)["points"][0]["test"] is None


@pytest.mark.slow
def test_a_table_of_a_thousand_combinations_fits_one_screen() -> None:
    rates = ",".join(str(0.001 * 1.01**number) for number in range(1000))
    make((f"optimizer.learning_rate={rates}",), lambda rate, _: result(0.5, min(1, rate)))
    for columns in ("80", "120", "40"):
        lines = run("show", COLUMNS=columns).stdout.splitlines()
        assert len(lines) <= (57 if columns == "40" else 45)
        assert max(map(cell_len, lines)) <= int(columns)
        assert "… 980 more: --all or --csv" in lines
    assert len(run("show", "--all").stdout.splitlines()) > 1000
    shown = actcli("sweep", "show", PYTHONIOENCODING="ascii", COLUMNS="80").stdout
    assert shown.isascii()
    assert "... 980 more: --all or --csv" in shown.splitlines()


def test_one_key_with_names_is_plotted_as_bars() -> None:
    scores = {"relu": 0.9, "tanh": 0.45, "elu": 1.0}
    make(("model.activation=relu,tanh,elu",), lambda names, _: result(scores[names[0]], 0.5))
    lines = run("show").stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if "test accuracy %" in line)
    assert lines[start].split() == ["activation", "test", "accuracy", "%", "dead", "units", "%"]
    assert [line.split()[0] for line in lines[start + 1 : start + 4]] == ["relu", "tanh", "elu"]
    full = re.findall("█+", lines[start + 3])
    assert len(full[0]) == 2 * len(full[1])
    assert len(full[0]) == 24


def test_two_keys_are_plotted_as_a_heat_map() -> None:
    make(
        ("model.hidden=[8],[8,8],[8,8,8],[8,4]", "model.activation=relu,tanh"),
        lambda hidden, names, _: result(len(hidden) / 10 + (names[0] == "tanh") / 100, 0.0),
    )
    lines = run("show").stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("test accuracy"))
    assert lines[start : start + 4] == [
        "test accuracy %  activation by hidden",
        "activation      8  2 × 8  3 × 8    8,4",
        "relu         10.0   20.0   30.0   20.0",
        "tanh         11.0   21.0   31.0   21.0",
    ]
    assert "dead units %" not in lines[start]  # where none is dead, there is nothing to map
    shown = subprocess.run(
        [sys.executable, "-m", "actcli", "sweep", "show"],
        env=ENVIRONMENT | {"PYTHONIOENCODING": "ascii", "COLUMNS": "80"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert "2 x 8" in shown


def test_three_keys_of_two_values_are_not_plotted() -> None:
    make(
        ("model.dropout=0,0.5", "model.activation=relu,tanh", "training.epochs=1,2"),
        lambda *_: result(0.9),
    )
    assert len(run("show").stdout.splitlines()) == 2 + 8 + 2


def test_more_keys_are_plotted_as_dots_over_each_numeric_key() -> None:
    make(
        ("model.dropout=0,0.1,0.2", "model.activation=relu,tanh", "training.epochs=1,2,4"),
        lambda dropout, _, epochs, seed: result(0.5 + dropout, 0.1 * epochs),
    )
    for columns, rows in ("100", (1, 2)), ("60", (2, 1)):
        lines = run("show", COLUMNS=columns).stdout.splitlines()[2 + 18 + 1 :]
        titles = [line.count("● test accuracy %") for line in lines]
        assert [count for count in titles if count] == [rows[1]] * rows[0]
        # Over what matters, here the first, dots lie on a line, over the other on three each.
        dots = [line.count("●") for line, title in zip(lines, titles, strict=True) if not title]
        assert [count for count in dots if count] == (
            [4] * 3 if columns == "100" else [1] * 3 + [3] * 3
        )
        assert not any("dead" in line for line in lines)
        assert max(map(cell_len, lines)) <= int(columns)


@pytest.mark.parametrize(
    "rates",
    ["1e-310,1,1e300", "5e-324,1,1.7976931348623157e308", "1e-310,1e-300,1e-10,1,1e100,1e307"],
)
@pytest.mark.parametrize("more", [[], ["model.activation=relu,tanh", "model.dropout=0,0.5"]])
def test_rates_farther_apart_than_the_largest_float_are_plotted(
    rates: str, more: list[str]
) -> None:
    make((f"optimizer.learning_rate={rates}", *more), lambda *_: result(0.9))
    shown = run("show", COLUMNS="100")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.count("●") >= len(rates.split(","))


NARROW = (
    ("optimizer.learning_rate=0.001,0.01,0.1",),
    ("loss.name=mse,cross-entropy,binary-cross-entropy",),
    ("model.hidden=[8,8],[512,256,128,64],none", "model.activation=relu,leaky-relu,tanh"),
    ("optimizer.learning_rate=0.0123,0.5", "model.dropout=0,0.1,0.2,0.3,0.4,0.5,0.6,0.7"),
    (
        *("model.hidden=[8,8],[512,256,128,64]", "model.activation=leaky-relu,tanh"),
        *("optimizer.learning_rate=0.01,0.1", "training.batch_size=32,64", "model.init=auto,zeros"),
    ),
)


@pytest.mark.parametrize("vary", NARROW, ids=len)
def test_no_line_is_broken_at_40_columns(vary: tuple[str, ...]) -> None:
    rank = iter(range(1000))
    folder = make(
        vary,
        lambda *_: result(0.9 - next(rank) / 200, 0.1, "learning-rate-too-high"),
        seeds=2,
        name="a-sweep-with-a-name-of-more-than-forty-columns",
    )
    console = Console(file=io.StringIO(), width=40)
    table = read_table(folder)
    axes = list(table.axes)
    jobs = [JobForecast(job, "to do", None, 1.0) for job in planned(vary)]
    for view in (SweepView(table, ()), ForecastView(SweepForecast(folder, axes, jobs, 2, 9))):
        texts = [str(part) for part in view.__rich_console__(console, console.options)]
        lines = "\n".join(texts).splitlines()
        assert max(map(cell_len, lines)) <= 40
        assert lines == [line.rstrip() for line in lines]


def test_labels_of_jobs_are_aligned() -> None:
    plan = Plan(
        (),
        tuple(map(parse_axis, ("optimizer.learning_rate=0.1,0.003", "model.activation=relu,elu"))),
    )
    labels = aligned(["optimizer.learning_rate", "model.activation"], plan.jobs())
    assert list(labels.values()) == [
        "lr 0.1    activation relu  seed 0",
        "lr 0.1    activation elu   seed 0",
        "lr 0.003  activation relu  seed 0",
        "lr 0.003  activation elu   seed 0",
    ]


def test_output_to_a_pipe_is_not_cut() -> None:
    long = ",".join(str(number) for number in range(100, 150))
    make((f"model.hidden=[{long}],[7]",), lambda *_: result(0.9))
    shown = run("show", COLUMNS="").stdout
    assert long in shown
    assert max(map(len, shown.splitlines())) > 200


# JSON and CSV ---------------------------------------------------------------------------------


def test_json_and_csv_agree_with_the_table() -> None:
    folder = make(
        ("model.hidden=[8,8],none", "optimizer.nesterov=true,false"),
        lambda hidden, nesterov, seed: (
            {"status": "diverged", "message": "not finite"}
            if nesterov and not hidden
            else result(0.5 + nesterov / 10 + seed / 100, 0.25)
        ),
        seeds=2,
        shows='a "word"',
    )
    record = strict(run("show", "--json").stdout)
    assert list(record) == ["sweep", "shows", "axes", "best", "worst", "points", "runs"]
    assert (record["sweep"], record["shows"]) == (str(folder), 'a "word"')
    assert record["axes"] == ["model.hidden", "optimizer.nesterov"]
    assert record["best"] == "hidden=[8,8],nesterov=true,seed=1"
    assert record["worst"] == "hidden=none,nesterov=true,seed=0"  # which diverged
    first, *_, last = record["points"]
    assert first["varied"] == {"model.hidden": [8, 8], "optimizer.nesterov": True}
    assert (first["runs"], first["planned"], first["verdict"]) == (2, 2, "healthy")
    assert first["test"]["mean"] == pytest.approx(0.605)
    assert first["test"]["deviation"] == pytest.approx(0.01 / 2**0.5)
    assert last["test"] is None
    assert len(record["runs"]) == 8
    assert {run["status"] for run in record["runs"]} == {"finished", "diverged"}

    text = run("show", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [
        *("run", "model.hidden", "optimizer.nesterov", "seed", "status", "validation", "test"),
        *("dead", "verdict", "seconds", "error"),
    ]
    assert [row["run"] for row in rows] == [run["run"] for run in record["runs"]]
    assert [row["model.hidden"] for row in rows[:5:4]] == ["8,8", "none"]
    assert [row["optimizer.nesterov"] for row in rows[:3:2]] == ["true", "false"]
    assert rows[4]["error"] == "not finite"
    assert float(rows[0]["test"]) == record["runs"][0]["test"]


# Dry run --------------------------------------------------------------------------------------


def test_a_dry_run_lists_the_jobs_and_estimates_their_cost(blobs: Blobs) -> None:
    arguments = (*SMALL, "--dataset", str(blobs()), "--name", "s", "--output", "softmax")
    vary = "--vary", "loss.name=mse,cross-entropy,binary-cross-entropy", "--seeds", "2"
    assert run(*arguments, "--vary", "loss.name=mse,cross-entropy", "-q").exit_code == 0
    done = run(*arguments, *vary, "--dry-run")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "s  2 done, 2 to do, 2 illegal"
    assert lines[1].split() == ["run", "loss", "seed", "state"]
    words = [line.split() for line in lines[2:8]]
    assert [row[1:3] for row in words] == [
        [name, seed] for name in ("mse", "cross-entropy", "binary-cross-entropy") for seed in "01"
    ]
    assert [row[-1] for row in words] == ["done", "do", "done", "do", "illegal", "illegal"]
    assert lines[9].startswith("illegal: loss 'binary-cross-entropy' does not go with output 's")
    assert re.fullmatch(
        r"2 to do: about 0:00 on 2 processes, \d+ MB of memory per worker\.", lines[-1]
    )
    record = strict(run(*arguments, *vary, "--dry-run", "--json").stdout)
    assert [job["state"] for job in record["jobs"]] == [
        *("done", "to do", "done", "to do", "illegal", "illegal")
    ]
    assert 0 < record["core_seconds"] < 5
    assert record["seconds"] == record["core_seconds"] / 2
    assert 50e6 < record["bytes_per_worker"] < 200e6
    rows = list(csv.DictReader(run(*arguments, *vary, "--dry-run", "--csv").stdout.splitlines()))
    assert [row["run"] for row in rows] == [job["run"] for job in record["jobs"]]
    assert len(list(Path("runs/s").iterdir())) == 3  # two runs and the plan: nothing was trained


def test_changed_data_are_noticed(blobs: Blobs) -> None:
    arguments = (*SMALL, "--dataset", str(blobs()), "--name", "s", "--seeds", "2", "--workers", "1")
    assert run(*arguments, "-q").exit_code == 0
    blobs(noise=3)
    done = run(*arguments, "--dry-run")
    assert (done.exit_code, done.stderr) == (
        0,
        "Outdated runs in runs/s, because their data have changed since: seed=0, seed=1. "
        "They are left alone, and their jobs are trained again\n",
    )
    assert done.stdout.startswith("s  2 to do\n")


def test_a_dry_run_of_a_thousand_jobs_is_short(blobs: Blobs) -> None:
    vary = "--vary", "model.hidden=" + ",".join(map(str, range(2, 42))), "--seeds", "25"
    done = run("--dataset", str(blobs()), "--epochs", "1", *vary, "--dry-run")
    lines = done.stdout.splitlines()
    assert "… 980 more: --json or --csv" in lines
    assert len(lines) == 2 + 20 + 3
    assert lines[-1].startswith("1,000 to do: about ")
    assert not Path("runs").exists()


@pytest.mark.slow
def test_an_estimate_is_about_right(blobs: Blobs) -> None:
    arguments = "--dataset", str(blobs(rows=6000, inputs=200)), "--hidden", "100", "--epochs", "5"
    vary = "--vary", "optimizer.learning_rate=0.01,0.02", "--workers", "1", "--name", "s"
    record = strict(actcli("sweep", *arguments, *vary, "--dry-run", "--json").stdout)
    trained = strict(actcli("sweep", *arguments, *vary, "-q", "--json").stdout)
    seconds = sum(each["seconds"] for each in trained["runs"])
    assert seconds / 4 < record["seconds"] < seconds * 6


# Files and options ----------------------------------------------------------------------------


def test_options_override_a_sweep_file(blobs: Blobs) -> None:
    Path("net.toml").write_text(
        "[model]\nhidden = [8]\n[training]\nepochs = 3\n[sweep]\nseeds = 2\nshows = 'it'\n"
        "[sweep.vary]\nmodel.dropout = [0.1, 0.2, 0.3]\nmodel.activation = ['relu', 'tanh']\n"
    )
    arguments = "net.toml", "--dataset", str(blobs()), "--dry-run", "--json"
    record = strict(run(*arguments).stdout)
    assert (record["sweep"], len(record["jobs"])) == ("runs/net", 12)
    more = "--vary", "model.dropout=0.5", "--seeds", "3", "--vary", "training.batch_size=16,32"
    record = strict(run(*arguments, *more).stdout)
    assert record["sweep"] == "runs/net-dropout-batch-size"
    assert record["axes"] == ["model.dropout", "model.activation", "training.batch_size"]
    assert len(record["jobs"]) == 2 * 2 * 3
    record = strict(run(*arguments, "--random", "5", "--seeds", "1").stdout)
    assert len(record["jobs"]) <= 5


def test_sweeps_are_named_after_what_they_vary(blobs: Blobs) -> None:
    arguments = "--dataset", str(blobs()), "--epochs", "0", "--dry-run", "--json"
    for args, name in (
        (["--seeds", "2"], "sweep"),
        (["relu", "--seeds", "2"], "relu"),
        (["--vary", "optimizer.learning_rate=0.1"], "sweep-lr"),
        (["relu", "--vary", "model.hidden=8", "--vary", "model.dropout=0"], "relu-hidden-dropout"),
        (["relu", "--seeds", "2", "--name", "mine"], "mine"),
    ):
        assert strict(run(*args, *arguments).stdout)["sweep"] == f"runs/{name}"


def test_a_key_that_varies_overrides_its_environment_variable(blobs: Blobs) -> None:
    arguments = "--vary", "training.epochs=0,1", "--dataset", str(blobs()), "--dry-run", "--json"
    assert len(strict(run(*arguments, ACTCLI_EPOCHS="5").stdout)["jobs"]) == 2


# Help and completion --------------------------------------------------------------------------


def test_help_documents_every_option() -> None:
    sweep = main.get_command(click.Context(main), "sweep")
    assert sweep is not None
    for command, args, count in ((sweep, [], len(KEYS) + 13), (show, ["show"], 5)):
        text = run(*args, "--help").stdout
        options = [
            option
            for option in command.params
            if isinstance(option, click.Option) and not option.hidden
        ]
        assert all(option.help and option.opts[0] in text for option in options)
        assert len(options) == count
    assert run("--help").stdout.startswith("Usage: main sweep [OPTIONS] [CONFIG]")
    assert "actcli sweep show" in run("--help").stdout
    assert run("show", "--help").stdout.startswith("Usage: main sweep show [OPTIONS] [NAME]")


START = "from actcli.cli import main; main(prog_name='actcli')"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("actcli sw", ["plain,sweep"]),
        ("actcli sweep de", ["plain,dead-units-vs-learning-rate", "plain,deep-sigmoid"]),
        ("actcli sweep sh", ["plain,show"]),
        ("actcli sweep show ma", ["plain,made"]),
        ("actcli diagnose ma", ["plain,made/dropout=0,seed=0", "plain,made/dropout=0.5,seed=0"]),
        ("actcli sweep --vary optimizer.l", ["plain,optimizer.learning_rate="]),
        ("actcli sweep --optimizer ada", ["plain,adagrad", "plain,adam", "plain,adamw"]),
    ],
)
def test_completion_needs_neither_numpy_nor_rich(words: str, offered: list[str]) -> None:
    make(("model.dropout=0,0.5",), lambda *_: result(0.9))
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-c",
            "from actcli.cli import main; main(prog_name='actcli')",
        ],
        env=ENVIRONMENT
        | {"_ACTCLI_COMPLETE": "bash_complete", "COMP_WORDS": words}
        | {"COMP_CWORD": str(len(words.split()) - 1)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert set(offered) <= set(done.stdout.splitlines())
    assert not re.search(r"\| +(numpy|rich)$", done.stderr, re.MULTILINE)


# In a terminal --------------------------------------------------------------------------------

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(columns: int, *args: str, **env: str) -> tuple[str, str, int]:
    """Run a sweep with a terminal as stderr; return stderr, stdout and the exit status."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "actcli", "sweep", *args],
        env=ENVIRONMENT | {"TERM": "xterm-256color", **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as started:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        assert started.stdout is not None
        written = started.stdout.read()
    os.close(ours)
    return shown.decode(), written.decode(), started.returncode


@pytest.mark.slow
@pytest.mark.parametrize("columns", [50, 100])
def test_the_live_view_is_redrawn_in_place(blobs: Blobs, columns: int) -> None:
    arguments = "--hidden", "8", "--batch-size", "32", "--dataset", str(blobs()), "--epochs", "150"
    shown, written, code = in_terminal(columns, *arguments, "--seeds", "4", "--workers", "2")
    assert code == 0
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is shown again
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", ESCAPE.sub("", shown))]
    assert max(map(cell_len, lines)) <= columns
    assert any(re.match(r"[0-3]/4  [━╸╺]+  [12] running  \d:\d\d left", line) for line in lines)
    assert any(
        re.match(r"  seed [0-3]  epoch \d+/150  accuracy \d+\.\d+ %$", line) for line in lines
    )
    assert shown.count("\n") < 12 * len(re.findall("running", shown)) + 12
    assert written.startswith("sweep  4 runs, mean")


@pytest.mark.slow
def test_quiet_and_dumb_terminals(blobs: Blobs) -> None:
    arguments = (*SMALL, "--dataset", str(blobs()), "--seeds", "2")
    shown, _, code = in_terminal(80, *arguments, "-q")
    assert (shown, code) == ("", 0)
    shown, _, code = in_terminal(80, *arguments, "--name", "dumb", TERM="dumb")
    assert code == 0
    assert "\x1b" not in shown
    assert [line[:3] for line in shown.splitlines()] == ["1/2", "2/2"]


@pytest.mark.slow
def test_an_interrupted_live_view_leaves_the_terminal_as_it_was(blobs: Blobs) -> None:
    ours, theirs = pty.openpty()
    arguments = *SMALL, "--dataset", str(blobs()), "--seeds", "3", "--epochs", "100000"
    with subprocess.Popen(
        [sys.executable, "-m", "actcli", "sweep", *arguments],
        env=ENVIRONMENT | {"TERM": "xterm-256color"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as started:
        os.close(theirs)
        shown = b""
        while b"running" not in shown:
            shown += os.read(ours, 65536)
        started.send_signal(signal.SIGINT)
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:
            pass
    os.close(ours)
    assert started.returncode == 130
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    last = ESCAPE.sub("", shown.decode()).splitlines()[-1]
    assert last.endswith(
        "interrupted: 0 of 3 runs are finished and kept in runs/sweep. "
        "The same command resumes the sweep"
    )
