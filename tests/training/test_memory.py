"""The memory that a training takes: what is estimated beside what is measured, and the refusal."""

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
    return assemble([parse_assignment(each) for each in assignments]).resolve()


@pytest.mark.parametrize(
    "chosen",
    [
        ("model.hidden=900,900",),
        ("model.hidden=900,900", "optimizer.name=adam"),
        ("model.hidden=900,900", "model.init=orthogonal"),
        ("model.hidden=3000", "training.batch_size=1000"),
        ("model.hidden=3000", "training.batch_size=1000", "model.dropout=0.1"),
        ("model.hidden=100,100,100,100,100,100", "training.batch_size=5000"),
    ],
)
def test_the_estimate_is_near_what_a_training_takes(
    blobs: Blobs, tmp_path: Path, chosen: tuple[str, ...]
) -> None:
    data = f"data.name={blobs(rows=ROWS)}"
    runs = str(tmp_path / "runs")

    def train(*assignments: str) -> None:
        options = [text for each in (data, *assignments) for text in ("--set", each)]
        # With two processes it is as much, but what they share is not traced.
        args = ["train", *options, "--epochs", "1", "--runs-dir", runs, "-q", "--workers", "1"]
        assert CliRunner().invoke(main, args).exit_code == 0

    train("model.hidden=2")  # imports, caches
    tracemalloc.start()
    try:
        train(*chosen)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    estimate = training_memory(config("data.validation=200", *chosen), 12, 3, ROWS - 200)
    assert 0.9 * peak < estimate < 1.25 * peak


def test_what_the_estimate_grows_with() -> None:
    def needed(*chosen: str) -> int:
        return training_memory(config(*chosen), inputs=784, classes=10, rows=55_000)

    default = needed()
    for more in (
        "model.hidden=256,256",
        "model.dropout=0.1",
        "optimizer.name=adam",
        "training.batch_size=4000",
    ):
        assert needed(more) > default
    assert needed("training.batch_size=55000") == needed("training.batch_size=9999999999999")


def test_a_network_that_fits_is_let_through() -> None:
    check_memory(config(), inputs=784, classes=10, rows=55_000)


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        ("100000000", "4.33 TB"),
        ("1000000,1000000", "48.0 TB"),
        ("9000000000000000000,9000000000000000000", "3.89e+21 EB"),
    ],
)
def test_a_network_that_cannot_fit_is_refused_before_it_is_made(hidden: str, words: str) -> None:
    with pytest.raises(ActcliError) as caught:
        check_memory(config(f"model.hidden={hidden}"), inputs=784, classes=10, rows=55_000)
    assert type(caught.value) is ActcliError
    assert str(caught.value).startswith("this network needs ")
    assert f"{words} of memory, this " in str(caught.value)


def test_the_largest_batch_counts() -> None:
    with pytest.raises(ActcliError, match="this network needs "):
        check_memory(
            config("training.batch_size=100000000000"), inputs=784, classes=10, rows=10**12
        )


@pytest.mark.parametrize("hidden", ["100000000", "9000000000000000000"])
def test_the_command_refuses_a_network_that_cannot_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["train", "--hidden", hidden])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: this network needs ")
    assert not Path("runs").exists()


def test_the_command_knows_what_a_process_may_use(
    blobs: Blobs, little_memory: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    options = ("--dataset", str(blobs()), "--runs-dir", str(tmp_path / "runs"))
    done = little_memory("train", "--hidden", "8000,8000", *options, most=1_500_000_000)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: this network needs 3.11 GB of memory, this process may use 1.50 GB\n"
    )
    assert not (tmp_path / "runs").exists()
