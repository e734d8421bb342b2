"""`actcli report`: its pages have the numbers of `--json`, whatever the runs are called."""

import itertools
import json
import math
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blob_data import make_blobs
from click.testing import CliRunner, Result
from page_reader import Page, numbers_in, read_page, shown_value
from safetensors.numpy import load_file, save_file
from sweep_folders import write_sweep

from actcli.cli import main
from actcli.term.text import printable

DERIVED = re.compile(r"[+−]\d+\.\d\d")  # a gain in points, shown with its sign
HOSTILE = "<script>alert(1)<\u202e\"'&amp;\x1b[31m אב"
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args, env={"COLUMNS": "100"})


def done(*args: str) -> Result:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs (one of them fixed), a sweep, and a file of PyTorch."""
    place = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        np.savez("blobs.npz", **make_blobs(4, 300, 16, 60))
        options = ["--dataset", "blobs.npz", "--hidden", "8,6", "--batch-size", "16"]
        options += ["--workers", "1", "-q"]
        done("train", *options, "--epochs", "3", "--name", "good")
        done("train", *options, "--epochs", "2", "--lr", "30", "--name", "ill")
        done("train", *options, "--epochs", "2", "--activation", "tanh", "--name", "other")
        run("fix", "ill", "--tries", "1", "-q")
        varied = itertools.product([0.01, 0.1, 1.0], [0.0, 0.5])
        write_sweep(Path("runs/grid"), ["optimizer.learning_rate", "model.dropout"], varied)
        tensors = load_file("runs/good/model.safetensors")
        save_file(tensors, "net.safetensors")
    return place


@pytest.fixture(autouse=True)
def _elsewhere(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an own folder, with links to the runs and the data."""
    monkeypatch.chdir(tmp_path)
    for path in made.iterdir():
        Path(path.name).symlink_to(path)


FOREIGN = ["net.safetensors", "--activation", "relu", "--dataset", "blobs.npz"]
TARGETS: dict[str, list[str]] = {
    "run": ["good"],
    "fixed": ["ill"],
    "runs": ["good", "ill", "other"],
    "sweep": ["grid"],
    "file": FOREIGN,
    "unknown file": ["net.safetensors"],
}


def report(*args: str) -> tuple[Page, dict[str, Any], str]:
    """The page of a report, its JSON, and its text, which are made at once."""
    result = done("report", *args, "--json", "-o", "a.html")
    text = Path("a.html").read_text(encoding="utf-8")
    fields: dict[str, Any] = json.loads(result.stdout)
    return read_page(text), fields, text


@pytest.mark.parametrize("name", TARGETS)
def test_each_number_of_a_page_is_one_of_the_json(name: str) -> None:
    page, fields, text = report(*TARGETS[name])
    numbers = numbers_in(fields)
    assert len(page.numbers) >= (15 if name == "unknown file" else 36)
    assert {value for value, _ in page.numbers} <= numbers
    for value, shown in page.numbers:
        if not DERIVED.fullmatch(shown):
            scale = 100 if name == "sweep" and not shown.endswith("%") else 1
            expected, half = shown_value(shown)
            close = [math.isclose(value * f, expected, abs_tol=1.001 * half) for f in (1, scale)]
            assert any(close), (value, shown)
    check_form(page, text)
    check_charts(text)


def check_form(page: Page, text: str) -> None:
    """A page is one file that loads nothing, and that screen readers can read."""
    assert len(text.encode()) < 1_000_000
    policies = [meta.get("content") for meta in page.all("meta") if "http-equiv" in meta]
    assert policies == [POLICY]
    assert not {"script", "link", "iframe", "object", "form", "base"} & set(page.tags)
    for attributes in page.attributes:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            address = attributes.get(name) or "#"
            assert address.startswith(("#", "data:image/png;base64,"))
    names = {element.get("id") for element in page.attributes}
    assert {a["href"] for a in page.all("a")} <= {f"#{name}" for name in names}
    assert all(image.get("alt") for image in page.all("img"))
    charts = [svg for svg in page.all("svg") if svg.get("class") == "chart"]
    assert all(svg.get("role") == "img" and svg.get("aria-label") for svg in charts)
    assert page.tags.count("caption") == page.tags.count("table")
    regions = [each for each in page.attributes if each.get("class") == "scroll"]
    assert all(each.get("tabindex") == "0" for each in regions)
    assert page.tags.count("h1") == 1
    assert "lang" in page.all("html")[0]


TICK = re.compile(r'<text class="end" x="[\d.]+" y="([\d.]+)">([^<]*)</text>')
POINT = re.compile(r'<circle class="c\d"[^>]* cy="([\d.-]+)"[^>]*><title>[^<]*: ([^<:]*)</title>')


def check_charts(text: str) -> None:
    """Each point of a chart is as high as the texts of its axis say."""
    for chart in re.findall(r'<svg class="chart".*?</svg>', text):
        ticks = [(float(y) - 4, label) for y, label in TICK.findall(chart)]
        points = POINT.findall(chart)
        if not points:
            continue
        heights, values = zip(*((y, float(label)) for y, label in ticks), strict=True)
        log = "(log scale)" in chart
        curve = np.log(values) if log else np.array(values)
        for y, shown in points:
            value, _ = shown_value(shown)
            value *= 100 if shown.endswith("%") else 1
            expected = np.interp(math.log(value) if log else value, curve, heights)
            assert abs(float(y) - expected) < 1.5, (chart[:120], shown)


def test_a_run_has_all_sections_in_order() -> None:
    page, fields, _ = report("good")
    headings = [each["href"] for each in page.all("a")][1:]
    assert headings == [
        *("#verdict", "#curves", "#flow", "#layers", "#weights", "#outputs", "#mistakes"),
        "#setup",
    ]
    examined = json.loads(done("diagnose", "good", "--json").stdout)
    assert examined.items() <= fields["diagnosis"].items()
    test = json.loads(done("diagnose", "good", "--split", "test", "--json").stdout)
    assert fields["test"]["softmax"] == test["softmax"]
    worst = json.loads(done("predict", "good", "--worst", "12", "--json").stdout)
    assert fields["test"]["mistakes"] == worst


def test_the_command_repeats_the_run() -> None:
    _, fields, _ = report("ill")
    words = fields["command"].split()
    assert words[:2] == ["actcli", "train"]
    assert "--lr" in words
    done(*words[1:], "--runs-dir", "again", "--name", "ill", "-q")
    again = Path("again/ill/config.toml").read_text()
    assert again == Path("runs/ill/config.toml").read_text()


def test_a_fix_is_told_with_its_tries() -> None:
    page, fields, _ = report("ill")
    fix = fields["fix"]
    assert fix["before"]["run"] == "ill"
    assert fix["tries"]
    assert f"Fix: ill {'cured' if fix['healthy'] else 'not cured'} of" in page.text
    assert "Before and after" in page.text or fix["after"]["run"] == "ill"
    newest = fix["tries"][-1]["after"]["run"]
    assert report(newest)[1]["fix"] == fix, "a try tells of its fix, too"
    shutil.copytree("runs/ill", "elsewhere/ill")
    assert report("elsewhere/ill")[1]["fix"] is None
    assert done("runs", "rm", newest, "--yes", "--runs-dir", str(copied())).exit_code == 0


def copied() -> Path:
    """A copy of the runs, some of which are then removed."""
    shutil.copytree("runs", "copy")
    return Path("copy")


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b'{"before": 3}', b'{"before": {}, "after": {}, "tries": []}']
)
def test_a_damaged_record_of_a_fix_is_one_clear_error(damage: bytes) -> None:
    folder = copied()
    for path in folder.glob("ill-fix-*/fix.json"):
        path.write_bytes(damage)
    result = run("report", "ill", "--runs-dir", str(folder))
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(
        r"Error: copy/ill-fix-1/fix.json is not the record of a fix\n", result.stderr
    )


def test_runs_side_by_side_begin_with_what_differs() -> None:
    page, fields, _ = report("good", "ill", "other")
    assert [each["href"] for each in page.all("a")][1:4] == ["#differences", "#results", "#curves"]
    assert fields["comparison"]["differences"]["model.activation"][2] == '["tanh"]'
    compared = json.loads(done("compare", "good", "ill", "other", "--json").stdout)
    assert fields["comparison"]["runs"][0]["curve"] == compared["runs"][0]["curve"]


def test_without_its_data_a_run_still_has_its_records() -> None:
    folder = copied()
    config = folder / "good" / "config.toml"
    text = config.read_text().replace("blobs.npz", "gone.npz")
    config.write_text(text)
    page, fields, _ = report(str(folder / "good"))
    assert fields["diagnosis"] is None
    assert "gone.npz" in fields["notes"][0]
    assert [each["href"] for each in page.all("a")][1:] == [
        "#verdict",
        "#curves",
        "#flow",
        "#setup",
    ]


def test_a_run_of_an_earlier_version_has_a_page_without_its_histograms() -> None:
    folder = copied() / "good"
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert len(read_page(report("good")[2]).all("image")) > 2
    texts = [json.dumps({**line, "histograms": None}) + "\n" for line in lines]
    (folder / "metrics.jsonl").write_text("".join(texts))
    (folder / "environment.json").unlink()
    page, fields, _ = report(str(folder))
    assert fields["histograms"] is None
    assert fields["environment"] is None
    assert "recorded no histograms" in page.text


def test_what_a_record_says_is_shown_as_text() -> None:
    folder = copied()
    path = folder / HOSTILE
    (folder / "good").rename(path)
    for name in ("environment.json", "result.json"):
        record = json.loads((path / name).read_text())
        record |= {"verdict": HOSTILE} if name == "result.json" else {"platform": HOSTILE}
        (path / name).write_text(json.dumps(record))
    plan = json.loads((folder / "grid" / "sweep.json").read_text())
    plan["shows"] = HOSTILE
    plan["jobs"][0] |= {"error": HOSTILE, "varied": [HOSTILE, 0.0]}
    (folder / "grid" / "sweep.json").write_text(json.dumps(plan))
    config = path / "config.toml"
    for targets in ([str(path)], [str(path), "runs/other"], [str(folder / "grid")]):
        page, _, text = report(*targets)
        check_form(page, text)
        assert printable(HOSTILE) in page.text
        assert "\u202e" not in text
        assert "\x1b" not in text
    config.write_text(config.read_text().replace("blobs.npz", "<b>gone.npz"))
    page, _, text = report(str(path))
    check_form(page, text)
    assert "<b>gone.npz" in page.text


# Files and mistakes ---------------------------------------------------------------------------


def test_the_page_is_written_beside_a_short_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)))
    result = done("report", "good", "--open")
    assert re.fullmatch(r"good: .*\npage +report.html +\d+ kB\n", result.stdout)
    assert opened == [Path("report.html").absolute().as_uri()]
    assert "there is no browser here" in result.stderr
    Path("report.html").unlink()
    rows = done("report", "good", "--csv").stdout.splitlines()
    assert rows[0] == "part,item,measure,value"
    assert not Path("report.html").exists(), "with --csv or --json, a page is written on request"


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["good", "-o", "a.pdf"], 2, "-o: 'a.pdf' does not end in .html. Did you mean 'a.html'?"),
        (["good", "-o", "no/a.html"], 1, "cannot write no/a.html: there is no folder no"),
        (["godo"], 2, "there is no run or file 'godo'. Did you mean 'good'? Runs in runs: "),
        (["good", "grid"], 2, "runs/grid is a sweep. Only runs can stand side by side"),
        (["good", "net.safetensors"], 2, "net.safetensors is a file. Only runs can stand"),
        (["blobs.npz"], 1, "blobs.npz"),
    ],
)
def test_a_mistake_is_named(args: list[str], status: int, message: str) -> None:
    result = run("report", *args)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.startswith(f"Error: {message}")
    assert not Path("report.html").exists()


# Size and time --------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_runs_are_compared_by_their_records() -> None:
    for number in range(100):
        Path(f"many/run{number}").mkdir(parents=True)
        for path in Path("runs/good").iterdir():
            Path(f"many/run{number}/{path.name}").symlink_to(path.absolute())
    start = time.process_time()
    page, fields, text = report(*sorted(map(str, Path("many").iterdir())))
    assert time.process_time() - start < 5
    assert len(text.encode()) < 1_000_000
    assert len(fields["comparison"]["runs"]) == 100
    check_form(page, text)


@pytest.mark.slow
def test_a_sweep_of_a_thousand_runs_is_small() -> None:
    varied = ((number / 1000, number % 7) for number in range(1000))
    write_sweep(Path("big"), ["model.dropout", "training.seed"], varied)
    start = time.process_time()
    page, _, text = report("big")
    assert time.process_time() - start < 5
    assert len(text.encode()) < 2_000_000
    check_form(page, text)
