"""docs/reliability.md: each fault that it lists has a test, and that test exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
LEAST = 60  # rows

# A row has four cells; a | that belongs to a cell is written \|.
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith(("| Fault |", "|---"))
]


def functions(path: str) -> set[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_there_are_many_rows_and_no_two_alike() -> None:
    assert len(ROWS) >= LEAST
    assert len({tuple(row) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_names_tests_that_exist(row: list[str]) -> None:
    assert len(row) == 4
    assert all(row)
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[3])
    assert named
    assert row[3] == ", ".join(f"`{path}::{test}`" for path, test in named)
    for path, test in named:
        assert test in functions(path)


def test_each_table_has_the_same_head() -> None:
    heads = [line for line in TEXT.splitlines() if line.startswith("| Fault |")]
    assert set(heads) == {"| Fault | How it is provoked | What happens | Test |"}
    assert len(heads) == TEXT.count("|---|---|---|---|")
