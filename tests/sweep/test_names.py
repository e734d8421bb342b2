"""Test the names of a sweep's runs: what they say, their characters, length and uniqueness."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actcli.sweep.names import MAX_LENGTH, RUN_NAME, common_part, run_name, unique_names


@pytest.mark.parametrize(
    ("axis", "value", "name"),
    [
        ("optimizer.learning_rate", 0.03, "lr=0.03,seed=1"),
        ("optimizer.learning_rate", "auto", "lr=auto,seed=1"),
        ("model.hidden", (32, 16), "hidden=[32,16],seed=1"),
        ("model.hidden", (32,), "hidden=32,seed=1"),
        ("data.name", "../other data/x.npz", "dataset=x.npz,seed=1"),
        ("data.classes", ("T-shirt/top", "été"), "classes=[T-shirt-top,-t-],seed=1"),
        ("training.seed", 1, "seed=1"),
    ],
)
def test_a_name_says_what_varies(axis: str, value: object, name: str) -> None:
    assert run_name([axis], [value], 1) == name


VALUES = st.text() | st.floats() | st.lists(st.text() | st.integers())


@given(st.lists(st.lists(VALUES, min_size=2, max_size=2), min_size=1, max_size=5))
def test_any_values_give_unique_names_of_folders(rows: list[list[object]]) -> None:
    axes = ["data.name", "model.hidden"]
    names = [run_name(axes, row, 0) for row in rows]
    digests = [f"{number:064x}" for number in range(len(rows))]
    unique = list(unique_names(names, (digest[::-1] for digest in digests)))
    assert len({name.casefold() for name in unique}) == len(rows)
    for name in unique:
        assert len(name) <= MAX_LENGTH
        assert RUN_NAME.fullmatch(name)


def test_a_name_that_is_too_long_or_taken_ends_in_a_hash() -> None:
    short, long = "dataset=a.npz,seed=0", f"hidden=[{','.join(['8'] * 60)}],seed=0"
    names = list(unique_names([short, short.upper(), long], ["a" * 64, "b" * 64, "c" * 64]))
    assert names[:2] == [short, f"{short.upper()}-bbbbbb"]
    assert re.fullmatch(r"hidden=\[[8,]+8-cccccc", names[2])


def test_the_common_part_of_names() -> None:
    assert common_part(["hidden=[8,8],lr=1,seed=0", "hidden=[8,8],lr=1,seed=1"]) == (
        "hidden=[8,8],lr=1"
    )
    assert common_part(["hidden=[8,8],seed=0", "hidden=[8,16],seed=0"]) == ""
    assert common_part(["lr=1,seed=0"]) == "lr=1,seed=0"
