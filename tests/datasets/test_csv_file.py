"""CSV files as data sets: how they are read and split, and what is refused, by line and column."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from actcli.datasets import delimited
from actcli.datasets.csv_file import read_csv
from actcli.datasets.dataset import load_dataset
from actcli.datasets.file_formats import read_file
from actcli.errors import ActcliError

ROWS = 20
ZIPPED = gzip.compress(b"1,2,3\n" * 1000, mtime=0)


def table(
    header: str = "a,b,kind", row: str = "{i}.5,{j},{k}", rows: int = ROWS, end: str = "\n"
) -> str:
    """A table whose second column is larger in the second class."""
    lines = [row.format(i=i, j=10 * (i % 2) + i, k="xy"[i % 2]) for i in range(rows)]
    return end.join([*([header] if header else []), *lines, ""])


def written(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    content = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (table(), "t.csv"),
        (table(), "t.csv.gz"),
        (table(header=""), "t.data"),
        ("\ufeff" + table(end="\r\n"), "t.csv"),
        (table(end="\r"), "t.csv"),
        (table("a\tb\tkind", "{i}.5\t{j}\t{k}"), "t.tsv"),
        (table("a;b;kind", "{i},5;{j};{k}"), "t.csv"),
        (table("a|b|kind", "{i}.5|{j}|{k}"), "t.txt"),
        (table("a, b, kind", '{i}.5, "{j}", "{k}"'), "t.csv"),
        (table('"a\nb",b,kind'), "t.csv"),
        (table(end="\n\n"), "t.csv"),
        (table("a,b,kind,", "{i}.5,{j},{k},"), "t.csv"),
        (table(",a,b,kind", "{i},{i}.5,{j},{k}"), "t.csv"),
        (table("a,b,kind", '"r{i}",{i}.5,{j},{k}'), "t.csv"),
        (table("Id,a,b,kind", "{i},{i}.5,{j},{k}"), "t.csv"),
        (table().encode("utf-16"), "t.csv"),
        (table("a,größe,kind").encode("cp1252"), "t.csv"),
        (table("20,2,x,y", "{i}.5,{j},{k}").replace(",x\n", ",0\n").replace(",y\n", ",1\n"), "t"),
    ],
)
def test_the_same_table_in_other_words(text: str | bytes, name: str, tmp_path: Path) -> None:
    if isinstance(text, str) and text.startswith("20,2"):
        text = text.replace("20,2,x,1", "20,2,x,y")
    raw = read_file(written(tmp_path, text, name))
    plain = read_csv(written(tmp_path, table(), "plain.csv"))
    assert raw.class_names == {0: "x", 1: "y"}
    for ours, theirs in ((raw.train, plain.train), (raw.test, plain.test)):
        np.testing.assert_array_equal(ours.x, theirs.x)
        np.testing.assert_array_equal(ours.y, theirs.y)


def test_the_split_is_a_fixed_fifth_of_each_class(tmp_path: Path) -> None:
    raw = read_csv(written(tmp_path, table(rows=40)))
    assert np.bincount(raw.test.y).tolist() == [4, 4]
    assert np.bincount(raw.train.y).tolist() == [16, 16]
    # The same rows on every machine.
    assert raw.test.x[:, 0].tolist() == [2.5, 3.5, 10.5, 11.5, 20.5, 21.5, 30.5, 31.5]
    assert "a fifth of each class" in raw.notes[1]


def test_labels_keep_their_names(tmp_path: Path) -> None:
    for words, names in (("10,20", ("10", "20")), ("-1,1.0", ("-1", "1"))):
        first, second = words.split(",")
        text = table().replace(",x\n", f",{first}\n").replace(",y\n", f",{second}\n")
        assert load_dataset(str(written(tmp_path, text))).classes == names


@pytest.mark.parametrize("target", ["kind", "KIND", "1"])
def test_a_target_by_name_or_number(target: str, tmp_path: Path) -> None:
    path = written(tmp_path, table("kind,a,b", "{k},{i}.5,{j}"))
    assert load_dataset(str(path), target=target).classes == ("x", "y")


def test_pixels_of_a_table_are_bytes(tmp_path: Path) -> None:
    lines = [",".join([str(i % 2), *(str((i * j) % 256) for j in range(64))]) for i in range(9)]
    raw = read_csv(written(tmp_path, "\n".join(lines)), "1")
    assert raw.train.x.dtype == np.uint8


BAD_NUMBER = table().replace("7.5,17", "7.5,{}")


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("", "last", "t.csv is empty"),
        ("\n \n", "last", "t.csv is empty"),
        ("a,b,c\n", "last", "has no rows below the names"),
        ("a\n1\n2\n", "last", "has one column. A table has columns of numbers"),
        ("a,b\0,c\n", "last", "is not text: it holds bytes of value 0"),
        (BAD_NUMBER.format(""), "last", "line 9: column 'b' is missing. Leave such rows out"),
        (BAD_NUMBER.format("NA"), "last", "line 9: column 'b' is missing ('NA')"),
        (BAD_NUMBER.format("nan"), "last", "line 9: column 'b' is missing ('nan')"),
        (BAD_NUMBER.format("1e39"), "last", "line 9: column 'b' is infinite or beyond float32"),
        (BAD_NUMBER.format("1_0"), "last", "line 9: column 'b' is not a number: '1_0'"),
        (BAD_NUMBER.format("7,1"), "last", "line 9 has 4 fields, but the rows before it have 3"),
        (BAD_NUMBER.format('"7'), "last", "line 9: unexpected end of data. A quote that is not"),
        (BAD_NUMBER.format('"7"8'), "last", "line 9: ',' expected after '\"'"),
        (
            table(row="{i}.5,{k}{k},{k}"),
            "last",
            "line 2: column 'b' is not a number: 'xx'. If ",
        ),
        (table().replace(",x\n", ",\n"), "last", "line 2: column 'kind' is missing"),
        (
            table().replace(",x\n", ",.5\n").replace(",y", ",1"),
            "last",
            "holds .5, which is not a",
        ),
        (table("id,a,y", "{k},1,{i}{i}", 60), "last", "holds 60 different values in 60 rows"),
        (table("class,a,b", "1,{i},{i}", 60), "last", "--target class. Columns: 'class', "),
        (table("class,a,b", "1,{i},0"), "last", "holds a single class, '0'. Give the column of"),
        (table(), "kinds", "no column in"),
        (table(), "4", "--target 4: "),
        (table(), "0", "has the columns 1 to 3"),
        (table(header=""), "kind", "has no line with the names of its columns. Give a number"),
        (table("a,a,kind"), "a", "has 2 columns 'a'. Give a number: 1, 2"),
        (table(rows=4), "last", "has too few rows for a test: 4"),
        (table("a,b"), "last", "line 1 has 2 fields, but line 2 has 3"),
    ],
)
def test_what_is_refused(text: str, target: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ActcliError) as caught:
        read_csv(written(tmp_path, text), target)
    assert message in str(caught.value)


def test_a_long_name_is_cut_in_a_message(tmp_path: Path) -> None:
    """Comparing it with the target would take ten seconds."""
    with pytest.raises(ActcliError) as caught:
        read_csv(written(tmp_path, table("x" * 100_000 + ",b,kind")), "x" * 1000)
    assert len(str(caught.value)) < 400


def test_several_columns_of_words_are_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, table("a,sex,town,kind", "{i},m,Ulm,{k}"))
    with pytest.raises(ActcliError, match="'sex' is not a number: 'm'; nor is 'town'") as caught:
        read_csv(path)
    assert "columns=['sex', 'town']" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PAR1....", "is a Parquet file. To convert it: pandas.read_parquet(FILE)"),
        (b"\x80\x04K\x01.", "is a pickle. Pickles are never loaded"),
        (ZIPPED[:-20], "is truncated: its gzip stream has no end"),
        (ZIPPED[:-8] + bytes(8), "is damaged"),
    ],
)
def test_other_files_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ActcliError) as caught:
        read_file(tmp_path / "t.csv")
    assert message in str(caught.value)


def test_a_record_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a line, or over many lines with quotes."""
    monkeypatch.setattr(delimited, "MAX_RECORD_CHARACTERS", 1000)
    for endless in ("1," * 1000, '"' + '1\n","' * 1000):
        with pytest.raises(ActcliError, match="has more than 1,000 characters"):
            read_csv(written(tmp_path, table() + endless))


def test_a_target_needs_a_table(blobs, tmp_path: Path) -> None:
    for source in (str(blobs()), "mnist"):
        with pytest.raises(ActcliError, match="has no columns to choose from"):
            load_dataset(source, target="kind")
