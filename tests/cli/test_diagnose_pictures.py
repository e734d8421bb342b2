"""`actcli diagnose` as pictures: confusion, activations, weights, histograms over the epochs."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blob_data import make_blobs
from click.testing import CliRunner, Result

from actcli.cli import main
from actcli.diagnostics import LABELS, PARTS, PICTURES
from actcli.diagnostics.wide_form import TABLES, wide_rows


@pytest.fixture(scope="module", autouse=True)
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder with a run on images of 5 x 5 pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("runs"))
        np.savez("blobs.npz", **make_blobs(classes=4, rows=400, inputs=25, noise=60))
        options = "--dataset blobs.npz --hidden 12,6 --epochs 2 --activation tanh,relu"
        assert run("train", *options.split(), "-q").exit_code == 0
        yield


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, args, env=env or {"COLUMNS": "80"})


def as_json(*args: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(run("diagnose", *args, "--json").stdout)
    return fields


def table(part: str) -> list[dict[str, str]]:
    result = run("diagnose", "--csv", part)
    assert (result.exit_code, result.stderr) == (0, "")
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_each_table_has_the_numbers_of_the_json() -> None:
    fields = as_json("--only", "confusion,activations,weights", "--history")
    assert not {"gradients", "units", "softmax", "verdict"} & set(fields)
    rows, scores = table("confusion"), fields["confusion"]["scores"]
    assert [float(row["f1"]) for row in rows] == [entry["f1"] for entry in scores]
    assert [[int(row[f"predicted {k}"]) for k in range(4)] for row in rows] == (
        fields["confusion"]["counts"]
    )
    rows, layer = table("activations"), fields["activations"]["units"][1]
    second = [row for row in rows if row["layer"] == "2"]
    assert [row["state"] for row in second] == layer["states"]
    assert [float(row["active"]) for row in second] == layer["active"]
    counts = [int(row["count"]) for row in table("histograms") if row["values"] == "z"]
    assert counts == [n for each in fields["activations"]["histograms"] for n in each["z_counts"]]
    rows, first = table("weights"), fields["weights"]["sample"][0]
    assert [float(rows[0][f"weights.{n}"]) for n in range(1, 26)] == first["weights"]
    epochs = [int(row["epoch"]) for row in table("history")]
    assert epochs == fields["histograms"]["epochs"] == [1, 2]


def test_every_table_has_a_header() -> None:
    parts = ",".join((*PARTS, *PICTURES, LABELS))
    fields = as_json("--only", parts, "--history") | {"findings": []}
    for part in TABLES:
        header, *rows = wide_rows(part, fields)
        assert len(header) > 2, part
        assert all(len(row) == len(header) for row in rows)


def test_csv_takes_a_table_or_stands_before_the_run() -> None:
    whole = run("diagnose", "default", "--csv").stdout
    assert whole.startswith("part,item,measure,value\n")
    assert run("diagnose", "--csv", "default").stdout == whole
    assert run("diagnose", "--csv", "units", "default").stdout == (
        run("diagnose", "default", "--csv=units").stdout
    )
    refused = run("diagnose", "--csv=unit")
    assert refused.exit_code == 2
    assert "Error: --csv: there is no table 'unit'. Did you mean 'units'?" in refused.stderr


def test_the_numbers_of_the_pictures_are_in_the_long_form() -> None:
    result = run("diagnose", "--only", "confusion,activations,weights", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["part"] for row in rows} == {"confusion", "activations", "weights"}
    fields = as_json("--only", "confusion,weights")
    values = {(row["part"], row["item"], row["measure"]): row["value"] for row in rows}
    assert int(values["confusion", "0", "predicted 1"]) == fields["confusion"]["counts"][0][1]
    unit = fields["weights"]["sample"][0]
    assert float(values["weights", str(unit["unit"]), "weights.1"]) == unit["weights"][0]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_views_fit_80_columns(encoding: str) -> None:
    options = ("diagnose", "--only", "confusion,activations,weights", "--history")
    result = CliRunner(charset=encoding).invoke(main, options, env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    shown = result.stdout.splitlines()
    assert max(map(len, shown)) <= 80
    assert [line for line in shown if line.endswith(" ")] == []
    titles = [line.split("  ")[0] for line in shown]
    for title in ("Confusion", "Activations", "Weights", "History", "Histograms"):
        assert title in titles
    if encoding == "ascii":
        result.stdout.encode("ascii")


def test_a_run_of_an_earlier_version_has_no_histograms(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("runs/default/metrics.jsonl")
    text = path.read_text()
    records = [json.loads(line) for line in text.splitlines()]
    for record in records:
        del record["histograms"]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    result = run("diagnose", "--only", "units", "--history")
    assert "The training recorded no histograms." in result.stdout
    assert as_json("--only", "units", "--history")["histograms"] is None
    path.write_text(text)


def test_a_picture_in_colour() -> None:
    result = run("diagnose", "--only", "weights,confusion", FORCE_COLOR="1", COLORTERM="truecolor")
    assert "\x1b[38;2;" in result.stdout
    assert "▀" in result.stdout
