"""The benchmark of the verdicts: its intervals, its page, its drawn cases and its configurations.

`python benchmarks/verdicts.py` trains what these tests only draw and resolve.
"""

import json
from pathlib import Path

import pytest
import verdicts
from generated import VERSION, draw
from generated_cases import code_fingerprint
from generated_truth import label, regained
from mutations import MUTATIONS
from published import published
from rule_counts import rule_counts, write_counts
from setups import Setup
from verdict_page import read_sections, write_section
from verdict_rates import count, cured, false_alarm, told, told_first

from actcli.config.schema import Config
from actcli.diagnostics.measured import UNMEASURED, RuleCounts
from actcli.diagnostics.rules import RULES
from actcli.diagnostics.significance import wilson


def test_the_interval_is_wilsons() -> None:
    # Agresti, Coull, The American Statistician 52 (1998), page 122: 0 of 10 and 5 of 10.
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    page = tmp_path / "verdicts.md"
    write_section("Generated", ["one"], page)
    write_section("Ours", ["two", "", "### A table"], page)
    write_section("Generated", ["three"], page)
    assert read_sections(page) == {"Ours": "two\n\n### A table", "Generated": "three"}


def test_a_mutation_is_a_fault_only_if_it_costs_accuracy_on_all_seeds() -> None:
    healthy = [0.95, 0.96, 0.95]
    assert label(healthy, [0.80, 0.82, 0.81]) == "fault"
    assert label(healthy, [0.95, 0.955, 0.95]) == "harmless"
    assert label(healthy, [0.99, 0.3, 0.95]) == "undecided"
    assert regained(
        {"healthy": healthy, "mutated": [0.9533 - 0.2]}, 0.9533 - 0.05
    ) == pytest.approx(0.75, abs=1e-3)


def test_a_case_is_drawn_from_its_seed_and_its_configurations_are_valid() -> None:
    drawn = {}
    for seed in range(4 * len(MUTATIONS)):
        case, again = next(draw(seed)), next(draw(seed))
        assert case.healthy == again.healthy
        assert case.plant.changes == again.plant.changes
        Config().with_values({**case.healthy.settings, **case.plant.changes})
        drawn[case.name] = case
    assert len(drawn) == len(MUTATIONS) >= 18


def test_published_setups_are_configurations() -> None:
    rows = published()
    assert len({row.number for row in rows}) == len(rows)
    for row in rows:
        assert Setup("", row.settings).resolved.training.epochs


def test_rates_count_only_the_cases_to_which_their_question_applies() -> None:
    fault = {
        "mutation": "rate-high",
        "truth": {"label": "fault"},
        "healthy_findings": [["overfitting", "note"]],
        "findings": [["dead-units", "note"], ["learning-rate-too-high", "error"]],
        "fix": {"regained": 0.81},
    }
    harmless = {
        "mutation": "labels-shuffled",
        "truth": {"label": "harmless"},
        "healthy_findings": [["overfitting", "warning"]],
        "findings": [],
    }
    for question, counts in (
        (told_first, (1, 1)),
        (told, (1, 1)),
        (cured, (1, 1)),
        (false_alarm, (1, 2)),
    ):
        assert count([fault, harmless], question) == counts


def test_the_accepted_rules_of_most_mutations_exist() -> None:
    """Rules that are accepted before they exist do no harm, but a misspelt name would."""
    assert all(mutation.accepted for mutation in MUTATIONS.values())
    assert sum(bool(mutation.accepted & set(RULES)) for mutation in MUTATIONS.values()) >= 18


def test_misses_of_even_seeds_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = {"label": "fault", "healthy": [0.9, 0.9, 0.9], "mutated": [0.5, 0.5, 0.5]}
    record = {
        "version": VERSION,
        "code": code_fingerprint(),
        "truth": truth,
        "kind": "moons",
        "mutation": "rate-low",
        "from": "run",
        "change": "optimizer.learning_rate = 1e-06",
        "settings": {"model.hidden": [16]},
        "healthy_findings": [],
        "findings": [],
        "fix": {"regained": 0.0, "tries": []},
        "seconds": {"truth": 1.0},
    }
    lines = [json.dumps({**record, "seed": seed}) for seed in (2, 3)]
    (tmp_path / "cases.jsonl").write_text("\n".join(lines))
    monkeypatch.setattr("sys.argv", ["verdicts.py", "--misses", "--cache", str(tmp_path)])
    assert verdicts.main() == 0
    shown = capsys.readouterr().out
    assert "rate-low: healthy: seed 2, run, moons, " in shown
    assert "90.0 % -> 50.0 %" in shown
    assert "seed 3" not in shown


def test_the_counts_of_a_rule_come_from_odd_seeds_and_have_intervals(tmp_path: Path) -> None:
    fault = {
        "seed": 1,
        "mutation": "rate-low",
        "truth": {"label": "fault"},
        "healthy_findings": [["overfitting", "warning"]],
        "findings": [["underfitting-too-short", "error"], ["overfitting", "note"]],
        "fix": {"regained": 0.9},
    }
    harmless = {**fault, "seed": 3, "truth": {"label": "harmless"}, "healthy_findings": []}
    even = {**fault, "seed": 2}
    path = tmp_path / "counts.json"
    write_counts([fault, harmless, even], path)
    record = json.loads(path.read_text())
    assert (record["seeds"], record["cases"], record["well"]) == ("odd", 2, 3)
    assert record["rules"] == {
        "learning-rate-too-low": {"planted": 1, "told": 0, "named": 1, "first": 0},
        "overfitting": {"alarms": 1},
        "underfitting-too-short": {
            "planted": 1,
            "told": 1,
            "named": 1,
            "first": 1,
            "tried": 1,
            "cured": 1,
            "alarms": 1,
        },
    }
    text = RuleCounts(**record["rules"]["underfitting-too-short"], well=3).describe()
    assert "Told in 1 of 1 (21 to 100 %)" in text
    assert "1 of 3 (6 to 79 %) healthy networks" in text
    assert rule_counts([even])["seeds"] == "even"
    assert RuleCounts(well=3).describe() == UNMEASURED
