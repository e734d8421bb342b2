"""`--save` on every command that shows a picture or a table, and `--csv` on every table."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from actcli.cli import main
from actcli.cli.sweep import show
from actcli.term.shapes import CELL_WIDTH, is_drawn

SVG = "{http://www.w3.org/2000/svg}"
LOSS = ["loss", "--target", "1", "--predicted", "0.2,0.7,0.1"]
# A command line for each command with `--save`. The runs and the sweep are those of `folder`.
COMMANDS = {
    "train": ["train", "--resume", "one", "--epochs", "2", "-q"],
    "train --dry-run": ["train", "--dry-run"],
    "sweep": ["sweep", "--vary", "optimizer.learning_rate=0.1,0.2", "--dataset", "blobs.npz"],
    "sweep show": ["sweep", "show", "grid"],
    "diagnose": ["diagnose", "two", "--history"],
    "diagnose --explain": ["diagnose", "--explain", "dead-units"],
    "fix": ["fix", "two", "--dry-run", "-q"],
    "predict": ["predict", "two", "--image", "image.npy"],
    "compare": ["compare", "two", "three"],
    "runs": ["runs", "--runs-dir", "nothing"],
    "activations": ["activations"],
    "activations relu": ["activations", "relu"],
    "softmax": ["softmax", "2", "1", "-0.5", "--labels", "cat,dog,お", "--target", "dog"],
    "loss": LOSS,
    "doctor": ["doctor"],
    "lr-find": ["lr-find", "--dataset", "blobs.npz", "--hidden", "4"],
}
COMMANDS["sweep"] += ["--dry-run", "-q"]
# They measure a time; the image of predict has other characters without colours.
CHANGING = {"train", "sweep", "doctor", "predict"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set, an image, three runs and a sweep."""
    place = tmp_path_factory.mktemp("save")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        rng = np.random.default_rng(0)
        labels = np.arange(60) % 3
        images = (80 * labels[:, None, None] + rng.integers(0, 80, (60, 3, 4))).astype(np.uint8)
        np.savez("blobs.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
        np.save("image.npy", images[0])
        for name, activation in (("one", "relu"), ("two", "relu"), ("three", "tanh")):
            options = ["--hidden", "4", "--epochs", "1", "--batch-size", "20", "--workers", "1"]
            options += ["--dataset", "blobs.npz", "--activation", activation, "--name", name]
            assert CliRunner().invoke(main, ["train", *options, "-q"]).exit_code == 0
        write_sweep(Path("runs/grid"))
    return place


def write_sweep(folder: Path) -> None:
    """Write a sweep over two keys, which is drawn as a heat map."""
    jobs = [
        {"name": f"job{number}", "varied": [rate, dropout], "seed": 0, "error": None}
        for number, (rate, dropout) in enumerate([(0.1, 0.0), (0.1, 0.5), (1.0, 0.0), (1.0, 0.5)])
    ]
    for number, job in enumerate(jobs):
        score = {"loss": 1.0, "accuracy": 0.5 + number / 10}
        record = {"status": "finished", "validation": score, "test": score, "dead": number / 4}
        path = folder / str(job["name"])
        path.mkdir(parents=True)
        (path / "result.json").write_text(json.dumps(record))
    axes = ["optimizer.learning_rate", "model.dropout"]
    plan = {"format": 1, "shows": "", "axes": axes, "jobs": jobs}
    (folder / "sweep.json").write_text(json.dumps(plan))


@pytest.fixture(autouse=True)
def elsewhere(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an own folder, with links to the runs and the data."""
    monkeypatch.chdir(tmp_path)
    for path in made.iterdir():
        Path(path.name).symlink_to(path)


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, args, env={"COLUMNS": "", **env})


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """All commands below a group, by their path."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join([*path, name]), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


def test_each_command_with_json_has_save_and_csv() -> None:
    every = {**dict(commands(main)), "sweep show": show}
    options = {
        name: {option for param in command.params for option in param.opts}
        for name, command in every.items()
    }
    with_json = {name for name, its in options.items() if "--json" in its}
    assert {"train", "sweep show", "diagnose", "runs", "softmax"} < with_json
    assert {name for name in with_json if "--save" not in options[name]} == set()
    without_table = {"doctor", "export"}
    assert {name for name in with_json if "--csv" not in options[name]} == without_table
    assert {name.split(" -")[0] for name in COMMANDS} >= with_json - {"report", "export"}


# The files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_the_files_show_what_the_terminal_shows(name: str) -> None:
    shown = run(*COMMANDS[name], "--save", "a.txt", COLUMNS="100")
    assert (shown.exit_code, shown.stderr) == (0, "Saved a.txt\n")
    text = Path("a.txt").read_text(encoding="utf-8")
    assert text.splitlines() == [line.rstrip() for line in shown.stdout.splitlines()]
    saved = run(*COMMANDS[name], "--save", "a.svg")  # in a pipe: 100 columns
    assert (saved.exit_code, saved.stderr) == (0, "Saved a.svg\n")
    page = run(*COMMANDS[name], "--save", "a.html", NO_COLOR="1")
    assert page.exit_code == 0
    if name not in CHANGING:
        assert grid(Path("a.svg")) == undrawn(text)
        assert lines_of_page(Path("a.html")) == text.splitlines()


def grid(path: Path) -> list[str]:
    """The lines of an SVG, each text in the columns at which its element stands."""
    lines: dict[float, str] = {}
    for element in ET.parse(path).iter(f"{SVG}text"):  # noqa: S314 - our file
        assert element.text
        width = cell_len(element.text)
        left = float(element.attrib["x"]) / CELL_WIDTH
        if "c" in element.attrib["class"].split():  # centred
            left -= width / 2
        else:
            assert int(element.attrib["textLength"]) == width * CELL_WIDTH
        line = lines.get(float(element.attrib["y"]), "")
        column = round(left)
        assert abs(left - column) < 1e-9
        assert cell_len(line) <= column
        lines[float(element.attrib["y"])] = line + " " * (column - cell_len(line)) + element.text
    return [lines[y] for y in sorted(lines)]


def undrawn(text: str) -> list[str]:
    """The lines of a text that are not empty without the characters that are drawn as shapes."""
    blank = "".join(" " if is_drawn(sign) else sign for sign in text)
    return [line.rstrip() for line in blank.splitlines() if line.strip()]


def lines_of_page(path: Path) -> list[str]:
    """The lines of an HTML page, without the shapes."""
    pre = path.read_text(encoding="utf-8").split("<pre>")[1].split("</pre>")[0]
    texts = ET.fromstring(f"<pre>{pre}</pre>").itertext()  # noqa: S314 - our file
    return [line.rstrip() for line in "".join(texts).splitlines()]


@pytest.mark.parametrize("ending", ["svg", "html"])
def test_a_file_has_colours_for_light_and_dark_and_loads_nothing(ending: str) -> None:
    assert run("sweep", "show", "grid", "--save", f"a.{ending}", NO_COLOR="1").exit_code == 0
    text = Path(f"a.{ending}").read_text(encoding="utf-8")
    light, _, dark = text.partition("prefers-color-scheme:dark")
    assert "background:#ffffff" in light
    assert "background:#0c0c0c" in dark
    assert re.search(r"\.b\d+\{fill:#", light), "the cells of the heat map are coloured"
    assert "://" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"url\(|@import|src=|href=|<script", text)


@pytest.mark.parametrize("ending", ["svg", "html", "txt"])
def test_names_cannot_control_the_file(ending: str) -> None:
    labels = "<script>alert(1)</script>,a&b\x1b[31m\x07,\"x'\u202e"
    result = run("softmax", "1", "2", "3", "--labels", labels, "--save", f"a.{ending}")
    assert result.exit_code == 0
    text = Path(f"a.{ending}").read_text(encoding="utf-8")
    assert not set(text) & set("\x1b\x07\u202e")
    if ending == "txt":
        assert text == run("softmax", "1", "2", "3", "--labels", labels, COLUMNS="100").stdout
    else:
        assert "<script" not in text
        assert "&lt;script" in text
        assert r"a&amp;b\x1b[31m\x07" in text


def test_vectors_of_standard_input_are_saved_together() -> None:
    args = ["softmax", "--save", "a.txt"]
    result = CliRunner().invoke(main, args, input="1 2\n3 4\n", env={"COLUMNS": "100"})
    assert Path("a.txt").read_text(encoding="utf-8") == result.stdout
    assert "line 1" in result.stdout
    assert "line 2" in result.stdout


def test_json_and_csv_are_written_beside_the_picture() -> None:
    saved = run(*LOSS, "--json", "--save", "a.svg")
    assert saved.stdout == run(*LOSS, "--json").stdout
    assert saved.stderr == "Saved a.svg\n"
    run(*LOSS, "--save", "b.svg")
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()
    assert run(*LOSS, "--csv", "--save", "c.SVG").stdout == run(*LOSS, "--csv").stdout
    assert Path("c.SVG").read_bytes() == Path("b.svg").read_bytes()


# Mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "status", "message"),
    [
        ("a.png", 2, "--save: 'a.png' does not end in .svg, .html or .txt"),
        ("a", 2, "--save: 'a' does not end in .svg, .html or .txt"),
        ("a.htm", 2, "--save: 'a.htm' does not end in .svg, .html or .txt. Did you mean 'a.html'?"),
        ("folder.svg", 1, "cannot write folder.svg: Is a directory"),
        ("x" * 300 + ".svg", 1, f"cannot write {'x' * 300}.svg: File name too long"),
        ("no/a.svg", 1, "cannot write no/a.svg: there is no folder no"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_computed(
    file: str, status: int, message: str
) -> None:
    Path("folder.svg").mkdir()
    result = run("train", "--dataset", "missing", "--runs-dir", "new", "--save", file)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr == f"Error: {message}\n"
    assert not Path("new").exists()


def test_a_file_that_cannot_be_written_is_an_error_after_the_result() -> None:
    Path("a.txt").write_text("old")
    name = "x" * 250 + ".txt"  # the temporary name is longer
    result = run(*LOSS, "--save", name)
    assert (result.exit_code, result.stdout) == (1, run(*LOSS).stdout)
    assert result.stderr == f"Error: cannot write {name}: File name too long\n"
    assert not [path for path in Path().iterdir() if path.name.endswith((".tmp", "x.txt"))]


def test_a_full_stdout_does_not_lose_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - its last write fails, too
    monkeypatch.setattr("sys.stdout", full)
    with pytest.raises(OSError, match="No space left"):
        main([*LOSS, "--save", "a.svg"], standalone_mode=False)
    with pytest.raises(OSError, match="No space left"):
        full.close()
    assert ET.parse("a.svg").getroot().tag == f"{SVG}svg"  # noqa: S314 - our file


# CSV ------------------------------------------------------------------------------------------


def table(*args: str) -> list[dict[str, str]]:
    result = run(*args, "--csv")
    assert (result.exit_code, result.stderr) == (0, "")
    return list(csv.DictReader(io.StringIO(result.stdout)))


def as_json(*args: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(run(*args, "--json").stdout)
    return fields


def test_csv_has_the_numbers_of_the_json() -> None:
    rows = table("softmax", "2", "1", "-0.5", "--target", "1")
    fields = as_json("softmax", "2", "1", "-0.5", "--target", "1")
    assert [float(row["softmax"]) for row in rows] == fields["softmax"]
    assert [float(row["gradient"]) for row in rows] == fields["gradient"]
    assert {row["vector"] for row in rows} == {"1"}

    rows, fields = table(*LOSS), as_json(*LOSS)
    assert [float(row["predicted"]) for row in rows] == fields["predicted"]
    assert [float(row["squared_error"]) for row in rows] == fields["terms"]["squared_error"]

    entries = as_json("activations")["activations"]
    rows = table("activations")
    assert [row["activation"] for row in rows] == [entry["name"] for entry in entries]
    assert [float(row["bound"]) for row in rows] == [entry["bound"] for entry in entries]
    rows = table("activations", "tanh", "--at", "0,1")
    assert [row["f"] for row in rows] == ["0.0", str(np.tanh(1.0))]

    rows, runs = table("runs"), as_json("runs")["runs"]
    assert [row["run"] for row in rows] == [entry["name"] for entry in runs]
    assert [float(row["test_loss"]) for row in rows] == [entry["test_loss"] for entry in runs]

    rows = table("compare", "two", "three")
    assert [(row["run"], row["model.activation"]) for row in rows] == [
        ("two", '["relu"]'),
        ("three", '["tanh"]'),
    ]

    rows, fields = table("predict", "two"), as_json("predict", "two")
    assert [float(row["softmax"]) for row in rows] == fields["predictions"][0]["outputs"]

    rows, fields = table("train", "--resume", "two"), as_json("train", "--resume", "two")
    assert [float(row["loss"]) for row in rows if row["split"] == "test"] == [
        fields["test"]["loss"]
    ]
    rows = table("train", "--lr", "0.5", "--dry-run")
    assert {"key": "optimizer.learning_rate", "value": "0.5", "origin": "--lr"} in rows


def test_csv_of_a_diagnosis_has_one_number_per_row() -> None:
    rows = table("diagnose", "two", "--history")
    fields = as_json("diagnose", "two", "--history")
    values = {(row["part"], row["item"], row["measure"]): row["value"] for row in rows}
    assert len(values) == len(rows)
    first = fields["gradients"][0]
    assert float(values["gradients", "1", "delta_norm"]) == first["delta_norm"]
    assert float(values["softmax", "", "nll"]) == fields["softmax"]["nll"]
    label = fields["softmax"]["classes"][0]
    assert float(values["classes", label["label"], "entropy"]) == label["entropy"]
    assert values["history", "1", "silent.1"] == str(fields["history"][0]["silent"][0])
    assert values["verdict", "", "verdict"] == fields["verdict"]
    refused = run("diagnose", "--explain", "dead-units", "--csv")
    assert refused.exit_code == 2
    assert refused.stderr == "Error: --explain takes no --csv. A rule is a text and not a table\n"
