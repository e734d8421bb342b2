"""The memory of a training: the estimate beside the measured peak, and the refusal."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner

from actcli.cli import main
from actcli.config.resolved import ResolvedConfig
from actcli.config.sources import assemble, parse_assignment
from actcli.errors import ActcliError
from actcli.training.memory import check_memory, training_memory

Blobs = Callable[..., Path]
ROWS = 1200


def config(*assignments: str) -> ResolvedConfig:
    return assemble([parse_assignment(text) for text in assignments]).resolve()


@pytest.mark.parametrize(
    "assignments",
    [
        pytest.param(("model.hidden=900,900",), marks=pytest.mark.slow),
        ("model.hidden=900,900", "optimizer.name=adam"),
        pytest.param(("model.hidden=900,900", "model.init=orthogonal"), marks=pytest.mark.slow),
        pytest.param(("model.hidden=3000", "training.batch_size=1000"), marks=pytest.mark.slow),
        ("model.hidden=3000", "training.batch_size=1000", "model.dropout=0.1"),
        ("model.hidden=100,100,100,100,100,100", "training.batch_size=5000"),
    ],
)
def test_the_estimate_is_near_the_measured_peak(
    blobs: Blobs, tmp_path: Path, assignments: tuple[str, ...]
) -> None:
    data = f"data.name={blobs(rows=ROWS)}"
    runs = str(tmp_path / "runs")

    def train(*settings: str) -> None:
        options = [text for setting in (data, *settings) for text in ("--set", setting)]
        # With two workers the sum is the same, but shared memory is not traced.
        args = ["train", *options, "--epochs", "1", "--runs-dir", runs, "-q", "--workers", "1"]
        assert CliRunner().invoke(main, args).exit_code == 0

    train("model.hidden=2")  # imports, caches
    tracemalloc.start()
    try:
        train(*assignments)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    estimate = training_memory(config("data.validation=200", *assignments), 12, 3, ROWS - 200)
    assert 0.9 * peak < estimate < 1.25 * peak


def test_the_estimate_grows_with_units_dropout_slots_and_rows() -> None:
    def needed(*assignments: str) -> int:
        return training_memory(config(*assignments), inputs=784, classes=10, rows=55_000)

    default = needed()
    for more in (
        "model.hidden=256,256",
        "model.dropout=0.1",
        "optimizer.name=adam",
        "training.batch_size=4000",
    ):
        assert needed(more) > default
    assert needed("training.batch_size=55000") == needed("training.batch_size=9999999999999")


def test_a_network_that_fits_is_accepted() -> None:
    check_memory(config(), inputs=784, classes=10, rows=55_000)


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        ("100000000", "4.33 TB"),
        ("1000000,1000000", "48.0 TB"),
        ("9000000000000000000,9000000000000000000", "3.89e+21 EB"),
    ],
)
def test_a_network_that_cannot_fit_is_refused_before_it_is_allocated(
    hidden: str, words: str
) -> None:
    with pytest.raises(ActcliError) as caught:
        check_memory(config(f"model.hidden={hidden}"), inputs=784, classes=10, rows=55_000)
    assert type(caught.value) is ActcliError
    assert str(caught.value).startswith("this network needs ")
    assert f"{words} of memory, this " in str(caught.value)


def test_a_large_mini_batch_is_refused() -> None:
    with pytest.raises(ActcliError, match="this network needs "):
        check_memory(
            config("training.batch_size=100000000000"), inputs=784, classes=10, rows=10**12
        )


def test_the_command_refuses_a_network_that_cannot_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for hidden in ("100000000", "9000000000000000000"):
        result = CliRunner().invoke(main, ["train", "--hidden", hidden])
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: this network needs ")
        assert not Path("runs").exists()


def test_the_command_respects_the_memory_limit_of_the_process(
    blobs: Blobs, little_memory: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    options = ("--dataset", str(blobs()), "--runs-dir", str(tmp_path / "runs"))
    done = little_memory("train", "--hidden", "8000,8000", *options, most=1_500_000_000)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: this network needs 3.11 GB of memory, this process may use 1.50 GB\n"
    )
    assert not (tmp_path / "runs").exists()
