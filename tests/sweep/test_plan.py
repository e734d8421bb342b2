"""Test the axes of sweeps, sweep files, and the jobs planned from them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actcli.config.schema import KEYS
from actcli.config.sources import assemble, parse_assignment
from actcli.errors import UsageError
from actcli.sweep.axes import Axis, Span, option_of, parse_axis, written
from actcli.sweep.file import find_sweep, read_sweep, sweeps
from actcli.sweep.plan import Plan


def axis(text: str) -> Axis:
    return parse_axis(text)


def plan(*vary: str, base: tuple[str, ...] = (), **more: Any) -> Plan:
    return Plan(tuple(map(parse_assignment, base)), tuple(map(parse_axis, vary)), **more)


def names(plan: Plan) -> list[str]:
    return [job.name for job in plan.jobs()]


# Axes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("optimizer.learning_rate=0.003,0.01, 0.03", (0.003, 0.01, 0.03)),
        ("optimizer.learning_rate=auto,1e-3", ("auto", 0.001)),
        ("model.activation=relu,leaky-relu", (("relu",), ("leaky-relu",))),
        ("model.activation=relu,[relu,tanh]", (("relu",), ("relu", "tanh"))),
        ('model.activation=["relu", "tanh"],tanh', (("relu", "tanh"), ("tanh",))),
        ("model.hidden=[128,128],[64],none", ((128, 128), (64,), ())),
        ("model.hidden=128", ((128,),)),
        ("optimizer.nesterov=true,false", (True, False)),
        ("data.name=mnist,../other.npz", ("mnist", "../other.npz")),
        ("loss.name=mse", ("mse",)),
    ],
)
def test_values_are_separated_by_commas(text: str, values: tuple[Any, ...]) -> None:
    assert axis(text).values == values
    assert axis(text).span is None


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("optimizer.learning_rate=0.001..0.1:log", Span(0.001, 0.1, True)),
        ("optimizer.learning_rate=1e-3..1e-1", Span(0.001, 0.1, False)),
        ("optimizer.learning_rate= .5 .. 2 : log ", Span(0.5, 2, True)),
        ("model.dropout=0..0.5", Span(0, 0.5, False)),
        ("training.batch_size=16..256:log", Span(16, 256, True)),
    ],
)
def test_a_span_has_two_ends(text: str, span: Span) -> None:
    assert axis(text) == Axis(axis(text).key, span=span)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate=1", "--vary learning_rate=1: expected table.key=value,value. Example"),
        ("optimizer.learning_rate", "--vary optimizer.learning_rate: expected table.key=value"),
        ("optimizer.learning_rate=", "--vary optimizer.learning_rate=: expected table.key="),
        ("optimizer.learning_rat=1", "[optimizer] has no key learning_rat. Did you mean lear"),
        ("optimzer.learning_rate=1", "there is no table [optimzer]. Did you mean [optimizer]?"),
        ("optimizer.learning_rate=1,x", "must be \"auto\" or a number above 0, not 'x'"),
        ("optimizer.learning_rate=1,,2", "must be \"auto\" or a number above 0, not ''"),
        ("optimizer.learning_rate=0.1],0.2", "must be \"auto\" or a number above 0, not '0.1]'"),
        ("optimizer.learning_rate=1,2,1.0", "--vary optimizer.learning_rate: '1.0' is given twice"),
        ("model.activation=relu,rleu", "not 'rleu' (did you mean relu?)"),
        ("model.activation=relu..tanh", "not 'relu..tanh'"),
        ("optimizer.learning_rate=0.1..0.001", "0.1..0.001: expected the larger last"),
        ("model.dropout=0..0.5:log", "0..0.5:log: expected two numbers above 0, the larger last"),
        ("model.dropout=0..1.5", "must be a number of at least 0 and below 1, not 1.5"),
        ("optimizer.learning_rate=auto..1", "a range lies between two numbers"),
        ("training.workers=1,2", "--vary training.workers: all jobs use the same number"),
        ("training.seed=" + "1," * 10_000 + "1", "has 10,001 values. At most 10,000 are allowed"),
    ],
)
def test_a_mistake_is_reported(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        axis(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


KEY_NAMES = st.sampled_from([f"{key}=" for key in KEYS])


@given(st.one_of(st.text(), st.builds(str.__add__, KEY_NAMES, st.text())))
@example("optimizer.learning_rate=1..2..3")
@example("optimizer.learning_rate=[[1]]")
@example("optimizer.learning_rate=1\n[value.x]")
@example("training.seed=1..9223372036854775807:log")
@example("training.epochs=0..1" + "0" * 5000)
def test_any_text_is_an_axis_or_a_mistake(text: str) -> None:
    try:
        axis = parse_axis(text)
    except UsageError:
        return
    rng = np.random.default_rng(0)
    for _ in range(5):
        value = axis.draw(rng)
        assert axis.key.kind.check(list(value) if isinstance(value, tuple) else value) == value
        assert axis.span is None or axis.span.low <= value <= axis.span.high


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.03, "0.03"),
        (1.0, "1"),
        (1e-5, "1e-05"),
        ((64, 64), "64,64"),
        ((), "none"),
        (("relu", "tanh"), "relu,tanh"),
        (True, "true"),
        ("auto", "auto"),
    ],
)
def test_a_value_is_written_as_its_option_takes_it(value: Any, text: str) -> None:
    assert written(value) == text


def test_keys_are_named_as_their_options() -> None:
    assert option_of("optimizer.learning_rate") == "lr"
    assert option_of("data.name") == "dataset"
    assert option_of("gone.key") == "gone.key"


# Jobs -----------------------------------------------------------------------------------------


def test_a_grid_has_all_combinations_with_all_seeds() -> None:
    jobs = plan("optimizer.learning_rate=0.1,0.2", "model.activation=relu,tanh", seeds=3).jobs()
    assert [(job.varied, job.seed) for job in jobs] == [
        ((rate, (name,)), seed)
        for rate in (0.1, 0.2)
        for name in ("relu", "tanh")
        for seed in (0, 1, 2)
    ]
    assert len({job.name for job in jobs}) == 12
    for job in jobs:
        assert job.config.optimizer.learning_rate == job.varied[0]
        assert job.config.model.activation == job.varied[1]
        assert job.config.training.seed == job.seed
        assert job.error is None


def test_seeds_count_up_from_the_seed_of_the_base() -> None:
    jobs = plan(base=("training.seed=7",), seeds=2).jobs()
    assert [job.config.training.seed for job in jobs] == [7, 8]


def test_a_seed_may_vary_by_itself() -> None:
    assert [job.seed for job in plan("training.seed=3,1").jobs()] == [3, 1]
    with pytest.raises(UsageError, match=r"--seeds: training.seed varies already"):
        plan("training.seed=3,1", seeds=2).jobs()


def test_names_say_what_varies() -> None:
    few = plan("optimizer.learning_rate=0.1,1e-5")
    assert names(few) == ["lr=0.1,seed=0", "lr=1e-05,seed=0"]
    many = plan("optimizer.learning_rate=0.3,1e-5,0.1", base=("training.epochs=1",), seeds=2)
    assert set(names(few)) < set(names(many))
    assert names(plan(base=("training.seed=7",), seeds=2)) == ["seed=7", "seed=8"]
    assert names(plan("training.seed=3,1")) == ["seed=3", "seed=1"]
    assert names(plan("model.hidden=[8,8],none", "optimizer.nesterov=true"))[1:] == [
        "hidden=none,nesterov=true,seed=0"
    ]


def test_names_stay_the_same_from_process_to_process() -> None:
    script = (
        "from actcli.sweep.axes import parse_axis; from actcli.sweep.plan import Plan; "
        "print(*(job.name for job in Plan((), (parse_axis('model.dropout=0,0.5'),)).jobs()))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, check=True, text=True
        ).stdout
        for _ in range(2)
    }
    assert outputs == {" ".join(names(plan("model.dropout=0,0.5"))) + "\n"}


def test_equal_jobs_are_trained_once() -> None:
    assert len(plan("optimizer.learning_rate=0.1,auto").jobs()) == 1


def test_draws_are_reproducible_and_within_the_span() -> None:
    vary = "optimizer.learning_rate=0.001..0.1:log", "model.hidden=[8],[16]", "model.dropout=0..0.5"
    jobs = plan(*vary, draws=50, seeds=2).jobs()
    assert len(jobs) == 100
    assert jobs == plan(*vary, draws=50, seeds=2).jobs()
    rates = [job.varied[0] for job in jobs]
    assert 0.001 <= min(rates) < 0.003
    assert 0.03 < max(rates) <= 0.1
    assert 0.3 < np.mean([rate < 0.01 for rate in rates]) < 0.7  # evenly in the logarithm
    assert {job.varied[1] for job in jobs} == {(8,), (16,)}
    assert all(0 <= job.varied[2] <= 0.5 for job in jobs)
    assert names(plan(*vary, draws=50)) != names(plan(*vary, draws=50, base=("training.seed=1",)))
    # The first draws are those of a shorter sweep, which so can be made longer.
    assert set(names(plan(*vary, draws=5))) < set(names(plan(*vary, draws=9)))


def test_whole_numbers_are_drawn_whole() -> None:
    values = [job.varied[0] for job in plan("training.batch_size=16..20", draws=40).jobs()]
    assert set(values) == {16, 17, 18, 19, 20}


def test_a_span_needs_a_number_of_draws() -> None:
    with pytest.raises(UsageError, match=r"a range needs a random search. Example: --random 20"):
        plan("model.dropout=0..0.5").jobs()
    with pytest.raises(UsageError, match=r"--random: nothing varies"):
        plan(draws=3).jobs()


SEVEN_AXES = [
    f"{key}=.01,.11,.21,.31,.41,.51,.61,.71,.81,.91"
    for key in (
        *("model.dropout", "loss.label_smoothing", "optimizer.learning_rate", "optimizer.momentum"),
        *("optimizer.weight_decay", "optimizer.clip_norm", "optimizer.warmup"),
    )
]
LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("planned", "message"),
    [
        (plan("model.dropout=0,0.5", draws=10**9), "1,000,000,000 jobs, but 20,000 are allowed"),
        (plan(seeds=10**9), "1,000,000,000 jobs, but 20,000 are allowed. Give fewer --seeds"),
        (plan(seeds=LARGEST), "9,223,372,036,854,775,807 jobs, but 20,000"),
        (plan(*SEVEN_AXES, seeds=10), "100,000,000 jobs, but 20,000 are allowed"),
        (plan(seeds=3, base=(f"training.seed={LARGEST - 1}",)), f"the largest seed, {LARGEST}"),
    ],
)
def test_too_many_jobs_are_refused_before_they_are_made(planned: Plan, message: str) -> None:
    with (
        mock.patch("actcli.sweep.plan._job", side_effect=AssertionError),
        pytest.raises(UsageError, match=message),
    ):
        planned.jobs()


def test_as_many_jobs_and_seeds_as_allowed() -> None:
    with mock.patch("actcli.sweep.plan.MAX_JOBS", 4):
        assert len(plan("model.dropout=0,0.5", seeds=2).jobs()) == 4
    jobs = plan(seeds=2, base=(f"training.seed={LARGEST - 1}",)).jobs()
    assert [job.seed for job in jobs] == [LARGEST - 1, LARGEST]


def test_keys_that_do_not_go_together_are_a_job_with_an_error() -> None:
    jobs = plan("loss.name=cross-entropy,mse", base=("model.output=softmax",)).jobs()
    assert [job.error for job in jobs] == [None, None]
    jobs = plan("loss.name=cross-entropy,mse", base=("model.output=sigmoid",)).jobs()
    assert [bool(job.error) for job in jobs] == [True, False]
    assert "does not go with output 'sigmoid'" in str(jobs[0].error)


def test_data_have_their_full_path_and_the_name_of_a_job_does_not_depend_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_names = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        (job,) = plan("model.dropout=0", base=("data.name=x.npz",)).jobs()
        assert job.config.data.name == str(folder / "x.npz")
        job_names.append(job.name)
    assert job_names[0] == job_names[1]


# Sweep files ----------------------------------------------------------------------------------


def read(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "net.toml"
    path.write_text(text)
    return read_sweep(path, "net.toml")


def test_a_sweep_file_is_a_configuration_with_one_more_table(tmp_path: Path) -> None:
    sweep = read(
        tmp_path,
        """
        [model]
        hidden = [8]
        [sweep]
        shows = "that it works"
        seeds = 3
        random = 5
        [sweep.vary]
        "optimizer.learning_rate" = "0.001..0.1:log"
        model.activation = ["relu", ["relu", "tanh"]]
        model.dropout = "0,0.5"
        """,
    )
    assert assemble(sweep.settings).model.hidden == (8,)
    assert (sweep.shows, sweep.seeds, sweep.random) == ("that it works", 3, 5)
    assert [str(each.key) for each in sweep.axes] == [
        *("optimizer.learning_rate", "model.activation", "model.dropout")
    ]
    assert sweep.axes[0].span == Span(0.001, 0.1, True)
    assert sweep.axes[1].values == (("relu",), ("relu", "tanh"))
    assert sweep.axes[2].values == (0, 0.5)


def test_a_configuration_is_a_sweep_file_in_which_nothing_varies(tmp_path: Path) -> None:
    sweep = read(tmp_path, "[training]\nepochs = 2\n")
    assert (sweep.axes, sweep.shows, sweep.seeds, sweep.random) == ((), "", None, None)
    assert assemble(sweep.settings).training.epochs == 2


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(
            tmp_path,
            """
            [training]
            epoch = 1
            [sweeep]
            [sweep]
            seed = 3
            random = 0
            [sweep.vary]
            model.activation = ["rleu"]
            optimizer.learning_rat = [1]
            optimizer.momentum = 0.5
            "model.dropout" = []
            dropout = [0.1]
            """,
        )
    lines = str(caught.value).splitlines()
    assert lines[0] == "9 mistakes"
    messages = [
        "[training] has no key epoch. Did you mean epochs?",
        "there is no table [sweeep]. Did you mean [sweep]?",
        "[sweep] has no key seed. Did you mean seeds? Known: shows, seeds, random, vary",
        "[sweep] random must be at least 1, not 0",
        "[sweep.vary] model.activation must be one of",
        "[sweep.vary] [optimizer] has no key learning_rat. Did you mean learning_rate?",
        "[sweep.vary] optimizer.momentum must be a list of values, or a text such as '0.01,0.1'",
        "[sweep.vary] model.dropout must be a list of values",
        "[sweep.vary] has dropout, which is not a key. Example: optimizer.learning_rate = [0.1, 1]",
    ]
    for line, message in zip(lines[1:], messages, strict=True):
        assert line.startswith(f"  net.toml: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sweep = 3", "net.toml: [sweep] must be a table"),
        ("[sweep]\nvary = 3", "net.toml: [sweep.vary] must be a table of keys and their values"),
        ("[sweep]\nshows = 3", "net.toml: [sweep] shows must be a text that is not empty, not 3"),
        (
            '[sweep.vary]\n"model.dropout" = [0]\n[sweep.vary.model]\ndropout = [1]',
            "net.toml: [sweep.vary] model.dropout is given twice",
        ),
    ],
)
def test_a_mistake_of_a_file_is_reported(text: str, message: str, tmp_path: Path) -> None:
    if "twice" in message:
        text = text.replace("[1]", "[0.5]")
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(["shows", "seeds", "random", "vary", "x\x1b"]), JSON))
def test_any_table_is_a_sweep_or_a_mistake(table: dict[str, Any]) -> None:
    with mock.patch("actcli.sweep.file.load_toml", return_value={"sweep": table}):
        message = message_of(lambda: read_sweep(Path("net.toml"), "net.toml"))
    assert "\x1b" not in message


def message_of(do: Callable[[], Any]) -> str:
    """Call a function; return the message of its UsageError, or an empty text without one."""
    try:
        do()
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", sweeps())
def test_every_sweep_that_is_shipped_can_be_trained(name: str) -> None:
    sweep = read_sweep(find_sweep(name), name)
    assert sweep.shows
    assert sweep.axes
    made = Plan(sweep.settings, sweep.axes, sweep.seeds or 1, sweep.random, sweep.shows)
    jobs = made.jobs()
    assert 8 <= len(jobs) <= 40
    assert not any(job.error for job in jobs)
    assert json.dumps([job.varied for job in jobs])


def test_an_unknown_sweep_is_reported_with_the_nearest_name() -> None:
    with pytest.raises(UsageError) as caught:
        find_sweep("initialization")
    assert "sweep file, configuration file or example configuration 'initialization'" in str(
        caught.value
    )
    assert "Did you mean 'initialisation'?" in str(caught.value)
