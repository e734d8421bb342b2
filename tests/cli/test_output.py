"""The writers that commands share: JSON, CSV, and views for people."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from actcli.cli.output import emit, emit_csv


@dataclass(frozen=True)
class Answer:
    value: float

    def to_dict(self) -> dict[str, Any]:
        return {"answer": self.value}


def show(answer: Answer) -> str:
    return f"the answer is {answer.value}"


def unwanted(_: object) -> str:
    raise AssertionError("--json needs no view")


def test_a_result_is_json_or_a_view(capsys: pytest.CaptureFixture[str]) -> None:
    emit(Answer(42), show, as_json=False)
    assert capsys.readouterr() == ("the answer is 42\n", "")
    emit(Answer(42), unwanted, as_json=True)
    assert capsys.readouterr() == ('{"answer": 42}\n', "")


def test_json_is_strict_and_a_json_value_is_written_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emit({"loss": float("nan"), "runs": [1, (2, 3)]}, unwanted, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"loss": None, "runs": [1, [2, 3]]}


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    emit_csv([["run", "axes"], ["a", "8,8"], ["b", None], ["c", 0.5]])
    assert capsys.readouterr() == ('run,axes\na,"8,8"\nb,\nc,0.5\n', "")
