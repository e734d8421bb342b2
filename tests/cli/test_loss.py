"""`actcli loss`: the numbers against closed forms and the losses of a training, and the command."""

import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from screens import on_screen

from actcli.cli import main
from actcli.errors import UsageError
from actcli.explore.loss import LossComparison, compare_losses
from actcli.nn.losses import LOSSES

# The outputs of a network for an image of a 4, as a course has them.
COURSE = [0.047, 0.048, 0.061, 0.07, 0.330, 0.062, 0.001, 0.213, 0.013, 0.150]
TYPED = ",".join(map(str, COURSE))
SCORES = st.lists(st.floats(-30, 30), min_size=2, max_size=12)


def plogp(values: Any, others: Any) -> float:
    """Σ a ln b, where 0 ln 0 is 0, with the standard library."""
    return math.fsum(a * math.log(b) for a, b in zip(values, others, strict=True) if a)


# The numbers ----------------------------------------------------------------------------------


def test_the_pair_of_the_course() -> None:
    pair = compare_losses(4, COURSE)
    assert round(pair.losses["cross-entropy"], 4) == 1.1087  # as published
    assert pair.losses["cross-entropy"] == pytest.approx(-math.log(0.33), rel=1e-15)
    assert pair.losses["kl-divergence"] == pair.losses["cross-entropy"]
    assert pair.target_entropy == 0
    errors = [(p - (k == 4)) ** 2 for k, p in enumerate(COURSE)]
    assert pair.losses["sse"] == pytest.approx(math.fsum(errors), rel=1e-14)
    assert pair.losses["mse"] == pytest.approx(math.fsum(errors) / 10, rel=1e-14)
    others = [1 - p for k, p in enumerate(COURSE) if k != 4]
    binary = -(math.log(0.33) + sum(map(math.log, others))) / 10
    assert pair.losses["binary-cross-entropy"] == pytest.approx(binary, rel=1e-14)
    assert (pair.target_sum, pair.predicted_sum) == (1, pytest.approx(0.995))
    assert (pair.true_class, pair.argmax, pair.impossible) == (4, 4, ())
    assert np.flatnonzero(pair.cross_entropy_terms).tolist() == [4]
    assert np.flatnonzero(pair.squared_errors).tolist() == list(range(10))
    assert pair.swapped.cross_entropy == pair.swapped.kl_divergence == math.inf
    assert pair.swapped.impossible == (0, 1, 2, 3, 5, 6, 7, 8, 9)


def test_renormalized() -> None:
    pair = compare_losses(4, COURSE, renormalize=True)
    assert pair.losses["cross-entropy"] == pytest.approx(-math.log(0.330 / 0.995), rel=1e-14)
    assert pair.predicted.sum() == pytest.approx(1, abs=1e-15)
    assert (pair.predicted_sum, pair.renormalized) == (pytest.approx(0.995), True)
    counts = compare_losses([1, 3], [2, 2], renormalize=True)
    assert (counts.target.tolist(), counts.predicted.tolist()) == ([0.25, 0.75], [0.5, 0.5])


def test_two_distributions() -> None:
    t, p = [0.5, 0.25, 0.25, 0], [0.25, 0.25, 0.25, 0.25]
    pair = compare_losses(t, p)
    # Cross-entropy with a fair draw of four is ln 4; the target's entropy is 1.5 ln 2.
    assert pair.losses["cross-entropy"] == pytest.approx(2 * math.log(2), rel=1e-15)
    assert pair.target_entropy == pytest.approx(1.5 * math.log(2), rel=1e-15)
    assert pair.losses["kl-divergence"] == pytest.approx(0.5 * math.log(2), rel=1e-14)
    assert pair.true_class is None
    assert pair.swapped.impossible == (3,)


@given(SCORES, st.data())
def test_a_divergence_is_never_negative_and_swapping_is_its_own_inverse(
    z: list[float], data: Any
) -> None:
    t, p = (
        np.exp(np.array(values)) / np.exp(np.array(values)).sum()
        for values in (z, data.draw(st.permutations(z)))
    )
    pair, other = compare_losses(t, p), compare_losses(p, t)
    assert pair.losses["kl-divergence"] >= -1e-12
    assert pair.losses["cross-entropy"] == pytest.approx(-plogp(t, p), rel=1e-12)
    assert pair.target_entropy == pytest.approx(-plogp(t, t), rel=1e-12, abs=1e-12)
    assert pair.swapped.cross_entropy == other.losses["cross-entropy"]
    assert pair.swapped.kl_divergence == other.losses["kl-divergence"]


def test_every_loss_of_a_training_is_there() -> None:
    assert set(compare_losses(0, [0.5, 0.5]).losses) == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
@given(SCORES, st.data())
def test_scores_give_what_the_loss_of_a_training_gives(
    name: str, z: list[float], data: Any
) -> None:
    k = data.draw(st.integers(0, len(z) - 1))
    loss = LOSSES[name]("sigmoid" if name == "binary-cross-entropy" else "softmax")
    scores = np.array([z])
    gradient, work = np.empty_like(scores), np.empty_like(scores)
    (expected,) = loss(scores, np.eye(len(z))[[k]], gradient, work)
    assert compare_losses(k, z, logits=True).losses[name] == pytest.approx(
        expected, rel=1e-9, abs=1e-12
    )


def test_scores_are_exact_where_their_softmax_is_0() -> None:
    pair = compare_losses(1, [0, -2000], logits=True)
    assert pair.predicted.tolist() == [1, 0]
    assert pair.losses["cross-entropy"] == 2000
    assert pair.impossible == ()


def test_zero_times_the_logarithm_of_zero_is_zero() -> None:
    pair = compare_losses(0, [1, 0])
    assert set(pair.losses.values()) == {0.0}
    assert (pair.swapped.cross_entropy, pair.swapped.impossible) == (0, ())
    assert not any(math.copysign(1, value) < 0 for value in pair.cross_entropy_terms)


def test_what_was_held_impossible_costs_infinitely_much() -> None:
    pair = compare_losses([0.5, 0.5, 0], [0, 0.5, 0.5])
    assert pair.losses["cross-entropy"] == pair.losses["kl-divergence"] == math.inf
    assert pair.losses["binary-cross-entropy"] == math.inf
    assert pair.losses["sse"] == 0.5
    assert (pair.impossible, pair.swapped.impossible) == ((0,), (2,))


@pytest.mark.parametrize(
    ("target", "prediction", "options", "message"),
    [
        (0, [1.0], {}, "--predicted needs a value for each class"),
        (0, [], {"logits": True}, "--logits needs a value for each class"),
        (2, [0.5, 0.5], {}, "--target: 2 is out of range"),
        (-1, [0.5, 0.5], {}, "--target: -1 is out of range"),
        ([1.0, 0, 0], [0.5, 0.5], {}, "--target has 3 values, --predicted has 2"),
        ([1.0, -0.5], [0.5, 0.5], {}, "--target: value 2 is -0.5"),
        ([1.5, 0], [0.5, 0.5], {}, "--target: value 1 is 1.5"),
        ([0.0, 0], [0.5, 0.5], {}, "--target: all values are 0"),
        ([math.nan, 0], [0.5, 0.5], {}, "--target: value 1 is nan"),
        (0, [0.5, -1e-9], {"renormalize": True}, "--predicted: value 2 is -1e-09"),
        (0, [0.5, 1.01], {}, "--predicted: value 2 is 1.01"),
        (0, [0.5, math.inf], {"renormalize": True}, "--predicted: value 2 is inf"),
        (0, [1e308, 1e308], {"renormalize": True}, "--predicted: the sum is beyond 1.8e308"),
        (0, [0.0, 0.0], {"renormalize": True}, "--predicted: all values are 0"),
        (0, [0.5, -math.inf], {"logits": True}, "--logits: value 2 is -inf"),
        (0, [0.5, 0.5], {"labels": ["a"]}, "--labels has 1 name, --predicted has 2 values"),
    ],
)
def test_the_impossible_is_refused(
    target: Any, prediction: list[float], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        compare_losses(target, prediction, **options)
    assert caught.value.message == message


# The command ----------------------------------------------------------------------------------


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, ["loss", *args], env={"COLUMNS": "80", **env})


def fields(*args: str) -> dict[str, Any]:
    done = run(*args, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(done.stdout, parse_constant=pytest.fail)
    return found


def test_the_example_of_the_course() -> None:
    done = run("--target", "4", "--predicted", TYPED)
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split()[:5] == ["class", "target", "t", "predicted", "p"]
    assert lines[5].split()[:4] == ["▶◆", "4", "1", "0.330"]
    assert lines[5].split()[-3:] == ["1.1087", "1.1087", "0.4489"]
    assert lines[1].split()[-3:] == ["0", "0", "0.0022"]
    assert lines[12].split() == ["sum", "1", "0.995", "1.1087", "1.1087", "0.5339"]
    assert lines[13] == "▶ largest p  ◆ target"
    text = " ".join(done.stdout.split())
    assert "The prediction sums to 0.995, not to 1: it is used unchanged; --renormalize" in text
    assert "Only class 4 counts" in text
    assert "cross-entropy 1.1087 nats, -Σ t ln p" in text
    assert "cross-entropy ∞ nats, -Σ p ln t" in text
    assert (
        "p = 0.047 for class 0 but t = 0 there; the same holds for 8 more: -ln 0 is infinite."
        in text
    )
    assert "Cross-entropy is not symmetric." in text


def test_nothing_odd_is_said_of_a_pair_that_is_not() -> None:
    text = run("--target", "0.5,0.5", "--predicted", "0.4,0.6").stdout
    for word in ("sums to", "counts", "nfinite", "∞", "◆"):
        assert word not in text


def test_after_renormalizing_the_sum_is_still_named() -> None:
    text = run("--target", "4", "--predicted", TYPED, "--renormalize").stdout
    assert "sums to 0.995, not to 1: each value was divided by the sum." in text


def test_json() -> None:
    found = fields("--target", "dog", "--logits", "-1,2,-0.5", "--labels", "cat,dog,bird")
    pair = compare_losses(1, [-1, 2, -0.5], logits=True)
    assert found == {
        "target": [0, 1, 0],
        "predicted": pair.predicted.tolist(),
        "true_class": 1,
        "argmax": 1,
        "target_sum": 1,
        "predicted_sum": 1,
        "renormalized": False,
        "cross_entropy": pair.losses["cross-entropy"],
        "binary_cross_entropy": pair.losses["binary-cross-entropy"],
        "kl_divergence": pair.losses["kl-divergence"],
        "mse": pair.losses["mse"],
        "sse": pair.losses["sse"],
        "target_entropy": 0,
        "impossible": [],
        "terms": {
            "cross_entropy": pair.cross_entropy_terms.tolist(),
            "kl_divergence": pair.kl_terms.tolist(),
            "squared_error": pair.squared_errors.tolist(),
        },
        "swapped": {"cross_entropy": None, "kl_divergence": None, "impossible": [0, 2]},
        "labels": ["cat", "dog", "bird"],
        "logits": [-1, 2, -0.5],
    }
    assert not {"labels", "logits"} & fields("--target", "0", "--predicted", "1,0").keys()


@pytest.mark.parametrize(
    ("target", "labels", "meant"),
    [
        ("1", None, [0, 1]),
        ("1", "1,0", [1, 0]),  # a label before an index
        ("b", "a,b", [0, 1]),
        ("0.25,0.75", None, [0.25, 0.75]),
        ("[.25 .75]", None, [0.25, 0.75]),
        ("a b", "a b,c", [1, 0]),
    ],
)
def test_what_a_target_is(target: str, labels: str | None, meant: list[float]) -> None:
    named = [] if labels is None else ["--labels", labels]
    assert fields("--target", target, "--predicted", "0.5,0.5", *named)["target"] == meant


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(
    "args",
    [
        ["--target", "4", "--predicted", TYPED],
        ["--target", "0.5,0.5", "--predicted", "0,1", "--labels", f"é,{'long ' * 9}"],
        ["--target", "99", "--logits", ",".join(map(str, range(300)))],
    ],
)
def test_it_fits_the_screen(args: list[str], columns: int, encoding: str) -> None:
    text = on_screen("loss", *args, columns=columns, encoding=encoding)
    assert len(text.splitlines()) < 75


def test_of_very_many_classes_those_that_cost_are_shown() -> None:
    text = run("--target", "99", "--logits", ",".join(["0"] * 300)).stdout
    assert "◆ 99" in text
    assert "… and 260 more, in the sums too; --json gives all" in text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--predicted", "1,0"], "Missing option '--target'."),
        (["--target", "0"], "one prediction is needed. Give --predicted, or --logits"),
        (
            ["--target", "0", "--predicted", "1,0", "--logits", "1,0"],
            "one prediction is needed. Give --predicted, or --logits",
        ),
        (["--target", "0", "--predicted", "1,x"], "--predicted, value 2, 'x', is not a number."),
        (["--target", "0,y", "--predicted", "1,0"], "--target, value 2, 'y', is not a number."),
        (
            ["--target", "0.5", "--predicted", "1,0"],
            "--target: there is no index '0.5'. Allowed: 0",
        ),
        (["--target", "10", "--predicted", TYPED], "--target: 10 is out of range. Allowed: 0 to 9"),
        (
            ["--target", "1", "--predicted", "1,-.1"],
            "--predicted: value 2 is -0.1. A probability i",
        ),
        (
            ["--target", "1", "--logits", "-1", "2", "-3"],
            "'2' belongs to no option. Put commas, an",
        ),
        (["--targt", "1"], "No such option '--targt'. Did you mean '--target'?"),
        (
            ["--target", "cst", "--predicted", "1,0", "--labels", "cat,dog"],
            "--target: there is no label 'cst'. Did you mean 'cat'? Allowed: 0 to 1, or a label",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(args: list[str], message: str) -> None:
    done = run(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {message}")
    assert done.stderr.count("\n") == 1


def test_json_does_not_import_rich() -> None:
    code = (
        "import sys; from actcli.cli import main; "
        "main(['loss', '--target', '0', '--predicted', '1,0', '--json'], standalone_mode=False); "
        "print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_a_pair_keeps_what_it_was_made_of() -> None:
    pair = compare_losses(0, [0.9, 0.1], labels=["a", "b"])
    assert isinstance(pair, LossComparison)
    assert pair.labels == ("a", "b")
    assert pair.logits is None
