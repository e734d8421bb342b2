"""docs/reliability.md: each fault in its tables names a test, and that test exists."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
MIN_ROWS = 60

# A row has four cells; a | that belongs to a cell is written \|.
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith(("| Fault |", "|---"))
]


@functools.cache
def functions(path: str) -> set[str]:
    """Return the names of the functions in a file; none if it does not exist."""
    if not (ROOT / path).is_file():
        return set()
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_there_are_many_rows_and_no_two_alike() -> None:
    assert len(ROWS) >= MIN_ROWS
    assert len({tuple(row) for row in ROWS}) == len(ROWS)


def row_faults(row: list[str]) -> Iterator[str]:
    """Yield the faults of a row: its cells, the form of the last one, tests that do not exist."""
    if len(row) != 4 or not all(row):
        yield f"{row}: not four cells with text"
        return
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[3])
    if not named or row[3] != ", ".join(f"`{path}::{test}`" for path, test in named):
        yield f"{row[0]}: {row[3]} is not a list of tests"
    for path, test in named:
        if test not in functions(path):
            yield f"{row[0]}: {path}::{test} does not exist"


def test_each_row_names_tests_that_exist() -> None:
    faults = [fault for row in ROWS for fault in row_faults(row)]
    assert not faults, "\n".join(faults)


def test_negative_control_of_the_check_itself() -> None:
    here = "`tests/docs/test_reliability.py::test_there_are_many_rows_and_no_two_alike`"
    assert not list(row_faults(["a", "b", "c", here]))
    for row in (
        ["a", "b", here],
        ["a", "", "c", here],
        ["a", "b", "c", "a test"],
        ["a", "b", "c", f"{here} too"],
        ["a", "b", "c", here.replace("two_alike", "three_alike")],
        ["a", "b", "c", here.replace("docs", "dogs")],
    ):
        assert list(row_faults(row))


def test_each_table_has_the_same_head() -> None:
    heads = [line for line in TEXT.splitlines() if line.startswith("| Fault |")]
    assert set(heads) == {"| Fault | How it is provoked | What happens | Test |"}
    assert len(heads) == TEXT.count("|---|---|---|---|")
