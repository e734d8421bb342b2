"""`actcli softmax`: the numbers against closed forms and finite differences, and the command."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from actcli.cli import Commands, main
from actcli.errors import UsageError
from actcli.explore.softmax import analyse_logits

MASKED = -math.inf
SCORES = st.floats(allow_nan=False, allow_infinity=False)
VECTORS = st.lists(SCORES | st.just(MASKED), min_size=1).filter(lambda z: max(z) > MASKED)
NEAR = st.lists(st.floats(-50, 50), min_size=1, max_size=12)

# The measured numbers -------------------------------------------------------------------------


def test_the_softmax_of_1_2_3() -> None:
    e = math.e  # p = (1, e, e²) / (1 + e + e²)
    whole = 1 + e + e * e
    scores = analyse_logits([1, 2, 3])
    np.testing.assert_allclose(scores.softmax, [0.09003057, 0.24472847, 0.66524096], atol=5e-9)
    np.testing.assert_allclose(scores.softmax, [1 / whole, e / whole, e * e / whole], rtol=1e-15)
    np.testing.assert_allclose(scores.exponentials, [1 / e**2, 1 / e, 1], rtol=1e-15)
    np.testing.assert_allclose(
        scores.log_softmax, np.array([0, 1, 2]) - math.log(whole), rtol=1e-15
    )
    assert scores.softmax_sum == pytest.approx(1, abs=1e-15)
    assert scores.sigmoid_sum == pytest.approx(sum(1 / (1 + math.exp(-z)) for z in (1, 2, 3)))
    assert scores.argmax == 2
    assert scores.runner_up == 1
    assert scores.margin == pytest.approx((e * e - e) / whole)
    assert scores.target is None


@pytest.mark.parametrize("count", [2, 3, 10, 1000])
def test_equal_scores_are_as_unsure_as_can_be(count: int) -> None:
    scores = analyse_logits([7.5] * count)
    assert scores.entropy == pytest.approx(math.log(count))
    assert scores.entropy_share == pytest.approx(1)
    assert scores.perplexity == pytest.approx(count)
    assert (scores.argmax, scores.tied, scores.margin) == (0, count - 1, 0)


def test_the_cross_entropy_of_a_digit_whose_output_does_not_sum_to_1() -> None:
    # Ten outputs for a 4, printed to three decimals: they sum to 0.995, which softmax divides out.
    p = [0.047, 0.048, 0.061, 0.07, 0.330, 0.062, 0.001, 0.213, 0.013, 0.150]
    scores = analyse_logits(np.log(p), target=4)
    assert scores.target is not None
    assert scores.target.cross_entropy == pytest.approx(-math.log(0.330 / 0.995), rel=1e-14)
    assert scores.argmax == 4
    np.testing.assert_allclose(scores.softmax, np.array(p) / 0.995, rtol=1e-14)


@given(NEAR, st.data())
def test_the_gradient_is_the_slope_of_the_cross_entropy(z: list[float], data: Any) -> None:
    target = data.draw(st.integers(0, len(z) - 1))

    def cross_entropy(logits: Sequence[float]) -> float:
        measured = analyse_logits(logits, target=target).target
        assert measured is not None
        return measured.cross_entropy

    measured = analyse_logits(z, target=target).target
    assert measured is not None
    step = 1e-5
    for index in range(len(z)):
        up, down = list(z), list(z)
        up[index] += step
        down[index] -= step
        slope = (cross_entropy(up) - cross_entropy(down)) / (2 * step)
        assert measured.gradient[index] == pytest.approx(slope, abs=1e-7)
    assert measured.one_hot.tolist() == [float(index == target) for index in range(len(z))]


@given(VECTORS, st.floats(min_value=5e-324, allow_infinity=False))
def test_softmax_is_a_distribution_for_any_scores_and_temperature(
    z: list[float], temperature: float
) -> None:
    scores = analyse_logits(z, temperature)
    p = scores.softmax
    assert scores.softmax_sum == pytest.approx(1, abs=1e-12)
    assert p.min() >= 0
    assert p.max() <= 1
    assert p[scores.argmax] == p.max()
    assert scores.argmax == z.index(max(z))
    assert 0 <= scores.entropy <= scores.entropy_maximum + 1e-12
    assert not np.isnan([*scores.sigmoid, *scores.log_softmax, scores.perplexity]).any()
    assert scores.sigmoid.min() >= 0
    assert scores.sigmoid.max() <= 1
    for index in (index for index, value in enumerate(z) if value == MASKED):
        assert (p[index], scores.sigmoid[index]) == (0, 0)


@given(NEAR, st.floats(-1000, 1000))
def test_a_constant_added_to_all_scores_changes_nothing(z: list[float], constant: float) -> None:
    before, after = analyse_logits(z), analyse_logits([value + constant for value in z])
    np.testing.assert_allclose(after.softmax, before.softmax, atol=1e-12)
    assert after.entropy == pytest.approx(before.entropy, abs=1e-10)


@given(NEAR, st.floats(0.1, 10))
def test_the_temperature_divides_the_scores(z: list[float], temperature: float) -> None:
    warm = analyse_logits(z, temperature)
    divided = analyse_logits([value / temperature for value in z])
    np.testing.assert_allclose(warm.softmax, divided.softmax, atol=1e-12)
    np.testing.assert_allclose(warm.sigmoid, divided.sigmoid, rtol=1e-12)


@given(st.floats(-700, 700))
def test_two_outcomes_are_a_sigmoid_of_the_difference(z: float) -> None:
    scores = analyse_logits([z, 0])
    # e^z / (1 + e^z) and 1 / (1 + e^-z), whichever does not overflow
    sigmoid = math.exp(min(z, 0)) / (1 + math.exp(-abs(z)))
    assert scores.softmax[0] == pytest.approx(sigmoid, rel=1e-12, abs=0)
    assert scores.sigmoid[0] == pytest.approx(sigmoid, rel=1e-12, abs=0)


def test_a_masked_score_is_impossible() -> None:
    scores = analyse_logits([0, MASKED, 0], target=1)
    assert scores.softmax.tolist() == [0.5, 0, 0.5]
    assert scores.sigmoid.tolist() == [0.5, 0, 0.5]
    assert scores.entropy == pytest.approx(math.log(2))
    assert scores.entropy_share == pytest.approx(1)  # of the two that are possible
    assert scores.masked == 1
    assert scores.target is not None
    assert scores.target.masked
    assert scores.target.cross_entropy == math.inf
    assert scores.target.gradient.tolist() == [0.5, -1, 0.5]


def test_the_only_outcome_is_certain() -> None:
    scores = analyse_logits([MASKED, -5])
    assert scores.softmax.tolist() == [0, 1]
    assert (scores.entropy, scores.perplexity) == (0, 1)
    assert math.copysign(1, scores.entropy) == 1
    assert (scores.entropy_share, scores.runner_up, scores.margin) == (None, None, None)


def test_extreme_scores_and_temperatures_do_not_overflow() -> None:
    far = analyse_logits([1e308, -1e308], target=1)
    assert far.softmax.tolist() == [1, 0]
    assert far.target is not None
    assert far.target.cross_entropy == math.inf
    assert not far.target.masked
    near = analyse_logits([1e308, -1e308], 1e308)  # 2e308 is no float64; 2e308 / 1e308 is
    assert near.log_softmax[1] == pytest.approx(-2 - math.log1p(math.exp(-2)))
    assert analyse_logits([1, 1, 0], 1e-300).softmax.tolist() == [0.5, 0.5, 0]
    assert analyse_logits([-1, 1], 1e-300).sigmoid.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "there are no values"),
        (([1, math.nan],), "value 2 is nan"),
        (([1, 2, math.inf],), "value 3 is +inf"),
        (([MASKED, MASKED],), "every value is -inf"),
        (([1], 0), "the temperature cannot be 0"),
        (([1], -1), "the temperature cannot be -1"),
        (([1], math.nan), "the temperature cannot be nan"),
        (([1], math.inf), "the temperature cannot be inf"),
        (([1, 2], 1, ["a"]), "1 label for 2 values"),
        (([1], 1, ["a", "b"]), "2 labels for 1 value"),
        (([1, 2], 1, None, 2), "target 2 is out of range"),
        (([1, 2], 1, None, -1), "target -1 is out of range"),
    ],
)
def test_the_impossible_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        analyse_logits(*arguments)
    assert caught.value.message == message


# The command ----------------------------------------------------------------------------------


def run(*args: str, stdin: str | bytes | None = None, width: int = 100) -> Result:
    return CliRunner().invoke(main, ["softmax", *args], input=stdin, env={"COLUMNS": str(width)})


def logits(*args: str, stdin: str | bytes | None = None) -> list[list[float | None]]:
    """The vectors that the command understood."""
    result = run("--json", *args, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    return [json.loads(line, parse_constant=pytest.fail)["logits"] for line in lines]


def test_the_table_on_stdout() -> None:
    result = run("1", "2", "3")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "▶ 2          3      1.0000   0.6652       -0.408   0.9526  ████" in result.stdout
    assert "\x1b" not in result.stdout
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    ("args", "vector"),
    [
        (["-1", "2", "-3"], [-1, 2, -3]),
        (["-1e-3", "2"], [-0.001, 2]),
        (["-.5"], [-0.5]),
        (["-1,2", "3"], [-1, 2, 3]),
        (["1,", "2,", "3"], [1, 2, 3]),
        (["1 , 2\t3"], [1, 2, 3]),
        (["[1, -2, 3]"], [1, -2, 3]),
        (["-inf", "0"], [None, 0]),
        (["-Infinity", "+4.", "5E1"], [None, 4, 50]),
        (["--", "-1", "2"], [-1, 2]),
        (["1", "--", "-1"], [1, -1]),
        (["1e-400", "-0"], [0, 0]),
        (["-1", "--temperature", "2", "-3"], [-1, -3]),
        (["-1", "--temperature=2", "-3"], [-1, -3]),
        (["--target", "1", "-3", "-2"], [-3, -2]),
    ],
)
def test_what_is_a_value(args: list[str], vector: list[float | None]) -> None:
    assert logits(*args) == [vector]


def test_a_vector_per_line_of_standard_input() -> None:
    text = "\ufeff1 2\r\n\n# a comment\n  -1,-inf\n[3]"
    assert logits(stdin=text) == [[1, 2], [-1, None], [3]]
    result = run(stdin="1 2\n\n3 4\n")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line for line in result.stdout.splitlines() if "line" in line] == ["line 1", "line 3"]


def test_json_has_every_number() -> None:
    result = run("1", "2", "-inf", "--json", "--labels", "a,b,日", "--target", "日")
    assert (result.exit_code, result.stderr) == (0, "")
    fields = json.loads(result.stdout, parse_constant=pytest.fail)
    measured = analyse_logits([1, 2, MASKED], target=2)
    assert measured.target is not None
    assert fields == {
        "logits": [1, 2, None],
        "softmax": measured.softmax.tolist(),
        "log_softmax": [*measured.log_softmax[:2].tolist(), None],
        "sigmoid": measured.sigmoid.tolist(),
        "entropy": measured.entropy,
        "perplexity": measured.perplexity,
        "argmax": 1,
        "temperature": 1,
        "labels": ["a", "b", "日"],
        "target": 2,
        "cross_entropy": None,
        "gradient": measured.target.gradient.tolist(),
    }
    plain = json.loads(run("1", "--json").stdout)
    assert not plain.keys() & {"labels", "target", "cross_entropy", "gradient"}


@pytest.mark.parametrize(
    ("target", "labels", "index"),
    [("1", None, 1), ("1", "1,0", 0), ("1", "a,b", 1), ("b", "a,b", 1), ("+0", None, 0)],
)
def test_the_target_is_a_label_before_it_is_an_index(
    target: str, labels: str | None, index: int
) -> None:
    named = [] if labels is None else ["--labels", labels]
    result = run("5", "6", "--json", "--target", target, *named)
    assert json.loads(result.stdout)["target"] == index


NUMBERS = "Allowed: such as -1, .5 or 1e-3"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["1", "x"], f"value 2, 'x', is not a number. {NUMBERS}"),
        (["-x"], f"value 1, '-x', is not a number. {NUMBERS}"),
        (["-1h", "-help"], f"value 1, '-1h', is not a number. {NUMBERS}"),
        (["1_000"], "value 1, '1_000', is not a number. Did you mean '1000'?"),
        (["\u22121"], "value 1, '\u22121', is not a number. Did you mean '-1'?"),
        (["\u0663"], f"value 1, '\u0663', is not a number. {NUMBERS}"),
        (["a\x1b[2J"], f"value 1, 'a\\x1b[2J', is not a number. {NUMBERS}"),
        (["9" * 50 + "x"], f"value 1, '{'9' * 40}...', is not a number. {NUMBERS}"),
        (["1e400"], "value 1, '1e400', is out of range. Allowed: up to 1.8e308 either way"),
        (["-1e400"], "value 1, '-1e400', is out of range. Allowed: up to 1.8e308 either way"),
        (["1", "nan"], "value 2 is nan. Allowed: finite numbers, and -inf for a masked one"),
        (["inf"], "value 1 is +inf. Allowed: finite numbers, and -inf for a masked one"),
        (["-inf,-inf"], "every value is -inf. At least one must be finite"),
        ([""], "there are no values. Give at least one number"),
        (["1,,2"], "value 2 is missing. A comma must have a number on both sides"),
        (["1 2,"], "value 3 is missing. A comma must have a number on both sides"),
        ([",1"], "value 1 is missing. A comma must have a number on both sides"),
        (["1", "--", "--json"], f"value 2, '--json', is not a number. {NUMBERS}"),
        (["1", "--temperature", "-1"], "the temperature cannot be -1. Allowed: finite numbers ab"),
        (["1", "--temperature", "0"], "the temperature cannot be 0. Allowed: finite numbers abov"),
        (["1", "--temperature", "nan"], "the temperature cannot be nan. Allowed: finite numbers"),
        (["1", "--temperature", "hot"], f"--temperature, 'hot', is not a number. {NUMBERS}"),
        (["1", "--temperature", "1_0"], "--temperature, '1_0', is not a number. Did you mean '10'"),
        (["1", "2", "--target", "2"], "target 2 is out of range. Allowed: 0 to 1"),
        (["1", "2", "--target", "-1"], "target -1 is out of range. Allowed: 0 to 1"),
        (["1", "2", "--target", "x"], "--target: there is no index 'x'. Allowed: 0 to 1"),
        (
            ["1", "2", "--target", "cst", "--labels", "cat,dog"],
            "--target: there is no label 'cst'. Did you mean 'cat'? Allowed: 0 to 1, or a label",
        ),
        (["1", "2", "--labels", "a"], "1 label for 2 values"),
        (["1", "2", "--labels", "a,a"], "--labels: 'a' appears twice. Each label must be unique"),
        (["1", "2", "--labels", "a,"], "--labels: label 2 is empty. Give a name for each value"),
        (["1", "--temprature", "2"], "No such option '--temprature'."),
        (["--targt", "2", "1"], "No such option '--targt'. Did you mean '--target'?"),
        (["1", "--target"], "Option '--target' requires an argument."),
        (["1", "--", "--target"], f"value 2, '--target', is not a number. {NUMBERS}"),
    ],
)
def test_a_mistake_is_one_clear_line(args: list[str], message: str) -> None:
    result = run(*args)
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: {message}")
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 2


def test_the_misspelt_option_gets_the_right_name() -> None:
    assert "'--temperature'" in run("1", "--temprature", "2").stderr


@pytest.mark.parametrize(
    ("text", "answered", "message"),
    [
        ("", 0, "standard input holds no values. Give one vector per line"),
        ("\n# nothing\n", 0, "standard input holds no values. Give one vector per line"),
        ("1 2\n\n3 x\n4\n", 1, f"standard input, line 3: value 2, 'x', is not a number. {NUMBERS}"),
        (b"1\n\xff\n", 1, f"standard input, line 2: value 1, '\ufffd', is not a number. {NUMBERS}"),
        ("1\n,\n", 1, "standard input, line 2: value 1 is missing. A comma must have a number on "),
        ("[]\n", 0, "standard input, line 1: there are no values. Give at least one number"),
        ("1\n" + "1 " * 2_000_001, 1, "standard input, line 2, is longer than 4,000,000 bytes"),
    ],
)
def test_a_mistake_on_standard_input_names_its_line(
    text: str | bytes, answered: int, message: str
) -> None:
    result = run("--json", stdin=text)
    assert result.stdout.count("\n") == answered
    assert result.stderr.startswith(f"Error: {message}")
    assert result.exit_code == 2


def test_a_line_without_end_is_not_read_to_its_end(
    little_memory: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    with Path("/dev/zero").open("rb") as endless:
        done = little_memory("softmax", most=500_000_000, stdin=endless)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: standard input, line 1, is longer than 4,000,000 bytes\n"


@settings(deadline=None)
@given(st.lists(st.text(alphabet="0123456789-+.,eE_ infaN[]\t#x\u2212\u0663", min_size=1)))
def test_any_values_give_a_result_or_a_usage_error(words: list[str]) -> None:
    result = run("--json", "--", "0", *words)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert (result.exit_code, result.stdout == "", result.stderr == "") in {
        (0, False, True),
        (2, True, False),
    }


@settings(deadline=None)
@given(st.binary())
def test_any_standard_input_gives_a_result_or_a_usage_error(data: bytes) -> None:
    result = run("--json", stdin=data)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert (result.exit_code == 0) == (result.stderr == "")
    assert result.exit_code in {0, 2}
    for line in result.stdout.splitlines():
        assert sum(json.loads(line, parse_constant=pytest.fail)["softmax"]) == pytest.approx(1)


def test_help_documents_every_option_and_its_examples_work() -> None:
    result = run("--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert run("1", "-h").stdout == result.stdout
    command = main.get_command(click.Context(main), "softmax")
    assert command is not None
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert options
    assert all(option.help and option.opts[0] in result.stdout for option in options)
    examples = result.stdout.split("Examples:\n")[1].splitlines()
    assert len(examples) == 3
    for example in examples:
        if "|" not in example:
            assert run(*example.split()[2:]).exit_code == 0


# In a process of its own ----------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
PYTHON = f"{sys.executable} -W error -m actcli softmax"


def shell(command: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    unset = {"PYTHONUNBUFFERED", "COLUMNS"}
    inherited = {key: value for key, value in os.environ.items() if key not in unset}
    return subprocess.run(
        ["sh", "-c", command],
        env={**inherited, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=30,
    )


def test_an_ascii_stream_gets_ascii() -> None:
    result = shell(f"{PYTHON} 1 2 --labels é,b", PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"> b" in result.stdout
    assert rb"\xe9" in result.stdout
    assert b"####" in result.stdout
    assert result.stdout.isascii()


def test_no_character_can_fail_on_stdout() -> None:
    class Speaker(Commands):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            def say() -> None:
                sys.stdout.write("σ \udcff")

            return click.Command(cmd_name, callback=say)

    result = CliRunner(charset="ascii").invoke(Speaker(), ["say"])
    assert (result.exit_code, result.stdout) == (0, "\\u03c3 \\udcff")


def test_nothing_is_cut_or_coloured_in_a_pipe() -> None:
    label = "x" * 150
    result = shell(f"{PYTHON} 1 2 --labels {label},b", PYTHONIOENCODING="utf-8", TERM="xterm")
    assert (result.returncode, result.stderr) == (0, b"")
    assert label.encode() in result.stdout
    assert b"\x1b" not in result.stdout


@pytest.mark.parametrize("option", ["", "--json", "--help"])
def test_a_closed_pipe_ends_in_silence(option: str) -> None:
    result = shell(f"(sleep 0.3; {PYTHON} 1 2 {option}) | true")
    assert (result.stdout, result.stderr) == (b"", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("option", ["", "--json"])
def test_a_full_disk_is_told(option: str) -> None:
    result = shell(f"{PYTHON} 1 2 {option} >/dev/full")
    assert result.returncode == 1
    assert result.stderr == b"Error: standard output: No space left on device\n"


def test_each_line_is_answered_as_it_comes() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "actcli", "softmax", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for vector in "1 2", "3":
            process.stdin.write(f"{vector}\n")
            answer = json.loads(process.stdout.readline())  # hangs if it were held back
            assert answer["logits"] == [float(word) for word in vector.split()]


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_terminal_is_not_waited_for() -> None:
    import pty

    ours, theirs = pty.openpty()
    result = subprocess.run(
        [sys.executable, "-m", "actcli", "softmax"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=theirs,
        capture_output=True,
        check=False,
        timeout=30,
    )
    os.close(ours)
    os.close(theirs)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"Error: there are no values. Give them as arguments, or one")


def test_json_does_not_import_rich() -> None:
    code = (
        "import sys; from actcli.cli import Commands, main; main(['softmax', '1', '--json'], "
        "standalone_mode=False); print('rich' in sys.modules, 'numpy' in sys.modules)"
    )
    result = shell(f'{sys.executable} -c "{code}"')
    assert result.stdout.splitlines()[-1] == b"False True"


def test_100_000_values_are_no_effort() -> None:
    words = [str(number) for number in range(100_000)]
    assert logits(*words) == logits(stdin=" ".join(words)) == [list(range(100_000))]
